"""Choose scores and their thresholds: a model and held-out training images to a `RejectionRule`.

No test image and none of the out-of-distribution images that the rule is measured on take part.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from convscope.base.arguments import Seed, checked
from convscope.data.datasets import Dataset, evenly
from convscope.evidence.rejection.distance import HiddenDistance, fit_distance
from convscope.evidence.rejection.image_statistics import ImageStatistics, fit_statistics
from convscope.evidence.rejection.made_up import make_up
from convscope.evidence.rejection.rule import RejectionRule, ScoreName, scores_of
from convscope.evidence.rejection.separation import joint_thresholds
from convscope.training.model import Model

Part = tuple[Model, Dataset, Dataset]
"""A model, the images that it was trained on, and images of the same training set that it has not seen."""

CANDIDATES: tuple[tuple[ScoreName, ...], ...] = (("max_probability",), ("max_logit", "mahalanobis"))
"""The scores that are tried, the first of equals is chosen; each rule also has the image statistics. Of seven, no other
two refused more made-up images of MNIST and Fashion-MNIST (0.5 points less than the best of all seven)."""

GUARD: ScoreName = "image_statistics"
GUARD_SHARE = 0.2
"""Of the held-out images that a rule may refuse, the share that its image statistics may refuse by themselves."""

_SCORES = tuple(dict.fromkeys([name for names in CANDIDATES for name in names] + [GUARD]))
_MOST_HELD_OUT = 20_000  # so that a share of 1 % is known to 0.14 points
_MADE_UP_EACH = 500  # of each kind, over all parts


@dataclass(frozen=True)
class _Scored:
    """The scores of one part, or of several in a row, by the score's name."""

    held_out: dict[ScoreName, NDArray[np.float64]]
    made_up: dict[str, dict[ScoreName, NDArray[np.float64]]]


@checked
def fit_rejection(model: Model, parts: Sequence[Part], *, keep: float = 0.99, seed: Seed = 0) -> RejectionRule:
    """Return the rule with the scores of `CANDIDATES` that refuse the most made-up images.

    "The most" is the mean share refused over the kinds of out-of-distribution images, each made up from the held-out
    images (see `made_up.make_up`). Thresholds are set by the held-out images alone, so that the scores of a rule
    together let the share `keep` of new ones through on average (see `separation.joint_thresholds`). At most 20,000
    held-out images are used, sampled evenly.

    Args:
        parts: either the model itself with the images it was trained on and its validation images; or siblings of the
            model, trained in the same way on a part of the training images each, with the images left out. What a
            sibling answers to images it has not seen stands for what the model will answer to new ones.
        keep: share of the images of the known classes that is to be let through.
        seed: of the made-up images.

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
    distances = [fit_distance(sibling, trained_on) for sibling, trained_on, _ in parts]
    statistics = [fit_statistics(trained_on) for _, trained_on, _ in parts]
    scored = _joined(
        [
            _score(part, distance, one, len(parts), seed)
            for part, distance, one in zip(parts, distances, statistics, strict=True)
        ]
    )
    sibling, trained_on, held_out = parts[0]
    own_distance, own_statistics = distances[0], statistics[0]
    if sibling.weights_sha256 != model.weights_sha256:
        whole = _together(trained_on, held_out)
        own_distance, own_statistics = fit_distance(model, whole), fit_statistics(whole)
    rules = [_rule(names, scored, keep, own_distance, own_statistics) for names in CANDIDATES]
    return max(rules, key=lambda rule: rule.mean_made_up)


def _score(part: Part, distance: HiddenDistance, statistics: ImageStatistics, num_parts: int, seed: int) -> _Scored:
    model, _, held_out = part
    some = held_out.take(evenly(len(held_out), max(1, _MOST_HELD_OUT // num_parts)))
    made_up = make_up(held_out, max(1, _MADE_UP_EACH // num_parts), seed)

    def scores(images: NDArray[np.uint8]) -> dict[ScoreName, NDArray[np.float64]]:
        return scores_of(model, images, model.logits(images), _SCORES, distance, statistics)

    return _Scored(scores(some.images), {kind: scores(images) for kind, images in made_up.items()})


def _joined(parts: Sequence[_Scored]) -> _Scored:
    """Return the scores of all parts in a row."""
    kinds = list(dict.fromkeys(kind for part in parts for kind in part.made_up))
    return _Scored(
        {name: np.concatenate([part.held_out[name] for part in parts]) for name in _SCORES},
        {
            kind: {
                name: np.concatenate([part.made_up[kind][name] for part in parts if kind in part.made_up])
                for name in _SCORES
            }
            for kind in kinds
        },
    )


def _rule(
    names: Sequence[ScoreName], scored: _Scored, keep: float, distance: HiddenDistance, statistics: ImageStatistics
) -> RejectionRule:
    held_out = {name: scored.held_out[name] for name in (*names, GUARD)}
    thresholds = joint_thresholds(held_out, keep, GUARD, GUARD_SHARE)
    rule = RejectionRule(
        thresholds=thresholds,
        medians={name: float(np.median(scores)) for name, scores in held_out.items()},
        keep=keep,
        num_held_out=len(held_out[GUARD]),
        num_kept=0,
        num_made_up=sum(len(scores[GUARD]) for scores in scored.made_up.values()),
        made_up={},
        distance=distance if "mahalanobis" in names else None,
        statistics=statistics,
    )
    return structs.replace(
        rule,
        num_kept=int((rule.combine(held_out) >= 0).sum()),
        made_up={kind: float((rule.combine(scores) < 0).mean()) for kind, scores in scored.made_up.items()},
    )


def _together(first: Dataset, second: Dataset) -> Dataset:
    """Return the images of both, of each at most as many as a distance is fitted to."""
    one, other = (part.take(evenly(len(part), _MOST_HELD_OUT)) for part in (first, second))
    images = np.concatenate([one.images, other.images])
    return replace(one, images=images, labels=np.concatenate([one.labels.astype(np.int64), other.labels]))
