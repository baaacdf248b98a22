"""Fit the thresholds of a rejection rule to held-out training images.

No test images and no out-of-distribution images are used. If 1 % of new images may be refused, the thresholds are so
low that about 100 of 10,000 held-out images lie below one of them.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from msgspec import structs

from convscope.base.arguments import checked
from convscope.data.datasets import Dataset, evenly
from convscope.evidence.rejection.distance import fit_distance
from convscope.evidence.rejection.image_statistics import fit_statistics
from convscope.evidence.rejection.rule import RejectionRule, ScoreName, compute_scores
from convscope.evidence.rejection.separation import joint_thresholds
from convscope.training.model import Model

Part = tuple[Model, Dataset, Dataset]
"""A model, its training images, and images of the same set that it was not trained on."""

SCORES_OF_A_RULE: tuple[ScoreName, ...] = ("max_logit", "mahalanobis", "image_statistics")
"""The scores of a fitted rule. Of the rules that were tried, this one refuses the most out-of-distribution images for
Fashion-MNIST, and within a point of the most for MNIST; see docs/methods/rejection.md."""

GUARD: ScoreName = "image_statistics"
GUARD_SHARE = 0.2
"""The part of a rule's refusals that its image statistics may cause alone. An equal part cost 1.4 to 1.7 % of the test
images; with a fifth they refuse as much noise and cost 1.0 to 1.2 %."""

_MAX_HELD_OUT = 20_000  # so that a share of 1 % is known to 0.14 points


@checked
def fit_rejection(model: Model, parts: Sequence[Part], *, keep: float = 0.99) -> RejectionRule:
    """Fit the thresholds of a rule to held-out images.

    Together, the scores of the rule accept the share `keep` of new images on average (see
    `separation.joint_thresholds`). At most 20,000 held-out images are used, sampled evenly.

    Args:
        parts: either the model itself with its training and validation images; or siblings of the model, each trained
            in the same way on a part of the training images, with the other images. A sibling's scores for images that
            it was not trained on estimate the model's scores for new images.
        keep: share of the images of the known classes to accept.

    Raises:
        ValueError: if there is no part, `keep` is not between 0 and 1, or images or classes are not the model's.
    """
    if not parts:
        raise ValueError("parts is empty; give (model, trained_on, held_out) at least once")
    if not 0 < keep < 1:
        raise ValueError(f"keep is {keep}; it must lie between 0 and 1")
    for sibling, trained_on, held_out in parts:
        for dataset in (trained_on, held_out):
            model.check_classes(dataset)
            sibling.check_classes(dataset)
    # For each part, the score functions of its own network and training images.
    fitted = [(fit_distance(sibling, seen), fit_statistics(seen)) for sibling, seen, _ in parts]
    by_part = []
    for (sibling, _, held_out), (distance, statistics) in zip(parts, fitted, strict=True):
        # Equally many images from each part.
        sample = held_out.take(evenly(len(held_out), max(1, _MAX_HELD_OUT // len(parts)))).images
        logits = sibling.logits(sample)
        by_part.append(compute_scores(sibling, sample, logits, SCORES_OF_A_RULE, distance, statistics))
    # Each image was scored by a network that did not see it, so these scores are like those of new images.
    scores = {name: np.concatenate([part[name] for part in by_part]) for name in SCORES_OF_A_RULE}
    # The rule gets these thresholds, but the distance of the model itself. If the part is the model, that is the fitted
    # one. Siblings have other hidden layers, so it is fitted again, to all training images: the two halves of any part.
    sibling, trained_on, held_out = parts[0]
    own_distance, own_statistics = fitted[0]
    if sibling.weights_sha256 != model.weights_sha256:
        both = _join(trained_on, held_out)
        own_distance, own_statistics = fit_distance(model, both), fit_statistics(both)
    rule = RejectionRule(
        thresholds=joint_thresholds(scores, keep, GUARD, GUARD_SHARE),
        medians={name: float(np.median(values)) for name, values in scores.items()},
        keep=keep,
        num_held_out=len(scores[GUARD]),
        # Counted below by the finished rule.
        num_kept=0,
        distance=own_distance,
        statistics=own_statistics,
    )
    return structs.replace(rule, num_kept=int((rule.combine(scores) >= 0).sum()))


def _join(first: Dataset, second: Dataset) -> Dataset:
    """Join the images of both, of each at most 20,000."""
    first_part, second_part = (part.take(evenly(len(part), _MAX_HELD_OUT)) for part in (first, second))
    images = np.concatenate([first_part.images, second_part.images])
    labels = np.concatenate([first_part.labels.astype(np.int64), second_part.labels])
    return replace(first_part, images=images, labels=labels, files=(), weights=None)
