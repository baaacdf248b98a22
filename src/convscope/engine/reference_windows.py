"""Windows that move over maps, for the convolutions and poolings of the reference: padding and positions.

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
    """Surround the maps of x (N, H, W, C) with the padding of `window`, filled with `value`."""
    rows, columns = window.frame(x.shape[1:])
    return np.pad(x, ((0, 0), rows, columns, (0, 0)), constant_values=value)


def without_padding(padded: Array, x: Array, window: Window) -> Array:
    """Cut the part of x (N, H, W, C) out of `padded`, an array in the shape of `with_padding(x, window)`."""
    (top, _), (left, _) = window.frame(x.shape[1:])
    return padded[:, top : top + x.shape[1], left : left + x.shape[2]]


def all_windows(x: Array, window: Window) -> Array:
    """View every window of x (N, H, W, C): (N, H', W', C, U, V), without a copy."""
    s, t = window.strides
    d, e = window.dilation
    # All windows of the full reach, of which strides leave out some, and dilation some pixels of each.
    return sliding_window_view(x, window.reach, axis=(1, 2))[:, ::s, ::t, :, ::d, ::e]


def positions(window: Window, windows: Sequence[int]) -> Iterator[tuple[int, int, tuple[slice, slice, slice]]]:
    """Yield each position (u, v) of a window with the pixels that lie there, over all windows (rows, columns)."""
    (s, t), (d, e) = window.strides, window.dilation
    rows, columns = windows
    for u in range(window.size[0]):
        for v in range(window.size[1]):
            top, left = u * d, v * e
            # Rows u·d, u·d + s, u·d + 2s, ...: one for each window. With s = 2 and d = 1, three windows have their row
            # u = 1 at the rows 1, 3 and 5.
            pixels = (
                slice(None),
                slice(top, top + s * (rows - 1) + 1, s),
                slice(left, left + t * (columns - 1) + 1, t),
            )
            yield u, v, pixels
