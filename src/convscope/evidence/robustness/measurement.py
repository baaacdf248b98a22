"""Measure the accuracy of a network on corrupted pictures.

MNIST-C is a published set of MNIST's test images with fifteen corruptions, such as noise, blur, rotation and fog. The
corruptions here are rebuilt from its definitions and are not its pictures, so the figures cannot be ranked with
published ones. They hold for these corruptions only.
"""

from collections.abc import Iterable
from typing import Annotated

import numpy as np
from msgspec import UNSET, Meta, UnsetType
from numpy.typing import NDArray

from convscope.base.arguments import Seed, checked
from convscope.base.metrics import difference_interval, wilson_interval
from convscope.base.records import Change, ChangeInterval, Fraction, FractionInterval, JsonObject, Record
from convscope.base.statistics import group_accuracy_interval
from convscope.base.tables import Tabular, percent_with_interval
from convscope.data.datasets import DatasetLike, evenly
from convscope.evidence.records import ClassesRecord, describe_images
from convscope.evidence.robustness.corruptions import CORRUPTIONS, STRENGTHS, corrupt
from convscope.training.model import Model, dataset_for

_MIN_IMAGES = 100  # images to measure whatever the cost
_MAX_VALUES = 3.2e6  # pixel values of all images together, about 2,000 of 40 x 40 pixels: ten seconds on one core
_MAX_MACS = 1e12  # approximate cost of all predictions: half a minute
_SETTINGS = len(CORRUPTIONS) * len(STRENGTHS)


Intervals = tuple[tuple[float, float], ...]

Row = Annotated[tuple[Fraction, ...], Meta(min_length=len(STRENGTHS), max_length=len(STRENGTHS))]
"""A fraction for each strength."""


class Corrupted(Record, kw_only=True):
    """The accuracy on images with a corruption.

    Attributes:
        is_mnist_c: whether the constants of this strength are MNIST-C's.
        interval: (low, high), the 95 % Wilson interval of `accuracy`.
        change: `accuracy` less that on the original images, with its 95 % score interval `change_interval`.
    """

    name: str
    strength: Annotated[int, Meta(ge=1, le=len(STRENGTHS))]
    is_mnist_c: bool
    accuracy: Fraction
    interval: FractionInterval
    change: Change
    change_interval: ChangeInterval


class Robustness(Tabular, ClassesRecord, kw_only=True):
    """The accuracy of a network on corrupted images.

    Attributes:
        accuracy: that on the original images.
        mean_accuracy: the plain mean over all corruptions and strengths.
        mean_accuracy_by_strength: the plain mean over the corruptions, for each strength.
        mean_accuracy_mnist_c: the plain mean over the corruptions, each in MNIST-C's strength. MNIST-C's own mean
            corruption error first divides each error by that of a network of its authors.
        mean_accuracy_interval, mean_accuracy_mnist_c_interval: (low, high), 95 %, over other images; files of earlier
            versions have none.
        corruptions: fifteen of them in five strengths each.
        example: an image with all corruptions, in files of earlier versions; it is not shown.
    """

    _header = ("Corruption", *(f"Strength {strength}" for strength in STRENGTHS), "Mean")

    seed: int
    accuracy: Fraction
    accuracy_interval: FractionInterval
    mean_accuracy: Fraction
    mean_accuracy_by_strength: Row
    mean_accuracy_mnist_c: Fraction
    corruptions: Annotated[tuple[Corrupted, ...], Meta(min_length=1)]
    mean_accuracy_interval: FractionInterval | UnsetType = UNSET
    mean_accuracy_mnist_c_interval: FractionInterval | UnsetType = UNSET
    example: JsonObject | UnsetType = UNSET

    def __post_init__(self) -> None:
        names = list(dict.fromkeys(corruption.name for corruption in self.corruptions))
        settings = [(name, strength) for name in names for strength in STRENGTHS]
        # The heat table reads them row by row.
        if [(corruption.name, corruption.strength) for corruption in self.corruptions] != settings:
            raise ValueError(f"corruptions are not those of {len(STRENGTHS)} strengths each")

    def _headline(self) -> str:
        where = f"{self.num_images:,} {self.split} images of {self.dataset_name}"
        clean = percent_with_interval(self.accuracy, self.accuracy_interval)
        mean = f"{100 * self.mean_accuracy:.2f} %"
        if self.mean_accuracy_interval is not UNSET:
            mean = percent_with_interval(self.mean_accuracy, self.mean_accuracy_interval)
        return f"Accuracy {clean} on {where}; {mean} on average over corruptions and strengths:"

    def _rows(self) -> list[tuple[str, ...]]:
        rows = list[tuple[str, ...]]()
        for name in CORRUPTIONS:
            strengths = [corruption for corruption in self.corruptions if corruption.name == name]
            cells = [
                f"{100 * corrupted.accuracy:.2f} %" + ("*" if corrupted.is_mnist_c else " ") for corrupted in strengths
            ]
            rows.append((name.replace("_", " "), *cells, f"{100 * _mean(strengths):.2f} %"))
        means = [f"{100 * mean:.2f} % " for mean in self.mean_accuracy_by_strength]
        return [*rows, ("mean (* as in MNIST-C)", *means, f"{100 * self.mean_accuracy:.2f} %")]


