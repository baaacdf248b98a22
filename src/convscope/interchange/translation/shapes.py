"""Convert operators that only reorder numbers, and the dense layers that read the result."""

from dataclasses import replace
from math import prod

import numpy as np

from convscope.architecture import Dense, Flatten
from convscope.interchange.translation.nodes import Node, choose_layer_name
from convscope.interchange.translation.state import BATCH, State
from convscope.interchange.translation.steps import FileTensor, Index, NotTranslated


def transpose(state: State, node: Node) -> FileTensor:
    """Transpose: another order of the axes after the batch."""
    value = state.value(node)
    axes = tuple(map(value.axis, node.ints("perm", tuple(reversed(range(value.rank))))))
    index_axes = axes[1:]  # `value.axis` makes -1 of the batch, which the index does not have
    if axes[:1] != (-1,) or sorted(index_axes) != list(range(value.index.ndim)):
        raise NotTranslated(f"has perm {node.ints('perm')!r:.60}; the batch must remain the first axis")
    return replace(value, index=value.index.transpose(index_axes))


def reshape(state: State, node: Node) -> FileTensor:
    """Reshape: to a constant shape, or one computed from that of the images.

    In ONNX, 0 stands for the size that the axis had, and -1 for the size that is left. From (N, 4, 7, 7), all of these
    are (N, 196): (0, 196), (0, -1), (-1, 196), (BATCH, 196), and (8, 196) if the file takes 8 images at once.
    """
    value = state.value(node)
    wanted = state.integers(node, 1, "shape")
    if not wanted:
        raise NotTranslated("has no shape")
    if not node.int("allowzero", 0):
        # Each 0 becomes the old size of its axis: 0 again for the batch, and -2, which fits nothing, where there was no
        # axis. With (N, 4, 7, 7), wanted (0, 0, 49) becomes (0, 4, 49).
        old = (0, *value.index.shape, *[-2] * len(wanted))
        wanted = tuple(size or old[axis] for axis, size in enumerate(wanted))
    first, rest, size = wanted[0], wanted[1:], value.index.size
    # A first size of -1 is the number of images if the rest has no -1: (-1, 196), but not (-1, -1).
    keeps_batch = first in (0, -1, BATCH) or (state.batch is not None and first == state.batch)
    shape = _fill_sizes(rest, size) if keeps_batch and (first != -1 or -1 not in rest) else None
    if shape is not None:
        return reshape_value(state, node, value, shape)
    raise NotTranslated(f"changes the shape of (N, {_text(value.index.shape)}); the batch must remain the first axis")


