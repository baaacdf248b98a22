"""Operators that work number by number: activations, constants to add or multiply, normalisation, the sum of two."""

from dataclasses import replace
from math import prod, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Add, BatchNormalization, Concatenate, PReLU
from convscope.interchange.activations import ONNX_ACTIVATIONS
from convscope.interchange.translation.nodes import Node
from convscope.interchange.translation.state import State, activate
from convscope.interchange.translation.steps import Curve, FileTensor, Index, NotTranslated, Step, simple
from convscope.interchange.translation.windows import CHANNELS_FIRST, layer_name, without_padding

_FLOAT_TYPES = (1, 10, 11, 16)  # float32, float16, float64, bfloat16 in TensorProto.DataType
_UINT8 = 2
_TOLERANCE = 2e-3
"""Of the constants in a Gelu or HardSwish, as float16 rounds them."""
_PRODUCTS = {"erf": "gelu", "sigmoid": "silu", "hard_sigmoid": "hard_silu"}
"""By what x is multiplied by, the activation that this gives."""


def activation(state: State, node: Node) -> FileTensor:
    """LeakyRelu and `ONNX_ACTIVATIONS`: the activation of the layer before, or an `Activation`."""
    value = state.plain(node)
    if node.operator == "LeakyRelu":
        return activate(state, value, "leaky_relu", node.float("alpha", 0.01))
    if (alpha := node.float("alpha", 1.0)) != 1:
        raise NotTranslated(f"has alpha {alpha:g}; the layer has 1")
    return activate(state, value, ONNX_ACTIVATIONS[node.operator])


def clip(state: State, node: Node) -> FileTensor:
    """Clip: from 0 on a Relu, from 0 to 6 a ReLU6, and of x + 3 what HardSwish multiplies by, at once or in two."""
    lowest = _bound(state, node, 1, "min", -np.inf)
    highest = _bound(state, node, 2, "max", np.inf)
    value = state.value(node)
    is_3_more = not value.curve and np.all(value.factor == np.float64(1)) and np.all(value.shift == np.float64(3))
    if lowest == 0 and is_3_more and highest in (6, np.inf):
        curve: Curve = "hard_sigmoid" if highest == 6 else "relu_of_3_more"
        return replace(value, curve=curve, factor=6.0 if highest == 6 else 1.0, shift=0.0)
    if value.curve == "relu_of_3_more" and (lowest, highest) == (-np.inf, 6):
        return replace(value, curve="hard_sigmoid", factor=6.0)
    if lowest == 0 and highest in (6, np.inf):
        return activate(state, state.plain(node), "relu" if highest == np.inf else "relu6")
    raise NotTranslated(f"clips to {lowest:g} and {highest:g}; only 0 and 6, a ReLU6, or 0 alone can be converted")


def _bound(state: State, node: Node, position: int, attribute: str, default: float) -> float:
    """Return a bound of a Clip: an attribute in old opsets, an input in new ones."""
    if attribute in node.attributes:
        return node.float(attribute, default)
    if position >= len(node.inputs) or not node.inputs[position]:
        return default
    return float(state.weight(node, position, attribute).reshape(()))


def prelu(state: State, node: Node) -> FileTensor:
    """PRelu: one slope for each channel, or one for all."""
    value = state.plain(node)
    slopes = _by_channel(state, value, state.weight(node, 1, "slope"))
    alpha = np.broadcast_to(slopes, value.step.shape[-1:]).astype(np.float32)
    layer = PReLU(name=layer_name(node, 1))
    return replace(value, step=state.after(value, layer, {"alpha": alpha}), users=1)


def hard_sigmoid(state: State, node: Node) -> FileTensor:
    """HardSigmoid: what HardSwish multiplies by."""
    if abs(6 * node.float("alpha", 0.2) - 1) > _TOLERANCE or node.float("beta", 0.5) != 0.5:
        raise NotTranslated("has another alpha and beta than 1/6 and 1/2, those of a HardSwish; no layer does that")
    return replace(state.plain(node), curve="hard_sigmoid")


def gelu(state: State, node: Node) -> FileTensor:
    """Gelu: the activation `gelu`; its approximation by tanh is refused."""
    if node.text("approximate", "none") != "none":
        raise NotTranslated("is the tanh approximation of Gelu; the exact Gelu (error function) is needed")
    return activate(state, state.plain(node), "gelu")