@checked
def measure_robustness(model: Model, dataset: DatasetLike, *, seed: Seed = 0, max_images: int = 2000) -> Robustness:
    """Measure the accuracy of `model` on `dataset` with fifteen corruptions in five strengths.

    Args:
        seed: draws the random numbers of the corruptions; not the model's seed.
        max_images: limit; other images are left out evenly, and more if their size or the model costs much time.

    Raises:
        ValueError: if `max_images` is below 1, the images are not of the size the model reads, or the classes are not
            the model's.
    """
    dataset = dataset_for(model, dataset)
    if max_images < 1:
        raise ValueError(f"max_images is {max_images}; it must be at least 1")
    model.check_classes(dataset)
    values, macs = int(np.prod(dataset.image_shape)), max(model.architecture.macs, 1)
    # Both limits count: pixels cost time in the corruptions, multiply-adds in the predictions.
    affordable = max(_MIN_IMAGES, int(min(_MAX_VALUES / values, _MAX_MACS / (macs * _SETTINGS))))
    indices = evenly(len(dataset), min(max_images, affordable))
    used = dataset.take(indices)
    is_correct_clean = model.predict(used.images) == used.labels
    settings = [(name, strength) for name in CORRUPTIONS for strength in STRENGTHS]
    correct = np.empty((len(settings), len(used)), bool)
    for row, (name, strength) in zip(correct, settings, strict=True):
        # By the indices in the data set: an image is corrupted alike however many are measured.
        row[:] = model.predict(corrupt(used.images, name, strength, seed, indices=indices)) == used.labels
    corruptions = tuple(
        Corrupted(
            name=name,
            strength=strength,
            is_mnist_c=CORRUPTIONS[name].mnist_c == strength,
            accuracy=accuracy,
            interval=interval,
            change=change,
            change_interval=change_interval,
        )
        for (name, strength), accuracy, interval, change, change_interval in zip(
            settings, *compute_accuracies(is_correct_clean, correct), strict=True
        )
    )
    return Robustness(
        **describe_images(dataset, len(used)),
        seed=seed,
        accuracy=float(is_correct_clean.mean()),
        accuracy_interval=wilson_interval(int(is_correct_clean.sum()), len(is_correct_clean)),
        mean_accuracy=_mean(corruptions),
        mean_accuracy_by_strength=tuple(
            _mean(corruption for corruption in corruptions if corruption.strength == strength) for strength in STRENGTHS
        ),
        mean_accuracy_mnist_c=_mean(corruption for corruption in corruptions if corruption.is_mnist_c),
        mean_accuracy_interval=_mean_interval(correct),
        mean_accuracy_mnist_c_interval=_mean_interval(correct[[corruption.is_mnist_c for corruption in corruptions]]),
        corruptions=corruptions,
    )


def compute_accuracies(
    clean: NDArray[np.bool_], correct: NDArray[np.bool_]
) -> tuple[tuple[float, ...], Intervals, tuple[float, ...], Intervals]:
    """Compute the accuracies, their intervals, their changes from `clean` (N,) and the changes' intervals.

    Args:
        clean: (N,), true for images that are classified correctly without a corruption.
        correct: (M, N), the same in each of M settings.
    """
    num_images = len(clean)
    counts = correct.sum(axis=1)
    # The images are the same, so the change is a paired difference: only images that differ count.
    gained, lost = (correct & ~clean).sum(axis=1), (clean & ~correct).sum(axis=1)
    lows, highs = wilson_interval(counts, np.full(len(correct), num_images))
    change_lows, change_highs = difference_interval(gained, lost, num_images)
    return (
        tuple((counts / num_images).tolist()),
        tuple(zip(lows.tolist(), highs.tolist(), strict=True)),
        tuple(((gained - lost) / num_images).tolist()),
        tuple(zip(change_lows.tolist(), change_highs.tolist(), strict=True)),
    )


def _mean_interval(correct: NDArray[np.bool_]) -> tuple[float, float]:
    """Compute the 95 % interval, over images alone, of the mean accuracy in M settings (M, N)."""
    # One "model" whose error on an image is its mean over the settings: settings on one image are not independent,
    # images are.
    return group_accuracy_interval(1 - correct.mean(axis=0, keepdims=True))


def _mean(corrupted: Iterable[Corrupted]) -> float:
    return float(np.mean([result.accuracy for result in corrupted]))
