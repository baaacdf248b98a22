"""Recognise activations and normalisations that are written as single operations, by what they compute.

A Gelu is five operations, a normalisation nine, in an order that each exporter chooses. So operations that depend on
one value alone are computed on numbers, and are a layer if they give what that layer gives.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.interchange.translation.constants import FUNCTIONS, constant, evaluate
from convscope.interchange.translation.nodes import Node, choose_layer_name
from convscope.interchange.translation.normalizations import add_normalization
from convscope.interchange.translation.state import State, activate
from convscope.interchange.translation.steps import FileTensor, Index, NotTranslated

_BEGINNINGS = ("Clip", "Elu", "LeakyRelu", "ReduceMean", *FUNCTIONS)
_MOVES = ("Reshape", "Squeeze", "Transpose", "Unsqueeze")
_OPERATORS = ("Cast", "Identity", *_MOVES, *_BEGINNINGS)
BENDS = ("Clip", "Erf", "Erfc", "Exp", "Max", "Min", "Where")
"""Operators that an activation may be made of, beside `Elu` and those that are one by themselves."""
LONGEST = 40
"""How many nodes a formula may span, from its first to its last."""
_FAULTS = (NotTranslated, ValueError, TypeError, LookupError, ArithmeticError)
_TOLERANCE = 6e-4
"""For the numbers of an activation: float16 rounds its constants by at most 4.9e-4."""
_INPUTS = np.concatenate([np.linspace(-8, 8, 161), np.outer((-1, 1), np.geomspace(9, 1e4, 40)).ravel()])
"""Where activations are compared: closely around their bends, and as far as numbers of a network go."""


def match_formula(state: State, nodes: Sequence[Node]) -> tuple[FileTensor, Sequence[Node]] | None:
    """Recognise a formula that begins with the first of these nodes.

    Returns:
        its value, and the nodes that compute it; the last of them gives the value. None if they compute no layer.
    """
    sources = {name for name in nodes[0].inputs if name in state.values}
    if nodes[0].operator not in _BEGINNINGS or len(sources) != 1:
        return None
    (source,) = sources
    parts: dict[str, list[Node]] = {source: []}  # the nodes that compute each value from the source and constants
    match: tuple[FileTensor, Sequence[Node]] | None = None
    for node in nodes:
        inputs = [name for name in node.inputs if name]
        if all(name in state.constants for name in inputs):
            _evaluate_early(state, node)
            continue
        if node.operator not in _OPERATORS or any(name not in parts and name not in state.constants for name in inputs):
            continue
        part = [*dict.fromkeys(earlier for name in inputs for earlier in parts.get(name, ())), node]
        parts[node.outputs[0]] = part
        if _is_closed(state, part):
            has_mean = any(node.operator == "ReduceMean" for node in part)
            recognize = _recognize_normalization if has_mean else _recognize_activation
            try:
                value = recognize(state, source, part)
            except _FAULTS:  # it computes something else
                continue
            if match is None or value.is_plain:
                match = value, part
            if value.is_plain and value.step.activation != "relu":  # which a Min makes a relu6
                break
    return match


def _evaluate_early(state: State, node: Node) -> None:
    """Compute a node on constants before its turn, since a formula may read it."""
    if node.outputs[0] in state.constants:
        return
    try:
        state.constants[node.outputs[0]] = evaluate(state, node) if node.inputs else constant(state, node)
    except _FAULTS:
        return  # the walk says what is wrong with it


def _is_closed(state: State, part: Sequence[Node]) -> bool:
    """True if no other node reads what these compute before the last of them."""
    reads = Counter(name for node in part for name in node.inputs)
    return all(state.readers[node.outputs[0]] == reads[node.outputs[0]] for node in part[:-1])


def _compute(state: State, source: str, part: Sequence[Node], numbers: NDArray[Any]) -> NDArray[Any]:
    """Compute the nodes where the source has these numbers, with an axis of images first."""
    read = {name: state.constants[name] for node in part for name in node.inputs if name in state.constants}
    trial = replace(state, constants={**read, source: numbers})
    for node in part:
        trial.constants[node.outputs[0]] = evaluate(trial, node)
    return trial.constants[part[-1].outputs[0]]


def _trace_order(state: State, source: str, part: Sequence[Node]) -> Index:
    """Trace where each number of the source is at the end; raises `NotTranslated` if others are combined with it."""
    orders = {source: state.values[source].index[None]}
    for node in part:
        order, *others = (orders[name] for name in node.inputs if name in orders)
        if not all(order is another or np.array_equal(order, another) for another in others):
            raise NotTranslated("combines numbers of different pixels")
        orders[node.outputs[0]] = _compute(state, node.inputs[0], [node], order) if node.operator in _MOVES else order
    return np.asarray(orders[part[-1].outputs[0]][0])


def _recognize_activation(state: State, source: str, part: Sequence[Node]) -> FileTensor:
    """Add the activation that these nodes compute, or a multiple of it; raises `NotTranslated` if there is none."""
    if not {"Elu", *BENDS} & {node.operator for node in part}:
        raise NotTranslated("is not written as an activation")
    from convscope.engine.reference_activations import ACTIVATIONS, leaky_relu  # loads scipy.special

    order = _trace_order(state, source, part)
    results = _compute(state, source, part, _INPUTS.reshape(1, -1, *[1] * (order.ndim - 1))).astype(np.float64).ravel()
    slope = abs(float(results[0] / results[160]))
    curves = {name: forward(_INPUTS) for name, (forward, _) in ACTIVATIONS.items()}
    curves["leaky_relu"] = leaky_relu(_INPUTS, slope)
    for name, curve in curves.items():
        factor = float(results @ curve / (curve @ curve))
        if factor and np.allclose(results / factor, curve, rtol=_TOLERANCE, atol=_TOLERANCE):
            first = next(node for node in part if source in node.inputs)
            value = state.plain(first, first.inputs.index(source))
            # All the nodes that read the source are one user: the activation.
            reads = sum(node.inputs.count(source) for node in part)
            value = activate(state, replace(value, users=value.users - reads + 1), name, slope)
            # A factor that is 1 but for rounding is none.
            return replace(value, index=order, factor=1.0 if abs(factor - 1) < _TOLERANCE else factor, users=1)
    raise NotTranslated("computes no activation")


def _recognize_normalization(state: State, source: str, part: Sequence[Node]) -> FileTensor:
    """Add the normalisation that these nodes compute; raises `NotTranslated` if there is none."""
    value = state.values[source]
    mean = next((node for node in part if node.operator == "ReduceMean" and node.inputs[0] == source), part[0])
    axes = tuple(value.axis(axis) for axis in state.integers(mean, 1, "axes") or ())
    if len(part) < 6 or not axes or min(axes) < 0:  # two means, a difference, a square, a root and a quotient
        raise NotTranslated("is not written as a normalisation")
    state.work.spend(8 * value.index.size)
    channels = value.step.shape[-1]
    channel = (value.index % channels).ravel()
    drawn = np.random.default_rng(0).normal(size=value.index.shape)
    centred = drawn - drawn.mean(axes, keepdims=True)
    variance = (centred**2).mean(axes, keepdims=True)

    def sum_channels(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.bincount(channel, numbers.ravel(), channels), np.float64)

    at_zero = _compute(state, source, part, np.zeros_like(drawn)[None])
    if at_zero.shape[1:] != drawn.shape:
        raise NotTranslated("changes the shape")
    beta = sum_channels(at_zero) / np.bincount(channel)
    for epsilon in _list_small_numbers(state, part):
        # Where the variance is about ε, no other ε fits.
        scales = (1.0, epsilon**0.5)
        results = [_compute(state, source, part, scale * drawn[None]).ravel() for scale in scales]
        ideal = [(scale * centred / np.sqrt(scale**2 * variance + epsilon)).ravel() for scale in scales]
        gamma = sum_channels((results[0] - beta[channel]) * ideal[0]) / sum_channels(ideal[0] ** 2)
        expected = [gamma[channel] * numbers + beta[channel] for numbers in ideal]
        if np.allclose(results, expected, rtol=1e-4, atol=1e-5 * float(np.abs(expected).max())):
            value = state.plain(mean)
            sets = np.moveaxis(value.index, axes, range(-len(axes), 0)).reshape(variance.size, -1)
            weights = {"gamma": gamma, "beta": beta}
            return add_normalization(state, value, sets, epsilon, choose_layer_name(part[-1]), weights)
    raise NotTranslated("computes no normalisation")


def _list_small_numbers(state: State, part: Sequence[Node]) -> list[float]:
    """List the constants of nodes that may be an ε."""
    arrays = (state.constants.get(name) for node in part for name in node.inputs)
    numbers = {float(array.flat[0]) for array in arrays if array is not None and array.size == 1}
    return sorted(float(str(np.float32(number))) for number in numbers if 0 < number <= 1)
