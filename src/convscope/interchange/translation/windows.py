"""Convert convolutions, poolings and padding.

A file gives padding in numbers, (before, after) for rows and columns; our layers only have `valid` and `same`. So each
operator counts its windows, and takes the one of the two that puts as many windows on the same pixels. If neither does,
and zeros are what the operator means, a `ZeroPadding2D` adds them first, and the padding is `valid`. For 28 pixels, a
kernel of 3 and a stride of 1:

    file's padding     windows   our layers
    (0, 0)             26        valid
    (1, 1)             28        same
    (2, 2)             30        ZeroPadding2D by (2, 2), then valid
"""

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
from convscope.interchange.translation.nodes import Node, choose_layer_name
from convscope.interchange.translation.shapes import dense
from convscope.interchange.translation.state import State, new_layer
from convscope.interchange.translation.steps import FileTensor, NotTranslated, Step

CHANNELS_FIRST, CHANNELS_LAST = (2, 0, 1), (0, 1, 2)
"""The axes of our maps (H, W, C) in the order in which a tensor holds them: (C, H, W) and (H, W, C)."""
_ROWS_AND_COLUMNS = ((CHANNELS_FIRST, (1, 2)), (CHANNELS_LAST, (0, 1)))
"""Each order with the positions of rows and columns in it."""
_NO_PADS: Frame = ((0, 0), (0, 0))  # the padding (before, after) of the rows, and of the columns
_MAX_PAD = 1024  # pixels on one side; so a file cannot ask for huge maps


def conv(state: State, node: Node) -> FileTensor:
    """Conv: a `Conv2D`, or a `DepthwiseConv2D` if each channel is a group; of a pooled pixel, a `Dense`."""
    kernel = state.weight(node, 1, "kernel")
    if kernel.ndim != 4:
        raise NotTranslated(f"its kernel has {kernel.ndim} axes; it must have 4")
    value = state.plain(node)
    if (
        len(value.step.shape) == 1
        and value.index.shape[1:] == (1, 1) == kernel.shape[2:]
        and not any(node.ints("pads"))
    ):
        bias = state.weight(node, 2, "bias") if len(node.inputs) > 2 and node.inputs[2] else None
        vector = replace(value, index=value.index.reshape(-1))
        units = dense(state, vector, kernel[:, :, 0, 0].T, bias, choose_layer_name(node, 1))
        return replace(units, index=units.index.reshape(-1, 1, 1))
    value = _read_maps(state, node)
    if (declared := node.ints("kernel_shape", kernel.shape[2:])) != kernel.shape[2:]:
        raise NotTranslated(f"kernel_shape is {declared}, but its kernel is {kernel.shape[2:]}")
    channels, group, filters = value.step.shape[2], node.int("group", 1), kernel.shape[0]
    if group < 1 or kernel.shape[1] * group != channels or filters % group:
        raise NotTranslated(
            f"its kernel has shape {kernel.shape}, which does not fit {channels} channels in {group} groups"
        )
    size, strides = kernel.shape[2:], _read_pair(node, "strides", (1, 1))
    dilation = _read_dilation(node, size)
    if max(strides) > 1 and max(dilation) > 1:
        raise NotTranslated(f"has strides {strides} and dilations {dilation}; only one of them may be above 1")
    weights = {"kernel": kernel.transpose(2, 3, 1, 0)}  # (F, C, U, V) → (U, V, C, F)
    has_bias = len(node.inputs) > 2 and bool(node.inputs[2])
    if has_bias:
        weights["bias"] = state.weight(node, 2, "bias")
    window = Window(size, strides, "valid", dilation)
    step, padding = _pad_input(state, node, value, window.reach, strides)  # reach: the pixels a dilated kernel spans
    name = choose_layer_name(node, 1)
    layer: Layer
    if group == channels > 1:
        # (U, V, 1, C · M) → (U, V, C, M): filter c · M + m reads channel c.
        multiplier = filters // channels
        weights["kernel"] = weights["kernel"].reshape(*size, channels, multiplier)
        layer = DepthwiseConv2D(size, strides, padding, multiplier, "linear", has_bias, name, dilation_rate=dilation)
    else:
        layer = Conv2D(filters, size, strides, padding, "linear", has_bias, name, dilation_rate=dilation, groups=group)
    return _as_maps(state, state.work.step(step, layer, weights))


