"""Convert activations, in one operator or in several."""

from dataclasses import replace

import numpy as np

from convscope.architecture.layers.activations import SELU_ALPHA, SELU_SCALE
from convscope.interchange.activations import ONNX_ACTIVATIONS
from convscope.interchange.translation.nodes import Node
from convscope.interchange.translation.state import State, activate
from convscope.interchange.translation.steps import FileTensor, NotTranslated

_TOLERANCE = 2e-3
"""Relative, for the constants of a Gelu or HardSwish: float16 rounds them."""


_SELU = (("alpha", SELU_ALPHA), ("gamma", SELU_SCALE))


_PRODUCTS = {"sigmoid": "silu", "hard_sigmoid": "hard_silu"}
"""The activations that x is multiplied by, and those that this gives."""


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


def hard_sigmoid(state: State, node: Node) -> FileTensor:
    """HardSigmoid: the activation `hard_sigmoid`.

    With other alpha and beta than 1/6 and 1/2, x is scaled first: alpha · x + beta = (x' + 3) / 6 where
    x' = 6 · alpha · x + 6 · beta - 3.
    """
    value, alpha, beta = state.plain(node), node.float("alpha", 0.2), node.float("beta", 0.5)
    if abs(6 * alpha - 1) > _TOLERANCE or beta != 0.5:
        value = state.finish(replace(value, factor=6 * alpha, shift=6 * beta - 3))
    return activate(state, value, "hard_sigmoid")


def gelu(state: State, node: Node) -> FileTensor:
    """Gelu: the activation `gelu`; its approximation by tanh is refused."""
    if node.text("approximate", "none") != "none":
        raise NotTranslated("is the tanh approximation of Gelu; the exact Gelu (error function) is needed")
    return activate(state, state.plain(node), "gelu")


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
    """Recognise x · sigmoid(x), a silu, and x · hard_sigmoid(x), a hard_silu; None for other products."""
    values = (state.value(node, 0), state.value(node, 1))
    line, gate = sorted(values, key=lambda value: value.step.depth)
    is_gate = gate.step.kind == "Activation" and gate.step.activation in _PRODUCTS and gate.step.source is line.step
    numbers = (line.factor, line.shift, gate.factor, gate.shift)
    fits = is_gate and not line.curve and line.index.shape == gate.index.shape and not any(map(np.ndim, numbers))
    if not fits or line.shift or gate.shift:
        return None
    state.work.spend(line.index.size)
    if not (line.index == gate.index).all():
        return None
    # Line and gate both read the step's output; as an activation of its layer they are one user.
    base = replace(line, factor=1.0, users=max(line.users, gate.users) - 1)
    activated = activate(state, base, _PRODUCTS[gate.step.activation or ""])
    return replace(activated, factor=float(line.factor * gate.factor), users=1)
