"""Find the characters of a photo: lines of blobs of ink, with possible cuts.

Only the ink is used, and no classes: `convscope.prediction.strings` decides which cuts are made and which blobs are
parts of a character. Specks, printed rules, tables and the boxes of a form are left out.

Two measures of the picture are units for all limits: the usual height of a character and the width of the pen's stroke.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convscope.base._handwriting import FAINTEST, middle_of_classes
from convscope.base.deadline import check_deadline
from convscope.data.handwriting.pictures import Picture
from convscope.data.handwriting.prepare import LARGEST_FACTOR, prepare
from convscope.data.handwriting.recipe import Handwriting
from convscope.data.handwriting.segments.components import Components, find_components
from convscope.data.handwriting.segments.cuts import find_cuts
from convscope.data.handwriting.segments.lines import group_lines
from convscope.data.handwriting.segments.rules import remove_rules, remove_thin_rules

LONGEST_SIDE = 2400
"""Pixels of a picture's longer side; a larger picture is averaged down first."""

MAX_BLOBS = 2000
"""Limit for the blobs of a picture. A page of print or a photo of a lawn has more; the largest are kept."""

MAX_AREA = 4 * LONGEST_SIDE**2
"""Pixels of the boxes of all blobs; only blobs that surround each other many times have more."""

# Shares of the usual strength of ink. A pixel is ink if it is at least faint, and if the piece of ink to which it
# belongs has a pixel of full strength.
_FAINT, _FULL = 0.4, 0.65
_GROUND = 0.3  # a weaker pixel is paper; this level makes strokes as wide as MNIST's

# A blob below any of these is a speck:
_MIN_SIDE = 0.22  # its longer side, in usual heights
_MIN_INK = 0.09  # side of a square with as much ink, in usual heights: less is no stroke of the same pen
_MIN_WIDTH = 0.4  # ink for each pixel of its length, in widths of the pen's stroke: a hair, or the rest of a rule
_MIN_PIXELS = 12  # pixels of ink in it


@dataclass(frozen=True, eq=False)
class Blob:
    """Connected ink.

    Attributes:
        top, left: its first row and column in the ink picture.
        parts: (h, w) uint8: 0 without ink, else the number of its part, from 1, left to right.
        cuts: `num_parts - 1` numbers: the ink that each cut crosses, in widths of the pen's stroke.
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
        ink: (h, w) uint8, 255 for the strongest ink and 0 on the ground, without shadows.
        scale: pixels of the picture for a pixel of `ink`, 1 or more.
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
    """Find characters in a picture (h, w), (h, w, 1) or (h, w, 3) uint8 of dark or light ink.

    Raises:
        ValueError: for a picture of another form.
    """
    ink, mask = extract_ink(picture)
    # Thick rules first: they would spoil the usual height and the stroke's width, which thin rules are compared with.
    mask, num_rules = remove_rules(mask)
    components = _blobs(mask)
    height, stroke = usual_height(components), _stroke_width(components)
    thinner, num_thin = remove_thin_rules(mask, height, stroke)
    if num_thin:
        components = _blobs(thinner)
        height = usual_height(components)  # pieces of rules counted as components; the stroke is a median of pixels
    kept = components.take(~_are_specks(components, height, stroke))
    by_ink = np.argsort(-kept.pixels, kind="stable")
    largest = _within(kept.take(by_ink[:MAX_BLOBS]), MAX_AREA)  # the blobs with the most ink
    blobs = [
        Blob(int(largest.boxes[index, 0]), int(largest.boxes[index, 1]), largest.mask(index).astype(np.uint8))
        for index in range(len(largest))
    ]
    lines = group_lines(blobs, height)
    return Segments(
        ink,
        scale=max(picture.shape[:2]) / max(ink.shape),
        lines=tuple(tuple(_with_cuts(blob, height, stroke) for blob in line) for line in lines),
        height=height,
        num_specks=len(components) - len(kept),
        num_rules=num_rules + num_thin,
        num_left_out=len(kept) - len(largest),
    )


def extract_ink(picture: Picture) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Extract the strength of ink (h, w) uint8, 0 on the ground, and a mask (h, w) of ink.

    Args:
        picture: (h, w), (h, w, 1) or (h, w, 3) uint8; a side longer than `LONGEST_SIDE` is averaged down.

    Raises:
        ValueError: for a picture of another form.
    """
    from scipy import ndimage

    # `prepare` is called only for its averaging, down to LARGEST_FACTOR times the image that it makes, and for its step
    # "light". The image itself, `side` pixels wide, is not used.
    side = LONGEST_SIDE // LARGEST_FACTOR
    stages = prepare(picture, side, side, 1, Handwriting("light", side, centre=False), ("polarity", "light")).stages
    (strengths,) = (stage.pixels[..., 0] for stage in stages if stage.name == "light")
    usual = _usual(strengths)
    if usual < FAINTEST:
        return np.zeros_like(strengths), np.zeros(strengths.shape, bool)
    labels, count = ndimage.label(strengths > _FAINT * usual, np.ones((3, 3)))
    is_full = np.zeros(count + 1, bool)
    is_full[labels[strengths > _FULL * usual]] = True
    is_full[0] = False
    ground = _GROUND * usual
    # The new strength for each of the 256 old ones: from 0 at `ground` to 255 at `usual`.
    table = np.clip((np.arange(256) - ground) / (usual - ground), 0, 1) * 255
    return (table + 0.5).astype(np.uint8)[strengths], is_full[labels]


