"""What a file that was written here says of its network beside the graph, where the graph says the same.

The graph alone does not tell everything: dropout does nothing in it, an activation may belong to a layer or be one.
"""

import json
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Architecture, LayerRow
from convscope.base.errors import ArchitectureError

_MAX_CHARACTERS = 1 << 20
Weights = Mapping[str, NDArray[np.float32]]


def declared_architecture(properties: Mapping[str, str], found: Architecture) -> Architecture | None:
    """Return the architecture in a file's properties, if it computes what was found in the graph, else None."""
    try:
        declared = Architecture.from_dict(_json(properties, "architecture"))
    except (ArchitectureError, ValueError, RecursionError):
        return None
    same_image = declared.input.shape == found.input.shape and all(
        np.float32(one) == np.float32(other)
        for one, other in (
            (declared.input.scale, found.input.scale),
            (declared.input.offset, found.input.offset),
        )
    )
    return declared if same_image and _computation(declared) == _computation(found) else None


def declared_class_names(properties: Mapping[str, str], number: int) -> tuple[str, ...] | None:
    """Return the class names in a file's properties, if there are so many."""
    try:
        names = _json(properties, "class_names")
    except (ValueError, RecursionError):
        return None
    if not isinstance(names, list) or len(names) != number or not all(isinstance(name, str) for name in names):
        return None
    return tuple(names)


def renamed(weights: Weights, found: Architecture, declared: Architecture) -> Weights:
    """Return the weights found in the graph by the names of the declared layers."""
    names = zip(declared.weight_shapes.items(), found.weight_shapes, strict=True)
    return {name: weights[other].reshape(shape) for (name, shape), other in names}


def _json(properties: Mapping[str, str], key: str) -> Any:
    text = properties.get(key, "")
    if len(text) > _MAX_CHARACTERS:
        raise ValueError("too long")
    return json.loads(text)


def _computation(architecture: Architecture) -> list[tuple[Any, ...]]:
    """Return what the layers compute, one operation after the other, without how they are cut and called."""
    rows = architecture.table
    again = architecture.read_again
    done: list[tuple[Any, ...]] = []
    place = {"input": 0}
    padding = ((0, 0), (0, 0))
    for row, following in pairwise([*rows, None]):
        assert row is not None
        layer: Any = row.layer
        if layer.kind == "Dropout":
            place[layer.name] = len(done)
            continue
        if layer.kind == "Branch" and place[layer.from_layer] == len(done):  # it goes on from the layer before it
            place[layer.name] = len(done)
            continue
        is_absorbed = (
            layer.kind == "ZeroPadding2D"
            and following is not None
            and following.layer.kind in ("Conv2D", "DepthwiseConv2D")
            and layer.name not in again
        )
        if is_absorbed:
            padding = layer.padding
        elif layer.kind != "Activation" and not (layer.kind == "Flatten" and len(row.input_shape) == 1):
            done.append(_operation(row, padding, place))
            padding = ((0, 0), (0, 0))
        activation = getattr(layer, "activation", "linear")
        if activation not in ("linear", "softmax"):
            done.append((activation, getattr(layer, "negative_slope", 0.2) if activation == "leaky_relu" else None))
        place[layer.name] = len(done)
    return done


def _operation(row: LayerRow, padding: Any, place: Mapping[str, int]) -> tuple[Any, ...]:
    """Return what a layer computes before its activation, as plain values to compare."""
    layer: Any = row.layer
    match kind := layer.kind:
        case "Add" | "Branch" | "Concatenate":
            return kind, place.get(layer.from_layer, layer.from_layer)
        case "BatchNormalization":
            return kind, float(np.float32(layer.epsilon))
        case "Dense":
            return kind, layer.units, layer.use_bias
        case "ZeroPadding2D":
            return kind, layer.padding
        case "Conv2D" | "DepthwiseConv2D":
            start = [own + absorbed for own, (absorbed, _) in zip(_first_pixels(row), padding, strict=True)]
            # A depthwise convolution is one with a group a channel, and has the same weights.
            groups = layer.groups if kind == "Conv2D" else row.input_shape[2]
            window = (layer.kernel_size, layer.strides, layer.dilation_rate, start)
            return "Conv2D", groups, *window, row.output_shape, layer.use_bias
        case "MaxPooling2D" | "AveragePooling2D":
            return kind, layer.pool_size, layer.strides, _first_pixels(row), row.output_shape
        case _:
            return (kind,)


def _first_pixels(row: LayerRow) -> list[int]:
    """Return how many pixels of padding stand above and left of the first window."""
    layer: Any = row.layer
    return [before for before, _ in layer.window.frame(row.input_shape)]
