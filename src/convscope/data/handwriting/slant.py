"""Slanted writing set upright."""

import numpy as np
from numpy.typing import NDArray

from convscope.data.handwriting.pictures import Ink, Picture, ground, strength

_PARTS = 256  # a row is moved by whole 256ths of a pixel


def deslant(pixels: Picture, ink: Ink) -> Picture:
    """Return a picture (h, w + 2r, C) uint8, sheared by its rows until the ink no longer leans; r columns make room.

    Row i moves right by -(i - y)·s pixels, where s is the covariance of column and row over the variance of the row, of
    ink about its centre of mass in row y, and 45° at most. Between two pixels a value is mixed by their distance.

    Source: LeCun and others 1998, section III.A, who set the principal axis upright; here it is the line of regression,
    which needs no root and hardly differs. Slant is not told from form: a 7 leans by itself.
    """
    slope, middle = _slope(strength(pixels, ink, "sum"))
    shifts = [int(np.floor(-slope * (i - middle) * _PARTS + 0.5)) for i in range(len(pixels))]
    room = -(-max(abs(shift) for shift in shifts) // _PARTS)
    if room == 0:
        return pixels
    height, width, channels = pixels.shape
    wide = np.empty((height, width + 4 * room + 1, channels), np.int64)
    wide[:] = ground(pixels)
    wide[:, 2 * room + 1 : 2 * room + 1 + width] = pixels
    upright = np.empty((height, width + 2 * room, channels), np.uint8)
    for i, shift in enumerate(shifts):
        whole, share = shift // _PARTS, shift % _PARTS
        start = room + 1 - whole
        here, before = (wide[i, at : at + width + 2 * room] for at in (start, start - 1))
        upright[i] = ((_PARTS - share) * here + share * before + _PARTS // 2) // _PARTS
    return upright


def _slope(mass: NDArray[np.int64]) -> tuple[float, float]:
    """Return how many columns the ink leans right a row downwards, -1 to 1, and the row of its centre of mass."""
    rows, columns = np.arange(mass.shape[0]), np.arange(mass.shape[1])
    by_row, moments = mass.sum(axis=1), (mass * columns).sum(axis=1)
    total = int(by_row.sum())
    if total == 0:
        return 0.0, 0.0
    row, column = int((by_row * rows).sum()) / total, int(moments.sum()) / total
    variance = int((by_row * rows * rows).sum()) / total - row * row
    covariance = int((moments * rows).sum()) / total - column * row
    return (min(1.0, max(-1.0, covariance / variance)) if variance > 0 else 0.0), row
