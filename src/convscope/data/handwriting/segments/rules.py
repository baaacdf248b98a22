"""Remove printed rules, tables and the boxes of a form from a mask of ink.

A rule is recognised by its shape alone: a straight line of ink, nearly level or upright, that is long and thin. There
are two searches:

- `remove_rules` finds whole rules. Only blobs that are much wider than high, or that surround others, are searched, so
  that no stroke of a character is lost.
- `remove_thin_rules` finds pale rules that are broken into pieces, as lines thinner than the pen.

Both look for level lines, and for upright ones in the transposed mask. For each slope the columns are moved up or down
(sheared), so that a line with this slope becomes a row. Here it falls by a pixel in two columns:

    ##....                                              ######
    ..##..    with column x moved up by x // 2 becomes  ......
    ....##                                              ......

A line is hardly as straight as a row of pixels, so that each row is merged with its two neighbours. A long stretch of
ink in a merged row is a line.
"""

import numpy as np
from numpy.typing import NDArray

from convscope.base.deadline import check_deadline
from convscope.data.handwriting.segments.components import Components, find_components

# Rise over run, at -8 to 8 degrees: a sheet may be turned, and in a photo its lines converge.
_SLOPES = np.tan(np.radians(np.arange(-8, 8.5, 0.5)))
_MAX_INK = 1_000_000  # pixels of ink that are searched: a sheet with tables has fewer, and noise far more

# Whole rules:
_MAX_SEARCHED = 200  # blobs, the largest first
_SHARE = 0.55  # share of a blob's width (or height) that a straight run must cover
_THIN = 0.06  # largest thickness of a run, as a share of that width
_GAP = 3  # pixels of paper that may interrupt a run

# Rules in pieces:
_THINNER = 0.6  # largest thickness, as a share of the pen's stroke
_MIN_LENGTH, _MAX_BREAK = 2.2, 0.4  # the rule's length and that of its gaps, in usual heights
_MIN_FILLED = 0.6  # share of its length that is ink

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
    cleaned, num_rules, ink_left = mask.copy(), 0, _MAX_INK
    for index in np.argsort(-components.areas, kind="stable")[:_MAX_SEARCHED]:
        high, wide = heights[index], widths[index]
        # A rule by itself. An upright one must be longer for its width, because a 1 is high and narrow, too.
        is_long = wide > 5 * high or high > 9 * wide
        is_large = wide > 3 * usual_width or high > 3 * usual_height
        surrounds = _surrounds_others(components, index)
        if not (is_long or surrounds or is_large) or components.pixels[index] > ink_left:
            continue
        ink_left -= components.pixels[index]
        blob = components.mask(index)
        rules = _find_runs(blob, is_alone=is_long) | _find_runs(blob.T, is_alone=is_long).T
        # A blob that is only large may be characters that touch: there, three sides of a box must be seen.
        if not rules.any() or not (is_long or surrounds or _is_frame(rules)):
            continue
        num_rules += 1
        # The pixels around a rule belong to it, too.
        rest = blob & ~ndimage.binary_dilation(rules, np.ones((3, 3)))
        top, left, bottom, right = components.boxes[index]
        cleaned[top:bottom, left:right][blob & ~_without_slivers(rest, rules)] = False
    return cleaned, num_rules


def _surrounds_others(components: Components, index: int) -> bool:
    """True if a piece's box holds the middle of another piece that is no speck, as the box of a form holds digits."""
    top, left, bottom, right = components.boxes[index]
    rows, columns = ((components.boxes[:, :2] + components.boxes[:, 2:]) / 2).T
    is_inside = (rows > top) & (rows < bottom) & (columns > left) & (columns < right)
    is_inside &= (components.heights >= 0.1 * (bottom - top)) & (components.widths >= 0.02 * (right - left))
    is_inside[index] = False
    return bool(is_inside.any())


