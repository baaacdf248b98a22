"""Pictures made smaller by exact area averaging, some rows at a time, so that a large picture needs little memory.

All sums are of whole numbers, and every value is rounded as floor(x + 0.5), so that the page does the same pixel for
pixel (web/src/handwriting/).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BAND_VALUES = 4 << 20  # of the source that are summed together


def average(picture: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Resize (h, w, C) by exact area averaging: a pixel is the mean of what lies under it, parts by their share."""
    if picture.shape[:2] == (height, width):
        return picture
    return average_rows(lambda start, stop: picture[start:stop], picture.shape[:2], height, width)


def average_rows(
    rows: Callable[[int, int], NDArray[np.uint8]], size: tuple[int, int], height: int, width: int
) -> NDArray[np.uint8]:
    """Return the average (height, width, C) of a picture of `size` (h, w) whose rows are asked for as they are needed.

    Args:
        rows: gives rows `start` to `stop` - 1, (stop - start, w, C).
    """
    down, across = size
    channels = rows(0, 1).shape[2]
    found = np.empty((height, width, channels), np.uint8)
    step = max(1, _BAND_VALUES * height // (down * across * channels))
    for first in range(0, height, step):
        last = min(first + step, height)
        start, stop = first * down // height, (last * down - 1) // height + 1
        sums = _window_sums(rows(start, stop), start, down, height, (first, last))
        sums = _window_sums(sums.swapaxes(0, 1), 0, across, width, (0, width)).swapaxes(0, 1)
        found[first:last] = rounded(sums / (down * across))
    return found


def _window_sums(
    values: NDArray[Any], offset: int, length: int, size: int, wanted: tuple[int, int]
) -> NDArray[np.int64]:
    """Return those sums that are wanted of `size` over equal stretches of the first axis, which has `length` entries.

    Args:
        values: the entries from `offset` on. A sum is in units in which a value is `size` wide.
    """
    sums = np.empty((wanted[1] - wanted[0], *values.shape[1:]), np.int64)
    for i in range(*wanted):
        start, stop = i * length, (i + 1) * length
        first, last = start // size, (stop - 1) // size
        before, behind = values[first - offset].astype(np.int64), values[last - offset].astype(np.int64)
        if first == last:
            sums[i - wanted[0]] = before * length
            continue
        sums[i - wanted[0]] = values[first + 1 - offset : last - offset].sum(axis=0, dtype=np.int64) * size
        sums[i - wanted[0]] += before * ((first + 1) * size - start)
        sums[i - wanted[0]] += behind * (stop - last * size)
    return sums


def rounded(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return values from 0 to 255 as bytes, halves rounded up."""
    return np.floor(values + 0.5).astype(np.uint8)


def fitted(height: int, width: int, most_height: int, most_width: int) -> tuple[int, int]:
    """Return the largest size of the same aspect within the given one."""
    if height * most_width >= width * most_height:
        return most_height, max(1, int(np.floor(width * most_height / height + 0.5)))
    return max(1, int(np.floor(height * most_width / width + 0.5))), most_width
