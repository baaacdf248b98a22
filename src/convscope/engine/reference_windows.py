"""Windows that move over maps, as the convolutions and poolings of the reference read them: padding and positions.

The letters are those of `reference_layers`: s t row and column strides, d e row and column dilation, u v row and column
within a window.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from convscope.architecture.layers import Window

Array = NDArray[np.float64]


def with_padding(x: Array, window: Window, value: float = 0) -> Array:
    """Return x (N, H, W, C) with the padding that `window` asks for around its maps, filled with `value`."""
    rows, columns = window.frame(x.shape[1:])
    return np.pad(x, ((0, 0), rows, columns, (0, 0)), constant_values=value)


def without_padding(padded: Array, x: Array, window: Window) -> Array:
    """Return the part of `padded` in which x (N, H, W, C) stood."""
    (top, _), (left, _) = window.frame(x.shape[1:])
    return padded[:, top : top + x.shape[1], left : left + x.shape[2]]


def all_windows(x: Array, window: Window) -> Array:
    """Return every window of x (N, H, W, C) as a view, (N, H', W', C, U, V)."""
    s, t = window.strides
    d, e = window.dilation
    return sliding_window_view(x, window.reach, axis=(1, 2))[:, ::s, ::t, :, ::d, ::e]


def positions(window: Window, windows: Sequence[int]) -> Iterator[tuple[int, int, tuple[slice, slice, slice]]]:
    """Yield each position (u, v) of a window with the pixels that lie there, over all windows (rows, columns)."""
    (s, t), (d, e) = window.strides, window.dilation
    rows, columns = windows
    for u in range(window.size[0]):
        for v in range(window.size[1]):
            top, left = u * d, v * e
            pixels = (
                slice(None),
                slice(top, top + s * (rows - 1) + 1, s),
                slice(left, left + t * (columns - 1) + 1, t),
            )
            yield u, v, pixels
