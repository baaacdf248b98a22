"""The ground and the light on it: which of ground and ink is the lighter, and the ground made even under shadows.

Source: the ground is a morphological closing (Serra 1982), which follows the straight edge of a shadow
however hard it is and fills what is narrower than its window, as lines of ink are.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.averaging import rounded
from convscope.data.handwriting.pictures import Ink, Picture, border, median

_EVEN = (9, 10)  # the border is of one level if so many of its pixels are within a quarter of the picture's range
_AROUND = 4  # what a pixel is compared with reaches a quarter of the shorter side to either side
_GROUND = 3  # the window of the closing reaches a third of the shorter side to either side
_SMOOTH = 100  # noise is taken out of the ground by means over a hundredth of the shorter side to either side
_BAND = 256  # rows whose wide numbers are held at once
_DIMMEST = 64  # of 255: on a ground that is darker, what is missing is not enlarged further


def has_light_ground(pixels: Picture) -> bool:
    """Return whether the ground of a picture (h, w, C) uint8 is lighter than its ink.

    Where the border is of one level, it is ground, and light if it lies nearer to the lightest value than to the
    darkest. Where it is not, as under a shadow, the few pixels that depart far from the mean around them are ink: it is
    dark if the sum of the third powers of these departures is below 0. An even picture is light from 128 on.
    """
    around, darkest, lightest = border(pixels).astype(np.int64), int(pixels.min()), int(pixels.max())
    ground = median(around)
    near = int((4 * np.abs(around - ground) <= lightest - darkest).sum())
    if _EVEN[1] * near < _EVEN[0] * around.size:
        reach = min(pixels.shape[:2]) // _AROUND
        cubes = sum(_cubes(pixels[..., c], means(pixels[..., c], reach)) for c in range(pixels.shape[2]))
        if cubes:
            return cubes < 0
    return 2 * ground > darkest + lightest or (2 * ground == darkest + lightest and ground >= 128)


def turn(pixels: Picture, light_ground: bool, ink: Ink) -> Picture:
    """Return the picture with the data set's polarity: inverted where light ground would be light ink, or dark dark."""
    return 255 - pixels if light_ground == (ink == "light") else pixels


def even_light(pixels: Picture, ink: Ink) -> Picture:
    """Return a picture (h, w, C) uint8 whose ground is 0 (or 255 for dark ink) wherever the light is uneven.

    The ground g is the closing of the lightness: in each window the most, and of these in each window the least. Ink is
    the share of it that is missing, 255 · (g - lightness) / g: the same pen gives the same in sun and in shade. Each
    channel has a ground of its own, so coloured light is removed too.

    A shadow narrower than two thirds of the picture's shorter side, or with a tip, is treated as ink.
    """
    from scipy.ndimage import maximum_filter, minimum_filter

    height, width, channels = pixels.shape
    reach = max(1, min(height, width) // _GROUND)
    size = 2 * reach + 1
    lightness = 255 - pixels if ink == "light" else pixels
    taken = np.empty_like(lightness)
    for c in range(channels):
        smooth = means(lightness[..., c], min(height, width) // _SMOOTH)
        wide = np.pad(smooth, reach, mode="edge")  # where the edge of a shadow leaves the picture, it goes on
        closed = minimum_filter(maximum_filter(wide, size, mode="nearest"), size, mode="nearest")
        ground = closed[reach : reach + height, reach : reach + width]
        for start in range(0, height, _BAND):
            some = slice(start, start + _BAND)
            missing = np.maximum(ground[some].astype(np.int64) - lightness[some, :, c], 0)
            taken[some, :, c] = rounded(missing * 255 / np.maximum(ground[some], _DIMMEST))
    return taken if ink == "light" else 255 - taken


def _cubes(values: NDArray[np.uint8], around: NDArray[np.uint8]) -> int:
    """Return the sum of the third powers of the differences."""
    bands = (slice(start, start + _BAND) for start in range(0, len(values), _BAND))
    return sum(int(((values[some].astype(np.int64) - around[some]) ** 3).sum()) for some in bands)


def means(values: NDArray[np.uint8], reach: int) -> NDArray[np.uint8]:
    """Return the mean, rounded, over windows (h, w) that reach so far to either side; the edge goes on beyond it."""
    if reach == 0:
        return values
    size = 2 * reach + 1
    # Running sums may go round: what counts is that twice a window's sum and one more number fit.
    dtype: Any = np.uint32 if (2 * 255 + 1) * size * size < 1 << 32 else np.uint64
    sums: NDArray[Any] = np.pad(values, reach, mode="edge").astype(dtype)
    for _ in range(2):
        running: NDArray[Any] = np.cumsum(np.pad(sums, ((1, 0), (0, 0))), axis=0, dtype=dtype)
        sums = (running[size:] - running[:-size]).T
    found: NDArray[np.uint8] = ((2 * sums + dtype(size * size)) // dtype(2 * size * size)).astype(np.uint8)
    return found
