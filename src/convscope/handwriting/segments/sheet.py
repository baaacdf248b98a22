"""Where the single characters of a picture may be: `find_segments` takes a photo to lines of blobs and places for cuts.

It looks at the ink alone and knows no classes: which cuts are taken, and which blobs are parts of one character, is for
a reader to decide (`convscope.prediction.strings`). Specks, printed rules, tables and the boxes of a form are left out.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.handwriting.pictures import Picture
from convscope.handwriting.segments.cuts import cut_places
from convscope.handwriting.segments.ink import sheet_ink
from convscope.handwriting.segments.lines import group_lines
from convscope.handwriting.segments.rules import without_rules, without_thin_rules

LONGEST_SIDE = 2400
"""Pixels to which a larger picture is averaged down before anything is looked for."""

MOST_BLOBS = 2000
"""Blobs that are kept; of more, as in a page of print or a photo of a lawn, the largest."""

_SMALLEST = 0.22  # of the usual height: what is smaller in both directions is a speck
_FLATTEST = 0.09  # of the usual height: what is thinner than this is no stroke of the same pen
_THINNEST = 0.4  # of the pen's stroke: what is thinner over its whole length is a hair, or left of a printed rule
_LEAST_PIXELS = 12


@dataclass(frozen=True, eq=False)
class Blob:
    """Connected ink.

    Attributes:
        top, left: where it begins in the ink picture.
        parts: (h, w) int16: 0 where it has no ink, and else the number of its part, from 1, left to right.
        cuts: `num_parts - 1` numbers: how much ink each cut crosses, in widths of the pen's stroke.
    """

    top: int
    left: int
    parts: NDArray[np.int16]
    cuts: tuple[float, ...] = ()

    @property
    def num_parts(self) -> int:
        return len(self.cuts) + 1

    @property
    def bottom(self) -> int:
        return self.top + len(self.parts)

    @property
    def right(self) -> int:
        return self.left + int(self.parts.shape[1])


@dataclass(frozen=True, eq=False)
class Segments:
    """What was found in a picture.

    Attributes:
        ink: (h, w) uint8, 255 where the ink is strongest and 0 on the ground, with the light made even.
        scale: pixels of the picture to one of `ink`, 1 or more.
        lines: blobs of each line from left to right, the lines from top to bottom.
        height: the usual height of a character in pixels of `ink`; 0 if there is none.
        num_specks, num_rules: blobs that were left out as specks, and as rules, tables and boxes.
        num_left_out: blobs beyond `MOST_BLOBS`.
    """

    ink: NDArray[np.uint8]
    scale: float
    lines: tuple[tuple[Blob, ...], ...]
    height: float
    num_specks: int
    num_rules: int
    num_left_out: int


def find_segments(picture: Picture) -> Segments:
    """Return where characters may be in a picture (h, w), (h, w, 1) or (h, w, 3) uint8 of dark or light ink.

    Raises:
        ValueError: for a picture of another form.
    """
    from scipy import ndimage

    ink, mask = sheet_ink(picture, LONGEST_SIDE)
    scale = max(picture.shape[:2]) / max(ink.shape)
    mask, num_rules = without_rules(mask)
    labels, _ = ndimage.label(mask, np.ones((3, 3)))
    blobs = _blobs(labels)
    height = usual_height(blobs)
    stroke = _stroke_width(blobs)
    thinner, num_thin = without_thin_rules(mask, height, stroke)
    if num_thin:
        blobs = _blobs(ndimage.label(thinner, np.ones((3, 3)))[0])
        num_rules, height = num_rules + num_thin, usual_height(blobs)
    kept = [blob for blob in blobs if not _is_speck(blob, height, stroke)]
    num_specks = len(blobs) - len(kept)
    kept.sort(key=lambda blob: -np.count_nonzero(blob.parts))
    num_left_out = max(0, len(kept) - MOST_BLOBS)
    kept = kept[:MOST_BLOBS]
    lines = group_lines(kept, height)
    cut = tuple(tuple(_with_cuts(blob, height, stroke) for blob in line) for line in lines)
    return Segments(ink, scale, cut, height, num_specks, num_rules, num_left_out)


def usual_height(blobs: list[Blob]) -> float:
    """Return the height that most of the ink belongs to: the median of the blobs' heights, each counted by its ink."""
    if not blobs:
        return 0.0
    heights = np.array(
        [max(blob.parts.shape[0], 0.6 * blob.parts.shape[1] if blob.parts.shape[0] < 8 else 0) for blob in blobs]
    )
    weights = np.array([np.count_nonzero(blob.parts) for blob in blobs])
    order = np.argsort(heights, kind="stable")
    total = np.cumsum(weights[order])
    return float(heights[order][np.searchsorted(total, total[-1] / 2)])


def _blobs(labels: NDArray[Any]) -> list[Blob]:
    from scipy import ndimage

    found = []
    for number, place in enumerate(ndimage.find_objects(labels), 1):
        parts = (labels[place] == number).astype(np.int16)
        if np.count_nonzero(parts) >= _LEAST_PIXELS:
            found.append(Blob(place[0].start, place[1].start, parts))
    return found


def _is_speck(blob: Blob, height: float, stroke: float) -> bool:
    longer, pixels = max(blob.parts.shape), int(np.count_nonzero(blob.parts))
    return longer < _SMALLEST * height or pixels < (_FLATTEST * height) ** 2 or pixels < _THINNEST * stroke * longer


def _stroke_width(blobs: list[Blob]) -> float:
    """Return the width of the pen's stroke: twice the median distance of the ink's middle lines from the ground."""
    from scipy import ndimage

    widths = []
    for blob in sorted(blobs, key=lambda blob: -np.count_nonzero(blob.parts))[:50]:
        depth = ndimage.distance_transform_edt(np.pad(blob.parts > 0, 1))
        ridge = depth[(depth == ndimage.maximum_filter(depth, 3)) & (depth > 0)]
        widths.append(2 * float(np.median(ridge)) - 1)
    return max(1.0, float(np.median(widths))) if widths else 1.0


def _with_cuts(blob: Blob, height: float, stroke: float) -> Blob:
    parts, cuts = cut_places(blob.parts > 0, height, stroke)
    return Blob(blob.top, blob.left, parts, cuts)
