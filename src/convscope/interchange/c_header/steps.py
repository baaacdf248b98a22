"""A model as the few steps that its answers need, before anything is said of number types or C.

Dropout, Flatten and Branch cost nothing at prediction and vanish; batch normalisation and `Activation` layers go into
the step before them, zero padding into the convolution behind it, wherever nobody else reads what lies between.
Vectors are maps of one pixel, so every shape here is (H, W, C).
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import BatchNormalization, LayerRow, Shape
from convscope.architecture.layers import Pair
from convscope.base.errors import ConvscopeError
from convscope.engine.reference_layers import LEAKY_SLOPE
from convscope.training.model import Model

Map = tuple[int, int, int]
Array = NDArray[np.float64]
StepKind = Literal[
    "conv2d", "depthwise", "dense", "max_pool", "average_pool", "pad", "add", "concatenate", "activation", "soft_voting"
]
LINEAR: tuple[StepKind, ...] = ("conv2d", "depthwise", "dense")
WRITES_LOGITS: tuple[StepKind, ...] = ("dense", "soft_voting")
"""Those that, as the last step, need no place in the working memory for what they give."""
_POOLS: Mapping[str, StepKind] = {
    "MaxPooling2D": "max_pool",
    "GlobalMaxPooling2D": "max_pool",
    "AveragePooling2D": "average_pool",
    "GlobalAveragePooling2D": "average_pool",
}


@dataclass(frozen=True, eq=False)
class ComputedStep:
    """One function call of the exported network.

    Attributes:
        layers: the names of the layers that it computes; it is called by the first.
        reads: the numbers of the values it reads: 0 is the image, s + 1 what step s gives. An `add` and a
            `concatenate` read two.
        size: rows and columns of a window; of a `concatenate` how many channels it takes of either.
        before: rows above and columns left of the map that a window may stand on without reading anything.
        kernel: (U, V, C, F) of a conv2d, (U, V, C, M) of a depthwise, (inputs, units) of a dense step.
        bias: (F,), (C·M,) or (units,), also where the layer has none.
        dilation, groups: of a conv2d; its kernel is (U, V, C / groups, F). A dilated depthwise convolution is one.
        activation: what is applied to the result; the softmax of a last layer is left out, as logits come before it.
        slope: of leaky_relu below zero.
    """

    kind: StepKind
    layers: tuple[str, ...]
    reads: tuple[int, ...]
    input_shape: Map
    output_shape: Map
    size: Pair = (1, 1)
    strides: Pair = (1, 1)
    before: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    kernel: Array | None = None
    bias: Array | None = None
    activation: str = "linear"
    slope: float = LEAKY_SLOPE

    @property
    def name(self) -> str:
        return self.layers[0]

    @property
    def weights(self) -> tuple[Array, Array]:
        """Kernel and bias of a linear step."""
        assert self.kernel is not None, self.kind
        assert self.bias is not None, self.kind
        return self.kernel, self.bias

    @property
    def is_plain(self) -> bool:
        """Whether the rows, columns and channels that a window reads lie side by side, without dilation or groups."""
        return self.dilation == (1, 1) and self.groups == 1

    @property
    def is_whole_map(self) -> bool:
        """Whether one window of a pooling covers the map, so that every output counts the same pixels."""
        return self.size == self.input_shape[:2] and self.output_shape[:2] == (1, 1) and self.before == (0, 0)


def plan_steps(model: Model) -> tuple[ComputedStep, ...]:
    """Return the steps of `model`, in their order; none if it only flattens the image.

    Raises:
        ConvscopeError: if a weight, or what batch normalisation makes of it, is not finite in float32.
    """
    rows = model.architecture.table
    plan = _Plan(model.architecture.input.shape, {row.layer.name for row in rows}, model.architecture.read_again)
    for row in rows:
        prefix = f"{row.layer.name}/"
        weights = {
            name.removeprefix(prefix): weight.astype(np.float64)
            for name, weight in model.weights.items()
            if name.startswith(prefix)
        }
        plan.append(row, weights)
    for step in plan.steps:
        with np.errstate(over="ignore"):  # a float32 that overflows is refused too
            if step.kind in LINEAR and not all(np.isfinite(np.float32(weight)).all() for weight in step.weights):
                raise ConvscopeError(f"{step.name}: a weight is not a finite number; train the model again")
    return tuple(plan.steps)


class _Plan:
    """The steps so far, and which layers' outputs their values are."""

    def __init__(self, image: Shape, layers: set[str], kept: frozenset[str]) -> None:
        self.steps: list[ComputedStep] = []
        self._image, self._layers = image, layers
        self._kept = kept
        self._last = 0  # the value that the next layer reads
        self._value_of = {"input": 0}
        self._names: defaultdict[int, set[str]] = defaultdict(set)

    def append(self, row: LayerRow, weights: Mapping[str, Array]) -> None:
        layer: Any = row.layer
        match layer.kind:
            case "Flatten" | "Dropout":
                pass
            case "BatchNormalization":
                self._normalize(row, weights, layer)
            case "Activation":
                self._activate(row)
            case "PReLU":
                self._learned_slopes(row, weights["alpha"])
            case "Branch":
                self._last = self._value_of[layer.from_layer]
            case "Add":
                reads = (self._last, self._value_of[layer.from_layer])
                self._push(replace(_step(row, "add", self._last), reads=reads))
            case "Concatenate":
                reads = (self._value_of[layer.from_layer], self._last)
                step = _step(row, "concatenate", self._last)
                first = self._numbers(reads[0]) // prod(step.output_shape[:2])
                self._push(replace(step, reads=reads, size=(first, step.output_shape[2] - first)))
            case "SoftVoting":
                self._push(_step(row, "soft_voting", self._last))
            case "ZeroPadding2D":
                (top, _), (left, _) = layer.padding
                self._push(replace(_step(row, "pad", self._last), before=(top, left)))
            case "Conv2D" | "DepthwiseConv2D":
                self._convolve(row, weights)
            case "Dense":
                self._push(_linear(_step(row, "dense", self._last), weights))
            case _:
                self._push(_window_step(_step(row, _POOLS[layer.kind], self._last), layer))
        self._value_of[layer.name] = self._last
        self._names[self._last].add(layer.name)

    def _numbers(self, value: int) -> int:
        return prod(self.steps[value - 1].output_shape if value else self._image)

    def _push(self, step: ComputedStep) -> None:
        self.steps.append(step)
        self._last = len(self.steps)

    @property
    def _is_open(self) -> bool:
        """Whether the next layer, and nobody else, reads what the last step gives."""
        return 0 < self._last == len(self.steps) and not self._names[self._last] & self._kept

    def _convolve(self, row: LayerRow, weights: Mapping[str, Array]) -> None:
        padding = self.steps.pop() if self._is_open and self.steps[-1].kind == "pad" else None
        if padding is not None:
            self._names.pop(self._last, None)
            (self._last,) = padding.reads
        layer: Any = row.layer
        kind: StepKind = "conv2d" if layer.kind == "Conv2D" else "depthwise"
        groups = layer.groups if kind == "conv2d" else 1
        if kind == "depthwise" and layer.dilation_rate != (1, 1):
            kind, groups = "conv2d", row.input_shape[2]
            kernel = weights["kernel"]
            weights = {**weights, "kernel": kernel.reshape(*kernel.shape[:2], 1, -1)}
        step = replace(_window_step(_step(row, kind, self._last), layer), groups=groups)
        step = _linear(step, weights)
        if padding is not None:
            # The padded map is never made: its rim is where the windows read nothing.
            (top, left), (above, beside) = step.before, padding.before
            step = replace(
                step,
                layers=(*step.layers, *padding.layers),
                input_shape=padding.input_shape,
                before=(top + above, left + beside),
            )
        self._push(step)

    def _normalize(self, row: LayerRow, weights: Mapping[str, Array], layer: BatchNormalization) -> None:
        """Multiply and shift the outputs of the step before, or be a step with one multiplication a number."""
        with np.errstate(all="ignore"):  # what is not finite is refused by `plan_steps`
            scale = weights["gamma"] / np.sqrt(weights["moving_variance"] + layer.epsilon)
            shift = weights["beta"] - weights["moving_mean"] * scale
        input_shape = _as_map(row.input_shape)
        last = self.steps[-1] if self._is_open else None
        if last is None or last.kind not in LINEAR or last.activation != "linear" or last.output_shape != input_shape:
            weights = {"kernel": scale.reshape(1, 1, -1, 1), "bias": shift}
            self._push(_linear(_step(row, "depthwise", self._last), weights))
            return
        kernel, bias = last.weights
        factors = scale.reshape(kernel.shape[2:]) if last.kind == "depthwise" else scale
        self.steps[-1] = replace(
            last,
            layers=(*last.layers, row.layer.name),
            kernel=kernel * factors,
            bias=bias * scale + shift,
            activation=_activation(layer),
        )

    def _activate(self, row: LayerRow) -> None:
        layer: Any = row.layer
        activation, slope = _activation(layer), float(layer.negative_slope)
        last = self.steps[-1] if self._is_open else None
        if activation == "linear":
            return
        if last is not None and last.kind in (*LINEAR, "add") and last.activation == "linear":
            layers = (*last.layers, layer.name)
            self.steps[-1] = replace(last, layers=layers, activation=activation, slope=slope)
            return
        self._push(replace(_step(row, "activation", self._last), slope=slope))

    def _learned_slopes(self, row: LayerRow, alpha: Array) -> None:
        """Add α x and (1 - α) relu(x): two multiplications a number, by steps that other layers have too."""
        source, above = self._last, f"{row.layer.name}_above"
        while above in self._layers:
            above += "_"
        self._push(replace(_step(row, "activation", source), layers=(above,), activation="relu"))
        for reads, name, slopes in ((self._last, above, 1 - alpha), (source, row.layer.name, alpha)):
            step = _linear(_step(row, "depthwise", reads), {"kernel": slopes.reshape(1, 1, -1, 1)})
            self._push(replace(step, layers=(name,)))
        self._push(replace(_step(row, "add", self._last), reads=(self._last - 1, self._last)))


