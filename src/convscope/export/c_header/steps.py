"""Turn a model into the few steps that prediction needs, before number types and C come in.

Layers that do nothing at prediction (Dropout, Flatten, Branch) vanish. Batch normalisation and activations go into the
step before them, and zero padding into the convolution after it, unless another layer reads the value between.
A vector is a map of one pixel, so every shape is (H, W, C).

Values are numbered in the order in which they are computed: 0 is the image, n the output of the n-th step. Example:

    layers                                                        step            reads   gives
    ZeroPadding2D, Conv2D, BatchNormalization, Activation(relu)   conv2d, relu    0       1
    MaxPooling2D                                                  max_pool        1       2
    Flatten, Dropout, Dense(10, softmax)                          dense           2       3: the logits
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Architecture, LayerRow, Shape
from convscope.architecture.layers import Pair
from convscope.architecture.network import FreeNames
from convscope.base.errors import ConvscopeError
from convscope.engine.reference_activations import LEAKY_SLOPE
from convscope.export.formats import MAX_NAME_LETTERS
from convscope.training.model import Model

Map = tuple[int, int, int]  # rows, columns, channels
Array = NDArray[np.float64]
StepKind = Literal[
    "conv2d", "depthwise", "dense", "max_pool", "average_pool", "pad", "add", "multiply",
    "normalize", "concatenate", "activation", "soft_voting",
]  # fmt: skip
LINEAR: tuple[StepKind, ...] = ("conv2d", "depthwise", "dense")
"""Kinds with a kernel and a bias."""
WRITES_LOGITS: tuple[StepKind, ...] = ("dense", "soft_voting")
"""Kinds that, as the last step, write straight into the logits and need no working memory for their output."""
_POOLINGS: Mapping[str, StepKind] = {
    "MaxPooling2D": "max_pool",
    "GlobalMaxPooling2D": "max_pool",
    "AveragePooling2D": "average_pool",
    "GlobalAveragePooling2D": "average_pool",
}


@dataclass(frozen=True, eq=False)
class ComputedStep:
    """One function call of the exported network.

    Attributes:
        layers: the names of the layers that the step computes.
        name: its name in C, after the first of them.
        reads: the numbers of the values that it reads, two for `add`, `multiply` and `concatenate`.
        size: rows and columns of the window; for `concatenate` the channels of its two values; for `multiply` how many
            pixels the second value multiplies, and how many numbers it has.
        padding: how many rows above and columns left of the map the first window starts; pixels there are skipped.
        kernel: (U, V, C, F) for conv2d, (U, V, C, M) for depthwise, (inputs, units) for dense, (C,) for
            normalize. U and V are the rows and columns of the window, C the channels, F the filters, M the filters of
            each channel.
        bias: (F,), (C·M,) or (units,); zeros if the layer has no bias.
        dilation, groups: those of a conv2d, whose kernel is (U, V, C / groups, F).
        activation: applied to the result. A softmax at the end is left out, because the steps end in logits.
        slope: the slope of `leaky_relu` below zero.
        is_float: true if the weights and sums of a linear step stay float where all others are integers.
        epsilon: that of `normalize`, whose `size` is how many parts are normalised by themselves, and their pixels.
    """

    kind: StepKind
    layers: tuple[str, ...]
    reads: tuple[int, ...]
    input_shape: Map
    output_shape: Map
    size: Pair = (1, 1)
    strides: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1
    kernel: Array | None = None
    bias: Array | None = None
    activation: str = "linear"
    slope: float = LEAKY_SLOPE
    name: str = ""
    is_float: bool = False
    epsilon: float = 0.0

    @property
    def weights(self) -> tuple[Array, Array]:
        """Kernel and bias of a linear step."""
        assert self.kernel is not None, self.kind
        assert self.bias is not None, self.kind
        return self.kernel, self.bias

    @property
    def is_plain(self) -> bool:
        """True without dilation and groups: a window then reads neighbouring pixels with all their channels."""
        return self.dilation == (1, 1) and self.groups == 1

    @property
    def is_whole_map(self) -> bool:
        """True if one pooling window covers the whole map, so that every mean is over the same number of pixels."""
        return self.size == self.input_shape[:2] and self.output_shape[:2] == (1, 1) and self.padding == (0, 0)


def plan_steps(
    model: Model, float_layers: Sequence[str] = (), *, splits_normalization: bool = False
) -> tuple[ComputedStep, ...]:
    """Plan the steps that compute the model's logits, in their order; none if it only flattens the image.

    Args:
        float_layers: layers that compute with float weights also in int8.
        splits_normalization: make two steps of a batch normalisation that is not folded: a product, and a sum.

    Raises:
        ConvscopeError: if a weight, with batch normalisation folded into it, is not finite in float32.
    """
    builder = _StepBuilder(model.architecture, splits_normalization)
    for row in model.architecture.table:
        prefix = f"{row.layer.name}/"
        weights = {
            name.removeprefix(prefix): weight.astype(np.float64)
            for name, weight in model.weights.items()
            if name.startswith(prefix)
        }
        builder.add_layer(row, weights)
    names = FreeNames(("image",))  # which has a table of its own
    steps = tuple(
        replace(step, name=names(step.layers[0][:MAX_NAME_LETTERS]), is_float=bool({*float_layers} & {*step.layers}))
        for step in builder.steps
    )
    for step in steps:
        with np.errstate(over="ignore"):  # a weight that overflows to infinity is refused here
            if step.kind in LINEAR and not all(np.isfinite(np.float32(weight)).all() for weight in step.weights):
                raise ConvscopeError(f"{step.layers[0]}: a weight is not a finite number; train the model again")
    return steps


class _StepBuilder:
    """Collects the steps of one layer after another.

    Attributes:
        steps: the steps so far.
    """

    def __init__(self, architecture: Architecture, splits_normalization: bool) -> None:
        self.steps: list[ComputedStep] = []
        self._splits_normalization = splits_normalization
        self._image_size = prod(architecture.input.shape)
        self._read_again = architecture.read_again
        self._current = 0  # the value that the next layer reads, unless it is a Branch
        self._output_of = {"input": 0}  # the value that each layer gives, by its name

    def add_layer(self, row: LayerRow, weights: Mapping[str, Array]) -> None:
        """Add the steps that compute a layer, or fold it into the last step."""
        layer: Any = row.layer
        match layer.kind:
            case "Flatten" | "Dropout":  # maps are stored in the order (H, W, C), so flattening moves nothing
                pass
            case "Branch":
                self._current = self._output_of[layer.from_layer]
            case "BatchNormalization":
                self._normalize(row, weights)
            case "Activation":
                self._activate(row)
            case "PReLU":
                self._add_prelu(row, weights["alpha"])
            case "Conv2D" | "DepthwiseConv2D":
                self._add_convolution(row, weights)
            case "Dense":
                self._append(_with_weights(self._make_step(row, "dense"), weights))
            case "ZeroPadding2D":
                (top, _), (left, _) = layer.padding  # the output shape tells the padding below and right
                self._append(replace(self._make_step(row, "pad"), padding=(top, left)))
            case "Add":
                reads = (self._current, self._output_of[layer.from_layer])
                self._append(replace(self._make_step(row, "add"), reads=reads))
            case "LayerNormalization" | "GroupNormalization":
                step, pixels = self._make_step(row, "normalize"), prod(row.input_shape[:-1])
                is_group = layer.kind == "GroupNormalization"
                size, groups = ((1, pixels), layer.groups) if is_group else ((pixels, 1), 1)
                step = replace(step, size=size, groups=groups, epsilon=layer.epsilon)
                self._append(replace(step, kernel=weights["gamma"], bias=weights["beta"]))
            case "Multiply":
                step = replace(
                    self._make_step(row, "multiply"), reads=(self._output_of[layer.from_layer], self._current)
                )
                factors = self._count_numbers(self._current)
                self._append(replace(step, size=(prod(step.output_shape) // factors, factors)))
            case "Concatenate":
                self._add_concatenation(row, self._output_of[layer.from_layer])
            case "SoftVoting":
                self._append(self._make_step(row, "soft_voting"))
            case _:
                self._append(_with_window(self._make_step(row, _POOLINGS[layer.kind]), layer))
        self._output_of[layer.name] = self._current

    def _make_step(self, row: LayerRow, kind: StepKind) -> ComputedStep:
        """Make the step of a layer that reads the current value, without adding it."""
        shapes = _to_map_shape(row.input_shape), _to_map_shape(row.output_shape)
        return ComputedStep(kind, (row.layer.name,), (self._current,), *shapes, activation=_read_activation(row.layer))

    def _append(self, step: ComputedStep) -> None:
        """Append a step; the next layer reads its output."""
        self.steps.append(step)
        self._current = len(self.steps)

    def _find_open_step(self) -> ComputedStep | None:
        """Find the last step, if the next layer can be folded into it: only that layer reads its output."""
        # The values of all layers that a later layer reads by name; None for those that are not added yet.
        is_read_again = self._current in {self._output_of.get(name) for name in self._read_again}
        is_last = self._current == len(self.steps)
        return self.steps[-1] if self.steps and is_last and not is_read_again else None

    def _add_convolution(self, row: LayerRow, weights: Mapping[str, Array]) -> None:
        """Add a convolution, and fold a zero padding before it into the windows."""
        pad = self._remove_open_padding()  # first, because the step then reads another value
        step = self._make_convolution(row, weights)
        if pad is not None:
            # The padded map is never computed. Its rim of zeros adds nothing to a sum, so windows skip it.
            top, left = (window + zeros for window, zeros in zip(step.padding, pad.padding, strict=True))
            layers = (*step.layers, *pad.layers)
            step = replace(step, layers=layers, input_shape=pad.input_shape, padding=(top, left))
        self._append(step)

    def _remove_open_padding(self) -> ComputedStep | None:
        """Remove the last step if it is a zero padding that only the next layer reads, and make that read its input."""
        pad = self._find_open_step()
        if pad is None or pad.kind != "pad":
            return None
        (self._current,) = pad.reads
        return self.steps.pop()

    def _make_convolution(self, row: LayerRow, weights: Mapping[str, Array]) -> ComputedStep:
        layer: Any = row.layer
        if layer.kind == "DepthwiseConv2D" and layer.dilation_rate != (1, 1):
            # No C function is both depthwise and dilated, so this is a conv2d with a group for each channel:
            # (U, V, C, M) holds the numbers of (U, V, 1, C·M) in the same order.
            kernel = weights["kernel"]
            weights = {**weights, "kernel": kernel.reshape(*kernel.shape[:2], 1, -1)}
            step = replace(self._make_step(row, "conv2d"), groups=row.input_shape[2])
        elif layer.kind == "DepthwiseConv2D":
            step = self._make_step(row, "depthwise")
        else:
            step = replace(self._make_step(row, "conv2d"), groups=layer.groups)
        return _with_weights(_with_window(step, layer), weights)

    def _add_concatenation(self, row: LayerRow, earlier: int) -> None:
        """Join the channels of the value `earlier` with those of the current value, which come after them."""
        step = self._make_step(row, "concatenate")
        pixels, channels = prod(step.output_shape[:2]), step.output_shape[2]
        # A Flatten is no step, so `earlier` may have the shape of a map here where vectors are joined. Then (7, 7, 2)
        # are 98 channels of the one pixel.
        numbers = self._count_numbers(earlier)
        sizes = (numbers // pixels, channels - numbers // pixels)
        self._append(replace(step, reads=(earlier, self._current), size=sizes))

    def _count_numbers(self, value: int) -> int:
        return prod(self.steps[value - 1].output_shape) if value else self._image_size

    def _normalize(self, row: LayerRow, weights: Mapping[str, Array]) -> None:
        """Fold a batch normalisation into the step before it, or add it as a 1 × 1 depthwise step.

        With g = γ / √(σ² + ε), a kernel K and a bias b become g K and g b + β - g μ.
        """
        layer: Any = row.layer
        with np.errstate(all="ignore"):  # `plan_steps` refuses numbers that are not finite
            scale = weights["gamma"] / np.sqrt(weights["moving_variance"] + layer.epsilon)
            shift = weights["beta"] - weights["moving_mean"] * scale
        last = self._find_open_step()
        if (
            last is None
            or last.kind not in LINEAR
            or last.activation != "linear"
            # A Flatten between: the scale is for each number of the map, the kernel for each channel.
            or last.output_shape != _to_map_shape(row.input_shape)
        ):
            weights = {"kernel": scale.reshape(1, 1, -1, 1), "bias": shift}
            if self._splits_normalization:
                product = replace(self._make_step(row, "depthwise"), activation="linear")
                self._append(_with_weights(product, {"kernel": weights["kernel"]}))
                weights["kernel"] = np.ones_like(weights["kernel"])
            self._append(_with_weights(self._make_step(row, "depthwise"), weights))
            return
        kernel, bias = last.weights
        factors = scale.reshape(kernel.shape[2:]) if last.kind == "depthwise" else scale
        self.steps[-1] = replace(
            last,
            layers=(*last.layers, layer.name),
            kernel=kernel * factors,
            bias=bias * scale + shift,
            activation=_read_activation(layer),
        )

    def _activate(self, row: LayerRow) -> None:
        """Fold an activation into the step before it, or add it as a step of its own."""
        layer: Any = row.layer
        step = replace(self._make_step(row, "activation"), slope=float(layer.negative_slope))
        last = self._find_open_step()
        if step.activation == "linear":
            return
        if last is not None and last.kind in (*LINEAR, "add", "normalize") and last.activation == "linear":
            layers = (*last.layers, layer.name)
            self.steps[-1] = replace(last, layers=layers, activation=step.activation, slope=step.slope)
        else:
            self._append(step)

    def _add_prelu(self, row: LayerRow, alpha: Array) -> None:
        """Compute a PReLU as α x + (1 - α) relu(x), in steps that other layers need too.

        x ──┬── relu ── depthwise by 1 - α ──┬── add
            └────────── depthwise by α ──────┘
        """
        x = self._current
        self._append(replace(self._make_step(row, "activation"), activation="relu"))
        for value, slopes in ((self._current, 1 - alpha), (x, alpha)):
            step = replace(self._make_step(row, "depthwise"), reads=(value,))
            self._append(_with_weights(step, {"kernel": slopes.reshape(1, 1, -1, 1)}))
        self._append(replace(self._make_step(row, "add"), reads=(self._current - 1, self._current)))


def _with_window(step: ComputedStep, layer: Any) -> ComputedStep:
    if layer.kind.startswith("Global"):
        return replace(step, size=step.input_shape[:2])
    window = layer.window
    (top, _), (left, _) = window.frame(step.input_shape)  # the output shape tells the padding below and right
    return replace(step, size=window.size, strides=window.strides, dilation=window.dilation, padding=(top, left))


def _with_weights(step: ComputedStep, weights: Mapping[str, Array]) -> ComputedStep:
    bias = weights.get("bias", np.zeros(step.output_shape[2]))
    return replace(step, kernel=weights["kernel"], bias=bias)


def _read_activation(layer: Any) -> str:
    """Read a layer's activation, "linear" if it has none or a softmax, which comes after the logits."""
    activation = getattr(layer, "activation", "linear")
    return "linear" if activation == "softmax" else str(activation)


def _to_map_shape(shape: Shape) -> Map:
    return (shape[0], shape[1], shape[2]) if len(shape) == 3 else (1, 1, shape[0])


def move_outputs_first(step: ComputedStep, kernel: NDArray[Any]) -> NDArray[Any]:
    """Order a kernel as the C functions read it: (F, U, V, C), (units, inputs); a depthwise kernel stays as it is."""
    return kernel if step.kind == "depthwise" else np.moveaxis(kernel, -1, 0)


def describe_step(step: ComputedStep) -> str:
    """Describe a step in words: its layers, its input and output sizes, and its activation."""
    sizes = " to ".join(" x ".join(map(str, shape)) for shape in (step.input_shape, step.output_shape))
    activation = "" if step.activation == "linear" else f", {step.activation}"
    return f"{' + '.join(step.layers)}: {sizes}{activation}"
