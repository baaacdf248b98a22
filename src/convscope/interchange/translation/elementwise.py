"""Convert operators on single numbers: activations, constants to add or multiply, normalisation, sums and joins."""

from dataclasses import replace
from math import prod, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Add, BatchNormalization, Concatenate, PReLU
from convscope.interchange.activations import ONNX_ACTIVATIONS
from convscope.interchange.translation.nodes import Node
from convscope.interchange.translation.state import State, activate
from convscope.interchange.translation.steps import FileTensor, Index, NotTranslated, Step, to_scalar
from convscope.interchange.translation.windows import CHANNELS_FIRST, choose_layer_name, exclude_padding

_FLOAT_TYPES = (1, 10, 11, 16)  # float32, float16, float64, bfloat16 in TensorProto.DataType
_UINT8 = 2  # the type of bytes there
_TOLERANCE = 2e-3
"""Relative, for the constants of a Gelu or HardSwish: float16 rounds them."""
_PRODUCTS = {"erf": "gelu", "sigmoid": "silu", "hard_sigmoid": "hard_silu"}
"""The curves that x is multiplied by, and the activations that this gives."""


def activation(state: State, node: Node) -> FileTensor:
    """LeakyRelu and `ONNX_ACTIVATIONS`: the activation of the previous layer, or an `Activation`."""
    value = state.plain(node)
    if node.operator == "LeakyRelu":
        return activate(state, value, "leaky_relu", node.float("alpha", 0.01))
    if (alpha := node.float("alpha", 1.0)) != 1:
        raise NotTranslated(f"has alpha {alpha:g}; the layer has 1")
    return activate(state, value, ONNX_ACTIVATIONS[node.operator])


def clip(state: State, node: Node) -> FileTensor:
    """Clip: a ReLU from 0, a ReLU6 from 0 to 6, and part of HardSwish from 0 to 6 of x + 3, in one Clip or in two.

    Clip(x, 0, ∞)                    relu(x)
    Clip(x, 0, 6)                    relu6(x)
    Clip(x + 3, 0, 6)                6 · hard_sigmoid(x)
    Clip(Clip(x + 3, 0, ∞), -∞, 6)   the same; after the first Clip the curve is called "relu_of_3_more"
    """
    lowest = _read_bound(state, node, 1, "min", -np.inf)
    highest = _read_bound(state, node, 2, "max", np.inf)
    value = state.value(node)
    # The value is curve(x) + added, where its factors are 1: numbers, or one for each channel.
    added = np.where(value.factor == np.float64(1), value.shift, np.nan)
    is_3_more = not value.curve and np.all(added == 3)
    if is_3_more and (lowest, highest) == (0, 6):
        return replace(value, curve="hard_sigmoid", factor=6.0, shift=0.0)
    if is_3_more and (lowest, highest) == (0, np.inf):
        return replace(value, curve="relu_of_3_more", factor=1.0, shift=0.0)
    if value.curve == "relu_of_3_more" and np.all(added == 0) and (lowest, highest) == (-np.inf, 6):
        return replace(value, curve="hard_sigmoid", factor=6.0)
    if lowest == 0 and highest in (6, np.inf):
        return activate(state, state.plain(node), "relu" if highest == np.inf else "relu6")
    raise NotTranslated(f"clips to {lowest:g} and {highest:g}; only 0 and 6, a ReLU6, or 0 alone can be converted")


def _read_bound(state: State, node: Node, position: int, attribute: str, default: float) -> float:
    """Read a bound of a Clip: an attribute in old opsets, an input in new ones."""
    if attribute in node.attributes:
        return node.float(attribute, default)
    if position >= len(node.inputs) or not node.inputs[position]:
        return default
    return float(state.weight(node, position, attribute).reshape(()))


def prelu(state: State, node: Node) -> FileTensor:
    """PRelu: a `PReLU`, with a slope for each channel or one for all."""
    value = state.plain(node)
    slopes = _reduce_to_channels(state, value, state.weight(node, 1, "slope"))
    alpha = np.broadcast_to(slopes, value.step.shape[-1:]).astype(np.float32)
    layer = PReLU(name=choose_layer_name(node, 1))
    return replace(value, step=state.work.step(value.step, layer, {"alpha": alpha}), users=1)


def hard_sigmoid(state: State, node: Node) -> FileTensor:
    """HardSigmoid: part of a HardSwish, x · hard_sigmoid(x)."""
    if abs(6 * node.float("alpha", 0.2) - 1) > _TOLERANCE or node.float("beta", 0.5) != 0.5:
        raise NotTranslated("has another alpha and beta than 1/6 and 1/2, those of a HardSwish; no layer does that")
    return replace(state.plain(node), curve="hard_sigmoid")


