"""How well a model refuses what belongs to no class: rules, test images and strangers to a `Rejection`.

It says nothing about strangers of other kinds, and nothing about a picture chosen on purpose to get through.
"""

import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.datasets import Dataset, Splits
from convscope.metrics import softmax, wilson_interval
from convscope.model import Model
from convscope.rejection.fitting import scores_of
from convscope.rejection.result import SURE, Examples, KnownImages, Rejection, SetScore, Share, StrangerResult
from convscope.rejection.rule import RejectionRule
from convscope.rejection.scores import ScoreName
from convscope.rejection.separation import auroc, auroc_interval, false_positive_rate
from convscope.rejection.strangers import Strangers, stranger_sets

_MOST_KNOWN = 10_000  # test images
_MOST_EXAMPLE_BYTES = 110_000  # of all pictures together, as they are
_MOST_EACH = 4  # pictures of a set
_MOST_SIDE = 64  # pixels of a picture
_BINS = 40
_TAIL = 0.005  # share of the scores at either end that the outer bins take in

Scores = dict[ScoreName, NDArray[np.float64]]


def measure_rejection(
    rules: RejectionRule | Sequence[RejectionRule],
    model: Model,
    dataset: Dataset,
    other: Dataset | Splits | str | os.PathLike[str] | None = None,
    *,
    most: int = 2000,
    seed: int = 0,
) -> Rejection:
    """Return how often each of `rules` refuses the test images `dataset` and each set of strangers.

    Args:
        rules: the chosen one first, as `fit_rules` gives them, each of another score; or one.
        dataset: test images, none of which the rules were fitted to; of more than 10,000 as many are taken evenly.
        other: images of another data set; see `stranger_sets`, also for `most`, the images of a set, and `seed`.

    Raises:
        DatasetError: if `other` cannot be read.
        ValueError: if there is no rule or two have one score, images or classes are not the model's, `most` is below
            1, or `other` is the data set itself.
    """
    given = (rules,) if isinstance(rules, RejectionRule) else tuple(rules)
    if not given or len({rule.score for rule in given}) < len(given):
        raise ValueError(f"rules are of {[rule.score for rule in given]}; give one or more, each of another score")
    model.check_classes(dataset)
    places = np.linspace(0, len(dataset) - 1, min(len(dataset), _MOST_KNOWN)).round().astype(np.int64)
    known = dataset.take(places)
    sets, left_out = stranger_sets(known, other, most=most, seed=seed)
    distance = next((rule.distance for rule in given if rule.distance is not None), None)
    chosen = given[0]
    room = _MOST_EXAMPLE_BYTES // (len(sets) + 2)

    known_logits = model.logits(known.images)
    known_scores = scores_of(model, known.images, known_logits, distance)
    set_logits = [model.logits(strangers.images) for strangers in sets]
    set_scores = [scores_of(model, one.images, logits, distance) for one, logits in zip(sets, set_logits, strict=True)]
    edges = _edges([known_scores[chosen.score], *(scores[chosen.score] for scores in set_scores)], chosen.threshold)
    return Rejection(
        dataset_name=dataset.name,
        split=dataset.split,
        class_names=dataset.class_names,
        rules=given,
        num_images=len(known),
        num_images_left_out=len(dataset) - len(known),
        known=_measure_known(given, known, known_logits, known_scores, places, edges, 2 * room),
        strangers=tuple(
            _measure_set(given, one, logits, scores, known_scores, edges, room)
            for one, logits, scores in zip(sets, set_logits, set_scores, strict=True)
        ),
        left_out=left_out,
        edges=tuple(edges.tolist()),
    )


