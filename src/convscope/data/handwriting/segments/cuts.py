"""Cut touching characters along paths from the top to the bottom of a blob that cross little ink.

With each step a path goes down a pixel, and at most a pixel to a side, along the way with the least ink. So it follows
the gap between slanted characters. More paths are found than there are gaps: the reader of the parts decides which of
them divide characters.

Two steps: `_find_paths` searches paths on a coarse copy of the blob, and `find_cuts` chooses among them, so that each
part has enough ink. On either side of the blob is a free column, in which a path goes down without ink:

    column   0 1 2 3 4 5 6
    row 0    . # # . # # .    The path down column 3 crosses a single pixel of ink, where two characters touch. The
    row 1    . # . . . # .    path down column 0 crosses none, but all ink is to its right: it divides nothing.
    row 2    . # # # # # .

Source: the paths are the seams of Avidan and Shamir 2007 with ink as the energy; over-segmentation before recognition
is described in section V of LeCun, Bottou, Bengio and Haffner 1998; Congedo, Dimauro, Impedovo and Pirlo 1995 ("drop
falling") cut along paths instead of columns.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from convscope.base.deadline import check_deadline

MAX_CUTS = 14
"""Limit for the cuts of a blob; if there are more, those through the least ink are kept."""

_ROWS = 48  # the usual height of a character is reduced to so many rows before paths are searched
# What a step to a side costs, in squares full of ink: little for winding paths, much for straight ones.
_SIDEWAYS = 0.06, 0.6
_HOLE = 0.5  # ink that a pixel of enclosed paper costs: a path through it cuts a loop, as of a 0
_MAX_INK = 3.0  # stroke widths that a path may cross: two strokes, and a little for slanted ones
_MIN_WIDTH = 0.45  # share of the usual height: a narrower blob is a single character
# Amounts of ink, as shares of a square whose side is the usual height: on either side of a path, between two paths, and
# on the wrong side of a path where it crosses another one.
_MIN_PART, _MIN_BETWEEN, _MAX_CROSSED = 0.035, 0.016, 0.005


class _Path(NamedTuple):
    """A path through a blob.

    Attributes:
        ink: pixels of ink that it crosses.
        left_ink: pixels of ink to its left.
        left_by_row: (h,), the same for each row.
        columns: (h,), its column in each row.
    """

    ink: float
    left_ink: int
    left_by_row: NDArray[np.int32]
    columns: NDArray[np.int64]


def find_cuts(mask: NDArray[np.bool_], height: float, stroke: float) -> tuple[NDArray[np.uint8], tuple[float, ...]]:
    """Cut a blob into parts along the paths with the least ink.

    Args:
        mask: (h, w), the blob's ink.
        height: the usual height of a character in pixels.
        stroke: the width of the pen's stroke in pixels.

    Returns:
        (h, w) uint8, 0 without ink and else the part's number from 1, left to right; and for each cut between two parts
        the ink on it in stroke widths.
    """
    if mask.shape[1] < _MIN_WIDTH * height:
        return mask.astype(np.uint8), ()
    area = height**2
    ink_before = np.pad(np.cumsum(mask, axis=1, dtype=np.int32), ((0, 0), (1, 0)))  # (h, w + 1), left of each column
    total = int(ink_before[:, -1].sum())
    rows = np.arange(len(mask))
    # Paths with enough ink on either side; those with enough ink between them are chosen.
    paths = list[_Path]()
    for ink, columns in _find_paths(mask, height, stroke):
        left_by_row = ink_before[rows, np.clip(columns, 0, mask.shape[1])]
        left_ink = int(left_by_row.sum())
        if min(left_ink, total - left_ink) >= _MIN_PART * area:
            paths.append(_Path(ink, left_ink, left_by_row, columns))
    chosen = _choose_paths(paths, area)
    return _number_parts(mask, chosen), tuple(round(path.ink / stroke, 3) for path in chosen)


def _choose_paths(paths: list[_Path], area: float) -> list[_Path]:
    """Choose paths with enough ink between each two of them, and return them from left to right."""
    chosen = list[_Path]()
    # The least ink first, so that no worse path keeps out a better one.
    for path in sorted(paths, key=lambda path: (path.ink, path.left_ink)):
        if len(chosen) < MAX_CUTS and all(_are_apart(path, chosen_path, area) for chosen_path in chosen):
            chosen.append(path)
    return sorted(chosen, key=lambda path: path.left_ink)


def _are_apart(first: _Path, second: _Path, area: float) -> bool:
    """True if enough ink is between two paths, and hardly any in the rows where they have changed sides.

    With 5 9 7 pixels of ink to the left of one path, row by row, and 8 8 9 to the left of the other (21 and 25), the
    second path is on the right. Between them are 4 pixels, and 1 is on the wrong side, in the second row.
    """
    if abs(first.left_ink - second.left_ink) < _MIN_BETWEEN * area:
        return False
    left, right = (first, second) if first.left_ink < second.left_ink else (second, first)
    return int(np.maximum(left.left_by_row - right.left_by_row, 0).sum()) <= _MAX_CROSSED * area


def _number_parts(mask: NDArray[np.bool_], paths: list[_Path]) -> NDArray[np.uint8]:
    """Number the parts of a blob from 1, which is left of all `paths`; each path begins the next part."""
    parts, columns = mask.astype(np.uint8), np.arange(mask.shape[1])
    furthest = np.zeros(len(mask), np.int64)
    for number, path in enumerate(paths, 2):
        # The rightmost of the paths so far, row by row: two paths may cross a little, but parts must not overlap.
        furthest = np.maximum(furthest, path.columns)
        parts[mask & (columns >= furthest[:, None])] = number  # later paths overwrite what is to their right
    return parts


def _find_paths(mask: NDArray[np.bool_], height: float, stroke: float) -> Iterator[tuple[float, NDArray[np.int64]]]:
    """Yield the best path from each column at the top and to each at the bottom: ink in pixels, columns (h,).

    Paths are searched among squares of `step` pixels, not among pixels, by four searches at once:

        0   winding paths,  downwards: the best to each square at the bottom
        1   straight paths, downwards
        2   winding paths,  upwards: the best to each square at the top
        3   straight paths, upwards
    """
    from scipy import ndimage

    step = max(1, round(min(height, len(mask)) / _ROWS))
    holes = ndimage.binary_fill_holes(mask) & ~mask
    coarse = _reduce(mask, holes, step)
    energy = np.stack([coarse, coarse, coarse[::-1], coarse[::-1]])
    choice = _choose_steps(energy, np.array(_SIDEWAYS * 2)[:, None])
    for search in range(4):
        check_deadline()
        paths = _trace_paths(choice[search])
        # The mean ink of each square times its height: pixels of ink on the path.
        inks = energy[search][np.arange(len(coarse)), paths].sum(axis=1) * step
        for column in np.flatnonzero(inks <= _MAX_INK * stroke):
            path = paths[column] if search < 2 else paths[column, ::-1]  # searches 2 and 3 went upwards
            # From squares back to pixels: without the free column on the left (- 1), `step` rows for each square, and
            # in the middle of its columns.
            columns = np.repeat(path.astype(np.int64) - 1, step)[: len(mask)]
            yield float(inks[column]), columns * step + step // 2


def _reduce(mask: NDArray[np.bool_], holes: NDArray[np.bool_], step: int) -> NDArray[np.float64]:
    """Compute the cost of a path in each square of `step` pixels, with a free column on either side."""
    padded = np.pad(mask + _HOLE * holes, ((0, -len(mask) % step), (0, -mask.shape[1] % step)))
    coarse = padded.reshape(len(padded) // step, step, padded.shape[1] // step, step).mean(axis=(1, 3))
    return np.pad(coarse, ((0, 0), (1, 1)))


def _choose_steps(energy: NDArray[np.float64], sideways: NDArray[np.float64]) -> NDArray[np.int8]:
    """Find for each square from which column of the row before the cheapest path comes: 0, 1, 2 for c - 1, c, c + 1.

    best[c] is the least cost of a path from the first row to column c of a row:

        best[c] = energy[row, c] + min(best[c - 1] + sideways, best[c], best[c + 1] + sideways)

    Args:
        energy: (searches, rows, width), the cost of each square.
        sideways: (searches, 1), what a step to a side costs.
    """
    best, choice = energy[:, 0].copy(), np.zeros(energy.shape, np.int8)
    for row in range(1, energy.shape[1]):
        costs = np.stack([_shift(best, 1) + sideways, best, _shift(best, -1) + sideways])
        choice[:, row] = costs.argmin(axis=0)
        best = costs.min(axis=0) + energy[:, row]
    return choice


def _shift(values: NDArray[np.float64], num_columns: int) -> NDArray[np.float64]:
    """Move rows of values (n, w) to the right, or for a negative number to the left, and fill up with infinity."""
    shifted = np.full_like(values, np.inf)
    if num_columns > 0:
        shifted[:, num_columns:] = values[:, :-num_columns]
    else:
        shifted[:, :num_columns] = values[:, -num_columns:]
    return shifted


def _trace_paths(choice: NDArray[np.int8]) -> NDArray[np.int16]:
    """Trace the columns (ends, rows) of the cheapest path to each square of the last row but the two free ones.

    A path is read backwards from its end. If it ends in column 5 and `choice` is 0 there, it came from column 4.

    Args:
        choice: (rows, width), see `_choose_steps`.
    """
    rows, width = choice.shape
    paths = np.empty((width - 2, rows), np.int16)
    paths[:, -1] = np.arange(1, width - 1)
    for row in range(rows - 1, 0, -1):
        paths[:, row - 1] = paths[:, row] + choice[row, paths[:, row]] - 1
    return paths