def gelu(state: State, node: Node) -> FileTensor:
    """Gelu: the activation `gelu`; its approximation by tanh is refused."""
    if node.text("approximate", "none") != "none":
        raise NotTranslated("is the tanh approximation of Gelu; the exact Gelu (error function) is needed")
    return activate(state, state.plain(node), "gelu")


def erf(state: State, node: Node) -> FileTensor:
    """Erf: part of a Gelu, x · (1 + erf(x / √2)) / 2, in any order of its operations.

    Erfc, 1 - erf, is no operator of ONNX, but tf2onnx 1.17 writes it for Keras's Gelu.
    """
    # The input must be ±x / √2, so a value without curve or addend whose factor is ±1 / √2.
    value = state.value(node)
    is_multiple = not value.curve and np.ndim(value.factor) == 0 and np.all(value.shift == np.float64(0))
    if not is_multiple or abs(abs(value.factor) * sqrt(2) - 1) > _TOLERANCE:
        raise NotTranslated("is an error function of something other than x / √2, as in Gelu; no layer does that")
    sign = 1.0 if value.factor > 0 else -1.0  # erf(-x) = -erf(x)
    if node.operator == "Erfc":
        return replace(value, curve="erf", factor=-sign, shift=1.0)
    return replace(value, curve="erf", factor=sign)


def softmax(state: State, node: Node) -> FileTensor:
    """Softmax and LogSoftmax: at the end, the `softmax` of the last layer."""
    value = state.plain(node)
    axis = node.int("axis", 1 if state.opset < 13 else -1)
    classes = value.axis(axis)
    # The file may have (N, K, 1, 1): all other axes must have size 1. Before opset 13, the default axis was 1.
    if classes < 0 or value.index.shape[classes] != value.index.size:
        raise NotTranslated(f"goes over axis {axis} of {value.rank}; the classes of (N, K) are needed")
    softmax = replace(value, curve="softmax")
    return _logarithm(state, softmax) if node.operator == "LogSoftmax" else softmax


def log(state: State, node: Node) -> FileTensor:
    """Log: a LogSoftmax, if it follows a softmax."""
    value = state.value(node)
    if value.curve != "softmax":
        raise NotTranslated("is a logarithm of something other than a softmax; no layer does that")
    return _logarithm(state, value)


def _logarithm(state: State, value: FileTensor) -> FileTensor:
    state.notes.append(
        "its outputs are logarithms of probabilities: a softmax, which gives probabilities, is used instead"
    )
    return replace(value, curve="log_softmax")


def pass_through(state: State, node: Node) -> FileTensor:
    """Identity and Dropout: the input itself."""
    return state.value(node)


def cast(state: State, node: Node) -> FileTensor:
    """Cast: the input itself, between types of floating-point numbers."""
    value, to = state.value(node), node.int("to", 0)
    # A file that reads floats may convert the image back to bytes, which changes no byte.
    if to not in _FLOAT_TYPES and not (to == _UINT8 and value.step.is_image and value.is_plain):
        raise NotTranslated("rounds to whole numbers; no layer does that")
    return value


def cast_like(state: State, node: Node) -> FileTensor | NDArray[Any]:
    """CastLike: the input itself; only constants change their type."""
    constant = state.constant(node, 0)
    if constant is None:
        return state.value(node)
    state.work.spend(constant.size)
    return constant.astype(np.float32)


def negative(state: State, node: Node) -> FileTensor:
    """Neg: times -1."""
    value = state.value(node)
    if value.curve in ("softmax", "log_softmax"):
        raise NotTranslated("has a softmax as input, which is allowed at the end only")
    return replace(value, factor=to_scalar(-1.0 * value.factor), shift=to_scalar(-1.0 * value.shift))


def arithmetic(state: State, node: Node) -> FileTensor:
    """Add, Sub, Mul, Div: constants go into weights, the input's scaling or a `BatchNormalization`; sums are `Add`s."""
    first, second = (state.constants.get(name) for name in node.inputs[:2])
    if first is None and second is None:
        return _combine_values(state, node)
    constant, position = (second, 0) if first is None else (first, 1)
    assert constant is not None
    value = state.value(node, position)
    is_divided = node.operator == "Div" and position == 0 and value.is_plain and value.users == 1
    if is_divided and (means := exclude_padding(state, value, constant)) is not None:
        return means
    numbers = _reduce_to_channels(state, value, constant)
    factor: Any
    shift: Any
    match node.operator:
        case "Add":
            factor, shift = 1.0, numbers
        case "Sub":
            factor, shift = (1.0, -numbers) if position == 0 else (-1.0, numbers)
        case "Mul":
            factor, shift = numbers, 0.0
        case _:
            if position == 1:
                raise NotTranslated("divides a constant by a value; no layer does that")
            if not np.all(numbers):
                raise NotTranslated("divides by zero")
            factor, shift = 1 / numbers, 0.0
    if value.curve in ("softmax", "log_softmax"):
        raise NotTranslated("has a softmax as input, which is allowed at the end only")
    # (f · y + s) · factor + shift = (f · factor) · y + (s · factor + shift)
    return replace(value, factor=to_scalar(value.factor * factor), shift=to_scalar(value.shift * factor + shift))


