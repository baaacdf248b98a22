"""Choose a score and its threshold: a model and held-out training images to a `RejectionRule`.

No test image and none of the strangers that the rule is measured on take part.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.datasets import Dataset, evenly
from convscope.model import Model
from convscope.rejection.distance import HiddenDistance, fit_distance
from convscope.rejection.made_up import make_up
from convscope.rejection.rule import RejectionRule
from convscope.rejection.scores import SCORES, ScoreName, score_of_logits
from convscope.rejection.separation import auroc, threshold_of

Part = tuple[Model, Dataset, Dataset]
"""A model, the images that it was trained on, and images of the same training set that it has not seen."""

_MOST_HELD_OUT = 20_000  # so that a share of 1 % is known to 0.14 points
_MADE_UP_EACH = 500  # of each kind, over all parts


@dataclass(frozen=True)
class _Scored:
    """The scores of one part, or of several in a row, by the score's name."""

    held_out: dict[ScoreName, NDArray[np.float64]]
    made_up: dict[str, dict[ScoreName, NDArray[np.float64]]]


def fit_rejection(model: Model, parts: Sequence[Part], *, keep: float = 0.99, seed: int = 0) -> RejectionRule:
    """Return the best of `fit_rules` by made-up strangers; arguments and errors are the same."""
    return fit_rules(model, parts, keep=keep, seed=seed)[0]


def fit_rules(model: Model, parts: Sequence[Part], *, keep: float = 0.99, seed: int = 0) -> tuple[RejectionRule, ...]:
    """Return a rule for each score, the best first: the one that best tells held-out images from made-up strangers.

    "Best" is the mean area under the curve over the kinds of strangers, each made up from the held-out images (see
    `made_up.make_up`). A threshold is set by the held-out images alone, so that at least the share `keep` of them is
    let through. Of more than 20,000 held-out images as many are taken evenly.

    Args:
        parts: either the model itself with the images it was trained on and its validation images; or siblings of the
            model, trained in the same way on a part of the training images each, with the images left out. What a
            sibling answers to images it has not seen stands for what the model will answer to new ones.
        keep: share of the images of the known classes that is to be let through.
        seed: of the made-up strangers.

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
    scored = _joined([_score(part, one, len(parts), seed) for part, one in zip(parts, distances, strict=True)])
    sibling, trained_on, held_out = parts[0]
    is_own = sibling.weights_sha256 == model.weights_sha256
    distance = distances[0] if is_own else fit_distance(model, _together(trained_on, held_out))
    rules = [_rule(name, scored, keep, distance if name == "mahalanobis" else None) for name in SCORES]
    return tuple(sorted(rules, key=lambda rule: -rule.mean_made_up))  # stable: of equals the first of SCORES


def scores_of(
    model: Model, images: NDArray[np.uint8], logits: NDArray[np.floating[Any]], distance: HiddenDistance | None
) -> dict[ScoreName, NDArray[np.float64]]:
    """Return (N,) by name, every score of the images (N, H, W, C) with these logits (N, K).

    Without a distance it is those of the logits alone.
    """
    found: dict[ScoreName, NDArray[np.float64]] = {}
    for name in SCORES:
        if name != "mahalanobis":
            found[name] = score_of_logits(name, logits)
        elif distance is not None:
            found[name] = distance.scores(model, images)
    return found


def _score(part: Part, distance: HiddenDistance, num_parts: int, seed: int) -> _Scored:
    model, _, held_out = part
    some = _evenly(held_out, max(1, _MOST_HELD_OUT // num_parts))
    made_up = make_up(held_out, max(1, _MADE_UP_EACH // num_parts), seed)
    return _Scored(
        scores_of(model, some.images, model.logits(some.images), distance),
        {kind: scores_of(model, images, model.logits(images), distance) for kind, images in made_up.items()},
    )


def _joined(parts: Sequence[_Scored]) -> _Scored:
    """Return the scores of all parts in a row."""
    kinds = list(dict.fromkeys(kind for part in parts for kind in part.made_up))
    return _Scored(
        {name: np.concatenate([part.held_out[name] for part in parts]) for name in SCORES},
        {
            kind: {
                name: np.concatenate([part.made_up[kind][name] for part in parts if kind in part.made_up])
                for name in SCORES
            }
            for kind in kinds
        },
    )


def _rule(name: ScoreName, scored: _Scored, keep: float, distance: HiddenDistance | None) -> RejectionRule:
    held_out = scored.held_out[name]
    threshold = threshold_of(held_out, keep)
    made_up = {kind: scores[name] for kind, scores in scored.made_up.items()}
    return RejectionRule(
        score=name,
        threshold=threshold,
        keep=keep,
        num_held_out=len(held_out),
        num_kept=int((held_out >= threshold).sum()),
        num_made_up=sum(map(len, made_up.values())),
        made_up={kind: auroc(held_out, scores) for kind, scores in made_up.items()},
        distance=distance,
    )


def _together(first: Dataset, second: Dataset) -> Dataset:
    """Return the images of both, of each at most as many as a distance is fitted to."""
    one, other = _evenly(first, _MOST_HELD_OUT), _evenly(second, _MOST_HELD_OUT)
    images = np.concatenate([one.images, other.images])
    return replace(one, images=images, labels=np.concatenate([one.labels.astype(np.int64), other.labels]))


def _evenly(dataset: Dataset, most: int) -> Dataset:
    if len(dataset) <= most:
        return dataset
    return dataset.take(evenly(len(dataset), most))