def max_pool(state: State, node: Node) -> FileTensor:
    """MaxPool: a `MaxPooling2D`, whose padding is never the maximum.

    Padding may come twice, by a Pad with minus infinity (`outer`) and by the pooling itself (`inner`): ((1, 0), (1, 0))
    and ((0, 1), (0, 1)) together are ((1, 1), (1, 1)). The output of such a Pad is its input, with the curve "padded",
    which only this function may drop.
    """
    if any(name and state.readers[name] for name in node.outputs[1:]):
        raise NotTranslated("outputs the positions of the maximum values; only the values are supported")
    outer = state.padded.get(node.inputs[0])
    value = _read_maps(state, node) if outer is None else replace(state.value(node), curve="")
    outer = outer or _NO_PADS
    size, strides = _read_pair(node, "kernel_shape", ()), _read_strides(node)
    step, shape = value.step, value.step.shape
    inner = _read_pads(node, (shape[0] + sum(outer[0]), shape[1] + sum(outer[1])), size, strides)
    pads = _add_pads(outer, inner)
    counts = _count_windows(shape, pads, size, strides, ceil=bool(node.int("ceil_mode", 0)))
    padding = _choose_padding(shape, pads, size, strides, counts)
    if padding is None:
        # No layer pads like this, but a ZeroPadding2D before it can if no number is below zero: then 0 gives the same
        # maximum as -∞. It cannot where ceil_mode adds a window beyond the padding.
        if not _is_never_negative(step) or counts != _count_windows(shape, pads, size, strides):
            raise NotTranslated(
                f"has pads {pads} around {shape[0]} x {shape[1]}; it must have those of `same` padding, or none"
            )
        step, padding = _pad_with_zeros(state, step, pads), "valid"
    return _as_maps(state, state.work.step(step, MaxPooling2D(size, strides, padding, choose_layer_name(node))))


def average_pool(state: State, node: Node) -> FileTensor:
    """AveragePool: an `AveragePooling2D`, after a `ZeroPadding2D` if the means count the padding."""
    value, size, strides = _read_maps(state, node), _read_pair(node, "kernel_shape", ()), _read_strides(node)
    shape, step = value.step.shape, value.step
    pads = _read_pads(node, shape, size, strides)
    counts = _count_windows(shape, pads, size, strides, ceil=bool(node.int("ceil_mode", 0)))
    padding = _choose_padding(shape, pads, size, strides, counts)
    # A window that ceil_mode adds is a mean over the pixels on the map, as with `same` padding.
    counts_padding = pads != _NO_PADS and bool(node.int("count_include_pad", 0))
    if counts != _count_windows(shape, pads, size, strides) and (counts_padding or padding is None):
        raise NotTranslated("has ceil_mode with windows that extend beyond the maps; ceil_mode must be 0")
    # With count_include_pad=1, the zeros are part of the mean. Our pooling leaves its own padding out of the mean, but
    # not the zeros of a layer before it.
    if counts_padding and padding != "valid":
        step, padding = _pad_with_zeros(state, step, pads), "valid"
    if padding is None:
        raise NotTranslated(
            f"has pads {pads} around {shape[0]} x {shape[1]}; it must have those of `same` padding, or none"
        )
    return _as_maps(state, state.work.step(step, AveragePooling2D(size, strides, padding, choose_layer_name(node))))


