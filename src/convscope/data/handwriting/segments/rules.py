"""Remove printed rules, tables and the boxes of a form from a mask of ink.

A rule is recognised by its shape alone: a straight run of ink, nearly level or upright, that is long and thin. Only
blobs that are much wider than high, or that surround others, are searched, so that no stroke of a character is lost.
"""

import numpy as np
from numpy.typing import NDArray

from convscope.base.deadline import check_deadline
from convscope.data.handwriting.segments.components import find_components

# Rise over run, at -8 to 8 degrees: a sheet may be turned, and in a photo its lines converge.
_SLOPES = np.tan(np.radians(np.arange(-8, 8.5, 0.5)))
_SHARE = 0.55  # share of a blob's width (or height) that a straight run must cover
_THIN = 0.06  # largest thickness of a run, as a share of that width
_MAX_SEARCHED = 200  # blobs, the largest first
_MAX_INK = 1_000_000  # pixels of ink that are searched: a sheet with tables has fewer, and noise far more
_THINNER = 0.6  # largest thickness of a rule in pieces, as a share of the pen's stroke
_MIN_LENGTH, _MAX_BREAK = 2.2, 0.4  # length of a rule in pieces and of its gaps, in usual heights
_MIN_FILLED = 0.6  # share of a rule in pieces that is ink
_GAP = 3  # pixels of paper that may interrupt a run of a thick rule

Mask = NDArray[np.bool_]


def remove_rules(mask: Mask) -> tuple[Mask, int]:
    """Remove rules from a mask (h, w), and count the blobs that had any.

    Strokes that cross a rule are kept, except for the common pixels. Thin remains along a rule are removed.
    """
    from scipy import ndimage

    components = find_components(mask)
    if len(components) == 0:
        return mask, 0
    heights, widths = components.heights, components.widths
    usual_height, usual_width = np.median(heights), np.median(widths)
    middles = (components.boxes[:, :2] + components.boxes[:, 2:]) / 2
    cleaned, num_rules, ink_left = mask.copy(), 0, _MAX_INK
    for index in np.argsort(-components.areas, kind="stable")[:_MAX_SEARCHED]:
        high, wide = heights[index], widths[index]
        top, left, bottom, right = components.boxes[index]
        # Which blobs it may frame, as the box of a form frames digits; the sizes leave out specks.
        is_inside = (
            (middles[:, 0] > top)
            & (middles[:, 0] < bottom)
            & (middles[:, 1] > left)
            & (middles[:, 1] < right)
            & (heights >= 0.1 * high)
            & (widths >= 0.02 * wide)
        )
        is_inside[index] = False
        is_long = wide > 5 * high or high > 9 * wide
        if not (is_long or is_inside.any() or wide > 3 * usual_width or high > 3 * usual_height):
            continue
        if components.pixels[index] > ink_left:
            continue
        ink_left -= components.pixels[index]
        blob = components.mask(index)
        rules = _find_runs(blob, is_alone=is_long) | _find_runs(blob.T, is_alone=is_long).T
        if not rules.any() or not (is_long or _is_frame(rules) or is_inside.any()):
            continue
        num_rules += 1
        # The pixels around a rule belong to it, too.
        rest = blob & ~ndimage.binary_dilation(rules, np.ones((3, 3)))
        cleaned[top:bottom, left:right][blob & ~_without_slivers(rest, rules)] = False
    return cleaned, num_rules


