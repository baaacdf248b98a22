"""Fit the thresholds of a rule: a model and held-out training images to a `RejectionRule`.

No test image and none of the out-of-distribution images that the rule is measured on take part.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from msgspec import structs

from convscope.base.arguments import checked
from convscope.data.datasets import Dataset, evenly
from convscope.evidence.rejection.distance import fit_distance
from convscope.evidence.rejection.image_statistics import fit_statistics
from convscope.evidence.rejection.rule import RejectionRule, ScoreName, scores_of
from convscope.evidence.rejection.separation import joint_thresholds
from convscope.training.model import Model

Part = tuple[Model, Dataset, Dataset]
"""A model, the images that it was trained on, and images of the same training set that it has not seen."""

SCORES_OF_A_RULE: tuple[ScoreName, ...] = ("max_logit", "mahalanobis", "image_statistics")
"""Of the rules that were tried, the one that refuses most of Fashion-MNIST's out-of-distribution images, and within a
point of the most of MNIST's; see docs/methods/rejection.md."""

GUARD: ScoreName = "image_statistics"
GUARD_SHARE = 0.2
"""Of the held-out images that a rule may refuse, the share that its image statistics may refuse by themselves."""

_MAX_HELD_OUT = 20_000  # so that a share of 1 % is known to 0.14 points


@checked
def fit_rejection(model: Model, parts: Sequence[Part], *, keep: float = 0.99) -> RejectionRule:
    """Fit the thresholds of a rule to held-out images.

    The scores of the rule together let the share `keep` of new images through on average (see
    `separation.joint_thresholds`). At most 20,000 held-out images are used, sampled evenly.

    Args:
        parts: either the model itself with the images it was trained on and its validation images; or siblings of the
            model, trained in the same way on a part of the training images each, with the images left out. What a
            sibling answers to images it has not seen stands for what the model will answer to new ones.
        keep: share of the images of the known classes that is to be let through.

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
    fitted = [(fit_distance(sibling, seen), fit_statistics(seen)) for sibling, seen, _ in parts]
    by_part = []
    for (sibling, _, held_out), (distance, statistics) in zip(parts, fitted, strict=True):
        some = held_out.take(evenly(len(held_out), max(1, _MAX_HELD_OUT // len(parts)))).images
        by_part.append(scores_of(sibling, some, sibling.logits(some), SCORES_OF_A_RULE, distance, statistics))
    scores = {name: np.concatenate([part[name] for part in by_part]) for name in SCORES_OF_A_RULE}
    sibling, trained_on, held_out = parts[0]
    own_distance, own_statistics = fitted[0]
    if sibling.weights_sha256 != model.weights_sha256:
        whole = _together(trained_on, held_out)
        own_distance, own_statistics = fit_distance(model, whole), fit_statistics(whole)
    rule = RejectionRule(
        thresholds=joint_thresholds(scores, keep, GUARD, GUARD_SHARE),
        medians={name: float(np.median(values)) for name, values in scores.items()},
        keep=keep,
        num_held_out=len(scores[GUARD]),
        num_kept=0,
        distance=own_distance,
        statistics=own_statistics,
    )
    return structs.replace(rule, num_kept=int((rule.combine(scores) >= 0).sum()))


def _together(first: Dataset, second: Dataset) -> Dataset:
    """Return the images of both, of each at most as many as a distance is fitted to."""
    first_part, second_part = (part.take(evenly(len(part), _MAX_HELD_OUT)) for part in (first, second))
    images = np.concatenate([first_part.images, second_part.images])
    return replace(
        first_part, images=images, labels=np.concatenate([first_part.labels.astype(np.int64), second_part.labels])
    )
