"""Measure how many test images and out-of-distribution images a rule refuses.

The result does not hold for out-of-distribution images of other kinds, nor for pictures made on purpose to be accepted.
"""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.arguments import Seed, checked
from convscope.base.metrics import softmax, wilson_interval
from convscope.base.packing import Packed
from convscope.base.records import to_tuple
from convscope.base.streams import random_stream
from convscope.data.datasets import Dataset, DatasetLike, Splits, evenly
from convscope.evidence.records import describe_images
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
from convscope.evidence.rejection.rule import RejectionRule
from convscope.evidence.rejection.separation import auroc, auroc_interval, effective_number, false_positive_rate
from convscope.training.model import Model, dataset_for

_MAX_KNOWN = 10_000  # test images
_MAX_EXAMPLE_BYTES = 110_000  # all pictures together, unpacked
_MAX_EXAMPLES = 4  # pictures of a set
_MAX_SIDE = 64  # pixels of a picture
_SHIFTS = 2, 4  # pixels of an image 28 pixels wide
_ANGLES = 15, 30  # degrees


@checked
def measure_rejection(
    rule: RejectionRule,
    model: Model,
    dataset: DatasetLike,
    outside: Dataset | Splits | str | os.PathLike[str] | None = None,
    *,
    max_images: int = 2000,
    seed: Seed = 0,
) -> Rejection:
    """Measure how many of the test images `dataset` and of each out-of-distribution set `rule` refuses.

    Probabilities are at the model's temperature, as in `predict`.

    Args:
        dataset: test images, to none of which the rule was fitted; at most 10,000 are used, sampled evenly.
        outside: images of another data set; see `out_of_distribution_sets`, also for `max_images` and `seed`.

    Raises:
        DatasetError: if `outside` cannot be read.
        ValueError: if images or classes are not the model's, `max_images` is below 1, or `outside` is the data set
            itself.
    """
    dataset = dataset_for(model, dataset)
    model.check_classes(dataset)
    indices = evenly(len(dataset), _MAX_KNOWN)
    known = dataset.take(indices)
    sets, left_out = out_of_distribution_sets(known, outside, max_images=max_images, seed=seed)
    # For the examples of each set; those of the refused test images take two such parts.
    set_bytes = _MAX_EXAMPLE_BYTES // (len(sets) + 2)
    known_logits = model.logits(known.images)
    known_scores = rule.scores(model, known.images, known_logits)
    # Altered images cost a pass each, so there are as many as in an out-of-distribution set.
    sample = known.take(evenly(len(known), max_images))
    return Rejection(
        **describe_images(dataset, len(known)),
        rules=(rule.to_record(),),
        temperature=model.calibration.get("temperature"),
        known=_measure_known(rule, model, known, known_logits, known_scores, indices, 2 * set_bytes),
        altered=tuple(
            _measure_altered(rule, model, name, images, sample.labels) for name, images in alter(sample, seed).items()
        ),
        out_of_distribution=tuple(_measure_set(rule, model, images, known_scores, set_bytes) for images in sets),
        left_out=left_out,
    )


def alter(dataset: Dataset, seed: int = 0) -> dict[str, NDArray[np.uint8]]:
    """Shift and rotate the images of `dataset` in random directions; the names are such as "shifted by 2 pixels".

    Edge pixels are repeated in the gap.
    """
    from scipy.ndimage import rotate, shift

    images, side = dataset.images, max(dataset.image_shape[:2])
    # Up, right, down, left, one drawn for each image.
    directions = np.array([(-1, 0), (0, 1), (1, 0), (0, -1)])[
        random_stream(seed, "altered shift").integers(0, 4, len(images))
    ]
    signs = random_stream(seed, "altered turn").choice((-1, 1), len(images))
    altered = dict[str, NDArray[np.uint8]]()
    for pixels in sorted({max(1, round(pixels * side / 28)) for pixels in _SHIFTS}):
        moved = [
            shift(image, (*(pixels * direction), 0), order=0, mode="nearest")
            for image, direction in zip(images, directions, strict=True)
        ]
        altered[f"shifted by {pixels} pixel{'s' * (pixels > 1)}"] = np.stack(moved)
    for angle in _ANGLES:
        rotated = [
            rotate(image, sign * angle, (0, 1), reshape=False, order=1, mode="nearest")
            for image, sign in zip(images, signs, strict=True)
        ]
        altered[f"rotated by {angle}°"] = np.stack(rotated)
    return altered