def _step(row: LayerRow, kind: StepKind, reads: int) -> ComputedStep:
    shapes = _as_map(row.input_shape), _as_map(row.output_shape)
    return ComputedStep(kind, (row.layer.name,), (reads,), *shapes, activation=_activation(row.layer))


def _window_step(step: ComputedStep, layer: Any) -> ComputedStep:
    if layer.kind.startswith("Global"):
        return replace(step, size=step.input_shape[:2])
    window = layer.window
    (top, _), (left, _) = window.frame(step.input_shape)
    return replace(step, size=window.size, strides=window.strides, dilation=window.dilation, before=(top, left))


def _linear(step: ComputedStep, weights: Mapping[str, Array]) -> ComputedStep:
    bias = weights.get("bias", np.zeros(step.output_shape[2]))
    return replace(step, kernel=weights["kernel"], bias=bias)


def _activation(layer: Any) -> str:
    activation = getattr(layer, "activation", "linear")
    return "linear" if activation == "softmax" else str(activation)


def _as_map(shape: Shape) -> Map:
    return (shape[0], shape[1], shape[2]) if len(shape) == 3 else (1, 1, shape[0])


def outputs_first(step: ComputedStep, kernel: NDArray[Any]) -> NDArray[Any]:
    """Return a kernel as the C functions read it: (F, U, V, C), (units, inputs), and a depthwise one as it is."""
    return kernel if step.kind == "depthwise" else np.moveaxis(kernel, -1, 0)


def step_comment(step: ComputedStep) -> str:
    """Describe a step in words: its layers, and the sizes that it reads and writes."""
    sizes = " to ".join(" x ".join(map(str, shape)) for shape in (step.input_shape, step.output_shape))
    activation = "" if step.activation == "linear" else f", {step.activation}"
    return f"{' + '.join(step.layers)}: {sizes}{activation}"
