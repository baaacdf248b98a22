"""Changes of pictures by one number (shift, rotation, scale, stroke width, noise), and what a network loses by them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from convscope.base.metrics import paired_interval, wilson_interval
from convscope.base.records import Change, ChangeInterval, Fraction, FractionInterval, OpenInterval, Record
from convscope.data.datasets import Dataset
from convscope.evidence.records import check_lengths
from convscope.evidence.robustness.geometry import scaled, turned, warp
from convscope.evidence.robustness.noise import Levels, Pictures, Uniform, gaussian_noise
from convscope.evidence.robustness.pictures import in_blocks
from convscope.training.model import Model

_LOSS = 0.01  # the accuracy whose loss is looked for: a point
_DIRECTIONS = np.array([(-1, 0), (0, 1), (1, 0), (0, -1)])


CurveName = Literal["shift", "rotation", "scale", "stroke", "noise"]


class Curve(Record, kw_only=True):
    """The accuracy over one number.

    Attributes:
        unit: of the values.
        neutral: the value that leaves the images as they are.
        accuracies: at each of `values`, from 0 to 1, `intervals` their 95 % Wilson intervals.
        changes: the accuracy at each value less that of the images as they are, `change_intervals` their 95 % score
            intervals on the same images.
        point_lost: (below, above) the neutral value: where a point of accuracy is lost, by a straight line between the
            two values measured beside it; None where less is lost.
    """

    name: CurveName
    unit: str
    neutral: float
    values: Annotated[tuple[float, ...], Meta(min_length=1)]
    accuracies: tuple[Fraction, ...]
    intervals: tuple[FractionInterval, ...]
    changes: tuple[Change, ...]
    change_intervals: tuple[ChangeInterval, ...]
    point_lost: OpenInterval

    def __post_init__(self) -> None:
        names = ("values", "accuracies", "intervals", "changes", "change_intervals")
        check_lengths(**{name: getattr(self, name) for name in names})


@dataclass(frozen=True)
class Parameter:
    """A change by one number: of images with a longest side of so many pixels it takes `values`."""

    name: CurveName
    unit: str
    neutral: float
    values: Callable[[int], Sequence[float]]
    change: Callable[[Pictures, float, Uniform], Levels]


def shifted(images: Pictures, pixels: float, uniform: Uniform) -> Levels:
    """Move each image up, down, left or right."""
    directions = np.floor(4 * uniform(1)[:, 0]).astype(np.int64)
    result = np.empty(images.shape, np.float32)
    for direction in np.unique(directions):
        members = directions == direction
        down, right = pixels * _DIRECTIONS[direction]
        result[members] = warp(images[members], shift=(down, right))
    return result


def thickened(images: Pictures, radius: float) -> Levels:
    """Give each pixel the brightest value within `radius` pixels, or of a radius below zero the darkest.

    So bright strokes grow by as much on either side, or shrink. Of a radius below one pixel, the images are mixed with
    those of one pixel, in proportion.
    """
    if abs(radius) < 1:
        part = np.float32(abs(radius))
        return (1 - part) * images + part * thickened(images, 1 if radius > 0 else -1)
    from scipy.ndimage import grey_dilation, grey_erosion

    reach = int(abs(radius))
    steps = np.arange(-reach, reach + 1)
    disc = (steps[:, None] ** 2 + steps**2 <= radius**2)[None, :, :, None]
    change = grey_dilation if radius > 0 else grey_erosion
    return np.asarray(change(images, footprint=disc, mode="nearest"), np.float32)


def _shifts(side: int) -> list[float]:
    return sorted({float(round(pixels * side / 28)) for pixels in range(9)})


def _radii(side: int) -> list[float]:
    """Return radii to the half pixel: from one on, each has a disc of its own."""
    wanted = [-1.5, -1, -0.5, 0.5, 1, 1.5, 2, 2.5]
    return sorted({round(2 * radius * side / 28) / 2 for radius in wanted} | {-0.5, 0.0, 0.5})


PARAMETERS = (
    Parameter("shift", "pixels", 0, _shifts, shifted),
    Parameter(
        "rotation",
        "degrees counterclockwise",
        0,
        lambda _: (-60, -45, -30, -20, -10, 0, 10, 20, 30, 45, 60),
        lambda images, degrees, _: turned(images, degrees),
    ),
    Parameter(
        "scale",
        "scale factor",
        1,
        lambda _: (0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.4, 1.5),
        lambda images, factor, _: scaled(images, factor),
    ),
    Parameter("stroke", "pixels added on each side", 0, _radii, lambda images, radius, _: thickened(images, radius)),
    Parameter(
        "noise",
        "grey levels (standard deviation)",
        0,
        lambda _: (0, 10, 20, 30, 40, 60, 80, 100, 120),
        gaussian_noise,
    ),
)


def measure_curve(
    model: Model,
    dataset: Dataset,
    indices: NDArray[np.int64],
    clean: NDArray[np.bool_],
    parameter: Parameter,
    seed: int,
) -> Curve:
    """Return the accuracy on `dataset`, whose images have `indices` (N,), over one number.

    Args:
        clean: (N,) which images are classified correctly as they are.
    """
    values = [float(value) for value in parameter.values(max(dataset.image_shape[:2]))]
    right = np.empty((len(values), len(dataset)), bool)
    for row, value in zip(right, values, strict=True):
        row[:] = clean if value == parameter.neutral else _answered(model, dataset, indices, parameter, value, seed)
    accuracies, intervals, changes, change_intervals = measured(clean, right)
    return Curve(
        name=parameter.name,
        unit=parameter.unit,
        neutral=parameter.neutral,
        values=tuple(values),
        accuracies=accuracies,
        intervals=intervals,
        changes=changes,
        change_intervals=change_intervals,
        point_lost=lost_at(values, changes, parameter.neutral),
    )


def _answered(
    model: Model, dataset: Dataset, indices: NDArray[np.int64], parameter: Parameter, value: float, seed: int
) -> NDArray[np.bool_]:
    images = in_blocks(
        lambda block, uniform: parameter.change(block, value, uniform),
        dataset.images,
        seed,
        f"curve/{parameter.name}",
        indices,
    )
    return np.asarray(model.predict(images) == dataset.labels)


Intervals = tuple[tuple[float, float], ...]


def measured(
    clean: NDArray[np.bool_], right: NDArray[np.bool_]
) -> tuple[tuple[float, ...], Intervals, tuple[float, ...], Intervals]:
    """Return the accuracies, their intervals, their changes against `clean` (N,) and the changes' intervals.

    Args:
        right: (M, N), which images are classified correctly in each of M settings.
    """
    num_images = len(clean)
    counts = right.sum(axis=1)
    gained, lost = (right & ~clean).sum(axis=1), (clean & ~right).sum(axis=1)
    lows, highs = wilson_interval(counts, np.full(len(right), num_images))
    change_lows, change_highs = paired_interval(gained, lost, num_images)
    return (
        tuple((counts / num_images).tolist()),
        tuple(zip(lows.tolist(), highs.tolist(), strict=True)),
        tuple(((gained - lost) / num_images).tolist()),
        tuple(zip(change_lows.tolist(), change_highs.tolist(), strict=True)),
    )


def lost_at(values: Sequence[float], changes: Sequence[float], neutral: float) -> tuple[float | None, float | None]:
    """Return where, going down and going up from `neutral`, the change first comes to minus one point.

    >>> lost_at([0, 1, 2], [0.0, -0.005, -0.015], 0)
    (None, 1.5)
    """
    start = list(values).index(neutral)

    def first(places: range) -> float | None:
        before = start
        for place in places:
            if changes[place] <= -_LOSS:
                part = (changes[before] + _LOSS) / (changes[before] - changes[place])
                return float(values[before] + part * (values[place] - values[before]))
            before = place
        return None

    return first(range(start - 1, -1, -1)), first(range(start + 1, len(values)))