def _probabilities(model: Model, logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """Compute the model's calibrated probabilities (N, K) from logits."""
    return softmax(logits.astype(np.float64) / model.calibration.get("temperature", 1.0))


def _measure_known(
    rule: RejectionRule,
    model: Model,
    known: Dataset,
    logits: NDArray[np.float32],
    scores: NDArray[np.float64],
    indices: NDArray[np.int64],
    max_bytes: int,
) -> KnownImages:
    """Measure the refusals among the test images `known`; `indices` are theirs in the whole data set.

    The pictures of refused images take at most `max_bytes`.
    """
    probabilities = _probabilities(model, logits)
    predicted = logits.argmax(axis=1)
    is_correct = predicted == known.labels
    refused = ~(scores >= 0)  # not `scores < 0`, since a score that is not a number is refused, too
    max_examples = _count_examples(known.image_shape, max_bytes, 2 * _MAX_EXAMPLES)
    # From the nearly accepted to the most unusual.
    shown = _sample_by_score(np.flatnonzero(refused), scores, max_examples)
    # A rule that refuses 5 % of all images may refuse many more of one class.
    by_class = [float(refused[known.labels == label].mean()) for label in np.unique(known.labels)]
    return KnownImages(
        correct={rule.name: _measure_share(refused[is_correct])},
        wrong={rule.name: _measure_share(refused[~is_correct])},
        correct_among_accepted={rule.name: _measure_share(is_correct[~refused])},
        refused=KnownExamples(
            **_make_examples(known.images, shown, predicted, probabilities, refused),
            indices=to_tuple(indices[shown]),
            labels=to_tuple(known.labels[shown]),
        ),
        by_class=(min(by_class), max(by_class)),
    )


def _measure_altered(
    rule: RejectionRule, model: Model, name: str, images: NDArray[np.uint8], labels: NDArray[np.integer[Any]]
) -> AlteredImages:
    """Measure the refusals among test images that were altered in the way called `name`."""
    logits = model.logits(images)
    is_correct = logits.argmax(axis=1) == labels
    refused = ~(rule.scores(model, images, logits) >= 0)
    return AlteredImages(
        name=name,
        num_images=len(images),
        accuracy=float(is_correct.mean()),
        correct={rule.name: _measure_share(refused[is_correct])},
    )


def _measure_set(
    rule: RejectionRule, model: Model, outside: OutOfDistributionSet, known: NDArray[np.float64], max_bytes: int
) -> OutOfDistributionResult:
    """Measure the refusals in a set, and how far its scores lie from `known`, those of the test images.

    The pictures of examples take at most `max_bytes`.
    """
    logits = model.logits(outside.images)
    scores = rule.scores(model, outside.images, logits)
    probabilities = _probabilities(model, logits)
    predicted, largest = logits.argmax(axis=1), probabilities.max(axis=1)
    refused, count, area = ~(scores >= 0), len(outside.images), auroc(known, scores)
    # The area under the curve is the mean of a number for each image of the set, the share of known images above it. So
    # its interval counts as many images as there are independent numbers.
    above = 1 - np.searchsorted(np.sort(known), scores) / len(known)
    num_independent = count if outside.clusters is None else effective_number(above, outside.clusters)
    result = RuleResult(
        rule=rule.name,
        refused=_measure_share(refused, outside.clusters),
        auroc=area,
        auroc_interval=auroc_interval(area, len(known), num_independent),
        false_positive_rate=false_positive_rate(known, scores),
    )
    counts = np.bincount(predicted, minlength=probabilities.shape[1])
    max_examples = _count_examples(outside.images.shape[1:], max_bytes, _MAX_EXAMPLES)
    shown = _sample_by_score(np.arange(count), scores, max_examples)
    is_confident = largest >= SURE
    return OutOfDistributionResult(
        name=outside.name,
        about=outside.about,
        num_images=count,
        num_clusters=None if outside.clusters is None else len(np.unique(outside.clusters)),
        clustered_by=outside.clustered_by,
        mean_probability=float(largest.mean()),
        num_confident=int(is_confident.sum()),
        num_confident_accepted=int((is_confident & ~refused).sum()),
        most_frequent=int(counts.argmax()),
        num_most_frequent=int(counts.max()),
        rules=(result,),
        examples=Examples(**_make_examples(outside.images, shown, predicted, probabilities, refused)),
    )


def _measure_share(flags: NDArray[np.bool_], clusters: NDArray[np.int64] | None = None) -> Share:
    """Measure the share of true flags (N,), with its interval; images of a cluster are not independent."""
    count, total = int(flags.sum()), len(flags)
    value = count / total if total else 0.0
    interval = wilson_interval(count, total)
    if clusters is not None:
        number = effective_number(flags, clusters)
        # As for `number` independent images, since drawings of one letter are alike.
        interval = wilson_interval(value * number, number)
    return Share(count=count, total=total, value=value, interval=interval)


def _count_examples(image_shape: Sequence[int], max_bytes: int, maximum: int) -> int:
    height, width, channels = image_shape
    return min(maximum, max(1, max_bytes // (min(height, _MAX_SIDE) * min(width, _MAX_SIDE) * channels)))


def _sample_by_score(indices: NDArray[np.int64], scores: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Choose at most `count` of the indices, evenly from the highest score to the lowest."""
    ranked = indices[np.argsort(-scores[indices], kind="stable")]
    return ranked[evenly(len(ranked), count)]


def _make_examples(
    images: NDArray[np.uint8],
    shown: NDArray[np.int64],
    predicted: NDArray[np.integer[Any]],
    probabilities: NDArray[np.float64],
    refused: NDArray[np.bool_],
) -> dict[str, Any]:
    """Collect the fields of `Examples` for the images `shown`; large images lose rows and columns evenly."""
    step_down, step_right = (-(-side // _MAX_SIDE) for side in images.shape[1:3])
    return {
        "images": Packed.from_array(images[shown][:, ::step_down, ::step_right]),
        "predictions": to_tuple(predicted[shown]),
        "probabilities": to_tuple(probabilities[shown].max(axis=1)),
        "refused": to_tuple(refused[shown]),
    }