def _fill_sizes(wanted: tuple[int, ...], size: int) -> tuple[int, ...] | None:
    """Replace -1 in a shape of `size` numbers by the size that is left; None if nothing fits.

    (4, -1) of 196 numbers is (4, 49).
    """
    rest = abs(prod(wanted)) if wanted.count(-1) == 1 else 0  # the product of the other sizes
    shape = tuple(size // rest if length == -1 and rest else length for length in wanted)
    return shape if all(length >= 1 for length in shape) and prod(shape) == size else None


def flatten(state: State, node: Node) -> FileTensor:
    """Flatten: maps become vectors."""
    value = state.value(node)
    axis = node.int("axis", 1)
    if axis not in (1, 1 - value.rank):
        raise NotTranslated(f"has axis {axis}; it must be 1, because the batch must remain the first axis")
    return reshape_value(state, node, value, (value.index.size,))


def squeeze(state: State, node: Node) -> FileTensor:
    """Squeeze: removes axes of size 1."""
    value = state.value(node)
    shape = value.index.shape
    wanted = state.integers(node, 1, "axes")
    axes = {i for i, size in enumerate(shape) if size == 1} if wanted is None else set(map(value.axis, wanted))
    if any(axis == -1 or shape[axis] != 1 for axis in axes):
        raise NotTranslated(f"removes axes {wanted}, of which one is the batch or not of size 1")
    return reshape_value(state, node, value, tuple(size for i, size in enumerate(shape) if i not in axes))


def unsqueeze(state: State, node: Node) -> FileTensor:
    """Unsqueeze: inserts axes of size 1."""
    value = state.value(node)
    axes = state.integers(node, 1, "axes") or ()
    rank = value.rank + len(axes)
    new_axes = {axis % rank for axis in axes}
    if 0 in new_axes or len(new_axes) != len(axes) or rank > 8:
        raise NotTranslated(f"inserts axes {axes!r:.60}; the batch must remain the first axis")
    sizes = iter(value.index.shape)
    return reshape_value(state, node, value, tuple(1 if axis in new_axes else next(sizes) for axis in range(1, rank)))


def gemm(state: State, node: Node) -> FileTensor:
    """Gemm: a dense layer."""
    if node.int("transA", 0):
        raise NotTranslated("transposes the images (transA); transA=0 is needed")
    kernel = state.weight(node, 1, "kernel")
    if node.int("transB", 0):
        kernel = kernel.T
    alpha, beta = node.float("alpha", 1.0), node.float("beta", 1.0)
    if alpha != 1:  # Gemm: alpha · x · kernel + beta · bias
        state.work.spend(kernel.size)
        kernel = kernel * alpha
    bias = None
    if len(node.inputs) > 2 and node.inputs[2]:
        bias = state.weight(node, 2, "bias")
        # One number, or one for each unit, all on the last axis: (), (1,), (units,), (1, units).
        if bias.size not in (1, kernel.shape[-1]) or bias.size != (bias.shape[-1] if bias.ndim else 1):
            raise NotTranslated(f"its bias has shape {bias.shape}; it must have one number per output")
        bias = np.broadcast_to(bias.reshape(-1), kernel.shape[-1:]) * beta
    return dense(state, state.plain(node), kernel, bias, choose_layer_name(node, 1))


def matmul(state: State, node: Node) -> FileTensor:
    """MatMul by constants: a dense layer without bias."""
    return dense(state, state.plain(node), state.weight(node, 1, "kernel"), None, choose_layer_name(node, 1))


def dense(state: State, value: FileTensor, kernel: np.ndarray, bias: np.ndarray | None, name: str) -> FileTensor:
    """Apply a dense layer to a plain value."""
    if kernel.ndim != 2 or value.index.ndim != 1:
        raise NotTranslated(f"multiplies (N, {_text(value.index.shape)}) by {kernel.shape}; vectors are needed")
    if len(kernel) != value.index.size:
        raise NotTranslated(f"its kernel has shape {kernel.shape}, but its input is vectors of {value.index.size}")
    if len(value.step.shape) == 3:  # an image that the file takes as a vector
        value = replace(value, step=state.work.step(value.step, Flatten()))
    if not state.work.is_order(value.index, value.step.shape, (0,)):
        # Row i of the file's kernel belongs to the number index[i] in our order: flattened (C, H, W) against (H, W, C).
        state.work.spend(kernel.size)
        reordered = np.empty_like(kernel)
        reordered[value.index] = kernel
        kernel = reordered
    weights = {"kernel": kernel} if bias is None else {"kernel": kernel, "bias": bias}
    step = state.work.step(value.step, Dense(kernel.shape[1], "linear", bias is not None, name), weights)
    return FileTensor(step, state.work.order(step.shape, (0,)))


def reshape_value(state: State, node: Node, value: FileTensor, shape: tuple[int, ...]) -> FileTensor:
    """Reshape a value; maps that become vectors are a `Flatten`."""
    if len(shape) > 8:
        raise NotTranslated("has more than 8 axes")
    index: Index = value.index.reshape(shape)
    if not np.shares_memory(index, value.index):  # a reshape of transposed axes copies
        state.work.spend(index.size)
    if len(shape) != 1 or len(value.step.shape) == 1:  # no maps that become vectors
        return replace(value, index=index)
    if value.curve or np.ndim(value.factor) or np.ndim(value.shift):
        value = replace(state.plain(node), index=index)
    # A factor and an addend for all numbers commute with the Flatten, so they wait for a layer with weights to go into.
    return replace(value, index=index, step=state.work.step(value.step, Flatten(choose_layer_name(node))), users=1)


def _text(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape))