def _measure_known(
    rules: Sequence[RejectionRule],
    known: Dataset,
    logits: NDArray[np.float32],
    scores: Scores,
    places: NDArray[np.int64],
    edges: NDArray[np.float64],
    room: int,
) -> KnownImages:
    probabilities = softmax(logits)
    answers = probabilities.argmax(axis=1)
    right = answers == known.labels
    refused = {rule.score: ~(scores[rule.score] >= rule.threshold) for rule in rules}
    chosen = rules[0].score
    shown = _spread(np.flatnonzero(refused[chosen]), scores[chosen], _number(known.image_shape, room, 2 * _MOST_EACH))
    return KnownImages(
        right={name: _share(some[right]) for name, some in refused.items()},
        wrong={name: _share(some[~right]) for name, some in refused.items()},
        right_among_answered={name: _share(right[~some]) for name, some in refused.items()},
        histogram=_histogram(scores[chosen], edges),
        refused=_examples(known.images, shown, answers, probabilities, refused[chosen], places, known.labels),
    )


def _measure_set(
    rules: Sequence[RejectionRule],
    strangers: Strangers,
    logits: NDArray[np.float32],
    scores: Scores,
    known: Scores,
    edges: NDArray[np.float64],
    room: int,
) -> StrangerResult:
    probabilities = softmax(logits)
    answers, largest = probabilities.argmax(axis=1), probabilities.max(axis=1)
    refused = {rule.score: ~(scores[rule.score] >= rule.threshold) for rule in rules}
    chosen, count = rules[0].score, len(strangers.images)
    measured = []
    for rule in rules:
        mine, theirs = known[rule.score], scores[rule.score]
        area = auroc(mine, theirs)
        measured.append(
            SetScore(
                rule.score,
                _share(refused[rule.score]),
                area,
                auroc_interval(area, len(mine), count),
                false_positive_rate(mine, theirs),
            )
        )
    counts = np.bincount(answers, minlength=probabilities.shape[1])
    most = _number(strangers.images.shape[1:], room, _MOST_EACH)
    shown = _spread(np.arange(count), scores[chosen], most)
    return StrangerResult(
        name=strangers.name,
        about=strangers.about,
        num_images=count,
        mean_probability=float(largest.mean()),
        num_sure=int((largest >= SURE).sum()),
        answer=int(counts.argmax()),
        num_answer=int(counts.max()),
        scores=tuple(measured),
        histogram=_histogram(scores[chosen], edges),
        examples=_examples(strangers.images, shown, answers, probabilities, refused[chosen]),
    )


def _share(chosen: NDArray[np.bool_]) -> Share:
    count, total = int(chosen.sum()), len(chosen)
    return Share(count, total, wilson_interval(count, total))


def _edges(scores: Iterable[NDArray[np.float64]], threshold: float) -> NDArray[np.float64]:
    """Return the edges of bins that hold nearly all scores of each set; the threshold is the edge between two."""
    ends = np.array([np.quantile(some, (_TAIL, 1 - _TAIL)) for some in scores])
    low, high = min(ends[:, 0].min(), threshold), max(ends[:, 1].max(), threshold)
    width = (high - low) / (_BINS - 2) or 1.0
    below = int(np.ceil((threshold - low) / width)) or 1
    return np.asarray(threshold + width * (np.arange(_BINS + 1) - below), np.float64)


def _histogram(scores: NDArray[np.float64], edges: NDArray[np.float64]) -> tuple[int, ...]:
    """Return how many scores each bin holds; the outer ones also take what lies beyond them."""
    return tuple(np.histogram(scores.clip(edges[0], edges[-1]), edges)[0].tolist())


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
    places: NDArray[np.int64] | None = None,
    labels: NDArray[np.integer[Any]] | None = None,
) -> Examples:
    """Return the images `shown` as pictures, those too large for one thinned out."""
    step_down, step_right = (-(-side // _MOST_SIDE) for side in images.shape[1:3])
    return Examples(
        images=images[shown][:, ::step_down, ::step_right],
        answers=tuple(answers[shown].tolist()),
        probabilities=tuple(probabilities[shown].max(axis=1).tolist()),
        refused=tuple(refused[shown].tolist()),
        indices=None if places is None else tuple(places[shown].tolist()),
        labels=None if labels is None else tuple(labels[shown].tolist()),
    )
