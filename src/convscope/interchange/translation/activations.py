"""Convert activations, in one operator or in several."""

from dataclasses import replace
from math import sqrt

import numpy as np

from convscope.architecture.layers.activations import SELU_ALPHA, SELU_SCALE
from convscope.interchange.activations import ONNX_ACTIVATIONS
from convscope.interchange.translation.nodes import Node
from convscope.interchange.translation.state import State, activate
from convscope.interchange.translation.steps import FileTensor, NotTranslated

_TOLERANCE = 2e-3
"""Relative, for the constants of a Gelu or HardSwish: float16 rounds them."""


_SELU = (("alpha", SELU_ALPHA), ("gamma", SELU_SCALE))


_PRODUCTS = {"erf": "gelu", "sigmoid": "silu", "hard_sigmoid": "hard_silu"}
"""The curves that x is multiplied by, and the activations that this gives."""


def activation(state: State, node: Node) -> FileTensor:
    """LeakyRelu and `ONNX_ACTIVATIONS`: the activation of the previous layer, or an `Activation`."""
    # A slope of 1 changes nothing; our own int8 files keep a quantiser out by it.
    if node.operator == "LeakyRelu" and node.float("alpha", 0.01) == 1:
        return state.value(node)
    value = state.plain(node)
    if node.operator == "LeakyRelu":
        return activate(state, value, "leaky_relu", node.float("alpha", 0.01))
    name = ONNX_ACTIVATIONS[node.operator]
    for constant, number in _SELU if name == "selu" else (("alpha", 1.0),):
        if abs((value_in_file := node.float(constant, number)) - number) > 1e-5:
            raise NotTranslated(f"has {constant} {value_in_file:g}; the layer has {number:.6g}")
    return activate(state, value, name)


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


def hard_sigmoid(state: State, node: Node) -> FileTensor:
    """HardSigmoid: the activation `hard_sigmoid`, or part of a HardSwish, x · hard_sigmoid(x).

    With other alpha and beta than 1/6 and 1/2, x is scaled first: alpha · x + beta = (x' + 3) / 6 where
    x' = 6 · alpha · x + 6 · beta - 3.
    """
    value, alpha, beta = state.plain(node), node.float("alpha", 0.2), node.float("beta", 0.5)
    if abs(6 * alpha - 1) > _TOLERANCE or beta != 0.5:
        value = state.finish(replace(value, factor=6 * alpha, shift=6 * beta - 3))
    return replace(value, curve="hard_sigmoid")


def greater(state: State, node: Node) -> FileTensor:
    """Greater: part of a SELU, x > 0."""
    zero = state.constant(node, 1)
    if zero is None or np.any(zero):
        raise NotTranslated("compares with something other than 0, as a SELU does; no layer does that")
    return replace(state.plain(node), curve="positive")


def exponential(state: State, node: Node) -> FileTensor:
    """Exp: part of a SELU."""
    return replace(state.plain(node), curve="exp")


def where(state: State, node: Node) -> FileTensor:
    """Where: a SELU or an ELU.

    It is λ · x where x > 0, and λ · α · (exp(x) - 1) elsewhere. TensorFlow Lite writes them so.
    """
    values = (state.value(node), state.value(node, 1), state.value(node, 2))
    condition, line, bend = values
    fits = (condition.curve, line.curve, bend.curve) == ("positive", "", "exp") and all(
        value.step is line.step
        and np.array_equal(value.index, line.index)
        and np.ndim(value.factor) == np.ndim(value.shift) == 0
        for value in values
    )
    for name, scale, alpha in (("selu", SELU_SCALE, SELU_ALPHA), ("elu", 1.0, 1.0)):
        numbers = (line.factor, line.shift, bend.factor, bend.shift)
        if fits and np.allclose(numbers, (scale, 0, scale * alpha, -scale * alpha), rtol=_TOLERANCE):
            # All three read the step's output; as an activation of its layer they are one user.
            base = replace(line, factor=1.0, users=max(value.users for value in values) - 2)
            return activate(state, base, name)
    raise NotTranslated("chooses between two values, but not as a SELU or an ELU does; no layer does that")


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


def match_product(state: State, node: Node) -> FileTensor | None:
    """Recognise activations that are products; None for other products.

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
    if not curve and gate.step.kind == "Activation" and gate.step.activation in _PRODUCTS:
        assert gate.step.source is not None
        curve = gate.step.activation
        gate = replace(gate, step=gate.step.source, curve="", users=1)
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
        return None
    state.work.spend(line.index.size)
    if not (line.index == gate.index).all():
        return None
    if curve == "erf":
        factor *= 2
    if abs(factor - 1) < _TOLERANCE:
        factor = 1.0  # the difference is rounding
    # Line and gate both read the step's output; as an activation of its layer they are one user.
    base = replace(line, factor=1.0, users=max(line.users, gate.users) - 1)
    return replace(activate(state, base, _PRODUCTS[curve]), factor=factor, users=1)
