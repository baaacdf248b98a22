"""How well a model refuses what belongs to no class: rules, test images and out-of-distribution images to a
`Rejection`.

It says nothing about out-of-distribution images of other kinds, and nothing about a picture chosen on purpose to get
through.
"""

import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.arguments import Seed, checked
from convscope.base.metrics import softmax, wilson_interval
from convscope.base.packing import Packed
from convscope.base.records import to_tuple
from convscope.data.datasets import Dataset, DatasetLike, Splits
from convscope.evidence.records import describe_images
from convscope.evidence.rejection.made_up import alter
from convscope.evidence.rejection.out_of_distribution import OutOfDistributionSet, out_of_distribution_sets
from convscope.evidence.rejection.result import (
    SURE,
    AlteredImages,
    Examples,
    KnownExamples,
    KnownImages,
    OutOfDistributionResult,
    Rejection,
    RuleResult,
    Share,
)
from convscope.evidence.rejection.rule import RejectionRule, scores_of
from convscope.evidence.rejection.separation import auroc, auroc_interval, effective_number, false_positive_rate
from convscope.training.model import Model, dataset_for

_MOST_KNOWN = 10_000  # test images
_MOST_EXAMPLE_BYTES = 110_000  # of all pictures together, as they are
_MOST_EACH = 4  # pictures of a set
_MOST_SIDE = 64  # pixels of a picture
_BINS = 40
_TAIL = 0.005  # share of the scores at either end that the outer bins take in

Scores = dict[str, NDArray[np.float64]]
"""Of images (N,), what each rule makes of its scores, by the rule's name; below 0 is refused."""


@checked
def measure_rejection(
    rules: RejectionRule | Sequence[RejectionRule],
    model: Model,
    dataset: DatasetLike,
    other: Dataset | Splits | str | os.PathLike[str] | None = None,
    *,
    most: int = 2000,
    seed: Seed = 0,
) -> Rejection:
    """Return how often each of `rules` refuses the test images `dataset` and each out-of-distribution set.

    Probabilities are those at the temperature that the model keeps, as `predict` gives them.

    Args:
        rules: the chosen one first, as `fit_rules` gives them, each of other scores; or one.
        dataset: test images, none of which the rules were fitted to; of more than 10,000 as many are taken evenly.
        other: images of another data set; see `out_of_distribution_sets`, also for `most` and `seed`.

    Raises:
        DatasetError: if `other` cannot be read.
        ValueError: if there is no rule or two are of the same scores, images or classes are not the model's, `most` is
            below 1, or `other` is the data set itself.
    """
    dataset = dataset_for(model, dataset)
    given = (rules,) if isinstance(rules, RejectionRule) else tuple(rules)
    if not given or len({rule.name for rule in given}) < len(given):
        raise ValueError(f"rules are {[rule.name for rule in given]}; give at least one, each with different scores")
    model.check_classes(dataset)
    places = np.linspace(0, len(dataset) - 1, min(len(dataset), _MOST_KNOWN)).round().astype(np.int64)
    known = dataset.take(places)
    sets, left_out = out_of_distribution_sets(known, other, most=most, seed=seed)
    chosen = given[0].name
    room = _MOST_EXAMPLE_BYTES // (len(sets) + 2)

    known_logits = model.logits(known.images)
    known_scores = _scores(given, model, known.images, known_logits)
    set_logits = [model.logits(outside.images) for outside in sets]
    set_scores = [_scores(given, model, one.images, logits) for one, logits in zip(sets, set_logits, strict=True)]
    edges = _edges([known_scores[chosen], *(scores[chosen] for scores in set_scores)])
    some = known.take(np.linspace(0, len(known) - 1, min(len(known), most)).round().astype(np.int64))
    return Rejection(
        **describe_images(dataset, len(known)),
        rules=tuple(rule.to_record() for rule in given),
        temperature=model.calibration.get("temperature"),
        known=_measure_known(given, model, known, known_logits, known_scores, places, edges, 2 * room),
        altered=tuple(
            _measure_altered(given, model, altered.name, altered.images, some.labels) for altered in alter(some, seed)
        ),
        out_of_distribution=tuple(
            _measure_set(given, model, one, logits, scores, known_scores, edges, room)
            for one, logits, scores in zip(sets, set_logits, set_scores, strict=True)
        ),
        left_out=left_out,
        edges=tuple(edges.tolist()),
    )