def exclude_padding(state: State, value: FileTensor, shares: NDArray[Any]) -> FileTensor | None:
    """Recognise means with padding that are divided by the share of each window on the map, (1, 1, H, W).

    A window of 2 x 2 on the corner of a map padded by 1 has one pixel and three zeros. Their mean is a quarter of the
    pixel, and divided by the share 1/4 it is the pixel: the mean without the padding, as `AveragePooling2D` computes
    it. The export to PyTorch writes such means like this (`torch_modules.AveragePool2dUnpadded`).

    Returns the `AveragePooling2D`, or None if it is another division.
    """
    step = value.step
    padded = step.source
    if step.kind != "AveragePooling2D" or padded is None or padded.kind != "ZeroPadding2D" or padded.source is None:
        return None
    pooling: Any = step.layer
    padding: Any = padded.layer
    shape, size, strides = padded.source.shape, pooling.pool_size, pooling.window.strides
    counts = _count_windows(shape, padding.padding, size, strides)
    axes = zip(shape, padding.padding, size, strides, counts, strict=False)  # rows and columns; shape has channels too
    rows, columns = (_compute_shares(*axis) for axis in axes)
    if shares.shape != (1, 1, *counts) or not np.allclose(shares[0, 0], np.outer(rows, columns), rtol=1e-5, atol=0):
        return None
    if _choose_padding(shape, padding.padding, size, strides, counts) != "same":
        return None
    layer = AveragePooling2D(size, strides, "same", pooling.name)
    return _as_maps(state, state.work.step(padded.source, layer))


def _compute_shares(size: int, pads: tuple[int, int], kernel: int, stride: int, count: int) -> list[float]:
    """Compute the share of each window that lies on the map, along an axis: |[i·s, i·s + k) ∩ [p, p + size)| / k.

    Four pixels with a pixel of padding on either side, and windows of 3: 2/3, 1, 1, 2/3.
    """
    first, end = pads[0], pads[0] + size  # the map, counted from the first pixel of padding
    return [(min(i * stride + kernel, end) - max(i * stride, first)) / kernel for i in range(count)]


def global_pool(state: State, node: Node) -> FileTensor:
    """GlobalAveragePool and GlobalMaxPool: a number for each map."""
    return pool_globally(
        state, node, _read_maps(state, node), CHANNELS_FIRST, is_mean=node.operator == "GlobalAveragePool", keep=True
    )


def reduce_maps(state: State, node: Node) -> FileTensor:
    """ReduceMean and ReduceMax: a global pooling, if they go over rows and columns."""
    value = state.plain(node)
    axes = state.integers(node, 1, "axes") or ()
    axes = tuple(sorted(map(value.axis, axes)))
    for order, spatial in _ROWS_AND_COLUMNS:
        if axes == spatial and state.work.is_order(value.index, value.step.shape, order):
            is_mean = node.operator == "ReduceMean"
            return pool_globally(state, node, value, order, is_mean=is_mean, keep=bool(node.int("keepdims", 1)))
    raise NotTranslated(f"goes over axes {state.integers(node, 1, 'axes')}; rows and columns of maps are needed")


def pad(state: State, node: Node) -> FileTensor:
    """Pad: with zeros, a `ZeroPadding2D`, which may go into a convolution; with minus infinity, part of a `MaxPool`.

    ONNX lists all befores, then all afters: pads 0 0 1 2 0 0 3 4 of (N, C, H, W) are a row above and three below, and
    two columns on the left and four on the right.
    """
    fill = _read_fill(state, node)
    pads = state.integers(node, 1, "pads") or ()
    rank = state.value(node).rank
    axes = state.integers(node, 3, "axes") or tuple(range(rank))
    if len(pads) != 2 * len(axes):
        raise NotTranslated(f"has {len(pads)} pads for {len(axes)} axes; two each are needed")
    if not any(pads):
        return state.value(node)
    value = state.plain(node)
    before_and_after = zip(pads[: len(axes)], pads[len(axes) :], strict=True)
    by_axis = dict(zip(map(value.axis, axes), before_and_after, strict=True))
    for order, spatial in _ROWS_AND_COLUMNS:
        others = [amount for axis, amount in by_axis.items() if axis not in spatial and any(amount)]
        if not others and state.work.is_order(value.index, value.step.shape, order):
            amounts = (by_axis.get(spatial[0], (0, 0)), by_axis.get(spatial[1], (0, 0)))
            if fill < 0 and order == CHANNELS_FIRST and min(pads) >= 0:
                state.padded[node.outputs[0]] = amounts  # for `max_pool`, which adds them to its own
                return replace(value, curve="padded")
            if fill < 0:
                raise NotTranslated("pads with minus infinity, but not rows and columns of (N, C, H, W)")
            step = _pad_with_zeros(state, value.step, amounts, choose_layer_name(node))
            return FileTensor(step, state.work.order(step.shape, order))
    raise NotTranslated("pads other axes than rows and columns; only these can be padded")


