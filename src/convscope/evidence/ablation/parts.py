"""List the filters and units that ablations replace, with their costs and mean outputs."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Conv2D, Dense, DepthwiseConv2D
from convscope.training.model import Model

Replaced = Literal["zero", "mean"]
"""The constant that replaces a filter's output: zero, or its own mean over the data set."""

Part = tuple[str, int]
"""A filter by its layer and its number, from 0."""

_BLOCK_BYTES = 1 << 23  # activations in memory at once
_MAX_IMAGES = 256  # in a block: their outputs are summed in float32, and the sums of blocks in float64


def layers_with_filters(model: Model, *, units: bool = False) -> dict[str, int]:
    """Count by layer the filters of each convolution, or the units of each dense layer but the last.

    Args:
        units: whether dense layers count besides convolutions; without a convolution they do anyway.
    """
    table = model.architecture.table
    convolutions = [row for row in table if isinstance(row.layer, Conv2D | DepthwiseConv2D)]
    # The last one has the classes.
    hidden = [row for row in table if isinstance(row.layer, Dense)][:-1]
    chosen = convolutions + hidden if units or not convolutions else convolutions
    return {row.layer.name: row.output_shape[-1] for row in chosen}


def layer_kinds(model: Model, layers: Iterable[str]) -> dict[str, str]:
    """Look up the kind of each of `layers`, such as "Conv2D"."""
    return {layer: model.architecture.row(layer).layer.kind for layer in layers}


def macs_after(model: Model) -> dict[str, int]:
    """Count by layer the multiply-adds of an image from the layer's output to the logits."""
    by_layer, macs = dict[str, int](), 0
    # From the end: an ablation of a layer computes only what comes after it.
    for row in reversed(model.architecture.table):
        by_layer[row.layer.name] = macs
        macs += row.macs
    return by_layer


def check_replacements(replacements: Sequence[Replaced]) -> None:
    """Raise `ValueError` unless there is at least one replacement, and all are known."""
    if not replacements or not set(replacements) <= set(get_args(Replaced)):
        raise ValueError(f"replacements are {replacements!r}; choose from {', '.join(get_args(Replaced))}")


def block_length(model: Model) -> int:
    """Compute the number of images whose activations, of all layers, are in memory at once."""
    numbers = sum(int(np.prod(row.output_shape)) for row in model.architecture.table)
    return max(1, min(_MAX_IMAGES, _BLOCK_BYTES // (4 * numbers)))


def filter_means(model: Model, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """Compute by layer the mean output of each filter over the images (N, H, W, C) and over all cells of a map.

    For the last layer it is the mean of the logits, since an ablation there replaces a logit, not a probability.
    """
    shapes = {row.layer.name: row.output_shape for row in model.architecture.table}
    *hidden, last = shapes
    sums: dict[str, NDArray[Any]] = {name: np.zeros(int(np.prod(shape))) for name, shape in shapes.items()}
    step = block_length(model)
    for start in range(0, len(images), step):
        block = images[start : start + step]
        for name, outputs in {**model.activations(block, hidden), last: model.logits(block)}.items():
            sums[name] += outputs.reshape(len(block), -1).sum(axis=0)
    # First the mean of each cell over the images, then that of a filter's cells.
    cells = {name: (sums[name] / len(images)).reshape(-1, shape[-1]) for name, shape in shapes.items()}
    return {name: means.mean(axis=0).astype(np.float32) for name, means in cells.items()}