def _usual(strengths: NDArray[np.uint8]) -> float:
    """Compute the usual strength of ink: the median above Otsu's threshold."""
    threshold = middle_of_classes(strengths)
    strong = strengths[strengths > max(threshold, FAINTEST // 2)]
    return float(np.median(strong)) if strong.size else 0.0


def usual_height(components: Components) -> float:
    """Compute the usual height: the median of the blobs' heights, weighted by their ink."""
    if len(components) == 0:
        return 0.0
    # A dash has hardly any height, so 0.6 times its width counts.
    heights = np.maximum(components.heights, np.where(components.heights < 8, 0.6 * components.widths, 0))
    order = np.argsort(heights, kind="stable")
    # The weighted median: the height at which half of all ink is in lower blobs.
    total = np.cumsum(components.pixels[order])
    return float(heights[order][np.searchsorted(total, total[-1] / 2)])


def _blobs(mask: NDArray[np.bool_]) -> Components:
    """Find the pieces of a mask, without those that are too small even to measure the usual height."""
    components = find_components(mask)
    return components.take(components.pixels >= _MIN_PIXELS)


def _are_specks(components: Components, height: float, stroke: float) -> NDArray[np.bool_]:
    longer, pixels = np.maximum(components.heights, components.widths), components.pixels
    return np.asarray(
        (longer < _MIN_SIDE * height) | (pixels < (_MIN_INK * height) ** 2) | (pixels < _MIN_WIDTH * stroke * longer)
    )


def _within(components: Components, area: int) -> Components:
    """Keep the first components whose boxes together have at most `area` pixels, and at least one."""
    num_fitting = int(np.searchsorted(np.cumsum(components.areas), area, side="right"))
    return components.take(np.arange(min(max(1, num_fitting), len(components))))


def _stroke_width(components: Components) -> float:
    """Estimate the width of the pen's stroke: twice the median distance of the ink's middle lines from the ground."""
    from scipy import ndimage

    widths = []
    largest = _within(components.take(np.argsort(-components.pixels, kind="stable")[:50]), LONGEST_SIDE**2)
    for index in range(len(largest)):
        check_deadline()
        depth = _compute_squared_depth(np.pad(largest.mask(index), 1))
        ridge = depth[(depth == ndimage.maximum_filter(depth, 3)) & (depth > 0)]  # the middle lines of strokes
        widths.append(2 * float(np.median(np.sqrt(ridge))) - 1)  # a stroke of a single pixel has distance 1
    return max(1.0, float(np.median(widths))) if widths else 1.0


def _compute_squared_depth(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Compute the squared distance (h, w) of each pixel from the nearest ground, in whole numbers to save memory."""
    from scipy import ndimage

    nearest = ndimage.distance_transform_edt(mask, return_distances=False, return_indices=True)
    nearest[0] -= np.arange(mask.shape[0], dtype=np.int32)[:, None]
    nearest[1] -= np.arange(mask.shape[1], dtype=np.int32)
    nearest *= nearest
    return np.asarray(nearest[0] + nearest[1])


def _with_cuts(blob: Blob, height: float, stroke: float) -> Blob:
    check_deadline()
    parts, cuts = find_cuts(blob.parts > 0, height, stroke)
    return Blob(blob.top, blob.left, parts, cuts)