def batch_normalization(state: State, node: Node) -> FileTensor:
    """BatchNormalization: the same, with the statistics that the file holds."""
    value = state.plain(node)
    step = value.step
    if node.int("training_mode", 0):
        raise NotTranslated("is in training mode; export the network for inference")
    is_maps = state.work.is_order(value.index, step.shape, CHANNELS_FIRST)
    if not is_maps and value.index.shape[0] != value.index.size:  # (N, C), or (N, C, 1) as PyTorch's exporter writes it
        raise NotTranslated("its input is neither maps (N, C, H, W) nor vectors (N, C)")
    names = ("gamma", "beta", "moving_mean", "moving_variance")
    weights: dict[str, NDArray[Any]] = {name: state.weight(node, i + 1, name) for i, name in enumerate(names)}
    if any(array.shape != (step.shape[-1],) for array in weights.values()):
        raise NotTranslated(f"its weights do not fit the {step.shape[-1]} channels of its input")
    if not is_maps:
        weights = {name: reorder_weights(value.index.ravel(), array) for name, array in weights.items()}
    epsilon, momentum = node.float("epsilon", 1e-5), node.float("momentum", 0.9)
    if not 0 < epsilon <= 1:
        # The layer takes no such ε. So gamma is divided by the root, and the layer's own root is √(0.999 + 0.001) = 1.
        spread = weights["moving_variance"].astype(np.float64) + epsilon
        if not (spread > 0).all():
            raise NotTranslated("divides by zero")
        weights["gamma"] = weights["gamma"] / np.sqrt(spread)
        epsilon = BatchNormalization().epsilon
        weights["moving_variance"] = np.full(len(spread), 1 - epsilon)
    momentum = momentum if 0 <= momentum < 1 else 0.99
    layer = BatchNormalization(momentum, epsilon, name=choose_layer_name(node, 1))
    return replace(value, step=state.work.step(step, layer, weights), users=1)


def _combine_values(state: State, node: Node) -> FileTensor:
    """Combine two values: a product that is an activation, or the sum that ends a residual block."""
    if node.operator == "Mul":
        return _match_product(state, node)
    if node.operator != "Add":
        raise NotTranslated(f"is the {node.operator.lower()} of two values; only Add of two is a layer")
    return add(state, state.plain(node, 0), state.plain(node, 1), choose_layer_name(node))


def add(state: State, first: FileTensor, second: FileTensor, name: str) -> FileTensor:
    """Add two plain values in an `Add`."""
    if (first.index.shape, first.step.shape) != (second.index.shape, second.step.shape):
        raise NotTranslated(
            f"adds values of shapes {first.index.shape} and {second.index.shape}; both must have the same shape"
        )
    state.work.spend(first.index.size)
    if not (first.index == second.index).all():
        raise NotTranslated("adds values with different memory order; both must have the same layout")
    if second.step.depth > first.step.depth and _leads_to(first.step, second.step):
        first, second = second, first  # a shortcut without layers then needs no Branch
    layer = Add("layer", name=name)  # `assemble` sets the name of the second source
    step = state.work.step(first.step, layer, second=second.step)
    return FileTensor(step, first.index)


def concatenation(state: State, node: Node) -> FileTensor:
    """Concat: a `Concatenate` for each input after the first, with the channels of the earlier ones in front."""
    joined, *others = (state.plain(node, position) for position in range(len(node.inputs)))
    for value in others:
        if (value.index.ndim, value.step.shape[:-1]) != (joined.index.ndim, joined.step.shape[:-1]):
            raise NotTranslated(
                f"joins values of shapes {joined.step.shape} and {value.step.shape}; both need as many rows and columns"
            )
        axis = joined.axis(node.int("axis", 1))
        if axis < 0:
            raise NotTranslated("joins images to one batch; no layer does that")
        step = state.work.step(value.step, Concatenate("layer", name=choose_layer_name(node)), second=joined.step)
        state.work.spend(prod(step.shape))
        first, added = joined.step.shape[-1], value.step.shape[-1]
        index = np.concatenate(
            [
                _shift_channels(joined.index, first, first + added, 0),
                _shift_channels(value.index, added, first + added, first),
            ],
            axis,
        )
        joined = FileTensor(step, index)
    return joined


