"""Where the single characters of a picture may be: `find_segments` takes a photo to lines of blobs and places for cuts.

It looks at the ink alone and knows no classes: which cuts are taken, and which blobs are parts of one character, is for
a reader to decide (`convscope.prediction.strings`). Specks, printed rules, tables and the boxes of a form are left out.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convscope.base._handwriting import FAINTEST, middle_of_classes
from convscope.base.deadline import check_deadline
from convscope.data.handwriting.pictures import Picture
from convscope.data.handwriting.prepare import LARGEST_FACTOR, prepare
from convscope.data.handwriting.recipe import Handwriting
from convscope.data.handwriting.segments.components import Components, components_of
from convscope.data.handwriting.segments.cuts import cut_places
from convscope.data.handwriting.segments.lines import group_lines
from convscope.data.handwriting.segments.rules import without_rules, without_thin_rules

_FAINT, _FULL = 0.4, 0.65  # of the usual strength: a pixel is ink from the one if connected ink reaches the other
_GROUND = 0.3  # of the usual strength: what is fainter is paper; so strokes are as wide as MNIST's are


def sheet_ink(picture: Picture) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return the strength of ink (h, w) uint8, 0 on the ground, and which pixels are ink (h, w).

    Args:
        picture: (h, w), (h, w, 1) or (h, w, 3) uint8; a side longer than `LONGEST_SIDE` is averaged down.

    Raises:
        ValueError: for a picture of another form.
    """
    from scipy import ndimage

    side = LONGEST_SIDE // LARGEST_FACTOR  # of an image for which `prepare` averages the picture down to `LONGEST_SIDE`
    stages = prepare(picture, side, side, 1, Handwriting("light", side, centre=False), ("polarity", "light")).stages
    (strengths,) = (stage.pixels[..., 0] for stage in stages if stage.name == "light")
    usual = _usual(strengths)
    if usual < FAINTEST:
        return np.zeros_like(strengths), np.zeros(strengths.shape, bool)
    faint = strengths > _FAINT * usual
    labels, count = ndimage.label(faint, np.ones((3, 3)))
    is_full = np.zeros(count + 1, bool)
    is_full[labels[strengths > _FULL * usual]] = True
    is_full[0] = False
    ground = _GROUND * usual
    clean = np.clip((np.arange(256) - ground) / (usual - ground), 0, 1) * 255  # of each strength
    return (clean + 0.5).astype(np.uint8)[strengths], is_full[labels]


