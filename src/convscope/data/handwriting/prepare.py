"""From a drawing or a photo to the pixels that a network sees: `prepare` takes a picture to an image of a data set.

Each step is a function of its own, and the picture after each is kept. The page does the same pixel for pixel
(web/src/handwriting/prepare.ts): all sums are of whole numbers, which float64 holds exactly, and every value is rounded
as floor(x + 0.5).

Source: LeCun, Bottou, Bengio and Haffner 1998, section III.A: digits are scaled to fit 20 × 20 pixels with their aspect
kept, and moved so that the centre of mass of their pixels is the middle of 28 × 28.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from convscope.base.deadline import check_deadline
from convscope.data.handwriting.fitting import crop, deslant, place, scale, stretch
from convscope.data.handwriting.ink import drop_specks, part
from convscope.data.handwriting.light import even_light, has_light_ground, turn
from convscope.data.handwriting.pictures import (
    FAINTEST,
    Ink,
    Picture,
    box,
    centred_corner,
    ground,
    in_colours,
    strength,
)
from convscope.data.handwriting.recipe import STEPS, Handwriting, Step

Hint = Literal["empty", "inverted", "tiny", "off-centre", "several"]

HINTS: tuple[Hint, ...] = get_args(Hint)
"""All hints, in the order in which they are given."""

_TINY = 5  # a box is tiny below a fifth of the picture's shorter side
_OFF_CENTRE = 0.2  # the box's middle is further from the picture's than this share of it
_SIMILAR, _APART = 2, 5  # pieces at least half as long as the longest, and a fifth of its length apart


def hints_of(clean: Picture, light_ground: bool, ink: Ink, threshold: float) -> tuple[Hint, ...]:
    """Return what may be wrong with ink alone on an even ground (h, w, C) uint8.

    "empty" holds no ink, and nothing else is then said; "inverted" was turned round to the data set's polarity; "tiny"
    is shorter than a fifth of the picture; "off-centre" has its box's middle a fifth of the picture away; "several" are
    pieces of similar length and apart from each other, as the digits of a number are.
    """
    strengths = strength(clean, ink)
    if strengths.max() < FAINTEST:
        return ("empty",)
    (height, width), (top, bottom, left, right) = strengths.shape, box(strengths, threshold)
    off = max(abs(top + bottom - height) / height, abs(left + right - width) / width) / 2
    found: dict[Hint, bool] = {
        "inverted": light_ground != (ink == "dark"),
        "tiny": _TINY * max(bottom - top, right - left) < min(height, width),
        "off-centre": off > _OFF_CENTRE,
        "several": _are_several(strengths, threshold),
    }
    return tuple(hint for hint, is_so in found.items() if is_so)


def _are_several(strengths: NDArray[np.int64], threshold: float) -> bool:
    """Whether two pieces of similar length are apart, by rows or by columns."""
    from scipy.ndimage import find_objects, label

    pieces, _ = label(strengths > threshold * int(strengths.max()), np.ones((3, 3)))
    boxes = [(rows.start, rows.stop, columns.start, columns.stop) for rows, columns in find_objects(pieces)]
    lengths = [max(bottom - top, right - left) for top, bottom, left, right in boxes]
    longest = max(lengths)
    long = [one for one, length in zip(boxes, lengths, strict=True) if _SIMILAR * length >= longest]
    return any(
        _APART * max(later[0] - one[1], later[2] - one[3]) >= longest for one in long for later in long if later != one
    )


LARGEST_FACTOR = 10
"""A picture is first averaged down to so many times the longer side of the image, which takes noise away."""

_CLEANING: tuple[Step, ...] = ("polarity", "light", "ink", "specks")


@dataclass(frozen=True, eq=False)
class Stage:
    """A picture on its way: `name` is "picture" for what was given, and else the step that has just been reached.

    Attributes:
        on: whether the step was taken; if not, the picture is as before, but resized and placed as it must be.
        pixels: (h, w, 1 or 3) uint8, in the polarity that the picture has by then.
    """

    name: str
    on: bool
    pixels: Picture


@dataclass(frozen=True, eq=False)
class Prepared:
    """An image for a network, and how it came about.

    Attributes:
        image: (H, W, C) uint8.
        stages: the picture as it was given, in the colours that the network has, then after each step.
        hints: what may be wrong with the picture, whether a step corrects it or not; none for other than handwriting.
        clipped: share of the ink that centring moved out of the image.
    """

    image: Picture
    stages: tuple[Stage, ...]
    hints: tuple[Hint, ...]
    clipped: float


def prepare(
    picture: Picture,
    height: int,
    width: int,
    channels: int,
    handwriting: Handwriting,
    steps: Collection[Step] | None = None,
) -> Prepared:
    """Make an image (height, width, channels) of a picture, in the way in which the images of a data set were made.

    First it is averaged down to ten times the image at most, and made grey for a network that sees grey. Then

    1. "polarity": inverted if that makes ink light or dark as the data set's is, as dark writing on paper for MNIST.
    2. "light": uneven light, as gradients and shadows, is divided out: the ground becomes even, exactly the data set's.
    3. "ink": ink alone is kept; noise, grain and ruled lines become ground, which is the median of the border where
       "light" did not even it out.
    4. "specks": pieces with less than a 20th of the largest one's ink become ground.
    5. "deslant": sheared until the writing stands upright. It is only taken when asked for.
    6. "crop": to the box of all ink above the threshold.
    7. "scale": the longer side becomes `target` pixels by exact area averaging. Without it the picture is made as large
       as the image holds.
    8. "contrast": the strongest ink becomes full, as thin lines grow pale when they are averaged.
    9. "centre": a shift by whole pixels that brings the centre of mass to the middle. Without it the box is there.

    A step that is left out leaves the picture to the next as it is. A picture without ink is neither cropped nor
    stretched.

    Args:
        picture: (h, w), (h, w, 1) or (h, w, 3) uint8; what is transparent in a file belongs on white before.
        channels: 1 (grey), 3 (colours), or 2 and 4, the same with an opaque alpha channel.
        steps: which steps to take; by default all but deslanting for handwriting, and none for other data sets.

    Raises:
        ValueError: for a picture of another form, or an unknown step.
    """
    check_deadline()
    chosen = handwriting.steps if steps is None else steps
    if unknown := sorted(set(chosen) - set(STEPS)):
        raise ValueError(f"steps has {unknown[0]!r}; the steps are {', '.join(STEPS)}")
    if min(height, width) < 1 or not 1 <= channels <= 4:
        raise ValueError(f"the image is {height} × {width} × {channels}; it needs pixels, and 1 to 4 channels")
    ink = handwriting.ink
    given = in_colours(picture, LARGEST_FACTOR * max(height, width), 1 if channels < 3 else 3)
    light_ground = has_light_ground(given)
    stages = [Stage("picture", True, given), *_cleaned(given, light_ground, handwriting, chosen)]
    pixels = stages[-1].pixels
    hints: tuple[Hint, ...] = ()
    if handwriting.centre:  # of other pictures nothing can be said
        clean = pixels
        if not set(_CLEANING) <= set(chosen):
            clean = _cleaned(given, light_ground, handwriting, _CLEANING)[-1].pixels
        hints = hints_of(clean, light_ground, ink, handwriting.threshold)

    around = ground(pixels)
    has_ink = strength(pixels, ink).max() >= FAINTEST

    def reached(step: Step) -> None:
        stages.append(Stage(step, step in chosen, pixels))

    if "deslant" in chosen and has_ink:
        pixels = deslant(pixels, ink)
    reached("deslant")
    if "crop" in chosen and has_ink:
        pixels = crop(pixels, ink, handwriting.threshold)
    reached("crop")
    pixels = scale(pixels, height, width, handwriting.target if "scale" in chosen else None)
    reached("scale")
    if "contrast" in chosen and has_ink:
        pixels = stretch(pixels, ink)
    reached("contrast")
    corner = ((height - pixels.shape[0]) // 2, (width - pixels.shape[1]) // 2)
    if "centre" in chosen and has_ink:
        corner = centred_corner(strength(pixels, ink, "sum"), height, width)
    pixels, clipped = place(pixels, corner, height, width, around, ink)
    reached("centre")
    opaque = np.full((height, width, 1), 255, np.uint8)
    image = np.concatenate([pixels, opaque], axis=2) if channels in (2, 4) else pixels
    return Prepared(image, tuple(stages), hints, clipped)


def _cleaned(given: Picture, light_ground: bool, handwriting: Handwriting, chosen: Collection[Step]) -> list[Stage]:
    """Return the picture after each of the steps that leave ink alone on an even ground."""
    ink, pixels, stages = handwriting.ink, given, []
    for step in _CLEANING:
        if step in chosen:
            if step == "polarity":
                pixels = turn(pixels, light_ground, ink)
            elif step == "light":
                pixels = even_light(pixels, ink)
            elif step == "ink":
                pixels = part(pixels, ink)
            else:
                pixels = drop_specks(pixels, ink)
        stages.append(Stage(step, step in chosen, pixels))
    return stages
