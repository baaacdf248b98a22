"""What filters answer over many images, as numbers: highest outputs and class means.

Images are taken in blocks; of a block's feature maps only a number an image and filter is kept.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.evidence.explanation.filter_layers import FilterLayer
from convscope.training.model import Model

_BLOCK_BYTES = 1 << 23  # of the activations that are held at once: what the processor keeps near
_CONSTANT = 1e-6  # a filter whose standard deviation is below this part of its largest size does not vary: float32


@dataclass(frozen=True, eq=False)
class FilterMeasures:
    """What the F filters of a layer answer to N images.

    Attributes:
        maxima: (N, F) float32, the highest output anywhere on the map.
        means: (N, F) float32, the mean over the map of the output's part above zero.
        is_constant: (F,) bool, whether the output is the same everywhere on every image.
        is_signed: whether any output is below zero.
    """

    maxima: NDArray[np.float32]
    means: NDArray[np.float32]
    is_constant: NDArray[np.bool_]
    is_signed: bool


def measure_filters(
    model: Model, layers: Sequence[FilterLayer], images: NDArray[np.uint8]
) -> tuple[FilterMeasures, ...]:
    """Return for each of `layers` what its filters answer to `images` (N, H, W, C) uint8."""
    collected = [_Collector(one.num_filters, len(images)) for one in layers]
    for block, outputs in layer_outputs(model, layers, images, np.arange(len(images))):
        for collector, maps in zip(collected, outputs, strict=True):
            collector.add(maps, block)
    return tuple(collector.measures() for collector in collected)


def layer_outputs(
    model: Model, layers: Sequence[FilterLayer], images: NDArray[np.uint8], indices: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], list[NDArray[np.float32]]]]:
    """Yield the `indices` of `images` block by block, with each layer's outputs for a block, (n, H, W, F)."""
    names = [one.row.layer.name for one in layers]
    values = sum(one.map_size[0] * one.map_size[1] * one.num_filters for one in layers)
    step = max(1, _BLOCK_BYTES // (4 * max(values, 1)))
    for start in range(0, len(indices), step):
        block = indices[start : start + step]
        outputs = model.activations(images[block], list(dict.fromkeys(names)))
        yield (
            block,
            [
                outputs[name].reshape(len(block), *one.map_size, one.num_filters)
                for name, one in zip(names, layers, strict=True)
            ],
        )


class _Collector:
    """The sums that a layer's `FilterMeasures` are made from, block after block of images."""

    def __init__(self, num_filters: int, num_images: int) -> None:
        self.maxima = np.empty((num_images, num_filters), np.float32)
        self.means = np.empty((num_images, num_filters), np.float32)
        self.shift: NDArray[np.float32] | None = None  # near the means, so that the squares do not cancel
        self.sums, self.squares = np.zeros(num_filters), np.zeros(num_filters)
        self.largest, self.lowest, self.count = np.zeros(num_filters), 0.0, 0

    def add(self, maps: NDArray[np.float32], block: NDArray[np.int64]) -> None:
        """Add the maps (n, H, W, F) of the images at the places `block`."""
        places = maps.shape[1] * maps.shape[2]
        lowest = float(maps.min())
        self.lowest = min(self.lowest, lowest)
        # Rows first: the longer what is added or compared at once, the faster NumPy is.
        self.maxima[block] = maps.max(axis=1).max(axis=1)
        sums = maps.sum(axis=1).sum(axis=1)
        self.means[block] = (sums if lowest >= 0 else np.maximum(maps, 0).sum(axis=1).sum(axis=1)) / places
        if self.shift is None:
            self.shift = (sums.mean(axis=0, dtype=np.float64) / places).astype(np.float32)
        moved = maps.reshape(-1, maps.shape[-1]) - self.shift
        self.sums += (sums - places * self.shift.astype(np.float64)).sum(axis=0)
        self.squares += np.einsum("ij,ij->j", moved, moved)
        self.count += len(moved)
        self.largest = np.maximum(self.largest, np.maximum(self.maxima[block].max(axis=0), -min(lowest, 0)))

    def measures(self) -> FilterMeasures:
        variance = self.squares / self.count - (self.sums / self.count) ** 2
        is_constant = np.sqrt(np.maximum(variance, 0)) <= _CONSTANT * self.largest
        return FilterMeasures(self.maxima, self.means, is_constant, self.lowest < 0)


def class_selectivity(
    means: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return (F,) how selective each filter is, 0 to 1, and (F,) for which label.

    It is (a - b) / (a + b), where a is the mean of the class that the filter answers most to and b the mean over the
    other classes' means: 0 where it answers to all classes alike, 1 where to one alone. A filter that never answers has
    0. Some of it is chance: with few images, means differ also where nothing does. Where all images are of one class,
    it is 1 and means nothing.

    Args:
        means: (N, F), of each image, not below zero.
        labels: (N,).

    Source: Morcos and others 2018, section 2.3; outputs below zero, which theirs are not, count as zero in `means`.

    >>> class_selectivity(np.array([[3.0, 1], [3, 1], [1, 1], [0, 1]]), np.array([0, 0, 1, 2]))
    (array([0.71428571, 0.        ]), array([0, 0]))
    """
    found, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
    order = np.argsort(inverse, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    by_class = np.add.reduceat(np.asarray(means, np.float64)[order], starts, axis=0) / counts[:, None]  # (K, F)
    best = by_class.argmax(axis=0)
    highest = by_class.max(axis=0)
    others = (by_class.sum(axis=0) - highest) / max(len(found) - 1, 1)
    total = highest + others
    return np.where(total > 0, (highest - others) / np.where(total > 0, total, 1), 0.0), found[best].astype(np.int64)


def six_digits(value: float) -> float:
    """Round to six digits, beyond which no float32 sum is exact."""
    return float(f"{value:.6g}")
