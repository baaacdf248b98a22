"""Compute operators on constants, and on shapes, which are constant except for the number of images."""

from collections.abc import Callable, Mapping
from math import erf, erfc, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.interchange.translation.nodes import Node
from convscope.interchange.translation.state import BATCH, State
from convscope.interchange.translation.steps import NotTranslated

_TYPES = {1: np.float32, 6: np.int64, 7: np.int64, 10: np.float16, 11: np.float64, 16: np.float32}
"""The types of constants after a Cast, by ONNX's number. Integers keep 64 bits, which `BATCH` needs."""
FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    **{"Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide, "Pow": np.power, "Neg": np.negative},
    **{"Max": np.maximum, "Min": np.minimum, "Greater": np.greater, "Where": np.where, "Exp": np.exp, "Sqrt": np.sqrt},
    **{"Reciprocal": lambda x: 1 / x, "Relu": lambda x: np.maximum(x, 0)},
    **{"Erf": np.vectorize(erf, [float]), "Erfc": np.vectorize(erfc, [float])},
}
"""What an operator does with each number, or with those of the same position."""


def constant(_: State, node: Node) -> NDArray[Any]:
    """Constant: the numbers in its attribute."""
    for name in ("value", "value_float", "value_floats", "value_int", "value_ints"):
        value = node.attributes.get(name)
        if value is not None:
            dtype = np.float32 if "float" in name else np.int64
            return value if name == "value" else np.array(value, dtype)
    raise NotTranslated("holds no readable numbers; a dense tensor of numbers is needed")


def shape_of(state: State, node: Node) -> NDArray[Any]:
    """Shape: a constant, with `BATCH` for an open number of images."""
    value = state.value(node)
    shape = (BATCH if state.batch is None else state.batch, *value.index.shape)
    end = node.int("end", len(shape))
    return np.array(shape[node.int("start", 0) : end], np.int64)


def evaluate(state: State, node: Node) -> NDArray[Any]:
    """Compute an operator on constants."""
    # All copied numbers are counted, because a small file can ask for large arrays many times.
    values = [state.constants[name] for name in node.inputs if name]
    first = values[0]
    match node.operator:
        case "Identity" | "Dropout":
            return first
        case "Shape":
            return np.array(first.shape[node.int("start", 0) : node.int("end", first.ndim)], np.int64)
        case "CastLike" if len(values) == 2:
            return np.asarray(_count(state, first).astype(values[1].dtype))
        case "Cast":
            to = node.int("to", 0)
            if to not in _TYPES:
                raise NotTranslated(f"makes constants of type {to}; numbers are needed")
            return _count(state, first).astype(_TYPES[to])
        case "Transpose":
            perm = node.ints("perm", tuple(reversed(range(first.ndim))))
            return first.transpose(_check_permutation(perm, first.ndim))
        case "Reshape" if len(values) == 2:
            return _reshape(state, node, first, values[1])
        case "Unsqueeze":
            axes = state.integers(node, 1, "axes") or ()
            rank = first.ndim + len(axes)
            return _count(state, np.expand_dims(first, tuple(axis % rank for axis in axes)))
        case "Squeeze":
            removed = state.integers(node, 1, "axes")
            return first.squeeze(None if removed is None else tuple(axis % first.ndim for axis in removed))
        case "Concat":
            return np.concatenate([_count(state, array) for array in values], node.int("axis", 0))
        case "Gather" if len(values) == 2:
            axis = node.int("axis", 0)
            # Each index copies first.size / first.shape[axis] numbers; a hostile file may have any number of indices.
            state.work.spend(values[1].size * (first.size // max(first.shape[axis], 1)))
            return np.asarray(np.take(first, values[1].astype(np.int64), axis))
        case "Slice":
            return _slice_array(state, node, first)
        case "Expand" if len(values) == 2:
            # Nine sizes: one more than an array of ours may have axes, so a longer shape is still refused.
            shape = np.broadcast_shapes(first.shape, tuple(int(size) for size in values[1].ravel()[:9]))
            state.work.spend(prod(shape))
            return np.asarray(np.broadcast_to(first, shape))
        case "ConstantOfShape":
            size = [int(number) for number in first.ravel()[:9]]
            state.work.spend(prod(size))
            return np.full(size, np.asarray(node.attributes.get("value", np.float32(0))).ravel()[0])
        case "Clip":
            lowest, highest = (  # attributes in old opsets, inputs in new ones
                node.attributes.get(name) if (bound := state.constant(node, position)) is None else bound
                for position, name in ((1, "min"), (2, "max"))
            )
            return np.asarray(np.clip(_count(state, first), lowest, highest))
        case "Elu" | "LeakyRelu":
            below = np.expm1(np.minimum(first, 0)) if node.operator == "Elu" else first
            slope = node.float("alpha", 1.0 if node.operator == "Elu" else 0.01)
            return np.where(_count(state, first) > 0, first, slope * below)
        case "ReduceMean":
            over = state.integers(node, 1, "axes")
            mean = np.asarray(_count(state, first).mean(over, keepdims=True))
            return mean if node.int("keepdims", 1) else mean.squeeze(over)
        case operator if operator in FUNCTIONS:
            state.work.spend(prod(np.broadcast_shapes(*(array.shape for array in values))))
            if operator == "Div" and first.dtype.kind in "iu":  # sizes, which stay whole numbers
                return np.asarray(np.floor_divide(*values))
            return np.asarray(FUNCTIONS[operator](*values))
    raise NotTranslated(f"computes constants in an unsupported way{state.constants_advice}")


def _count(state: State, array: NDArray[Any]) -> NDArray[Any]:
    """Count the numbers that an operator is about to copy, and return the array."""
    state.work.spend(array.size)
    return array


def _check_permutation(axes: tuple[int, ...], rank: int) -> tuple[int, ...]:
    if sorted(axes) != list(range(rank)):
        raise NotTranslated(f"has perm {axes!r:.60} for {rank} axes")
    return axes


def _reshape(state: State, node: Node, first: NDArray[Any], shape: NDArray[Any]) -> NDArray[Any]:
    wanted = [int(size) for size in shape.ravel()[:9]]
    if not node.int("allowzero", 0):  # ONNX: without it, a 0 keeps the input's size
        wanted = [first.shape[i] if size == 0 and i < first.ndim else size for i, size in enumerate(wanted)]
    return _count(state, first).reshape(wanted)


def _slice_array(state: State, node: Node, first: NDArray[Any]) -> NDArray[Any]:
    starts, ends = state.integers(node, 1, "starts") or (), state.integers(node, 2, "ends") or ()
    axes = state.integers(node, 3, "axes") or tuple(range(len(starts)))
    steps = state.integers(node, 4, "steps") or (1,) * len(starts)
    parts = [slice(None)] * first.ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        parts[axis] = slice(start, end, step)
    return first[tuple(parts)]