def _usual(strengths: NDArray[np.uint8]) -> float:
    """Return how strong ink usually is: the median of what Otsu's threshold parts from the paper."""
    threshold = middle_of_classes(strengths)
    strong = strengths[strengths > max(threshold, FAINTEST // 2)]
    return float(np.median(strong)) if strong.size else 0.0


LONGEST_SIDE = 2400
"""Pixels to which a larger picture is averaged down before anything is looked for."""

MAX_BLOBS = 2000
"""Blobs that are kept; of more, as in a page of print or a photo of a lawn, the largest."""

MAX_AREA = 4 * LONGEST_SIDE**2
"""Pixels of the boxes of all blobs that are kept; more only where one lies around another, again and again."""

_SMALLEST = 0.22  # of the usual height: what is smaller in both directions is a speck
_FLATTEST = 0.09  # of the usual height: what is thinner than this is no stroke of the same pen
_THINNEST = 0.4  # of the pen's stroke: what is thinner over its whole length is a hair, or left of a printed rule
_LEAST_PIXELS = 12


@dataclass(frozen=True, eq=False)
class Blob:
    """Connected ink.

    Attributes:
        top, left: where it begins in the ink picture.
        parts: (h, w) uint8: 0 where it has no ink, and else the number of its part, from 1, left to right.
        cuts: `num_parts - 1` numbers: how much ink each cut crosses, in widths of the pen's stroke.
    """

    top: int
    left: int
    parts: NDArray[np.uint8]
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
    """The blobs, lines and cuts in a picture.

    Attributes:
        ink: (h, w) uint8, 255 where the ink is strongest and 0 on the ground, with the light made even.
        scale: pixels of the picture to one of `ink`, 1 or more.
        lines: blobs of each line from left to right, the lines from top to bottom.
        height: the usual height of a character in pixels of `ink`; 0 if there is none.
        num_specks, num_rules: blobs that were left out as specks, and as rules, tables and boxes.
        num_left_out: blobs beyond `MAX_BLOBS` or `MAX_AREA`.
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
    ink, mask = sheet_ink(picture)
    scale = max(picture.shape[:2]) / max(ink.shape)
    mask, num_rules = without_rules(mask)
    components = _blobs(mask)
    height = usual_height(components)
    stroke = _stroke_width(components)
    thinner, num_thin = without_thin_rules(mask, height, stroke)
    if num_thin:
        components = _blobs(thinner)
        num_rules, height = num_rules + num_thin, usual_height(components)
    kept = components.take(~_are_specks(components, height, stroke))
    largest = _within(kept.take(np.argsort(-kept.pixels, kind="stable")[:MAX_BLOBS]), MAX_AREA)
    blobs = [
        Blob(int(largest.boxes[index, 0]), int(largest.boxes[index, 1]), largest.mask(index).astype(np.uint8))
        for index in range(len(largest))
    ]
    lines = group_lines(blobs, height)
    cut = tuple(tuple(_with_cuts(blob, height, stroke) for blob in line) for line in lines)
    return Segments(ink, scale, cut, height, len(components) - len(kept), num_rules, len(kept) - len(largest))


def usual_height(components: Components) -> float:
    """Return the height that most of the ink belongs to: the median of the blobs' heights, each counted by its ink."""
    if len(components) == 0:
        return 0.0
    heights = np.maximum(components.heights, np.where(components.heights < 8, 0.6 * components.widths, 0))
    order = np.argsort(heights, kind="stable")
    total = np.cumsum(components.pixels[order])
    return float(heights[order][np.searchsorted(total, total[-1] / 2)])


def _blobs(mask: NDArray[np.bool_]) -> Components:
    components = components_of(mask)
    return components.take(components.pixels >= _LEAST_PIXELS)


def _are_specks(components: Components, height: float, stroke: float) -> NDArray[np.bool_]:
    longer, pixels = np.maximum(components.heights, components.widths), components.pixels
    return np.asarray(
        (longer < _SMALLEST * height) | (pixels < (_FLATTEST * height) ** 2) | (pixels < _THINNEST * stroke * longer)
    )


def _within(components: Components, area: int) -> Components:
    """Return the first ones, whose boxes together have no more than so many pixels; the very first in any case."""
    number = int(np.searchsorted(np.cumsum(components.areas), area, side="right"))
    return components.take(np.arange(min(max(1, number), len(components))))


def _stroke_width(components: Components) -> float:
    """Return the width of the pen's stroke: twice the median distance of the ink's middle lines from the ground."""
    from scipy import ndimage

    widths = []
    looked_at = _within(components.take(np.argsort(-components.pixels, kind="stable")[:50]), LONGEST_SIDE**2)
    for index in range(len(looked_at)):
        check_deadline()
        depth = _squared_depth(np.pad(looked_at.mask(index), 1))
        ridge = depth[(depth == ndimage.maximum_filter(depth, 3)) & (depth > 0)]
        widths.append(2 * float(np.median(np.sqrt(ridge))) - 1)
    return max(1.0, float(np.median(widths))) if widths else 1.0


def _squared_depth(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return the square of each pixel's distance from the nearest ground, (h, w); whole numbers take little memory."""
    from scipy import ndimage

    nearest = ndimage.distance_transform_edt(mask, return_distances=False, return_indices=True)
    nearest[0] -= np.arange(mask.shape[0], dtype=np.int32)[:, None]
    nearest[1] -= np.arange(mask.shape[1], dtype=np.int32)
    nearest *= nearest
    return np.asarray(nearest[0] + nearest[1])


def _with_cuts(blob: Blob, height: float, stroke: float) -> Blob:
    check_deadline()
    parts, cuts = cut_places(blob.parts > 0, height, stroke)
    return Blob(blob.top, blob.left, parts, cuts)
