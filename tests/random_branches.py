"""The layers of random networks that read an earlier layer, and what joins the branches that nobody reads yet."""

import itertools
from dataclasses import replace

import numpy as np

from convscope.architecture import (
    Add,
    Branch,
    Concatenate,
    Dense,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    Layer,
    Multiply,
    Shape,
)  # fmt: skip
from convscope.architecture.layers import ActivationName

JOINING = ("Add", "Multiply", "Branch", "Concatenate")
VECTOR = "vector "
"""Stands before a kind in a sequence where the layer works on vectors: an engine may compute it otherwise there."""


def joining_layer(
    rng: np.random.Generator,
    kind: str,
    layers: list[Layer],
    shapes: list[Shape],
    activation: ActivationName,
    may_leave: bool,
) -> tuple[Layer, Shape] | None:
    """Return a layer that reads an earlier one, which gets a name, and the shape it is given; None where none fits.

    `shapes` begins with the image's, so the layer at `index` gives shapes[index + 1], and -1 is the image. A `Branch`
    goes back to any map or vector, or only to the last one unless it `may_leave` that one unread. An `Add` and a
    `Multiply` read the same shape, a `Concatenate` one that differs in channels alone; all prefer what nobody reads
    yet.
    """
    last, axes = shapes[-1], 1 if kind.startswith(VECTOR) else 3
    kind = kind.removeprefix(VECTOR)
    if kind == "Branch":
        fitting = [index for index in range(-1, len(layers)) if len(shapes[index + 1]) == axes]
        if not may_leave and len(last) == axes:
            fitting = [len(layers) - 1]
    else:
        compared = slice(0, None if kind in ("Add", "Multiply") else -1)
        fitting = [index for index in range(-1, len(layers)) if shapes[index + 1][compared] == last[compared]]
        fitting = [index for index in fitting if index in unread(layers)] or fitting
    if not fitting or (not layers and kind != "Branch"):
        return None
    index = int(fitting[rng.integers(len(fitting))])
    name, shape = _name(layers, index), shapes[index + 1]
    if kind == "Add":
        return Add(name, activation), last
    if kind in ("Branch", "Multiply"):
        return (Branch if kind == "Branch" else Multiply)(name), shape
    return Concatenate(name), (*last[:-1], shape[-1] + last[-1])


def _name(layers: list[Layer], index: int) -> str:
    """Return the name of a layer that another is to read, which gets one if it has none; -1 is the image."""
    if index < 0:
        return "input"
    layers[index] = replace(layers[index], name=layers[index].name or f"layer_{index}")
    return layers[index].name


def weight_channels(rng: np.random.Generator, layers: list[Layer], shapes: list[Shape]) -> None:
    """Append a squeeze-and-excitation block, whose dense layers stand before layers that read maps."""
    name, shape = _name(layers, len(layers) - 1), shapes[-1]
    gate: ActivationName = "sigmoid" if rng.random() < 0.5 else "hard_sigmoid"
    units = int(rng.integers(1, 20))
    layers += [GlobalAveragePooling2D(), Dense(units, "relu"), Dense(shape[-1], gate), Multiply(name)]
    shapes += [shape[-1:], (units,), shape[-1:], shape]


def unread(layers: list[Layer]) -> list[int]:
    """Return the indices of the layers before a `Branch` that no layer reads yet."""
    read = {getattr(layer, "from_layer", "") for layer in layers}
    return [
        index
        for index, (layer, behind) in enumerate(itertools.pairwise(layers))
        if isinstance(behind, Branch) and (not layer.name or layer.name not in read)
    ]


def join_unread(rng: np.random.Generator, layers: list[Layer], shapes: list[Shape]) -> None:
    """Append what makes vectors of the maps that nobody reads, and then joins the vectors that nobody reads."""
    for index in unread(layers):
        if len(shapes[index + 1]) == 3:
            pooling = GlobalAveragePooling2D() if rng.random() < 0.5 else GlobalMaxPooling2D()
            layers += [Branch(_name(layers, index)), pooling]
            shapes += [shapes[index + 1], (shapes[index + 1][-1],)]
    for index in unread(layers):
        layers.append(Concatenate(_name(layers, index)))
        shapes.append((shapes[index + 1][0] + shapes[-1][0],))
