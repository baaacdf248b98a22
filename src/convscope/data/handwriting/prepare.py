"""Convert a drawing or a photo to an image like those of a data set.

The steps are computed by native/handwriting, which the page uses too. The picture after each step is kept.

Source: LeCun, Bottou, Bengio and Haffner 1998, section III.A: digits are scaled to fit 20 × 20 pixels with their aspect
kept, and moved so that the centre of mass of their pixels is the middle of 28 × 28.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, get_args

from convscope.base import _handwriting
from convscope.base.deadline import check_deadline
from convscope.data.handwriting.pictures import Picture, with_channels
from convscope.data.handwriting.recipe import STEPS, Handwriting, Step

Hint = Literal["empty", "inverted", "tiny", "off-centre", "several"]

HINTS: tuple[Hint, ...] = get_args(Hint)
"""All hints, in the order in which they are given.

- "empty": there is no ink, and no other hint is given then.
- "inverted": the picture was inverted to the data set's polarity.
- "tiny": the ink is shorter than a fifth of the picture.
- "off-centre": the middle of the ink's box is more than a fifth of the picture away from the picture's middle.
- "several": there are pieces of similar length and apart from each other, as the digits of a number are.
"""

LARGEST_FACTOR = _handwriting.LARGEST_FACTOR
"""A picture is first averaged down to this many times the longer side of the image, which removes noise."""


@dataclass(frozen=True, eq=False)
class Stage:
    """A picture during its preparation: `name` is "picture" for the original, else the last step.

    Attributes:
        is_taken: true if the step was taken; if not, the picture is as before, but resized to the image's size anyway.
        pixels: (h, w, 1 or 3) uint8, in the polarity that the picture has after this step.
    """

    name: str
    is_taken: bool
    pixels: Picture


@dataclass(frozen=True, eq=False)
class Prepared:
    """An image for a network, and the steps of its preparation.

    Attributes:
        image: (H, W, C) uint8.
        stages: the original in the network's colours, then the picture after each step.
        hints: possible faults of the picture, whether a step corrects them or not; none for other than handwriting.
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
    """Convert a picture to an image (height, width, channels) like those of a data set.

    First it is averaged down to ten times the image at most, and made grey for a network that sees grey. Then

    1. "polarity": inverted if the data set's ink is light and the picture's dark, or the reverse; for MNIST, dark
       writing on paper becomes light.
    2. "light": uneven light, as gradients and shadows, is divided out: the ground becomes even, exactly the data set's.
    3. "ink": ink alone is kept; noise, grain and ruled lines become ground. Without "light", the ground is the median
       of the border.
    4. "specks": pieces with less than a 20th of the largest one's ink become ground.
    5. "deslant": sheared until the writing stands upright. It is only taken when asked for.
    6. "crop": to the box of all ink above the threshold.
    7. "scale": the longer side becomes `target` pixels by exact area averaging. Without it the picture is made as large
       as fits into the image.
    8. "contrast": the strongest ink becomes full, as thin lines grow pale when they are averaged.
    9. "centre": a shift by whole pixels that brings the centre of mass to the middle. Without it, the ink's box
       is centred.

    A step that is left out leaves the picture to the next as it is. Without any step the picture is resized to the
    image's height and width, as the readers of data sets do. One without ink is neither cropped nor stretched.

    Args:
        picture: (h, w), (h, w, 1) or (h, w, 3) uint8; put transparent pictures on white before.
        channels: 1 (grey), 3 (colours), or 2 and 4, the same with an opaque alpha channel.
        steps: the steps to take; by default all but deslanting for handwriting, and none for other data sets.

    Raises:
        ValueError: for a picture of another form, or an unknown step.
    """
    check_deadline()
    chosen = handwriting.steps if steps is None else steps
    if unknown := sorted(set(chosen) - set(STEPS)):
        raise ValueError(f"steps has {unknown[0]!r}; the steps are {', '.join(STEPS)}")
    if min(height, width) < 1 or not 1 <= channels <= 4:
        raise ValueError(f"the image is {height} × {width} × {channels}; it needs pixels, and 1 to 4 channels")
    # In C++, which the page's engine shares, so that both prepare to the same bytes.
    image, stages, hints, clipped = _handwriting.prepare(
        with_channels(picture),
        height,
        width,
        channels,
        handwriting.ink == "light",
        # A file may state any target; larger ones overflow in C++, and no image could show them.
        min(handwriting.target, LARGEST_FACTOR * max(height, width)),
        handwriting.threshold,
        handwriting.centre,
        sum(1 << i for i, step in enumerate(STEPS) if step in chosen),  # bit i for step i; hints are returned so, too
    )
    return Prepared(
        image,
        tuple(
            Stage(name, name == "picture" or name in chosen, pixels)
            for name, pixels in zip(("picture", *STEPS), stages, strict=True)
        ),
        tuple(hint for i, hint in enumerate(HINTS) if hints >> i & 1),
        clipped,
    )