def erf(state: State, node: Node) -> FileTensor:
    """Erf: the middle of a Gelu, x · (1 + erf(x / √2)) / 2 in whatever order.

    Erfc, 1 - erf, is no operator of ONNX, but what a converter from TensorFlow (tf2onnx 1.17) makes of a Gelu of Keras.
    """
    value = state.value(node)
    is_first = not value.curve and np.ndim(value.factor) == 0 and np.all(value.shift == np.float64(0))
    if not is_first or abs(abs(value.factor) * sqrt(2) - 1) > _TOLERANCE:
        raise NotTranslated("is an error function of something other than x / √2, as in Gelu; no layer does that")
    sign = 1.0 if value.factor > 0 else -1.0
    if node.operator == "Erfc":
        return replace(value, curve="erf", factor=-sign, shift=1.0)
    return replace(value, curve="erf", factor=sign)


def softmax(state: State, node: Node) -> FileTensor:
    """Softmax and LogSoftmax: at the end, the `softmax` of the last layer."""
    value = state.plain(node)
    axis = node.int("axis", 1 if state.opset < 13 else -1)
    classes = value.axis(axis)
    if classes < 0 or value.index.shape[classes] != value.index.size:
        raise NotTranslated(f"goes over axis {axis} of {value.rank}; the classes of (N, K) are needed")
    softmax = replace(value, curve="softmax")
    return _logarithm(state, softmax) if node.operator == "LogSoftmax" else softmax


def log(state: State, node: Node) -> FileTensor:
    """Log: behind a softmax, the same as a LogSoftmax."""
    value = state.value(node)
    if value.curve != "softmax":
        raise NotTranslated("is a logarithm of something other than a softmax; no layer does that")
    return _logarithm(state, value)


def _logarithm(state: State, value: FileTensor) -> FileTensor:
    state.notes.append(
        "its outputs are logarithms of probabilities: a softmax, which gives probabilities, is used instead"
    )
    return replace(value, curve="log_softmax")


def same(state: State, node: Node) -> FileTensor:
    """Identity and Dropout: nothing."""
    return state.value(node)


def cast(state: State, node: Node) -> FileTensor:
    """Cast: nothing, between types of floating-point numbers."""
    value, to = state.value(node), node.int("to", 0)
    if to not in _FLOAT_TYPES and not (to == _UINT8 and value.step.is_image and value.is_plain):
        raise NotTranslated("rounds to whole numbers; no layer does that")
    return value


def cast_like(state: State, node: Node) -> FileTensor | NDArray[Any]:
    """CastLike: nothing, since the type of a value is one of floating-point numbers."""
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
    return replace(value, factor=simple(-1.0 * value.factor), shift=simple(-1.0 * value.shift))


def arithmetic(state: State, node: Node) -> FileTensor:
    """Add, Sub, Mul and Div: with constants, the weights of the layer before, `scale` and `offset` of the input, or
    a `BatchNormalization`; the sum of two values is an `Add`.
    """
    first, second = (state.constants.get(name) for name in node.inputs[:2])
    if first is None and second is None:
        return _of_two(state, node)
    constant, position = (second, 0) if first is None else (first, 1)
    assert constant is not None
    value = state.value(node, position)
    is_divided = node.operator == "Div" and position == 0 and value.is_plain and value.users == 1
    if is_divided and (means := without_padding(state, value, constant)) is not None:
        return means
    numbers = _by_channel(state, value, constant)
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
    return replace(value, factor=simple(value.factor * factor), shift=simple(value.shift * factor + shift))


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
        weights = {name: put(value.index.ravel(), array) for name, array in weights.items()}
    epsilon, momentum = node.float("epsilon", 1e-5), node.float("momentum", 0.9)
    if not 0 < epsilon <= 1:
        # Beyond what a layer takes: the root goes into gamma, and √(0.999 + 0.001) = 1 stands for it.
        spread = weights["moving_variance"].astype(np.float64) + epsilon
        if not (spread > 0).all():
            raise NotTranslated("divides by zero")
        weights["gamma"] = weights["gamma"] / np.sqrt(spread)
        epsilon = BatchNormalization().epsilon
        weights["moving_variance"] = np.full(len(spread), 1 - epsilon)
    momentum = momentum if 0 <= momentum < 1 else 0.99
    layer = BatchNormalization(momentum, epsilon, name=layer_name(node, 1))
    return replace(value, step=state.work.step(step, layer, weights), users=1)


def _of_two(state: State, node: Node) -> FileTensor:
    """Combine two values: to a Gelu's product, or to the sum that ends a residual block."""
    if node.operator == "Mul":
        return _product(state, node)
    if node.operator != "Add":
        raise NotTranslated(f"is the {node.operator.lower()} of two values; only Add of two is a layer")
    return add(state, state.plain(node, 0), state.plain(node, 1), layer_name(node))