def _read_fill(state: State, node: Node) -> float:
    """Read the number of the pixels that a Pad adds, 0 or minus infinity."""
    if node.text("mode", "constant") != "constant":
        raise NotTranslated(f"its mode is {node.text('mode', '')!r:.20}; zeros (constant) are needed")
    constant = state.constant(node, 2)
    fill = np.unique(node.float("value", 0.0) if constant is None else constant.astype(np.float64))
    if len(fill) != 1 or fill[0] not in (0, -np.inf):
        raise NotTranslated("pads with other numbers than zero; zeros are needed")
    return float(fill[0])


def pool_globally(
    state: State, node: Node, value: FileTensor, order: tuple[int, ...], *, is_mean: bool, keep: bool
) -> FileTensor:
    """Apply a global pooling to plain maps; `keep` keeps their axes of one pixel."""
    layer = (GlobalAveragePooling2D if is_mean else GlobalMaxPooling2D)(choose_layer_name(node))
    step = state.work.step(value.step, layer)
    index = state.work.order(step.shape, (0,))
    if keep:  # (C, 1, 1) or (1, 1, C)
        index = index.reshape([step.shape[0] if axis == 2 else 1 for axis in order])
    return FileTensor(step, index)


def _read_maps(state: State, node: Node) -> FileTensor:
    """Look up the first input, which must be maps (N, C, H, W)."""
    value = state.plain(node)
    if not state.work.is_order(value.index, value.step.shape, CHANNELS_FIRST):
        raise NotTranslated("does not read maps (N, C, H, W) as a layer gives them")
    return value


def _as_maps(state: State, step: Step) -> FileTensor:
    return FileTensor(step, state.work.order(step.shape, CHANNELS_FIRST))


def _read_strides(node: Node) -> tuple[int, int]:
    if any(step != 1 for step in node.ints("dilations")):
        raise NotTranslated(f"has dilations {node.ints('dilations')}; 1 is needed")
    return _read_pair(node, "strides", (1, 1))


def _read_dilation(node: Node, size: tuple[int, ...]) -> tuple[int, int]:
    """Read the dilation of a convolution."""
    rows, columns = _read_pair(node, "dilations", (1, 1))
    # A kernel of one pixel has no neighbours to keep apart; our layers refuse other dilations than 1 with strides.
    return (rows if size[0] > 1 else 1), (columns if size[1] > 1 else 1)


def _read_pair(node: Node, name: str, default: tuple[int, ...]) -> tuple[int, int]:
    pair = node.ints(name, default)
    if len(pair) != 2 or not all(1 <= number <= 1024 for number in pair):
        raise NotTranslated(f"{name} is {pair!r:.60}; two numbers from 1 to 1024 are needed")
    return pair[0], pair[1]


def _read_pads(node: Node, shape: Shape, size: tuple[int, int], strides: tuple[int, int]) -> Frame:
    """Read the pixels of padding, (before, after) the rows and the columns."""
    auto = node.text("auto_pad", "NOTSET")
    if auto in ("NOTSET", ""):
        pads = node.ints("pads", (0, 0, 0, 0))
        if len(pads) != 4 or not all(0 <= width <= _MAX_PAD for width in pads):
            raise NotTranslated(f"pads is {pads!r:.60}; four numbers from 0 to {_MAX_PAD} are needed")
        top, left, bottom, right = pads  # ONNX lists all begins, then all ends
        return (top, bottom), (left, right)
    if auto == "VALID":
        return _NO_PADS
    if auto not in ("SAME_UPPER", "SAME_LOWER"):
        raise NotTranslated(f"auto_pad is {auto!r:.20}, which is not a padding")
    rows, columns = map(same_padding, shape[:2], size, strides)
    # An odd pixel of padding comes after the map (UPPER) or before it (LOWER).
    return (rows, columns) if auto == "SAME_UPPER" else (rows[::-1], columns[::-1])


