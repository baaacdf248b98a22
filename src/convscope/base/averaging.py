"""Pictures made smaller by exact area averaging, some rows at a time, so that a large picture needs little memory.

The sums are computed by native/handwriting, which the page uses too.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from convscope.base import _handwriting

_BAND_VALUES = 4 << 20  # uint8 numbers of the source that are in memory at once: 4 MiB

fit = _handwriting.fit
"""`fit(height, width, max_height, max_width)` computes the largest size of the same aspect within the given one."""


def average(picture: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Resize (h, w, C) by exact area averaging: a pixel is the mean of the area that it covers."""
    if picture.shape[:2] == (height, width):
        return picture
    return average_rows(lambda start, stop: picture[start:stop], picture.shape[:2], height, width)


def average_rows(
    rows: Callable[[int, int], NDArray[np.uint8]], size: tuple[int, int], height: int, width: int
) -> NDArray[np.uint8]:
    """Resize a picture of `size` (h, w) to (height, width, C), reading its rows as they are needed.

    Args:
        rows: gives rows `start` to `stop` - 1, (stop - start, w, C).
    """
    down, across = size
    channels = rows(0, 1).shape[2]
    averaged = np.empty((height, width, channels), np.uint8)
    step = max(1, _BAND_VALUES * height // (down * across * channels))
    for first in range(0, height, step):
        last = min(first + step, height)
        # A new row covers down / height old ones, so rows `first` to `last` read the old rows from
        # floor(first · down / height) to ceil(last · down / height) - 1. If 5 rows become 2, each covers 2.5: the first
        # reads rows 0 to 2, the second rows 2 to 4.
        start, stop = first * down // height, (last * down - 1) // height + 1
        averaged[first:last] = _handwriting.average_rows(rows(start, stop), start, down, height, width, first, last)
    return averaged