def _find_runs(blob: Mask, is_alone: bool) -> Mask:
    """Find the pixels (h, w) on straight, nearly level, thin runs over most of the blob's width.

    All ink in a row with a long run counts, also that beyond the run's ends. `is_alone` if the blob has the proportions
    of a rule, which may then be shorter than one that is joined to characters.
    """
    height, width = blob.shape
    min_pixels = max(12, _SHARE * width)  # in fewer pixels, the bar of a 7 or a dash is as straight as a rule
    if width < 12 or (not is_alone and width < 20):
        return np.zeros_like(blob)
    y, x = (axis.astype(np.int32) for axis in np.nonzero(blob))
    runs = np.zeros_like(blob)
    for slope in _SLOPES:
        check_deadline()
        # The columns move about the middle one, and row 0 stays empty; pixels that leave the blob's rows are dropped.
        row = 1 + y - np.rint(slope * (np.arange(width) - width / 2)).astype(np.int32)[x]
        inside = np.flatnonzero((row >= 1) & (row <= height))
        row = row[inside]
        likely = _find_likely_rows(row, height + 2, min_pixels)
        if len(likely) == 0:
            continue
        merged = _merge_neighbours(row, x[inside], (height + 2, width + _GAP + 2), likely)
        merged[np.count_nonzero(merged, axis=1) < min_pixels] = False
        starts, stops, _ = _find_stretches(np.flatnonzero(merged), _GAP)
        # Stretches count through the pixels of `merged`, row after row: with 40 columns, a stretch from 85 on begins in
        # column 5 of row 2. Row i of `merged` is row likely[i] of the sheared ink.
        straight = likely[starts[stops - starts >= min_pixels] // merged.shape[1]]
        is_rule = np.zeros(height + 2, bool)
        for offset in (-1, 0, 1):  # the three rows that were merged
            is_rule[straight + offset] = True
        hits = inside[is_rule[row]]
        runs[y[hits], x[hits]] = True
    return _keep_thin(runs, blob, max(2.0, _THIN * width))


def _find_likely_rows(row: NDArray[np.int32], num_rows: int, min_pixels: float) -> NDArray[np.intp]:
    """Find the rows that have at least `min_pixels` with those above and below; `row` is each pixel's row."""
    counts = np.bincount(row, minlength=num_rows)
    return 1 + np.flatnonzero(counts[:-2] + counts[1:-1] + counts[2:] >= min_pixels)


def _merge_neighbours(
    row: NDArray[np.int32], x: NDArray[np.int32], shape: tuple[int, int], rows: NDArray[np.intp]
) -> Mask:
    """Draw sheared ink with pixels (row, x), and merge each of `rows` with the row above and below.

    The callers read the result as one long line, row after row. So `shape` has more empty columns at its end than a gap
    may have, and no stretch of ink goes on into the next row.
    """
    sheared = np.zeros(shape, bool)
    sheared[row, x] = True
    merged = sheared[rows]
    merged |= sheared[rows - 1]
    merged |= sheared[rows + 1]
    return merged


def _keep_thin(runs: Mask, blob: Mask, thick: float) -> Mask:
    """Keep the pixels of runs where the blob is at most a pixel thicker than `thick`; none if over 60 % are lost."""
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
    # `origin` moves the windows: from row i to i + size - 1 for the minimum, from i - size + 1 to i for the maximum.
    below = ndimage.minimum_filter1d(mask.view(np.uint8), size, axis=0, mode="constant", origin=-(size // 2))
    columns = ndimage.maximum_filter1d(below, size, axis=0, mode="constant", origin=(size - 1) // 2)
    return np.asarray(columns.view(bool))


def _is_frame(rules: Mask) -> bool:
    """True if rules run along at least three of the four sides: over 60 % of the side, in the fifth next to it."""
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
    keep = beside < 0.7 * sizes  # more than 30 % of a piece's pixels are further than 3 pixels from the rules
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

    size = round(_THINNER * stroke) + 1  # ink with so many pixels above each other is too thick for a rule
    if size < 2 or height == 0:
        return mask, 0
    cleaned, count = mask.copy(), 0
    for level, result in ((mask, cleaned), (mask.T, cleaned.T)):  # upright rules are level in the transposed mask
        thin = level & ~_find_columns(level, size)
        lines = _find_lines(thin, _MIN_LENGTH * height, _MAX_BREAK * height)
        if lines.any():
            # Lines that are closer than about two strokes count as one rule.
            count += int(ndimage.label(ndimage.maximum_filter(lines, 2 * round(stroke) + 1, mode="constant"))[1])
            result &= ~(ndimage.binary_dilation(lines, np.ones((3, 3))) & thin)
    return cleaned, count


def _find_lines(thin: Mask, min_length: float, gap: float) -> Mask:
    """Find the pixels on straight, nearly level lines of at least `min_length`, with gaps of at most `gap`."""
    lines = np.zeros_like(thin)
    y, x = (axis.astype(np.int32) for axis in np.nonzero(thin))
    if len(y) < max(1, _MIN_FILLED * min_length) or len(y) > _MAX_INK:
        return lines
    for slope in _SLOPES:
        check_deadline()
        row = np.rint(y - slope * x).astype(np.int32)
        row += 1 - row.min()  # from 1, so that there is an empty row above, as there is one below
        shape = (int(row.max()) + 2, thin.shape[1] + int(gap) + 2)
        likely = _find_likely_rows(row, shape[0], _MIN_FILLED * min_length)
        starts, stops, filled = _find_stretches(np.flatnonzero(_merge_neighbours(row, x, shape, likely)), gap)
        lengths = stops - starts
        is_rule = np.zeros(shape, bool)
        rules = (lengths >= min_length) & (filled >= _MIN_FILLED * lengths)
        for start, length in zip(starts[rules].tolist(), lengths[rules].tolist(), strict=True):
            number, left = divmod(start, shape[1])  # as in `_find_runs`: row `number` of the merged rows
            middle = likely[number]
            is_rule[middle - 1 : middle + 2, left : left + length] = True
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
