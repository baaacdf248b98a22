"""What is printed and not written: `without_rules` takes rules, tables and the boxes of a form out of a mask of ink.

A rule is told by its form alone: a straight run of ink, nearly level or upright, that is long and thin. Only blobs that
are much wider than high, or that reach around others, are looked at, so that no stroke of a character is lost.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_ANGLES = np.tan(np.radians(np.arange(-8, 8.5, 0.5)))  # a sheet may be turned, and its lines converge
_SHARE = 0.55  # of a blob's width (or height) that one straight run takes at least
_THIN = 0.06  # of that width: a run is no thicker
_MOST_LOOKED_AT = 200  # blobs, the largest first
_THINNER = 0.6  # of the pen's stroke: the thickness of a rule that comes in pieces, at most
_LONGER, _BROKEN, _FILLED = 2.2, 0.4, 0.6  # its length and its gaps in usual heights, and which share of it is there
_GAP = 3  # pixels that a run may miss

Mask = NDArray[np.bool_]


def without_rules(mask: Mask) -> tuple[Mask, int]:
    """Return the mask (h, w) without rules, and how many blobs had any.

    What crosses a rule is kept, but for the pixels in common; what is left of a rule beside them is thin, and dropped.
    """
    from scipy import ndimage

    labels, count = ndimage.label(mask, np.ones((3, 3)))
    if count == 0:
        return mask, 0
    places = ndimage.find_objects(labels)
    heights = np.array([place[0].stop - place[0].start for place in places])
    widths = np.array([place[1].stop - place[1].start for place in places])
    centres = np.array(
        [[(place[0].start + place[0].stop) / 2, (place[1].start + place[1].stop) / 2] for place in places]
    )
    cleaned, num_rules = mask.copy(), 0
    for number in np.argsort(-heights * widths, kind="stable")[:_MOST_LOOKED_AT]:
        place, high, wide = places[number], heights[number], widths[number]
        inside = (
            (centres[:, 0] > place[0].start)
            & (centres[:, 0] < place[0].stop)
            & (centres[:, 1] > place[1].start)
            & (centres[:, 1] < place[1].stop)
            & (heights >= 0.1 * high)
            & (widths >= 0.02 * wide)
        )
        inside[number] = False
        is_long = wide > 5 * high or high > 9 * wide
        if not (is_long or inside.any() or wide > 3 * np.median(widths) or high > 3 * np.median(heights)):
            continue
        blob = labels[place] == number + 1
        rules = _runs(blob, is_alone=is_long) | _runs(blob.T, is_alone=is_long).T
        if not rules.any() or not (is_long or _is_frame(rules) or inside.any()):
            continue
        num_rules += 1
        rest = blob & ~ndimage.binary_dilation(rules, np.ones((3, 3)))
        cleaned[place][blob & ~_without_slivers(rest, rules)] = False
    return cleaned, num_rules


def _runs(blob: Mask, is_alone: bool) -> Mask:
    """Return the pixels (h, w) that lie on straight, nearly level, thin runs over most of the blob's width."""
    height, width = blob.shape
    least = max(12, _SHARE * width)
    if width < 12 or (not is_alone and width < 20):
        return np.zeros_like(blob)
    thick = max(2.0, _THIN * width)
    rows = np.arange(height)[:, None]
    columns = np.arange(width)[None, :]
    found = np.zeros_like(blob)
    for slope in _ANGLES:
        source = rows + np.round(slope * (columns - width / 2)).astype(np.int64)
        inside = (source >= 0) & (source < height)
        sheared = blob[np.clip(source, 0, height - 1), columns] & inside
        near = np.pad(sheared, ((1, 1), (0, 0)))
        near = near[:-2] | near[1:-1] | near[2:]  # a rule is hardly as straight as a row of pixels
        on = np.zeros_like(sheared)
        for row in np.flatnonzero(near.sum(axis=1) >= least):
            if _longest_run(near[row]) >= least:
                on[max(0, row - 1) : row + 2] = sheared[max(0, row - 1) : row + 2]
        marked = np.zeros_like(blob)
        hits = np.nonzero(on)
        marked[source[hits[0], hits[1]], hits[1]] = True
        found |= marked
    return _only_thin(found, blob, thick)


