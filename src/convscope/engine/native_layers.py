"""An architecture and its weights in the form that the compiled engine reads.

The first layer of `cnn` becomes a struct of the kind "Conv2D" with numbers such as its shapes, window and strides. Its
weights are the pair KernelAndBias(0, "conv2d/kernel", "conv2d/bias", 16).
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import (
    Architecture,
    BatchNormalization,
    Dropout,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    LayerRow,
    ZeroPadding2D,
)
from convscope.architecture.layers import NON_TRAINABLE_WEIGHTS, padding_before
from convscope.architecture.table import get_source_name
from convscope.engine import _native
from convscope.engine.network import float_array
from convscope.recipes import Precision


class KernelAndBias(NamedTuple):
    """The names of a layer's kernel and bias, stored as one array in C++; of a normalisation gamma and beta.

    Attributes:
        layer: its index in the architecture.
        kernel, bias: the weights' full names; None without a bias, for which the engine keeps zeros.
        size: the length of the bias.
    """

    layer: int
    kernel: str
    bias: str | None
    size: int

    def arrays(self, values: Mapping[str, NDArray[Any]]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Select both from `values` as contiguous float32 arrays, copied only if they are not."""
        kernel = np.ascontiguousarray(float_array(values[self.kernel]))
        if self.bias is None:  # the C++ side also writes its zeros here, when it is read
            return kernel, np.zeros(self.size, np.float32)
        return kernel, np.ascontiguousarray(float_array(values[self.bias]))


def trainable_pairs(architecture: Architecture) -> list[KernelAndBias]:
    """List the weights that training changes, by layer."""
    pairs = []
    for index, row in enumerate(architecture.table):
        names = [name for name in row.layer.weight_shapes(row.input_shape) if name not in NON_TRAINABLE_WEIGHTS]
        if names:
            bias = names[1] if len(names) > 1 else None  # a PReLU has slopes alone, as a layer without a bias
            pairs.append(_make_pair(index, row, names[0], bias))
    return pairs


def moving_pairs(architecture: Architecture) -> list[KernelAndBias]:
    """List the moving means and variances, by batch normalisation."""
    return [
        _make_pair(index, row, "moving_mean", "moving_variance")
        for index, row in enumerate(architecture.table)
        if isinstance(row.layer, BatchNormalization)
    ]


def _make_pair(index: int, row: LayerRow, kernel: str, bias: str | None) -> KernelAndBias:
    name = row.layer.name
    return KernelAndBias(index, f"{name}/{kernel}", None if bias is None else f"{name}/{bias}", row.output_shape[-1])


def plain_layers(architecture: Architecture, precision: Precision) -> list[_native.Layer]:
    """Convert the layers to those of the C++ side."""
    indices = {"input": -1} | {layer.name: index for index, layer in enumerate(architecture.layers)}
    layers = [_to_plain_layer(row, indices) for row in architecture.table]
    for layer in layers:
        layer.bfloat16 = precision == "bfloat16"
    return layers


def _to_plain_layer(row: LayerRow, indices: Mapping[str, int]) -> _native.Layer:
    """Convert a layer to the struct of the C++ side; `indices` has the layers before it by their names."""
    layer, plain = row.layer, _native.Layer()
    plain.kind = layer.kind
    plain.input, plain.output = _to_map_shape(row.input_shape), _to_map_shape(row.output_shape)
    # Fields of the same name and form. Strides and padding differ: in C++ they are numbers, here also None or "same".
    for field in fields(layer):
        if hasattr(plain, field.name) and field.name not in ("strides", "padding"):
            setattr(plain, field.name, getattr(layer, field.name))
    if (window := getattr(layer, "window", None)) is not None:
        plain.window, plain.strides = list(window.size), list(window.strides)
        # Only above and left: what lies below and right follows from the shape of the output.
        plain.padding = [
            padding_before(size, kernel, stride, window.padding)
            for size, kernel, stride in zip(row.input_shape, window.reach, window.strides, strict=False)
        ]
    if name := get_source_name(layer):
        plain.earlier = indices[name]
    match layer:
        case GlobalMaxPooling2D() | GlobalAveragePooling2D():  # a pooling whose window is the map
            plain.window = plain.input[:2]  # (rows, columns)
        case ZeroPadding2D():
            (above, _), (left, _) = layer.padding
            plain.padding = [above, left]
        case Dropout():
            plain.dropped = layer.dropped
    return plain


def _to_map_shape(shape: Sequence[int]) -> list[int]:
    # A vector (C,) is a map of one pixel, (1, 1, C).
    return [1] * (3 - len(shape)) + list(shape)
