"""Convert operators on single numbers: constants to add or multiply, normalisation, sums and joins."""

from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Add, Concatenate, Multiply, PReLU
from convscope.interchange.translation.activations import match_product
from convscope.interchange.translation.nodes import Node, choose_layer_name
from convscope.interchange.translation.state import State
from convscope.interchange.translation.steps import FileTensor, Index, NotTranslated, Step, to_scalar
from convscope.interchange.translation.windows import exclude_padding

_FLOAT_TYPES = (1, 10, 11, 16)  # float32, float16, float64, bfloat16 in TensorProto.DataType
_UINT8 = 2  # the type of bytes there


def prelu(state: State, node: Node) -> FileTensor:
    """PRelu: a `PReLU`, with a slope for each channel or one for all."""
    value = state.plain(node)
    slopes = reduce_to_channels(state, value, state.weight(node, 1, "slope"))
    alpha = np.broadcast_to(slopes, value.step.shape[-1:]).astype(np.float32)
    layer = PReLU(name=choose_layer_name(node, 1))
    return replace(value, step=state.work.step(value.step, layer, {"alpha": alpha}), users=1)


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
    """Add, Sub, Mul, Div: constants go into weights, scaling or a `BatchNormalization`; else `Add`, `Multiply`."""
    first, second = (state.constants.get(name) for name in node.inputs[:2])
    if first is None and second is None:
        return _combine_values(state, node)
    constant, position = (second, 0) if first is None else (first, 1)
    assert constant is not None
    value = state.value(node, position)
    is_divided = node.operator == "Div" and position == 0 and value.is_plain and value.users == 1
    if is_divided and (means := exclude_padding(state, value, constant)) is not None:
        return means
    numbers = reduce_to_channels(state, value, constant)
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


def _combine_values(state: State, node: Node) -> FileTensor:
    """Combine two values: a product that is an activation or weights channels, or the sum of a residual block."""
    if node.operator == "Mul" and (activated := match_product(state, node)) is not None:
        return activated
    if node.operator not in ("Add", "Mul"):
        raise NotTranslated(f"is the {node.operator.lower()} of two values; only Add and Mul of two are layers")
    join = add if node.operator == "Add" else multiply
    return join(state, state.plain(node, 0), state.plain(node, 1), choose_layer_name(node))


def multiply(state: State, first: FileTensor, second: FileTensor, name: str) -> FileTensor:
    """Multiply two plain values in a `Multiply`: of one shape, or one of them a number for each channel."""
    maps, factors = (first, second) if first.index.size >= second.index.size else (second, first)
    if maps.index.size == factors.index.size:
        return _join(state, first, second, Multiply("layer", name=name), "multiplies")
    channels = maps.step.shape[-1]
    fits = factors.index.size == channels == prod(factors.step.shape) and factors.index.ndim == maps.index.ndim
    if fits:
        state.work.spend(2 * maps.index.size)
        # Number p of the maps is of channel p % channels, and is multiplied by the factor that stands there.
        fits = np.array_equal(np.broadcast_to(factors.index, maps.index.shape), maps.index % channels)
    if not fits:
        raise NotTranslated(
            f"multiplies {maps.index.shape} by {factors.index.shape}; one number for each channel is needed"
        )
    return replace(maps, step=state.work.step(factors.step, Multiply("layer", name=name), second=maps.step), users=1)


def add(state: State, first: FileTensor, second: FileTensor, name: str) -> FileTensor:
    """Add two plain values in an `Add`."""
    return _join(state, first, second, Add("layer", name=name), "adds")


def _join(state: State, first: FileTensor, second: FileTensor, layer: Add | Multiply, verb: str) -> FileTensor:
    """Join two plain values of one shape in a layer whose `from_layer` is set by `assemble`."""
    if (first.index.shape, first.step.shape) != (second.index.shape, second.step.shape):
        raise NotTranslated(
            f"{verb} values of shapes {first.index.shape} and {second.index.shape}; both must have the same shape"
        )
    state.work.spend(first.index.size)
    if not (first.index == second.index).all():
        raise NotTranslated(f"{verb} values with different memory order; both must have the same layout")
    if second.step.depth > first.step.depth and _leads_to(first.step, second.step):
        first, second = second, first  # a shortcut without layers then needs no Branch
    return FileTensor(state.work.step(first.step, layer, second=second.step), first.index)


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


def reduce_to_channels(state: State, value: FileTensor, constant: NDArray[Any]) -> NDArray[np.float64]:
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
