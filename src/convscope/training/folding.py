"""Plan the stages of a model, with batch normalisation and the scaling of bytes folded into weights.

A stage is a layer, with all that was folded into it. Everything is computed in float64, and rounded once, when it is
written.

    layers of the model           stages                                         their `outputs`
    conv (Conv2D)              ┐
    norm (BatchNormalization)  ├  conv, with the weights of both                 norm, drop
    drop (Dropout)             ┘
    dense (Dense)                 dense                                          dense
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Architecture, Shape
from convscope.architecture.table import get_source_name
from convscope.training.model import Model

Array = NDArray[np.float64]
WEIGHTED = ("Conv2D", "DepthwiseConv2D", "Dense")


@dataclass(frozen=True, eq=False)
class FoldedStage:
    """A layer with all that was folded into it.

    Attributes:
        outputs: the names of the layers that have its output: the last one folded into it, and dropouts after that.
        weights: the arrays by their names within the layer, in Keras layout.
        slope: the slope of `leaky_relu` below zero.
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
    """The stages of a model, and the scaling of a byte before the first: `byte · scale + offset`."""

    stages: tuple[FoldedStage, ...]
    scale: float
    offset: float


def make_plan(model: Model, *, fold: bool, fold_input: bool) -> Plan:
    """Plan the stages of `model`.

    Args:
        fold: fold each batch normalisation into the convolution or dense layer before it.
        fold_input: fold the scaling of bytes into the first convolution or dense layer.
    """
    architecture = model.architecture
    read_again = architecture.read_again  # other layers read these outputs, so nothing may change them
    stages: list[FoldedStage] = []
    for stage in _make_stages(model):
        merged = _fold_normalization(stages[-1], stage, read_again) if fold and stages else None
        if merged is not None:
            stages[-1] = merged
        elif stage.kind == "Dropout" and stages:
            stages[-1] = replace(stages[-1], outputs=(*stages[-1].outputs, stage.name))
        else:
            stages.append(stage)
    scale, offset = architecture.input.scale, architecture.input.offset
    if fold_input and (reader := _find_first_reader(architecture, stages, read_again)) is not None:
        stages[reader] = _fold_scaling(stages[reader], scale, offset)
        scale, offset = 1.0, 0.0
    return Plan(tuple(stages), scale, offset)


def read_padding(stage: FoldedStage) -> tuple[int, int, int, int]:
    """Compute the padding of a windowed layer in ONNX's order: above, left, below, right."""
    (top, bottom), (left, right) = stage.layer.window.frame(stage.input_shape)
    return top, left, bottom, right


def compute_scale_and_shift(stage: FoldedStage) -> tuple[Array, Array]:
    """Compute the factor γ / √(σ² + ε) and the addend β - μ · factor of a batch normalisation, (C,) each."""
    epsilon: Any = stage.layer.epsilon
    factor = stage.weights["gamma"] / np.sqrt(stage.weights["moving_variance"] + epsilon)
    return factor, stage.weights["beta"] - stage.weights["moving_mean"] * factor


def _make_stages(model: Model) -> list[FoldedStage]:
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


def _fold_normalization(previous: FoldedStage, stage: FoldedStage, read_again: frozenset[str]) -> FoldedStage | None:
    """Fold a batch normalisation into the stage before it; None if that is impossible or not exact."""
    if stage.kind != "BatchNormalization" or previous.kind not in WEIGHTED or previous.activation != "linear":
        return None
    if read_again & set(previous.outputs):
        return None
    # factor · (K x + b) + shift = (factor · K) x + (factor · b + shift)
    factor, shift = compute_scale_and_shift(stage)
    kernel = previous.weights["kernel"]
    # A depthwise kernel is (rows, columns, C, M), and its C · M filters have a factor each.
    factors = factor.reshape(kernel.shape[2:]) if previous.kind == "DepthwiseConv2D" else factor
    weights = {"kernel": kernel * factors, "bias": previous.weights.get("bias", 0) * factor + shift}
    return replace(previous, outputs=stage.outputs, weights=weights, activation=stage.activation)


def _find_first_reader(architecture: Architecture, stages: list[FoldedStage], read_again: frozenset[str]) -> int | None:
    """Find the stage into whose weights the scaling of bytes can go without changing results; None without.

    It is the first with weights, if the stages before it only pass numbers on and nothing else reads these.
    """
    if "input" in read_again:
        return None
    for number, stage in enumerate(stages):
        if stage.kind in WEIGHTED:
            # Padding is the number 0. As a byte, 0 means the number `offset`, so both agree only without an offset.
            is_exact = architecture.input.offset == 0 or stage.kind == "Dense" or not any(read_padding(stage))
            return number if is_exact else None
        passes = stage.kind in ("Flatten", "Dropout") or (
            stage.kind == "ZeroPadding2D" and architecture.input.offset == 0
        )
        if not passes or read_again & set(stage.outputs):
            return None
    return None


def _fold_scaling(stage: FoldedStage, scale: float, offset: float) -> FoldedStage:
    kernel = stage.weights["kernel"]
    axes = {"Conv2D": (0, 1, 2), "DepthwiseConv2D": (0, 1), "Dense": (0,)}[stage.kind]  # summed into one output
    # Σ w · (scale · byte + offset) = Σ (w · scale) · byte + offset · Σ w
    weights = dict(stage.weights, kernel=kernel * scale)
    if offset:
        weights["bias"] = stage.weights.get("bias", 0) + offset * kernel.sum(axis=axes).reshape(-1)
    return replace(stage, weights=weights)


def find_flatten_order(stages: tuple[FoldedStage, ...], flatten: int) -> NDArray[np.int64] | None:
    """Find out if maps may be flattened as they are, (C, H, W), because the next dense layer reads them in that order.

    The rows of its kernel, and the numbers of layers between, are then written in the order that is returned: (H·W·C,),
    the position of each number in our order (H, W, C). None if a layer between works on more than single numbers, or
    another layer reads an output.

    Example: two pixels of two channels are 0 1 | 2 3 in our order. As (C, H, W) they are 0 2 | 1 3: the result.
    """
    shape = stages[flatten].input_shape
    readers = {get_source_name(stage.layer) for stage in stages}
    if readers & set(stages[flatten].outputs):
        return None
    for stage in stages[flatten + 1 :]:
        if stage.kind == "Dense":
            return np.arange(prod(shape)).reshape(shape).transpose(2, 0, 1).ravel()  # (H, W, C) as (C, H, W)
        if stage.kind not in ("Flatten", "Dropout", "BatchNormalization", "Activation") or readers & set(stage.outputs):
            return None
    return None
