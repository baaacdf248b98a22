"""Writing fitted into an image: set upright, cropped, scaled, stretched to full contrast, its mass in the middle."""

import numpy as np
from numpy.typing import NDArray

from convscope.base.averaging import average, fitted, rounded
from convscope.data.handwriting.pictures import Ink, Picture, box, by_channel, ground, strength

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


def crop(pixels: Picture, ink: Ink, threshold: float) -> Picture:
    """Return the box of all ink above this share of the strongest; there must be some."""
    top, bottom, left, right = box(strength(pixels, ink), threshold)
    return pixels[top:bottom, left:right]


def scale(pixels: Picture, height: int, width: int, target: int | None) -> Picture:
    """Return the picture with its longer side of `target` pixels, or as large as the image holds it, aspect kept."""
    size = fitted(pixels.shape[0], pixels.shape[1], height, width)
    if target is not None:
        smaller = fitted(pixels.shape[0], pixels.shape[1], target, target)
        size = smaller if smaller[0] <= height and smaller[1] <= width else size
    return average(pixels, *size)


def stretch(pixels: Picture, ink: Ink) -> Picture:
    """Return the picture with its strongest ink at full strength; of each channel the same share."""
    strengths = by_channel(pixels, ink)
    largest = int(strengths.max())
    if largest == 0:
        return pixels
    full = rounded(strengths * 255 / largest)
    return full if ink == "light" else 255 - full


def place(
    pixels: Picture, corner: tuple[int, int], height: int, width: int, around: list[int], ink: Ink
) -> tuple[Picture, float]:
    """Return the pixels from `corner` on, on an image of the ground `around`, and which share of the ink is outside."""
    image = np.empty((height, width, pixels.shape[2]), np.uint8)
    image[:] = around
    (top, left), (rows, columns) = corner, pixels.shape[:2]
    above, below = max(0, -top), min(rows, height - top)
    before, behind = max(0, -left), min(columns, width - left)
    inside = pixels[above:below, before:behind]
    image[top + above : top + below, left + before : left + behind] = inside
    total = int(strength(pixels, ink, "sum").sum())
    lost = total - int(strength(inside, ink, "sum").sum())
    return image, lost / total if total else 0.0
