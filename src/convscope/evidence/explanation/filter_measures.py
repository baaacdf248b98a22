"""Measure the filters of layers over many images: highest outputs, means and class selectivity.

Images are processed in blocks, and only a few numbers for each image and filter are kept.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import (
    Activation,
    Architecture,
    BatchNormalization,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    LayerRow,
)
from convscope.training.model import Model

_BLOCK_BYTES = 1 << 23  # activations in memory at once: about a processor's cache
_CONSTANT = 1e-6  # a filter is constant if its range is below this part of its largest size, which is float32's noise


@dataclass(frozen=True)
class FilterLayer:
    """A layer with filters, and the layer after which their outputs are read.

    Attributes:
        layer: the name of the layer whose weights the filters are.
        row: the row of the layer where they are read. It is the same layer, or if that has no activation, a directly
            following batch normalisation, activation or both, which complete a filter's output.
    """

    layer: str
    row: LayerRow

    @property
    def num_filters(self) -> int:
        return self.row.output_shape[-1]

    @property
    def map_size(self) -> tuple[int, int]:
        """Rows and columns of a feature map; (1, 1) for the units of a dense layer."""
        shape = self.row.output_shape
        return (shape[0], shape[1]) if len(shape) == 3 else (1, 1)

    @property
    def activation(self) -> str:
        return str(getattr(self.row.layer, "activation", "linear"))


def filter_layers(architecture: Architecture) -> tuple[FilterLayer, ...]:
    """List the convolutions of `architecture`, or if there are none its hidden dense layers, from input to output.

    >>> from convscope.architecture import presets
    >>> [(layer.layer, layer.num_filters) for layer in filter_layers(presets.cnn())]
    [('conv2d', 16), ('conv2d_1', 32)]
    """
    table = architecture.table
    rows = [index for index, row in enumerate(table) if isinstance(row.layer, Conv2D | DepthwiseConv2D)]
    rows = rows or [index for index, row in enumerate(table) if isinstance(row.layer, Dense)][:-1]
    return tuple(FilterLayer(table[index].layer.name, _find_output_row(table[index : index + 3])) for index in rows)


def _find_output_row(rows: tuple[LayerRow, ...]) -> LayerRow:
    """Find the row whose output completes the filters' activations, among a layer's own row and the next two.

    A normalisation may follow, an activation, or both in this order:

        Conv2D, BatchNormalization, Activation    is read after the activation
        Conv2D, BatchNormalization, MaxPooling2D  after the normalisation
        Conv2D with relu, BatchNormalization      after the convolution, which is complete with its own activation
    """
    complete, *next_rows = rows
    # The first next row may be of either kind, the second only an activation.
    for row, kinds in zip(next_rows, (BatchNormalization | Activation, Activation), strict=False):
        is_done = isinstance(complete.layer, Activation) or getattr(complete.layer, "activation", "linear") != "linear"
        if is_done or not isinstance(row.layer, kinds) or row.layer.activation == "softmax":
            break
        complete = row
    return complete


@dataclass(frozen=True, eq=False)
class FilterMeasures:
    """The activations of the F filters of a layer over N images.

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
    """Measure the filters of each of `layers` over `images` (N, H, W, C) uint8."""
    shapes = [(len(images), layer.num_filters) for layer in layers]
    maxima, means = ([np.empty(shape, np.float32) for shape in shapes] for _ in range(2))
    lowest = [np.full(layer.num_filters, np.inf, np.float32) for layer in layers]
    for block, outputs in layer_outputs(model, layers, images, np.arange(len(images))):
        for maps, highest, mean, low in zip(outputs, maxima, means, lowest, strict=True):
            # First over the rows of a map, then over its columns: NumPy is faster on long rows of memory.
            highest[block] = maps.max(axis=1).max(axis=1)
            # Without the numbers below zero, which would cancel activations elsewhere on the map.
            positive = maps if maps.min() >= 0 else np.maximum(maps, 0)
            mean[block] = positive.sum(axis=1).sum(axis=1) / (maps.shape[1] * maps.shape[2])
            np.minimum(low, maps.min(axis=1).min(axis=(0, 1)), out=low)
    return tuple(
        FilterMeasures(highest, mean, _is_constant(low, highest.max(axis=0)), bool(low.min() < 0))
        for highest, mean, low in zip(maxima, means, lowest, strict=True)
    )


def _is_constant(low: NDArray[np.float32], high: NDArray[np.float32]) -> NDArray[np.bool_]:
    # In float64, since the difference of two large float32 may overflow.
    return high.astype(np.float64) - low <= _CONSTANT * np.maximum(np.abs(low), np.abs(high))


def layer_outputs(
    model: Model, layers: Sequence[FilterLayer], images: NDArray[np.uint8], indices: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], list[NDArray[np.float32]]]]:
    """Yield the `indices` of `images` block by block, with each layer's outputs for a block, (n, H, W, F)."""
    names = [layer.row.layer.name for layer in layers]
    values = sum(layer.map_size[0] * layer.map_size[1] * layer.num_filters for layer in layers)
    step = max(1, _BLOCK_BYTES // (4 * max(values, 1)))
    for start in range(0, len(indices), step):
        block = indices[start : start + step]
        outputs = model.activations(images[block], list(dict.fromkeys(names)))
        by_layer = zip(names, layers, strict=True)
        yield block, [outputs[name].reshape(len(block), *layer.map_size, layer.num_filters) for name, layer in by_layer]


def class_selectivity(
    means: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Compute the selectivity (F,) of each filter, 0 to 1, and (F,) the label with its highest mean.

    It is (a - b) / (a + b), where a is the highest class mean and b the mean over the other classes' means: 0 if all
    are alike, 1 if the filter is active for a single class. A filter that is never active has 0. With few images, class
    means also differ by chance. If all images are of one class, it is 1 and meaningless. In the example, the first
    filter's class means are 3, 1 and 0, so a = 3, b = 0.5 and the selectivity is 2.5 / 3.5.

    Args:
        means: (N, F), of each image, not below zero.
        labels: (N,).

    Source: Morcos and others 2018, section 2.3; outputs below zero, which theirs are not, count as zero in `means`.

    >>> class_selectivity(np.array([[3.0, 1], [3, 1], [1, 1], [0, 1]]), np.array([0, 0, 1, 2]))
    (array([0.71428571, 0.        ]), array([0, 0]))
    """
    classes, inverse, counts = np.unique(labels, return_inverse=True, return_counts=True)
    # Class means (K, F): with the images sorted by class, as 0 0 1 2, the classes start at 0, 2 and 3; reduceat sums
    # the rows from each start to the next one.
    order = np.argsort(inverse, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    by_class = np.add.reduceat(np.asarray(means, np.float64)[order], starts, axis=0) / counts[:, None]
    highest = by_class.max(axis=0)
    others = (by_class.sum(axis=0) - highest) / max(len(classes) - 1, 1)
    total = highest + others
    # A total of 0, of a filter that is never active, is replaced by 1: 0 / 1 is 0.
    selectivity = (highest - others) / np.where(total > 0, total, 1)
    return selectivity, classes[by_class.argmax(axis=0)].astype(np.int64)


def round_six_digits(value: float) -> float:
    """Round to six significant digits, beyond which a sum of float32 depends on its order."""
    return float(f"{value:.6g}")
