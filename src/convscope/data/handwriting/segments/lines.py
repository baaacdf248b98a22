"""Group blobs into lines of writing, in reading order."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

import numpy as np

from convscope.base.deadline import check_deadline

_MAX_GAP = 2.5  # usual heights between two neighbours whose slope is used for the skew
_SMALL = 0.5  # share of the usual height: a lower blob is a mark or a part of a character, and joins the nearest line
_MAX_SKEW = 0.15  # rise over run: 8.5 degrees
_MIDDLES = 0.6, 0.75  # usual heights from a line's middle within which a large, and a small, blob belongs to the line


class Boxed(Protocol):
    """Anything with a box."""

    @property
    def top(self) -> int: ...
    @property
    def left(self) -> int: ...
    @property
    def bottom(self) -> int: ...
    @property
    def right(self) -> int: ...


T = TypeVar("T", bound=Boxed)


def group_lines(blobs: Sequence[T], height: float) -> list[list[T]]:
    """Group blobs into lines from top to bottom, each from left to right.

    Lines may be skewed by up to 8 degrees. The skew is estimated from neighbours that stand side by side. Without it,
    the middles of the blobs on a line are close together: for a height of 40, 100 103 108 | 180 184 are two lines.

    Args:
        height: the usual height of a character.
    """
    skew = _skew(blobs, height)
    large = [blob for blob in blobs if blob.bottom - blob.top >= _SMALL * height]
    small = [blob for blob in blobs if blob.bottom - blob.top < _SMALL * height]
    lines = _group_large(large, height, skew)
    for blob in small:
        check_deadline()
        middle = _middle(blob, skew)
        nearest = min(range(len(lines)), key=lambda i: abs(lines[i][1] - middle), default=-1)
        if nearest < 0 or abs(lines[nearest][1] - middle) > _MIDDLES[1] * height:
            lines.append(([blob], middle))
        else:
            lines[nearest][0].append(blob)
    lines.sort(key=lambda line: line[1])
    return [sorted(members, key=lambda blob: (blob.left + blob.right, blob.top)) for members, _ in lines]


def _group_large(blobs: Sequence[T], height: float, skew: float) -> list[tuple[list[T], float]]:
    """Go through the blobs from top to bottom; each joins the last line, or begins the next if it is too far below.

    Returns:
        The blobs of each line, and its middle: the median of theirs.
    """
    lines: list[tuple[list[T], float]] = []
    middles: list[float] = []  # of the last line's blobs, rising
    for blob in sorted(blobs, key=lambda blob: (_middle(blob, skew), blob.left)):
        middle = _middle(blob, skew)
        if lines and middle - lines[-1][1] < _MIDDLES[0] * height:
            lines[-1][0].append(blob)
            middles.append(middle)
            # As `middles` is sorted, its median is the number in the middle, or the mean of the two there.
            lines[-1] = lines[-1][0], (middles[(len(middles) - 1) // 2] + middles[len(middles) // 2]) / 2
        else:
            lines.append(([blob], middle))
            middles = [middle]
    return lines


def _middle(blob: Boxed, skew: float) -> float:
    """Compute the height of a blob's middle as if the sheet were turned back by the skew."""
    return (blob.top + blob.bottom) / 2 - skew * (blob.left + blob.right) / 2


def _skew(blobs: Sequence[Boxed], height: float) -> float:
    """Estimate the skew as the median slope from each blob to the next on its line, shrunk to 0 if there are few."""
    large = sorted((blob for blob in blobs if blob.bottom - blob.top >= _SMALL * height), key=lambda blob: blob.left)
    slopes = []
    for i, blob in enumerate(large):
        best: tuple[float, float] | None = None  # run and rise to the nearest neighbour so far
        for neighbour in large[i + 1 : i + 60]:  # not all: the time would grow with the square of the characters
            gap = neighbour.left - blob.right
            overlap = min(blob.bottom, neighbour.bottom) - max(blob.top, neighbour.top)
            lower_height = min(blob.bottom - blob.top, neighbour.bottom - neighbour.top)
            # Neighbours on a line overlap in height by at least half of the lower one, and stand apart horizontally.
            if gap <= _MAX_GAP * height and overlap >= 0.5 * lower_height:
                run = (neighbour.left + neighbour.right - blob.left - blob.right) / 2
                rise = (neighbour.top + neighbour.bottom - blob.top - blob.bottom) / 2
                if run > 0.3 * height and (best is None or run < best[0]):
                    best = run, rise
        if best:
            slopes.append(best)
    if not slopes:
        return 0.0
    runs, rises = np.array(slopes).T
    # n / (n + 2): the slope of a single pair counts a third, that of many pairs nearly whole.
    slope = float(np.median(rises / runs)) * len(slopes) / (len(slopes) + 2)
    return float(np.clip(slope, -_MAX_SKEW, _MAX_SKEW))
