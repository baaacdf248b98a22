"""What of an image is needed: `ablate_inputs` blanks windows and borders, and coarsens the pixels.

A blanked image is one that the network was never trained on, so what is lost is what this network cannot do without,
and not what the pixels tell. A window that costs nothing alone may be told by the pixels beside it.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from convscope.base.arguments import checked
from convscope.base.metrics import paired_interval
from convscope.base.records import Change, ChangeInterval, Fraction, Record
from convscope.base.tables import Tabular
from convscope.data.datasets import Dataset, Splits, evenly
from convscope.evidence.ablation.significance import FALSE_DISCOVERY_RATE, Marking, mark, p_values
from convscope.evidence.records import Coordinate, ImagesRecord, Size
from convscope.training.model import Model

InputKind = Literal["border", "window", "resolution"]

_LENGTHS: dict[InputKind, int] = {"border": 1, "window": 4, "resolution": 1}
_MOST_BORDERS = 32  # widths of them
_WINDOWS = 7  # a side
_FACTORS = (2, 4, 7, 14, 28)
_MOST_BACKGROUND_IMAGES = 5000  # whose most frequent value is taken
_BLOCK_VALUES = 1 << 20  # pixels that are changed at once
_LEAST_IMAGES = 200


class PartAblation(Record, kw_only=True):
    """What a network loses with a part of every image.

    Attributes:
        kind: what is taken away.
        place: of a window (top, left, height, width), of a border (its width,), of a resolution (how many pixels of
            each side become one,).
        accuracy_change: the accuracy with the ablation less that without, -1 to 1.
        interval: (low, high), its 95 % score interval (see `metrics.paired_interval`), for the choice of the images.
        p_value: McNemar's exact, for no change at all.
        is_significant: whether the change is marked among those of all ablations; see `InputAblation`.
    """

    kind: InputKind
    place: tuple[Coordinate, ...]
    accuracy_change: Change
    interval: ChangeInterval
    p_value: Fraction
    is_significant: bool

    def __post_init__(self) -> None:
        if len(self.place) != _LENGTHS[self.kind]:
            raise ValueError(f"place of a {self.kind} has {len(self.place)} numbers")


class InputAblation(Tabular, ImagesRecord, kw_only=True):
    """The accuracy of a network on images that lack a part.

    A change is marked as significant by Benjamini and Hochberg's rule over all ablations: of the marked ones at most
    one in twenty is expected to be a false positive.

    Attributes:
        image_shape: (H, W, C).
        background: (C,), the most frequent value of each channel in training images, 0 to 255: what stands in place of
            what is blanked.
        accuracy: on whole images.
    """

    _header = ("Removed", "Tested", "Significant losses", "Largest loss", "Where", "95 % interval")

    image_shape: tuple[Size, Size, Size]
    background: tuple[Annotated[int, Meta(ge=0, le=255)], ...]
    accuracy: Fraction
    ablations: tuple[PartAblation, ...]
    false_discovery_rate: Fraction
    marking: Marking

    def __post_init__(self) -> None:
        if "window" not in {one.kind for one in self.ablations}:
            raise ValueError("ablations have no windows")

    def _headline(self) -> str:
        where = f"{self.num_images:,} {self.split} images of {self.dataset_name}"
        return f"Accuracy {self.accuracy:.4f} on {where}. Largest accuracy change from removing a part of each image:"

    def _rows(self) -> list[tuple[str, ...]]:
        groups = dict[str, list[PartAblation]]()
        for one in self.ablations:
            groups.setdefault(one.kind, []).append(one)
        rows = list[tuple[str, ...]]()
        for kind, group in groups.items():
            worst = min(group, key=lambda one: one.accuracy_change)
            missed = sum(one.is_significant and one.accuracy_change < 0 for one in group)
            interval = f"[{worst.interval[0]:+.4f}, {worst.interval[1]:+.4f}]"
            change = f"{worst.accuracy_change:+.4f}"
            rows.append((kind, f"{len(group)}", f"{missed}", change, place_text(kind, worst.place), interval))
        return rows


def place_text(kind: str, place: Sequence[int]) -> str:
    """Return where an ablation is in words.

    >>> place_text("border", (3,)), place_text("window", (0, 4, 7, 7))
    ('3 wide', '7 × 7 at row 0, column 4')
    """
    if kind == "border":
        return f"{place[0]} wide"
    if kind == "resolution":
        return f"{place[0]} × {place[0]} averaged"
    top, left, height, width = place
    return f"{height} × {width} at row {top}, column {left}"


@checked
def ablate_inputs(model: Model, splits: Splits, *, most_macs: float = 1.5e11) -> InputAblation:
    """Return what `model` loses on the test images when parts of them are taken away.

    Borders of each width that leaves something, windows of a quarter of each side on a 7 × 7 grid, and resolution, by
    blocks' means written back over the block. What is blanked is filled with the background.

    Args:
        most_macs: how many multiply-adds it may cost, about: beyond it images are left out evenly, down to 200.

    Raises:
        ValueError: if the images are not of the size the model reads, or the classes are not the model's.
    """
    model.check_classes(splits.test)
    background = _background(splits.train.images)
    height, width, _ = splits.image_shape
    named = _places(height, width)
    cost = max(len(named) * model.architecture.macs, 1)
    chosen = evenly(len(splits.test), max(_LEAST_IMAGES, int(most_macs / cost)))
    measured = splits.test.take(chosen)
    whole = model.predict(measured.images) == measured.labels
    counts = np.array([_lost_and_gained(model, measured, whole, background, *one) for one in named])  # (L, 2)
    intervals = np.stack(paired_interval(counts[:, 1], counts[:, 0], len(measured)), axis=1)
    values = p_values(counts[:, 1], counts[:, 0])
    is_significant, marking = mark(values)
    return InputAblation(
        dataset_name=splits.test.name,
        split=splits.test.split,
        num_images=len(measured),
        num_images_left_out=len(splits.test) - len(measured),
        image_shape=splits.image_shape,
        background=tuple(background.tolist()),
        accuracy=float(whole.mean()),
        ablations=tuple(
            PartAblation(
                kind=kind,
                place=where,
                accuracy_change=int(counts[place, 1] - counts[place, 0]) / len(measured),
                interval=(float(intervals[place, 0]), float(intervals[place, 1])),
                p_value=float(values[place]),
                is_significant=bool(is_significant[place]),
            )
            for place, (kind, where) in enumerate(named)
        ),
        false_discovery_rate=FALSE_DISCOVERY_RATE,
        marking=marking,
    )


def _background(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return (C,), the most frequent value of each channel."""
    counts = np.zeros((images.shape[-1], 256), np.int64)
    chosen = evenly(len(images), _MOST_BACKGROUND_IMAGES)
    step = max(1, _BLOCK_VALUES // int(np.prod(images.shape[1:])))  # counting takes 8 bytes a pixel
    for start in range(0, len(chosen), step):
        block = images[chosen[start : start + step]]
        for channel in range(images.shape[-1]):
            counts[channel] += np.bincount(block[..., channel].ravel(), minlength=256)
    return np.asarray(counts.argmax(axis=1), np.uint8)


def _places(height: int, width: int) -> list[tuple[InputKind, tuple[int, ...]]]:
    """Return what is taken away from an image of this size."""
    places = list[tuple[InputKind, tuple[int, ...]]]()
    most = (min(height, width) - 1) // 2  # so that something is left
    places += [("border", (int(each) + 1,)) for each in evenly(most, _MOST_BORDERS)] if most else []
    tall, wide = max(1, round(height / 4)), max(1, round(width / 4))
    for top in evenly(height - tall + 1, _WINDOWS):
        for left in evenly(width - wide + 1, _WINDOWS):
            places.append(("window", (int(top), int(left), tall, wide)))
    return [*places, *(("resolution", (factor,)) for factor in _FACTORS if factor < max(height, width))]


def _lost_and_gained(
    model: Model,
    dataset: Dataset,
    whole: NDArray[np.bool_],
    background: NDArray[np.uint8],
    kind: InputKind,
    place: tuple[int, ...],
) -> tuple[int, int]:
    """Return how many images are classified wrongly only with the ablation, and how many only without.

    An image that the ablation leaves as it is, such as a digit without its empty top row, keeps its answer.
    """
    step = max(1, _BLOCK_VALUES // int(np.prod(dataset.image_shape)))
    right = whole.copy()
    for start in range(0, len(dataset), step):
        images = dataset.images[start : start + step]
        changed = coarsened(images, place[0]) if kind == "resolution" else blanked(images, kind, place, background)
        differs = np.flatnonzero((changed != images).reshape(len(images), -1).any(axis=1))
        if len(differs):
            right[start + differs] = model.predict(changed[differs]) == dataset.labels[start + differs]
    return int((whole & ~right).sum()), int((~whole & right).sum())


def blanked(
    images: NDArray[np.uint8], kind: InputKind, place: Sequence[int], value: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Return the images (N, H, W, C) with a part of each, as `PartAblation` names it, set to `value` (C,)."""
    if kind == "border":
        width = place[0]
        changed = np.broadcast_to(value, images.shape).copy()
        changed[:, width:-width, width:-width] = images[:, width:-width, width:-width]
        return changed
    changed = images.copy()
    top, left, height, width = place
    changed[:, top : top + height, left : left + width] = value
    return changed


def coarsened(images: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Return the images (N, H, W, C) with each block of `factor` × `factor` pixels as its mean, rounded.

    Blocks at the lower and the right edge may be smaller.
    """
    height, width = images.shape[1:3]
    rows, columns = np.arange(0, height, factor), np.arange(0, width, factor)
    sums = np.add.reduceat(images, rows, axis=1, dtype=np.int64)
    sums = np.add.reduceat(sums, columns, axis=2)
    counts = np.diff([*rows, height])[:, None] * np.diff([*columns, width])[None, :]
    means: NDArray[np.uint8] = np.rint(sums / counts[..., None]).astype(np.uint8)
    return means[:, np.arange(height) // factor][:, :, np.arange(width) // factor]
