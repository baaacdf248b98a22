"""Where touching characters may be cut apart: paths from the top to the bottom of a blob that cross little ink.

A path goes down a pixel and at most a pixel to a side with each step, so that it follows the gap between slanted
characters, and takes the way with the least ink on it. There are more paths than are needed on purpose: which of them
divide characters is decided where the parts are read.

Source: the paths are the seams of Avidan and Shamir 2007 with ink as the energy; over-segmentation before recognition
is section V of LeCun, Bottou, Bengio and Haffner 1998, and by paths rather than columns Congedo, Dimauro, Impedovo and
Pirlo 1995 ("drop falling").
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from convscope.base.deadline import check_deadline

Side = tuple[float, int, NDArray[np.int32], NDArray[np.int64]]
"""A path: the ink it crosses, how much ink is left of it, in which row how much, and its columns (h,)."""

MAX_CUTS = 14
"""Cuts of one blob at most; of more, those through the least ink."""

_ROWS = 48  # of a blob in which paths are looked for
_SIDEWAYS = 0.06, 0.6  # ink that a step to a side counts as: for paths that wind, and for straight ones
_HOLE = 0.5  # ink that a pixel of enclosed paper counts as: a path through it cuts a loop, as of a 0, and not two apart
_MAX_INK = 3.0  # strokes that a path may cross: two, and a little for slanted ones
_LEAST_PART = 0.035  # of the square of the usual height: the least ink on either side
_NARROWEST = 0.45  # of the usual height: a narrower blob is one character
_APART = 0.016  # of the square of the usual height: ink that lies between two paths at least
_CROSSED = 0.005  # of the same: ink that two paths may disagree about


def cut_places(mask: NDArray[np.bool_], height: float, stroke: float) -> tuple[NDArray[np.uint8], tuple[float, ...]]:
    """Return the parts of a blob and what each cut crosses.

    Args:
        mask: (h, w), the blob's ink.
        height: the usual height of a character in pixels.
        stroke: the width of the pen's stroke in pixels.

    Returns:
        (h, w) uint8, 0 without ink and else the part's number from 1, left to right; and for each cut between two parts
        the ink on it in stroke widths.
    """
    whole = mask.astype(np.uint8)
    if mask.shape[1] < _NARROWEST * height:
        return whole, ()
    max_area = height**2
    before = np.pad(np.cumsum(mask, axis=1, dtype=np.int32), ((0, 0), (1, 0)))  # ink to the left of each column
    total = int(before[:, -1].sum())
    rows = np.arange(len(mask))
    sides = list[Side]()
    for crossed, path in _paths(mask, height, stroke):
        left = before[rows, np.clip(path, 0, mask.shape[1])]
        amount = int(left.sum())
        if min(amount, total - amount) >= _LEAST_PART * max_area:
            sides.append((crossed, amount, left, path))
    sides.sort(key=_ink_of)
    chosen = list[Side]()
    for side in sides:  # the least ink first, so that no worse path stands in the way of a better one
        if len(chosen) == MAX_CUTS:
            break
        if all(_stand_apart(side, chosen_side, _APART * max_area, _CROSSED * max_area) for chosen_side in chosen):
            chosen.append(side)
    chosen.sort(key=_left_of)
    furthest, columns = np.zeros(len(mask), np.int64), np.arange(mask.shape[1])
    parts = whole.copy()
    for number, (_, _, _, path) in enumerate(chosen, 2):
        furthest = np.maximum(furthest, path)
        parts[mask & (columns >= furthest[:, None])] = number
    return parts, tuple(round(crossed / stroke, 3) for crossed, _, _, _ in chosen)


def _ink_of(side: Side) -> tuple[float, int]:
    return side[0], side[1]


def _left_of(side: Side) -> int:
    return side[1]


def _stand_apart(first: Side, second: Side, apart: float, crossed: float) -> bool:
    """Whether enough ink lies between two paths, and hardly any where they change sides."""
    if abs(first[1] - second[1]) < apart:
        return False
    smaller, larger = (first, second) if first[1] < second[1] else (second, first)
    return int(np.maximum(smaller[2] - larger[2], 0).sum()) <= crossed


def _paths(mask: NDArray[np.bool_], height: float, stroke: float) -> Iterator[tuple[float, NDArray[np.int64]]]:
    """Yield the best path from each column at the top and to each at the bottom: ink in pixels, columns (h,)."""
    from scipy import ndimage

    step = max(1, round(min(height, len(mask)) / _ROWS))
    holes = ndimage.binary_fill_holes(mask) & ~mask
    coarse = _coarse(mask, holes, step)
    rows, width = coarse.shape
    energy = np.stack([coarse, coarse, coarse[::-1], coarse[::-1]])
    sideways = np.array(_SIDEWAYS * 2)[:, None]
    best, choice = energy[:, 0].copy(), np.zeros((4, rows, width), np.int8)
    for row in range(1, rows):  # best[c]: the least cost of a path from the first row that has come to column c
        ways = np.stack([_shift(best, 1) + sideways, best, _shift(best, -1) + sideways])
        choice[:, row] = ways.argmin(axis=0)
        best = ways.min(axis=0) + energy[:, row]
    for number in range(4):
        check_deadline()
        paths = np.empty((width - 2, rows), np.int16)  # one to each end
        paths[:, -1] = np.arange(1, width - 1)
        for row in range(rows - 1, 0, -1):
            paths[:, row - 1] = paths[:, row] + choice[number, row, paths[:, row]] - 1
        inks = energy[number][np.arange(rows), paths].sum(axis=1) * step
        for column in np.flatnonzero(inks <= _MAX_INK * stroke):
            path = paths[column] if number < 2 else paths[column, ::-1]
            columns = np.repeat(path.astype(np.int64) - 1, step)[: len(mask)]
            yield float(inks[column]), columns * step + step // 2


def _coarse(mask: NDArray[np.bool_], holes: NDArray[np.bool_], step: int) -> NDArray[np.float64]:
    """Compute the cost of a path in each square of `step` pixels, with a free column on either side."""
    padded = np.pad(mask + _HOLE * holes, ((0, -len(mask) % step), (0, -mask.shape[1] % step)))
    coarse = padded.reshape(len(padded) // step, step, padded.shape[1] // step, step).mean(axis=(1, 3))
    return np.pad(coarse, ((0, 0), (1, 1)))


def _shift(values: NDArray[np.float64], by: int) -> NDArray[np.float64]:
    """Return rows of values (n, w) moved by so many columns, with infinity where nothing comes from."""
    shifted = np.full_like(values, np.inf)
    if by > 0:
        shifted[:, by:] = values[:, :-by]
    else:
        shifted[:, :by] = values[:, -by:]
    return shifted
