"""A model as the stages that are written: with what can be put into weights beforehand, or layer by layer.

Everything is computed in float64 and rounded once, when it is written.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Architecture, Shape
from convscope.architecture.table import earlier
from convscope.training.model import Model

Array = NDArray[np.float64]
WEIGHTED = ("Conv2D", "DepthwiseConv2D", "Dense")


@dataclass(frozen=True, eq=False)
class FoldedStage:
    """A layer as it is written.

    Attributes:
        layer: a `Layer`; which kind it is, is asked by `kind`.
        outputs: the names of the layers whose output comes out: the layer's own, or that of what was folded into it.
        weights: by their names within the layer, in Keras layout.
        slope: below zero, where the activation is `leaky_relu`.
    """

    layer: Any
    outputs: tuple[str, ...]
    input_shape: Shape
    output_shape: Shape
    weights: Mapping[str, Array]
    activation: str
    slope: float = 0.2

    @property
    def kind(self) -> str:
        return str(self.layer.kind)

    @property
    def name(self) -> str:
        return str(self.layer.name)


@dataclass(frozen=True, eq=False)
class Plan:
    """The stages of a model, and how a byte becomes the number that the first of them reads."""

    stages: tuple[FoldedStage, ...]
    scale: float
    offset: float


def make_plan(model: Model, *, fold: bool, fold_input: bool) -> Plan:
    """Return the stages of `model`.

    Args:
        fold: put each batch normalisation into the convolution or dense layer before it.
        fold_input: put the normalisation of bytes into the first of them.
    """
    architecture = model.architecture
    kept = architecture.read_again
    stages: list[FoldedStage] = []
    for stage in _stages(model):
        merged = _with_normalization(stages[-1], stage, kept) if fold and stages else None
        if merged is not None:
            stages[-1] = merged
        elif stage.kind == "Dropout" and stages:
            stages[-1] = replace(stages[-1], outputs=(*stages[-1].outputs, stage.name))
        else:
            stages.append(stage)
    scale, offset = architecture.input.scale, architecture.input.offset
    if fold_input and (first := _first_reader(architecture, stages, kept)) is not None:
        stages[first] = _reading_bytes(stages[first], scale, offset)
        scale, offset = 1.0, 0.0
    return Plan(tuple(stages), scale, offset)


def pads(stage: FoldedStage) -> tuple[int, int, int, int]:
    """Return how many pixels of padding stand above, left, below and right of what a windowed layer reads."""
    (top, bottom), (left, right) = stage.layer.window.frame(stage.input_shape)
    return top, left, bottom, right


def scale_and_shift(stage: FoldedStage) -> tuple[Array, Array]:
    """Compute the factor and the addend of each channel of a batch normalisation, (C,) each."""
    epsilon: Any = stage.layer.epsilon
    factor = stage.weights["gamma"] / np.sqrt(stage.weights["moving_variance"] + epsilon)
    return factor, stage.weights["beta"] - stage.weights["moving_mean"] * factor


def _stages(model: Model) -> list[FoldedStage]:
    return [
        FoldedStage(
            row.layer,
            (row.layer.name,),
            row.input_shape,
            row.output_shape,
            {
                name: model.weights[f"{row.layer.name}/{name}"].astype(np.float64)
                for name in row.layer.weight_shapes(row.input_shape)
            },
            getattr(row.layer, "activation", "linear"),
            getattr(row.layer, "negative_slope", 0.2),
        )
        for row in model.architecture.table
    ]


def _with_normalization(before: FoldedStage, stage: FoldedStage, kept: frozenset[str]) -> FoldedStage | None:
    """Return the stage before with the batch normalisation folded into it; None where that is not exact."""
    if stage.kind != "BatchNormalization" or before.kind not in WEIGHTED or before.activation != "linear":
        return None
    if kept & set(before.outputs):
        return None
    factor, shift = scale_and_shift(stage)
    kernel = before.weights["kernel"]
    columns = factor.reshape(kernel.shape[2:]) if before.kind == "DepthwiseConv2D" else factor
    weights = {"kernel": kernel * columns, "bias": before.weights.get("bias", 0) * factor + shift}
    return replace(before, outputs=stage.outputs, weights=weights, activation=stage.activation)


def _first_reader(architecture: Architecture, stages: list[FoldedStage], kept: frozenset[str]) -> int | None:
    """Find the stage that can read bytes instead of numbers, with other weights and equal results."""
    if "input" in kept:
        return None
    for number, stage in enumerate(stages):
        if stage.kind in WEIGHTED:
            # The zeros of padding stand for the number 0, which is the byte 0 only where nothing is added.
            is_exact = architecture.input.offset == 0 or stage.kind == "Dense" or not any(pads(stage))
            return number if is_exact else None
        passes = stage.kind in ("Flatten", "Dropout") or (
            stage.kind == "ZeroPadding2D" and architecture.input.offset == 0
        )
        if not passes or kept & set(stage.outputs):
            return None
    return None


def _reading_bytes(stage: FoldedStage, scale: float, offset: float) -> FoldedStage:
    kernel = stage.weights["kernel"]
    axes = {"Conv2D": (0, 1, 2), "DepthwiseConv2D": (0, 1), "Dense": (0,)}[stage.kind]
    weights = dict(stage.weights, kernel=kernel * scale)
    if offset:
        weights["bias"] = stage.weights.get("bias", 0) + offset * kernel.sum(axis=axes).reshape(-1)
    return replace(stage, weights=weights)


def permutation(stages: tuple[FoldedStage, ...], flatten: int) -> NDArray[np.int64] | None:
    """Return (H·W·C,), which of our numbers stands where in flattened maps (C, H, W), if a dense layer can mend that.

    It can if nothing but layers that work number by number stands between, and nobody else reads these.
    """
    shape = stages[flatten].input_shape
    readers = {earlier(stage.layer) for stage in stages}
    if readers & set(stages[flatten].outputs):
        return None
    for stage in stages[flatten + 1 :]:
        if stage.kind == "Dense":
            return np.arange(prod(shape)).reshape(shape).transpose(2, 0, 1).ravel()
        if stage.kind not in ("Flatten", "Dropout", "BatchNormalization", "Activation") or readers & set(stage.outputs):
            return None
    return None