def add(state: State, first: FileTensor, second: FileTensor, name: str) -> FileTensor:
    """Return the sum of two plain values, an `Add`."""
    if (first.index.shape, first.step.shape) != (second.index.shape, second.step.shape):
        raise NotTranslated(
            f"adds values of shapes {first.index.shape} and {second.index.shape}; both must have the same shape"
        )
    state.work.spend(first.index.size)
    if not (first.index == second.index).all():
        raise NotTranslated("adds values with different memory order; both must have the same layout")
    if second.step.depth > first.step.depth and _leads_to(first.step, second.step):
        first, second = second, first  # so that a shortcut without layers needs no branch
    layer = Add("layer", name=name)  # the name of the other is known when all have one
    step = state.work.step(first.step, layer, other=second.step)
    return FileTensor(step, first.index)


def concatenation(state: State, node: Node) -> FileTensor:
    """Concat: one value after the other is joined with those before it, whose channels come first."""
    joined, *others = (state.plain(node, position) for position in range(len(node.inputs)))
    for value in others:
        if (value.index.ndim, value.step.shape[:-1]) != (joined.index.ndim, joined.step.shape[:-1]):
            raise NotTranslated(
                f"joins values of shapes {joined.step.shape} and {value.step.shape}; both need as many rows and columns"
            )
        axis = joined.axis(node.int("axis", 1))
        if axis < 0:
            raise NotTranslated("joins images to one batch; no layer does that")
        step = state.work.step(value.step, Concatenate("layer", name=layer_name(node)), other=joined.step)
        state.work.spend(prod(step.shape))
        first, own = joined.step.shape[-1], value.step.shape[-1]
        index = np.concatenate(
            [_among(joined.index, first, first + own, 0), _among(value.index, own, first + own, first)], axis
        )
        joined = FileTensor(step, index)
    return joined


def _among(index: Index, channels: int, all_channels: int, before: int) -> Index:
    """Return where numbers stand once their channels are some of more, behind `before` others."""
    return index // channels * all_channels + index % channels + np.int32(before)


def _product(state: State, node: Node) -> FileTensor:
    """Return x · (1 + erf(x / √2)) · a, which is 2a · gelu(x), or x · sigmoid(x) · a, which is a · silu(x).

    As that, x · hard_sigmoid(x) · a is a · hard_silu(x).
    """
    values = (state.value(node, 0), state.value(node, 1))
    line, share = sorted(values, key=lambda value: (value.curve, value.step.depth))
    curve: str = share.curve
    if not curve and share.step.kind == "Activation" and share.step.activation == "sigmoid":
        assert share.step.before is not None
        share = replace(share, step=share.step.before, curve="", users=1)
        curve = "sigmoid"
    fits = (
        not line.curve
        and curve in _PRODUCTS
        and line.step is share.step
        and line.index.shape == share.index.shape
        and all(np.ndim(number) == 0 for number in (line.factor, line.shift, share.factor, share.shift))
    )
    factor = float(line.factor * share.factor) if fits else 0.0
    shift = share.factor if curve == "erf" else 0.0
    if not fits or line.shift or abs(share.shift - shift) > _TOLERANCE * abs(share.factor):
        raise NotTranslated("is the product of two values, but not a Gelu, a SiLU or a HardSwish; no layer does that")
    state.work.spend(line.index.size)
    if not (line.index == share.index).all():
        raise NotTranslated("multiplies values with different memory order")
    if curve == "erf":
        factor *= 2
    if abs(factor - 1) < _TOLERANCE:
        factor = 1.0  # what is left is rounding
    # Both factors read the step's output, which is one user more than a layer with an activation has.
    base = replace(line, factor=1.0, users=max(line.users, share.users) - 1)
    return replace(activate(state, base, _PRODUCTS[curve]), factor=factor, users=1)


def _by_channel(state: State, value: FileTensor, constant: NDArray[Any]) -> NDArray[np.float64]:
    """Return the constants for the channels of a step's output: a number () or (C,)."""
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
    channel = value.index % channels
    found = np.zeros(channels)
    found[channel] = full
    if not (found[channel] == full).all():
        raise NotTranslated("its constants differ from pixel to pixel; there must be one per channel")
    return found


def put(index: NDArray[np.int32], array: NDArray[Any]) -> NDArray[Any]:
    """Return weights for a vector in our order."""
    ours = np.empty_like(array)
    ours[index] = array
    return ours


def _leads_to(step: Step, later: Step) -> bool:
    """Say whether `later` is computed from `step`."""
    waiting, seen = [later], set[int]()
    while waiting:
        current = waiting.pop()
        if current is step:
            return True
        if id(current) in seen or current.depth <= step.depth:
            continue
        seen.add(id(current))
        waiting += [one for one in (current.before, current.other) if one is not None]
    return False