def _scores(
    rules: Sequence[RejectionRule], model: Model, images: NDArray[np.uint8], logits: NDArray[np.float32]
) -> Scores:
    """Return what each rule makes of the scores of the images; a score that rules share is computed once."""
    names = list(dict.fromkeys(name for rule in rules for name in rule.thresholds))
    distance = next((rule.distance for rule in rules if rule.distance is not None), None)
    statistics = next((rule.statistics for rule in rules if rule.statistics is not None), None)
    scores = scores_of(model, images, logits, names, distance, statistics)
    return {rule.name: rule.combine(scores) for rule in rules}


def _probabilities(model: Model, logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return (N, K), what `Model.calibrated_probabilities` gives for images with these logits."""
    return softmax(logits.astype(np.float64) / model.calibration.get("temperature", 1.0))


def _measure_known(
    rules: Sequence[RejectionRule],
    model: Model,
    known: Dataset,
    logits: NDArray[np.float32],
    scores: Scores,
    places: NDArray[np.int64],
    edges: NDArray[np.float64],
    room: int,
) -> KnownImages:
    probabilities = _probabilities(model, logits)
    answers = logits.argmax(axis=1)
    right = answers == known.labels
    refused = {name: ~(some >= 0) for name, some in scores.items()}
    chosen = rules[0].name
    shown = _spread(np.flatnonzero(refused[chosen]), scores[chosen], _number(known.image_shape, room, 2 * _MOST_EACH))
    return KnownImages(
        right={name: _share(some[right]) for name, some in refused.items()},
        wrong={name: _share(some[~right]) for name, some in refused.items()},
        right_among_answered={name: _share(right[~some]) for name, some in refused.items()},
        histogram=_histogram(scores[chosen], edges),
        refused=KnownExamples(
            **_examples(known.images, shown, answers, probabilities, refused[chosen]),
            indices=to_tuple(places[shown]),
            labels=to_tuple(known.labels[shown]),
        ),
    )


def _measure_altered(
    rules: Sequence[RejectionRule],
    model: Model,
    name: str,
    images: NDArray[np.uint8],
    labels: NDArray[np.integer[Any]],
) -> AlteredImages:
    logits = model.logits(images)
    right = logits.argmax(axis=1) == labels
    scores = _scores(rules, model, images, logits)
    return AlteredImages(
        name=name,
        num_images=len(images),
        accuracy=float(right.mean()),
        right={rule: _share(~(some[right] >= 0)) for rule, some in scores.items()},
    )


def _measure_set(
    rules: Sequence[RejectionRule],
    model: Model,
    outside: OutOfDistributionSet,
    logits: NDArray[np.float32],
    scores: Scores,
    known: Scores,
    edges: NDArray[np.float64],
    room: int,
) -> OutOfDistributionResult:
    probabilities = _probabilities(model, logits)
    answers, largest = logits.argmax(axis=1), probabilities.max(axis=1)
    refused = {name: ~(some >= 0) for name, some in scores.items()}
    chosen, count = rules[0].name, len(outside.images)
    measured = []
    for rule in rules:
        mine, theirs = known[rule.name], scores[rule.name]
        area = auroc(mine, theirs)
        # Of each image outside the share of known images above it: their mean is the area.
        above = 1 - np.searchsorted(np.sort(mine), theirs) / len(mine)
        number = count if outside.clusters is None else effective_number(above, outside.clusters)
        measured.append(
            RuleResult(
                rule=rule.name,
                refused=_share(refused[rule.name], outside.clusters),
                auroc=area,
                auroc_interval=auroc_interval(area, len(mine), number),
                false_positive_rate=false_positive_rate(mine, theirs),
            )
        )
    counts = np.bincount(answers, minlength=probabilities.shape[1])
    most = _number(outside.images.shape[1:], room, _MOST_EACH)
    shown = _spread(np.arange(count), scores[chosen], most)
    sure = largest >= SURE
    return OutOfDistributionResult(
        name=outside.name,
        about=outside.about,
        num_images=count,
        num_clusters=None if outside.clusters is None else len(np.unique(outside.clusters)),
        clustered_by=outside.clustered_by,
        mean_probability=float(largest.mean()),
        num_sure=int(sure.sum()),
        num_sure_answered=int((sure & ~refused[chosen]).sum()),
        answer=int(counts.argmax()),
        num_answer=int(counts.max()),
        rules=tuple(measured),
        histogram=_histogram(scores[chosen], edges),
        examples=Examples(**_examples(outside.images, shown, answers, probabilities, refused[chosen])),
    )


def _share(chosen: NDArray[np.bool_], clusters: NDArray[np.int64] | None = None) -> Share:
    count, total = int(chosen.sum()), len(chosen)
    value = count / total if total else 0.0
    interval = wilson_interval(count, total)
    if clusters is not None:
        number = effective_number(chosen, clusters)
        interval = wilson_interval(value * number, number)
    return Share(count=count, total=total, value=value, interval=interval)


def _edges(scores: Iterable[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the edges of bins that hold nearly all scores of each set; the threshold, 0, is the edge between two.

    Images far below the threshold share the lowest bin: no bin reaches lower than the highest score is high.
    """
    ends = np.array(
        [np.quantile(some[np.isfinite(some)], (_TAIL, 1 - _TAIL)) for some in scores if np.isfinite(some).any()]
    )
    high = max(ends[:, 1].max(), 1.0)
    low = max(min(ends[:, 0].min(), 0.0), -high)
    width = (high - low) / (_BINS - 2)
    below = int(np.ceil(-low / width)) or 1
    return np.asarray(width * (np.arange(_BINS + 1) - below), np.float64)


def _histogram(scores: NDArray[np.float64], edges: NDArray[np.float64]) -> tuple[int, ...]:
    """Return how many scores each bin holds; the outer ones also take what lies beyond them."""
    return tuple(np.histogram(np.nan_to_num(scores, nan=edges[0]).clip(edges[0], edges[-1]), edges)[0].tolist())


def _number(image_shape: Sequence[int], room: int, most: int) -> int:
    height, width, channels = image_shape
    return min(most, max(1, room // (min(height, _MOST_SIDE) * min(width, _MOST_SIDE) * channels)))


def _spread(places: NDArray[np.int64], scores: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """Return at most `most` of the places, evenly from the highest score to the lowest."""
    ranked = places[np.argsort(-scores[places], kind="stable")]
    return ranked[np.linspace(0, len(ranked) - 1, min(len(ranked), most)).round().astype(np.int64)]


def _examples(
    images: NDArray[np.uint8],
    shown: NDArray[np.int64],
    answers: NDArray[np.integer[Any]],
    probabilities: NDArray[np.float64],
    refused: NDArray[np.bool_],
) -> dict[str, Any]:
    """Return what `Examples` holds of the images `shown`, those too large for a picture thinned out."""
    step_down, step_right = (-(-side // _MOST_SIDE) for side in images.shape[1:3])
    return {
        "images": Packed.from_array(images[shown][:, ::step_down, ::step_right]),
        "answers": to_tuple(answers[shown]),
        "probabilities": to_tuple(probabilities[shown].max(axis=1)),
        "refused": to_tuple(refused[shown]),
    }