def _count_windows(
    shape: Shape, pads: Frame, sizes: tuple[int, int], strides: tuple[int, int], *, ceil: bool = False
) -> list[int]:
    """Count the windows along each axis; `ceil` adds one that ends outside, if it begins before the end of the map.

    Five pixels have 2 windows of 2 at stride 2, and with `ceil` 3: the last begins on the fifth pixel.
    """
    counts = []
    for pixels, (before, after), size, stride in zip(shape, pads, sizes, strides, strict=False):
        last_start = pixels + before + after - size  # the start of the last window that fits
        if last_start < 0:
            raise NotTranslated(
                f"has a window of {size} on {pixels} pixels with pads {(before, after)}; a smaller one is needed"
            )
        count = last_start // stride + 1
        counts.append(count + (ceil and last_start % stride > 0 and count * stride < pixels + before))
    return counts


def _choose_padding(
    shape: Shape, pads: Frame, size: tuple[int, int], strides: tuple[int, int], counts: list[int]
) -> Padding | None:
    """Choose our padding that puts the windows on the same pixels; None if neither does.

    Window i begins at i · stride - before. So only the padding before and the number of windows count:

        valid   no padding before                        ⌊(pixels - kernel) / stride⌋ + 1 windows
        same    the smaller half of the padding before   ⌈pixels / stride⌉ windows

    For 28 pixels, a kernel of 3 and a stride of 2, these are 13 windows from pixel 0 on, and 14 from pixel 0 on.
    """
    axes = list(zip(shape, pads, size, strides, counts, strict=False))  # of rows and columns
    if all(
        before == 0 and pixels >= kernel and count == (pixels - kernel) // stride + 1
        for pixels, (before, _), kernel, stride, count in axes
    ):
        return "valid"
    if all(
        before == same_padding(pixels, kernel, stride)[0] and count == -(-pixels // stride)
        for pixels, (before, _), kernel, stride, count in axes
    ):
        return "same"
    return None


def _pad_input(
    state: State, node: Node, value: FileTensor, size: tuple[int, int], strides: tuple[int, int]
) -> tuple[Step, Padding]:
    """Choose the step that a convolution reads, and its padding."""
    step = value.step
    pads = _read_pads(node, step.shape, size, strides)
    if step.kind == "ZeroPadding2D" and value.users == 1:
        # Both paddings together may be `same`; if not, one ZeroPadding2D replaces the two.
        assert step.source is not None
        layer: Any = step.layer
        pads = _add_pads(layer.padding, pads)
        step = step.source
    counts = _count_windows(step.shape, pads, size, strides)
    padding = _choose_padding(step.shape, pads, size, strides, counts)
    if padding is not None:
        return step, padding
    # The new padding has the name of the one that it replaces.
    name = getattr(value.step.layer, "name", "") if value.step is not step else ""
    return _pad_with_zeros(state, step, pads, name), "valid"


def _add_pads(outer: Frame, inner: Frame) -> Frame:
    rows, columns = ((a + c, b + d) for (a, b), (c, d) in zip(outer, inner, strict=True))
    return rows, columns


def _pad_with_zeros(state: State, step: Step, pads: Frame, name: str = "") -> Step:
    if any(not 0 <= width <= _MAX_PAD for pair in pads for width in pair):
        raise NotTranslated(f"has pads {pads}; numbers from 0 to {_MAX_PAD} are needed")
    layer = new_layer("ZeroPadding2D", f"padded by {pads}, which is not `same`", padding=pads)
    return state.work.step(step, replace(layer, name=name) if name else layer)


def _is_never_negative(step: Step) -> bool:
    """True if no output of a step is below zero; for a pooling, the step before it decides."""
    while step.kind in ("MaxPooling2D", "AveragePooling2D") and step.source is not None:
        step = step.source
    return step.activation in ("relu", "sigmoid")