def _shift_channels(index: Index, channels: int, all_channels: int, offset: int) -> Index:
    """Renumber an index whose channels become the channels from `offset` on of `all_channels`."""
    # index = pixel · channels + channel → pixel · all_channels + offset + channel: two pixels of two channels, which
    # become the last two of five, are numbered 0 1 | 2 3 before and 3 4 | 8 9 after.
    return index // channels * all_channels + index % channels + np.int32(offset)


def _match_product(state: State, node: Node) -> FileTensor:
    """Recognise activations that are products.

    With x the output of a step, a `line` a · x is multiplied by a `gate` b · curve(x) + c of the same x:

        (a · x) · (b · erf(x / √2) + b)   = 2 · a · b · gelu(x), since gelu(x) = x · (1 + erf(x / √2)) / 2
        (a · x) · (b · sigmoid(x))        = a · b · silu(x)
        (a · x) · (b · hard_sigmoid(x))   = a · b · hard_silu(x)

    So the `shift` c of the gate must be b for erf, and else 0. A file writes the factors 1/2, 1/√2 or 6 where it likes;
    of all of them, a · b or 2 · a · b is left as the factor of the result, mostly 1.
    """
    values = (state.value(node, 0), state.value(node, 1))
    # The line is the value without a curve: "" comes first in order. A sigmoid has no curve either, because it became a
    # step of its own; but that step is deeper than x, so the line comes first again.
    line, gate = sorted(values, key=lambda value: (value.curve, value.step.depth))
    curve: str = gate.curve
    if not curve and gate.step.kind == "Activation" and gate.step.activation == "sigmoid":
        assert gate.step.source is not None
        gate = replace(gate, step=gate.step.source, curve="", users=1)
        curve = "sigmoid"
    fits = (
        not line.curve
        and curve in _PRODUCTS
        and line.step is gate.step
        and line.index.shape == gate.index.shape
        and all(np.ndim(number) == 0 for number in (line.factor, line.shift, gate.factor, gate.shift))
    )
    factor = float(line.factor * gate.factor) if fits else 0.0
    expected_shift = gate.factor if curve == "erf" else 0.0
    if not fits or line.shift or abs(gate.shift - expected_shift) > _TOLERANCE * abs(gate.factor):
        raise NotTranslated("is the product of two values, but not a Gelu, a SiLU or a HardSwish; no layer does that")
    state.work.spend(line.index.size)
    if not (line.index == gate.index).all():
        raise NotTranslated("multiplies values with different memory order")
    if curve == "erf":
        factor *= 2
    if abs(factor - 1) < _TOLERANCE:
        factor = 1.0  # the difference is rounding
    # Line and gate both read the step's output; as an activation of its layer they are one user.
    base = replace(line, factor=1.0, users=max(line.users, gate.users) - 1)
    return replace(activate(state, base, _PRODUCTS[curve]), factor=factor, users=1)


def _reduce_to_channels(state: State, value: FileTensor, constant: NDArray[Any]) -> NDArray[np.float64]:
    """Reduce a constant, broadcast to a value, to a number for all channels () or for each, (C,)."""
    numbers = constant.astype(np.float64)
    if not np.isfinite(numbers).all():
        raise NotTranslated("its constants are not finite")
    if numbers.size == 1:
        return numbers.reshape(())
    shape = value.index.shape
    while numbers.ndim > len(shape) and numbers.shape[0] == 1:
        numbers = numbers[0]
    try:
        full = np.broadcast_to(numbers, shape)
    except ValueError as error:
        raise NotTranslated(f"its constants of shape {constant.shape} do not fit {shape}") from error
    state.work.spend(2 * value.index.size)
    channels = value.step.shape[-1]
    channel = value.index % channels  # of each number: channels are the last axis of our order
    # Of the numbers of a channel, the assignment keeps the last, which all others must equal.
    by_channel = np.zeros(channels)
    by_channel[channel] = full
    if not (by_channel[channel] == full).all():
        raise NotTranslated("its constants differ from pixel to pixel; there must be one per channel")
    return by_channel


def reorder_weights(index: NDArray[np.int32], array: NDArray[Any]) -> NDArray[Any]:
    """Reorder the weights of a vector in the order of `index` to our order."""
    reordered = np.empty_like(array)
    reordered[index] = array
    return reordered


def _leads_to(step: Step, later: Step) -> bool:
    """True if `later` is computed from `step`."""
    waiting, seen = [later], set[int]()
    while waiting:
        current = waiting.pop()
        if current is step:
            return True
        if id(current) in seen or current.depth <= step.depth:
            continue
        seen.add(id(current))
        waiting += filter(None, (current.source, current.second_source))
    return False