def _longest_run(line: NDArray[Any]) -> int:
    places = np.flatnonzero(line)
    if len(places) == 0:
        return 0
    breaks = np.flatnonzero(np.diff(places) > _GAP + 1)
    starts, stops = np.r_[places[0], places[breaks + 1]], np.r_[places[breaks], places[-1]]
    return int((stops - starts).max()) + 1


def _only_thin(found: Mask, blob: Mask, thick: float) -> Mask:
    """Return `found` where the blob is no thicker than `thick`: nothing, if most of it is a thick stroke."""
    from scipy import ndimage

    if not found.any():
        return found
    size = int(thick) + 2
    is_thick = ndimage.binary_opening(blob, np.ones((size, 1)))
    thin: Mask = found & ~is_thick
    return thin if np.count_nonzero(thin) >= 0.4 * np.count_nonzero(found) else np.zeros_like(found)


def _is_frame(rules: Mask) -> bool:
    """Whether there is a rule near at least two of the four sides."""
    height, width = rules.shape
    y, x = max(1, height // 5), max(1, width // 5)
    sides = (rules[:y].any(axis=0), rules[-y:].any(axis=0), rules[:, :x].any(axis=1), rules[:, -x:].any(axis=1))
    return sum(float(side.mean()) > 0.6 for side in sides) >= 3


def _without_slivers(rest: Mask, rules: Mask) -> Mask:
    """Return what is left of a blob without its rules, but for pieces that are hardly more than their edges."""
    from scipy import ndimage

    labels, count = ndimage.label(rest, np.ones((3, 3)))
    if count == 0:
        return rest
    near = ndimage.binary_dilation(rules, np.ones((3, 3)), 3)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    beside = np.bincount(labels[near & rest].ravel(), minlength=count + 1)
    keep = beside < 0.7 * sizes
    keep[0] = False
    return np.asarray(keep[labels])


def without_thin_rules(mask: Mask, height: float, stroke: float) -> tuple[Mask, int]:
    """Return the mask (h, w) without straight lines that are thinner than the pen, broken as they may be, and how many.

    A printed rule is often pale, and comes in pieces that alone might be characters. Together they are straight.

    Args:
        height: the usual height of a character.
        stroke: the width of the pen's stroke.
    """
    from scipy import ndimage

    size = round(_THINNER * stroke) + 1
    if size < 2 or height == 0:
        return mask, 0
    cleaned, count = mask.copy(), 0
    for level, turned in ((mask, cleaned), (mask.T, cleaned.T)):
        thin = level & ~ndimage.binary_opening(level, np.ones((size, 1)))
        lines = _lines(thin, _LONGER * height, _BROKEN * height)
        if lines.any():
            count += int(ndimage.label(ndimage.binary_dilation(lines, np.ones((3, 3)), round(stroke)))[1])
            turned &= ~(ndimage.binary_dilation(lines, np.ones((3, 3))) & thin)
    return cleaned, count


def _lines(thin: Mask, least: float, gap: float) -> Mask:
    """Return the pixels that lie on straight, nearly level lines of that length, with gaps of at most `gap`."""
    found = np.zeros_like(thin)
    y, x = np.nonzero(thin)
    if len(y) == 0 or len(y) < _FILLED * least:
        return found
    for slope in _ANGLES:
        row = np.round(y - slope * x).astype(np.int64)
        row -= row.min()
        counts = np.convolve(np.bincount(row), np.ones(3), mode="same")
        order = np.argsort(row, kind="stable")
        bounds = np.searchsorted(row[order], np.arange(len(counts) + 2))
        for number in np.flatnonzero(counts >= _FILLED * least):
            members = (
                order[bounds[number - 1 if number else 0] : bounds[number + 2]]
                if number + 2 < len(bounds)
                else order[:0]
            )
            places = np.unique(x[members])
            for start, stop in _stretches(places, gap):
                length = places[stop] - places[start] + 1
                if length >= least and stop - start + 1 >= _FILLED * length:
                    on = members[(x[members] >= places[start]) & (x[members] <= places[stop])]
                    found[y[on], x[on]] = True
    return found


def _stretches(places: NDArray[Any], gap: float) -> list[tuple[int, int]]:
    """Return the first and the last number of each stretch of rising places without a larger gap."""
    if len(places) == 0:
        return []
    breaks = [int(place) for place in np.flatnonzero(np.diff(places) > gap + 1)]
    return list(zip([0, *(place + 1 for place in breaks)], [*breaks, len(places) - 1], strict=True))
