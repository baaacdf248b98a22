"""Where touching characters may be cut apart: paths from the top to the bottom of a blob that cross little ink.

A path goes down a pixel and at most a pixel to a side with each step, so that it follows the gap between slanted
characters, and takes the way with the least ink on it. There are more paths than are needed on purpose: which of them
divide characters is decided where the parts are read.

Source: the paths are the seams of Avidan and Shamir 2007 with ink as the energy; over-segmentation before recognition
is section V of LeCun, Bottou, Bengio and Haffner 1998, and by paths rather than columns Congedo, Dimauro, Impedovo and
Pirlo 1995 ("drop falling").
"""

from itertools import product

import numpy as np
from numpy.typing import NDArray

Side = tuple[float, int, NDArray[np.bool_]]

MOST_CUTS = 14
"""Cuts of one blob at most; of more, those through the least ink."""

_ROWS = 48  # of a blob in which paths are looked for
_SIDEWAYS = 0.06, 0.6  # ink that a step to a side counts as: for paths that wind, and for straight ones
_HOLE = 0.5  # ink that a pixel of enclosed paper counts as: a path through it cuts a loop, as of a 0, and not two apart
_MOST_INK = 3.0  # strokes that a path may cross: two, and a little for slanted ones
_LEAST_PART = 0.035  # of the square of the usual height: the least ink on either side
_NARROWEST = 0.45  # of the usual height: a narrower blob is one character
_APART = 0.016  # of the square of the usual height: ink that lies between two paths at least
_CROSSED = 0.005  # of the same: ink that two paths may disagree about


def cut_places(mask: NDArray[np.bool_], height: float, stroke: float) -> tuple[NDArray[np.int16], tuple[float, ...]]:
    """Return the parts of a blob and what each cut crosses.

    Args:
        mask: (h, w), the blob's ink.
        height: the usual height of a character in pixels.
        stroke: the width of the pen's stroke in pixels.

    Returns:
        (h, w) int16, 0 without ink and else the part's number from 1, left to right; and for each cut between two parts
        the ink on it in stroke widths.
    """
    whole = mask.astype(np.int16)
    if mask.shape[1] < _NARROWEST * height:
        return whole, ()
    columns, most = np.arange(mask.shape[1]), height**2
    total = int(np.count_nonzero(mask))
    sides = list[Side]()  # (ink crossed, ink on the left, where that is)
    for crossed, path in _paths(mask, height, stroke):
        left = mask & (columns < path[:, None])
        amount = int(np.count_nonzero(left))
        if min(amount, total - amount) >= _LEAST_PART * most:
            sides.append((crossed, amount, left))
    sides.sort(key=_ink_of)
    chosen = list[Side]()
    for side in sides:  # the least ink first, so that no worse path stands in the way of a better one
        if len(chosen) == MOST_CUTS:
            break
        if all(_stand_apart(side, other, _APART * most, _CROSSED * most) for other in chosen):
            chosen.append(side)
    chosen.sort(key=_left_of)
    parts, gone = whole.copy(), np.zeros_like(mask)
    for number, (_, _, left) in enumerate(chosen, 2):
        gone |= left
        parts[mask & ~gone] = number
    return parts, tuple(round(crossed / stroke, 3) for crossed, _, _ in chosen)


def _ink_of(side: Side) -> tuple[float, int]:
    return side[0], side[1]


def _left_of(side: Side) -> int:
    return side[1]


def _stand_apart(one: Side, other: Side, apart: float, crossed: float) -> bool:
    """Whether enough ink lies between two paths, and hardly any where they change sides."""
    if abs(one[1] - other[1]) < apart:
        return False
    smaller, larger = (one, other) if one[1] < other[1] else (other, one)
    return int(np.count_nonzero(smaller[2] & ~larger[2])) <= crossed


def _paths(mask: NDArray[np.bool_], height: float, stroke: float) -> list[tuple[float, NDArray[np.int64]]]:
    """Return the best path from each column at the top and to each at the bottom: ink in pixels, columns (h,)."""
    from scipy import ndimage

    step = max(1, round(min(height, len(mask)) / _ROWS))
    holes = ndimage.binary_fill_holes(mask) & ~mask
    energy = mask + _HOLE * holes
    padded = np.pad(energy, ((0, -len(mask) % step), (0, -mask.shape[1] % step)))
    coarse = padded.reshape(len(padded) // step, step, padded.shape[1] // step, step).mean(axis=(1, 3))
    coarse = np.pad(coarse, ((0, 0), (1, 1)))
    found = []
    for flipped, sideways in product((False, True), _SIDEWAYS):
        energy = coarse[::-1] if flipped else coarse
        rows, width = energy.shape
        best, choice = energy[0].copy(), np.zeros((rows, width), np.int64)
        for row in range(1, rows):  # best[c]: the least cost of a path from the first row that has come to column c
            ways = np.stack([_shifted(best, 1) + sideways, best, _shifted(best, -1) + sideways])
            choice[row] = ways.argmin(axis=0)
            best = ways.min(axis=0) + energy[row]
        for end in range(1, width - 1):
            path = np.empty(rows, np.int64)
            path[-1] = end
            for row in range(rows - 1, 0, -1):
                path[row - 1] = path[row] + choice[row, path[row]] - 1
            ink = float(energy[np.arange(rows), path].sum()) * step
            if ink <= _MOST_INK * stroke:
                columns = np.repeat((path[::-1] if flipped else path) - 1, step)[: len(mask)] * step + step // 2
                found.append((ink, columns))
    return found


def _shifted(values: NDArray[np.float64], by: int) -> NDArray[np.float64]:
    shifted = np.full_like(values, np.inf)
    if by > 0:
        shifted[by:] = values[:-by]
    else:
        shifted[:by] = values[-by:]
    return shifted