def _find_runs(blob: Mask, is_alone: bool) -> Mask:
    """Find the pixels (h, w) on straight, nearly level, thin runs over most of the blob's width."""
    height, width = blob.shape
    min_pixels = max(12, _SHARE * width)
    if width < 12 or (not is_alone and width < 20):
        return np.zeros_like(blob)
    thick = max(2.0, _THIN * width)
    y, x = (axis.astype(np.int32) for axis in np.nonzero(blob))
    runs = np.zeros_like(blob)
    for slope in _SLOPES:
        check_deadline()
        # Sheared by the slope about the middle, a run along it lies in a row, which many pixels of ink share.
        row = y - np.rint(slope * (np.arange(width) - width / 2)).astype(np.int32)[x]
        is_inside = (row >= 0) & (row < height)  # pixels that the shear leaves within the rows of the blob
        counts = np.bincount(row[is_inside] + 1, minlength=height + 2)
        likely = 1 + np.flatnonzero(counts[:-2] + counts[1:-1] + counts[2:] >= min_pixels)  # rows of `sheared`
        if len(likely) == 0:
            continue
        # With an empty row above and below, and so many empty columns that no stretch goes on into the next row.
        sheared = np.zeros((height + 2, width + _GAP + 2), bool)
        sheared[row[is_inside] + 1, x[is_inside]] = True
        near = _merge_neighbours(sheared, likely)
        near[np.count_nonzero(near, axis=1) < min_pixels] = False
        starts, stops, _ = _find_stretches(np.flatnonzero(near), _GAP)
        is_rule = np.zeros_like(sheared)
        straight = likely[starts[stops - starts >= min_pixels] // sheared.shape[1]]
        for offset in (-1, 0, 1):  # the three rows that `_merge_neighbours` merged
            is_rule[straight + offset] = True
        hits = np.zeros_like(is_inside)
        hits[is_inside] = is_rule[row[is_inside] + 1, x[is_inside]]
        runs[y[hits], x[hits]] = True
    return _keep_thin(runs, blob, thick)


def _merge_neighbours(sheared: Mask, rows: NDArray[np.intp]) -> Mask:
    """Merge each of the rows with its neighbours, since a rule is hardly as straight as a row of pixels."""
    near = sheared[rows]
    near |= sheared[rows - 1]
    near |= sheared[rows + 1]
    return near


def _keep_thin(runs: Mask, blob: Mask, thick: float) -> Mask:
    """Keep the pixels of runs where the blob is no thicker than `thick`; none, if most of it is a thick stroke."""
    if not runs.any():
        return runs
    thin: Mask = runs & ~_find_columns(blob, int(thick) + 2)
    return thin if np.count_nonzero(thin) >= 0.4 * np.count_nonzero(runs) else np.zeros_like(runs)


def _find_columns(mask: Mask, size: int) -> Mask:
    """Find the pixels (h, w) in vertical runs of at least `size` pixels of ink."""
    from scipy import ndimage

    if size > len(mask):
        return np.zeros_like(mask)
    # An opening: the minimum is true at the top of `size` pixels of ink, and the maximum spreads it over all of them.
    below = ndimage.minimum_filter1d(mask.view(np.uint8), size, axis=0, mode="constant", origin=-(size // 2))
    columns = ndimage.maximum_filter1d(below, size, axis=0, mode="constant", origin=(size - 1) // 2)
    return np.asarray(columns.view(bool))


def _is_frame(rules: Mask) -> bool:
    """True if rules run along at least three of the four sides."""
    height, width = rules.shape
    y, x = max(1, height // 5), max(1, width // 5)
    sides = (rules[:y].any(axis=0), rules[-y:].any(axis=0), rules[:, :x].any(axis=1), rules[:, -x:].any(axis=1))
    return sum(float(side.mean()) > 0.6 for side in sides) >= 3


def _without_slivers(rest: Mask, rules: Mask) -> Mask:
    """Remove pieces that are hardly more than the edges of the rules."""
    from scipy import ndimage

    labels, count = ndimage.label(rest, np.ones((3, 3)))
    if count == 0:
        return rest
    near = ndimage.binary_dilation(rules, np.ones((3, 3)), 3)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    beside = np.bincount(labels[near & rest].ravel(), minlength=count + 1)
    keep = beside < 0.7 * sizes  # pieces with at least 30 % of their pixels further than 3 pixels from the rules
    keep[0] = False  # label 0 is the ground
    return np.asarray(keep[labels])


def remove_thin_rules(mask: Mask, height: float, stroke: float) -> tuple[Mask, int]:
    """Remove straight lines that are thinner than the pen, also broken ones, from a mask (h, w), and count them.

    A printed rule is often pale and in pieces, each of which might be a character. Together they are straight.

    Args:
        height: the usual height of a character.
        stroke: the width of the pen's stroke.
    """
    from scipy import ndimage

    size = round(_THINNER * stroke) + 1
    if size < 2 or height == 0:
        return mask, 0
    cleaned, count = mask.copy(), 0
    for level, result in ((mask, cleaned), (mask.T, cleaned.T)):  # upright rules are level in the transposed mask
        thin = level & ~_find_columns(level, size)
        lines = _find_lines(thin, _MIN_LENGTH * height, _MAX_BREAK * height)
        if lines.any():
            count += int(ndimage.label(ndimage.maximum_filter(lines, 2 * round(stroke) + 1, mode="constant"))[1])
            result &= ~(ndimage.binary_dilation(lines, np.ones((3, 3))) & thin)
    return cleaned, count


def _find_lines(thin: Mask, min_length: float, gap: float) -> Mask:
    """Find the pixels on straight, nearly level lines of at least `min_length`, with gaps of at most `gap`."""
    lines = np.zeros_like(thin)
    y, x = (axis.astype(np.int32) for axis in np.nonzero(thin))
    if len(y) < max(1, _MIN_FILLED * min_length) or len(y) > _MAX_INK:
        return lines
    num_empty = int(gap) + 2  # empty columns at the end of a row, so that no stretch goes on into the next
    for slope in _SLOPES:
        check_deadline()
        row = np.rint(y - slope * x).astype(np.int32)
        row += 1 - row.min()
        num_rows = int(row.max()) + 2
        sheared = np.zeros((num_rows, thin.shape[1] + num_empty), bool)  # with an empty row above and below
        sheared[row, x] = True
        counts = np.bincount(row, minlength=num_rows)
        likely = 1 + np.flatnonzero(counts[:-2] + counts[1:-1] + counts[2:] >= _MIN_FILLED * min_length)
        starts, stops, filled = _find_stretches(np.flatnonzero(_merge_neighbours(sheared, likely)), gap)
        lengths = stops - starts
        is_rule = np.zeros_like(sheared)
        rules = (lengths >= min_length) & (filled >= _MIN_FILLED * lengths)
        for start, stop in zip(starts[rules].tolist(), stops[rules].tolist(), strict=True):
            number, left = divmod(start, sheared.shape[1])  # positions count through the rows `likely`
            middle = likely[number]
            is_rule[middle - 1 : middle + 2, left : left + stop - start] = True
        hits = is_rule[row, x]
        lines[y[hits], x[hits]] = True
    return lines


def _find_stretches(
    positions: NDArray[np.intp], gap: float
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Divide rising positions where more than `gap` are missing: (first, last + 1, how many) of each stretch.

    With gap 1, positions 2 3 5 9 are the stretches 2 to 5 and 9: ([2, 9], [6, 10], [3, 1]).
    """
    breaks = np.flatnonzero(np.diff(positions) > gap + 1)
    firsts, lasts = np.r_[0, breaks + 1][: len(positions)], np.r_[breaks, len(positions) - 1][: len(positions)]
    return positions[firsts], positions[lasts] + 1, lasts - firsts + 1
