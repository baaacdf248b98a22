"""Convolutions, poolings and padding."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import (
    AveragePooling2D,
    Conv2D,
    DepthwiseConv2D,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    Layer,
    MaxPooling2D,
    Padding,
    Shape,
)
from convscope.architecture.layers import Frame, Window, same_padding
from convscope.interchange.translation.nodes import Node
from convscope.interchange.translation.state import State, new_layer
from convscope.interchange.translation.steps import FileTensor, NotTranslated, Step

CHANNELS_FIRST, CHANNELS_LAST = (2, 0, 1), (0, 1, 2)
"""In which order a tensor holds the axes of our maps (H, W, C)."""
_NO_PADS: Frame = ((0, 0), (0, 0))
_MAX_PAD = 1024


def conv(state: State, node: Node) -> FileTensor:
    """Conv: a convolution, in groups or not, or one of each channel by itself."""
    value = _maps(state, node)
    kernel = state.weight(node, 1, "kernel")
    if kernel.ndim != 4:
        raise NotTranslated(f"its kernel has {kernel.ndim} axes; it must have 4")
    if (declared := node.ints("kernel_shape", kernel.shape[2:])) != kernel.shape[2:]:
        raise NotTranslated(f"kernel_shape is {declared}, but its kernel is {kernel.shape[2:]}")
    channels, group, filters = value.step.shape[2], node.int("group", 1), kernel.shape[0]
    if group < 1 or kernel.shape[1] * group != channels or filters % group:
        raise NotTranslated(
            f"its kernel has shape {kernel.shape}, which does not fit {channels} channels in {group} groups"
        )
    size, strides = kernel.shape[2:], _pair(node, "strides", (1, 1))
    dilation = _dilation(node, size)
    if max(strides) > 1 and max(dilation) > 1:
        raise NotTranslated(f"has strides {strides} and dilations {dilation}; only one of them may be above 1")
    weights = {"kernel": kernel.transpose(2, 3, 1, 0)}
    has_bias = len(node.inputs) > 2 and bool(node.inputs[2])
    if has_bias:
        weights["bias"] = state.weight(node, 2, "bias")
    window = Window(size, strides, "valid", dilation)
    step, padding = _pad_input(state, node, value, window.reach, strides)
    name = layer_name(node, 1)
    layer: Layer
    if group == channels > 1:
        multiplier = filters // channels
        weights["kernel"] = weights["kernel"].reshape(*size, channels, multiplier)
        layer = DepthwiseConv2D(size, strides, padding, multiplier, "linear", has_bias, name, dilation_rate=dilation)
    else:
        own: dict[str, Any] = {"dilation_rate": dilation, "groups": group}
        layer = Conv2D(filters, size, strides, padding, "linear", has_bias, name, **own)
    return _as_maps(state, state.work.step(step, layer, weights))


def max_pool(state: State, node: Node) -> FileTensor:
    """MaxPool: a `MaxPooling2D`, in which pixels of padding are never the largest."""
    if any(name and state.readers[name] for name in node.outputs[1:]):
        raise NotTranslated("outputs the positions of the maximum values; only the values are supported")
    outer = state.padded.get(node.inputs[0])
    value = _maps(state, node) if outer is None else replace(state.value(node), curve="")
    size, strides, shape, outer = _pair(node, "kernel_shape", ()), _strides(node), value.step.shape, outer or _NO_PADS
    inner = _pads(node, (shape[0] + sum(outer[0]), shape[1] + sum(outer[1])), size, strides)
    rows, columns = ((a + c, b + d) for (a, b), (c, d) in zip(outer, inner, strict=True))
    pads = rows, columns
    sizes = [
        _outputs(*axis, ceil=bool(node.int("ceil_mode", 0))) for axis in zip(shape, pads, size, strides, strict=False)
    ]
    padding = _padding_of(shape, pads, size, strides, sizes)
    step = value.step
    if padding is None:
        # Where nothing is below zero, a zero of padding is no more the largest than a pixel that does not exist.
        if not _is_never_negative(step) or sizes != [
            _outputs(*axis) for axis in zip(shape, pads, size, strides, strict=False)
        ]:
            raise NotTranslated(
                f"has pads {pads} around {shape[0]} x {shape[1]}; it must have those of `same` padding, or none"
            )
        step, padding = _zero_padded(state, step, pads), "valid"
    return _as_maps(state, state.work.step(step, MaxPooling2D(size, strides, padding, layer_name(node))))


def average_pool(state: State, node: Node) -> FileTensor:
    """AveragePool: an `AveragePooling2D`, which does not count pixels of padding, unless they are zeros."""
    value, size, strides = _maps(state, node), _pair(node, "kernel_shape", ()), _strides(node)
    shape, step = value.step.shape, value.step
    pads = _pads(node, shape, size, strides)
    axes = list(zip(shape, pads, size, strides, strict=False))
    sizes = [_outputs(*axis) for axis in axes]
    if node.int("ceil_mode", 0) and sizes != [_outputs(*axis, ceil=True) for axis in axes]:
        raise NotTranslated("has ceil_mode with windows that extend beyond the maps; ceil_mode must be 0")
    padding = _padding_of(shape, pads, size, strides, sizes)
    if pads != _NO_PADS and padding != "valid" and node.int("count_include_pad", 0):
        step, padding = _zero_padded(state, step, pads), "valid"
    if padding is None:
        raise NotTranslated(
            f"has pads {pads} around {shape[0]} x {shape[1]}; it must have those of `same` padding, or none"
        )
    return _as_maps(state, state.work.step(step, AveragePooling2D(size, strides, padding, layer_name(node))))


def without_padding(state: State, value: FileTensor, shares: NDArray[Any]) -> FileTensor | None:
    """Return the means of pixels alone, where `value` is means that count zeros beside the maps and is divided by the
    share (1, 1, H, W) of each window that lies on the maps; None where it is not.
    """
    step = value.step
    padded = step.before
    if step.kind != "AveragePooling2D" or padded is None or padded.kind != "ZeroPadding2D" or padded.before is None:
        return None
    pooling: Any = step.layer
    padding: Any = padded.layer
    axes = list(zip(padded.before.shape, padding.padding, pooling.pool_size, pooling.window.strides, strict=False))
    outputs = [_outputs(*axis) for axis in axes]
    rows, columns = (_shares(*axis, count) for axis, count in zip(axes, outputs, strict=True))
    if shares.shape != (1, 1, *outputs) or not np.allclose(shares[0, 0], np.outer(rows, columns), rtol=1e-5, atol=0):
        return None
    size, strides = pooling.pool_size, pooling.window.strides
    if _padding_of(padded.before.shape, padding.padding, size, strides, outputs) != "same":
        return None
    layer = AveragePooling2D(size, strides, "same", pooling.name)
    return _as_maps(state, state.work.step(padded.before, layer))


def _shares(size: int, pads: tuple[int, int], kernel: int, stride: int, count: int) -> list[float]:
    """Compute the share of each window along an axis that lies on the map."""
    first, end = pads[0], pads[0] + size
    return [(min(i * stride + kernel, end) - max(i * stride, first)) / kernel for i in range(count)]


def global_pool(state: State, node: Node) -> FileTensor:
    """GlobalAveragePool and GlobalMaxPool: one number a map."""
    return pool_globally(
        state, node, _maps(state, node), CHANNELS_FIRST, is_mean=node.operator == "GlobalAveragePool", keep=True
    )


def reduce_maps(state: State, node: Node) -> FileTensor:
    """ReduceMean and ReduceMax: over rows and columns, the same as the global poolings."""
    value = state.plain(node)
    axes = state.integers(node, 1, "axes") or ()
    axes = tuple(sorted(map(value.axis, axes)))
    for order, spatial in ((CHANNELS_FIRST, (1, 2)), (CHANNELS_LAST, (0, 1))):
        if axes == spatial and state.work.is_order(value.index, value.step.shape, order):
            is_mean = node.operator == "ReduceMean"
            return pool_globally(state, node, value, order, is_mean=is_mean, keep=bool(node.int("keepdims", 1)))
    raise NotTranslated(f"goes over axes {state.integers(node, 1, 'axes')}; rows and columns of maps are needed")


def pad(state: State, node: Node) -> FileTensor:
    """Pad: with zeros around the maps, a `ZeroPadding2D` or the padding of the layer behind it; with minus infinity,
    the padding of a `MaxPool`.
    """
    if node.text("mode", "constant") != "constant":
        raise NotTranslated(f"its mode is {node.text('mode', '')!r:.20}; zeros (constant) are needed")
    constant = state.constant(node, 2)
    fill = np.unique(node.float("value", 0.0) if constant is None else constant.astype(np.float64))
    if len(fill) != 1 or fill[0] not in (0, -np.inf):
        raise NotTranslated("pads with other numbers than zero; zeros are needed")
    pads = state.integers(node, 1, "pads") or ()
    rank = state.value(node).rank
    axes = state.integers(node, 3, "axes") or tuple(range(rank))
    if len(pads) != 2 * len(axes):
        raise NotTranslated(f"has {len(pads)} pads for {len(axes)} axes; two each are needed")
    if not any(pads):
        return state.value(node)
    value = state.plain(node)
    both = {
        value.axis(axis): (before, after)
        for axis, before, after in zip(axes, pads[: len(axes)], pads[len(axes) :], strict=True)
    }
    for order, spatial in ((CHANNELS_FIRST, (1, 2)), (CHANNELS_LAST, (0, 1))):
        others = [amount for axis, amount in both.items() if axis not in spatial and any(amount)]
        if not others and state.work.is_order(value.index, value.step.shape, order):
            amounts = (both.get(spatial[0], (0, 0)), both.get(spatial[1], (0, 0)))
            if fill[0] and order == CHANNELS_FIRST and min(pads) >= 0:
                state.padded[node.outputs[0]] = amounts
                return replace(value, curve="padded")
            if fill[0]:
                raise NotTranslated("pads with minus infinity, but not rows and columns of (N, C, H, W)")
            step = _zero_padded(state, value.step, amounts, layer_name(node))
            return FileTensor(step, state.work.order(step.shape, order))
    raise NotTranslated("pads other axes than rows and columns; only these can be padded")


def pool_globally(
    state: State, node: Node, value: FileTensor, order: tuple[int, ...], *, is_mean: bool, keep: bool
) -> FileTensor:
    """Return plain maps after a global pooling; `keep`: their axes of one pixel."""
    layer = (GlobalAveragePooling2D if is_mean else GlobalMaxPooling2D)(layer_name(node))
    step = state.after(value, layer)
    index = state.work.order(step.shape, (0,))
    if keep:
        index = index.reshape([step.shape[0] if axis == 2 else 1 for axis in order])
    return FileTensor(step, index)


def _maps(state: State, node: Node) -> FileTensor:
    """Return the first input, if it is maps (N, C, H, W) in their order."""
    value = state.plain(node)
    if not state.work.is_order(value.index, value.step.shape, CHANNELS_FIRST):
        raise NotTranslated("does not read maps (N, C, H, W) as a layer gives them")
    return value


def _as_maps(state: State, step: Step) -> FileTensor:
    return FileTensor(step, state.work.order(step.shape, CHANNELS_FIRST))


def _strides(node: Node) -> tuple[int, int]:
    if any(step != 1 for step in node.ints("dilations")):
        raise NotTranslated(f"has dilations {node.ints('dilations')}; 1 is needed")
    return _pair(node, "strides", (1, 1))


def _dilation(node: Node, size: tuple[int, ...]) -> tuple[int, int]:
    """Return the dilation of a convolution; 1 along an axis where its kernel has one pixel, as it changes nothing."""
    rows, columns = _pair(node, "dilations", (1, 1))
    return (rows if size[0] > 1 else 1), (columns if size[1] > 1 else 1)


def _pair(node: Node, name: str, default: tuple[int, ...]) -> tuple[int, int]:
    pair = node.ints(name, default)
    if len(pair) != 2 or not all(1 <= number <= 1024 for number in pair):
        raise NotTranslated(f"{name} is {pair!r:.60}; two numbers from 1 to 1024 are needed")
    return pair[0], pair[1]


def _pads(node: Node, shape: Shape, size: tuple[int, int], strides: tuple[int, int]) -> Frame:
    """Return how many pixels of padding stand before and after the rows and the columns."""
    auto = node.text("auto_pad", "NOTSET")
    if auto in ("NOTSET", ""):
        top, left, bottom, right = (
            node.ints("pads", (0, 0, 0, 0)) if len(node.ints("pads", (0,) * 4)) == 4 else (-1,) * 4
        )
        if not all(0 <= width <= _MAX_PAD for width in (top, left, bottom, right)):
            raise NotTranslated(f"pads is {node.ints('pads')!r:.60}; four numbers from 0 to {_MAX_PAD} are needed")
        return (top, bottom), (left, right)
    if auto == "VALID":
        return _NO_PADS
    if auto not in ("SAME_UPPER", "SAME_LOWER"):
        raise NotTranslated(f"auto_pad is {auto!r:.20}, which is not a padding")
    rows, columns = map(same_padding, shape[:2], size, strides)
    return (rows, columns) if auto == "SAME_UPPER" else (rows[::-1], columns[::-1])


def _outputs(size: int, pads: tuple[int, int], kernel: int, stride: int, *, ceil: bool = False) -> int:
    """Return how many windows there are along an axis; with `ceil`, also one that begins within and ends outside."""
    room = size + sum(pads) - kernel
    if room < 0:
        raise NotTranslated(f"has a window of {kernel} on {size} pixels with pads {pads}; a smaller one is needed")
    count = room // stride + 1
    return count + 1 if ceil and room % stride and count * stride < size + pads[0] else count


def _padding_of(
    shape: Shape, pads: Frame, size: tuple[int, int], strides: tuple[int, int], outputs: list[int]
) -> Padding | None:
    """Choose the padding that puts the windows on the same pixels; None if there is none."""
    axes = list(zip(shape, pads, size, strides, outputs, strict=False))
    if all(
        before == 0 and given >= kernel and count == (given - kernel) // stride + 1
        for given, (before, _), kernel, stride, count in axes
    ):
        return "valid"
    if all(
        before == same_padding(given, kernel, stride)[0] and count == -(-given // stride)
        for given, (before, _), kernel, stride, count in axes
    ):
        return "same"
    return None


def _pad_input(
    state: State, node: Node, value: FileTensor, size: tuple[int, int], strides: tuple[int, int]
) -> tuple[Step, Padding]:
    """Return after which step a convolution stands, and with which padding."""
    step = value.step
    pads = _pads(node, step.shape, size, strides)
    if step.kind == "ZeroPadding2D" and value.users == 1:
        assert step.before is not None
        layer: Any = step.layer
        (top, bottom), (left, right) = layer.padding
        pads = ((pads[0][0] + top, pads[0][1] + bottom), (pads[1][0] + left, pads[1][1] + right))
        step = step.before
    outputs = [_outputs(*axis) for axis in zip(step.shape, pads, size, strides, strict=False)]
    padding = _padding_of(step.shape, pads, size, strides, outputs)
    if padding is not None:
        return step, padding
    name = getattr(value.step.layer, "name", "") if value.step is not step else ""
    return _zero_padded(state, step, pads, name), "valid"


def _zero_padded(state: State, step: Step, pads: Frame, name: str = "") -> Step:
    if any(not 0 <= width <= _MAX_PAD for pair in pads for width in pair):
        raise NotTranslated(f"has pads {pads}; numbers from 0 to {_MAX_PAD} are needed")
    layer = new_layer("ZeroPadding2D", f"padded by {pads}, which is not `same`", padding=pads)
    return state.work.step(step, replace(layer, name=name) if name else layer)


def _is_never_negative(step: Step) -> bool:
    while step.kind in ("MaxPooling2D", "AveragePooling2D") and step.before is not None:
        step = step.before
    return step.activation in ("relu", "sigmoid")


def layer_name(node: Node, weight: int | None = None) -> str:
    """Choose a layer's name from its weights or its node; "" if neither is a valid name."""
    name = node.inputs[weight].rpartition("/" if "/" in node.inputs[weight] else ".")[0] if weight is not None else ""
    name = (name or node.name).strip("/").replace(".", "_")
    # Numbers instead of names, which PyTorch gives to modules in a row and to nodes, say less than Keras's names.
    if name.startswith("node_"):
        return ""
    is_ours = name.isascii() and name.replace("_", "a").isalnum() and not name[0].isdigit() and len(name) <= 64
    return name if is_ours and name != "input" else ""
