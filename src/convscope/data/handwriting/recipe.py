"""Settings for the conversion of pictures, measured from a data set's images and stored with models trained on them.

Source: LeCun, Bottou, Bengio and Haffner 1998, section III.A: digits are scaled to fit 20 × 20 pixels with their aspect
kept, and moved so that the centre of mass of their pixels is the middle of 28 × 28.
"""

from typing import Annotated, Literal, get_args

import numpy as np
from msgspec import Meta

from convscope.base import _handwriting
from convscope.base.records import Positive, Record
from convscope.data.handwriting.pictures import Ink, Picture

Step = Literal["polarity", "light", "ink", "specks", "deslant", "crop", "scale", "contrast", "centre"]

STEPS: tuple[Step, ...] = get_args(Step)
"""The steps in order; each can be left out."""

OPTIONAL: tuple[Step, ...] = ("deslant",)
"""Steps that are not taken by default: MNIST's digits slant as they were written."""

THRESHOLD = 0.2
"""Share of the strongest ink from which a pixel counts as ink.

The boxes of MNIST's digits are 20 pixels long for all thresholds to 0.2 (998 of 1,000) and shrink beyond; the higher it
is, the less a shadow or a fleck on a photo widens the box.
"""

_NUM_IMAGES = 1000  # images of a data set that are measured
_NEAR_GROUND = 16  # grey levels by which the ground may differ from black or white
_MIN_GROUND = 0.95  # share of the border's pixels that are ground; MNIST has 0.9996
# The median distance of the ink's centre of mass from the middle, in longer sides; MNIST's is at most 0.014.
_MAX_OFF_CENTRE = 0.1


class Handwriting(Record):
    """Settings for the conversion of a picture to an image of a data set.

    Attributes:
        ink: whether ink is light or dark; the ground is the opposite, exactly 0 or 255.
        target: longer side of the writing in pixels.
        threshold: share of the strongest ink from which a pixel counts as ink.
        centre: whether each image shows one object, scaled and centred on an even ground, as MNIST's do. For other data
            sets, as photos, a picture is only resized unless steps are chosen.
    """

    ink: Ink
    target: Positive
    threshold: Annotated[float, Meta(ge=0, lt=1)] = THRESHOLD
    centre: bool = True

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps that are taken by default: all but deslanting, or none."""
        return tuple(step for step in STEPS if step not in OPTIONAL) if self.centre else ()


def handwriting_of(images: Picture) -> Handwriting:
    """Measure the settings on at most 1,000 of the images (N, H, W, C).

    Ink is light if the median of all border pixels is dark. Images count as centred if their border is ground and, in
    the median, the centre of mass of their ink is close to the middle. `target` is then the median of the longer sides
    of the ink's boxes, which is 20 of 28 pixels for MNIST. Otherwise it is 20/28 of the image's shorter side.

    Raises:
        ValueError: if the images are not (N, H, W, C) uint8, or there are none.
    """
    if images.ndim != 4 or images.dtype != np.uint8 or images.size == 0:
        raise ValueError(f"images are {images.shape} {images.dtype}; they must be (N, H, W, C) uint8, and N at least 1")
    sample = np.ascontiguousarray(images[:: max(1, len(images) // _NUM_IMAGES)][:_NUM_IMAGES])
    height, width = sample.shape[1:3]
    is_border = np.ones((height, width), bool)
    is_border[1:-1, 1:-1] = False
    border = sample[:, is_border]
    # "lower" takes one of the pixels, where a mean of the middle two, 0 and 255, would be neither dark nor light.
    ink: Ink = "light" if np.percentile(border, 50, method="lower") < 128 else "dark"
    # For each image its strongest ink, the longer side of the ink's box, and the pixels by which centring moves it.
    strongest, sides, moves_down, moves_right = np.array(
        [_handwriting.measure_ink(image, ink == "light", THRESHOLD) for image in sample]
    ).T
    # For each pixel of the border, by how much it differs from black (for light ink) or white in its worst channel.
    differences = border.max(axis=-1) if ink == "light" else 255 - border.min(axis=-1)
    is_even = np.mean(differences < _NEAR_GROUND) >= _MIN_GROUND
    has_ink = strongest >= _handwriting.FAINTEST
    off_centre = np.maximum(abs(moves_down), abs(moves_right)) / max(height, width)
    if not has_ink.any() or not is_even or np.median(off_centre) > _MAX_OFF_CENTRE:
        target = max(1, int(np.floor(min(height, width) * 20 / 28 + 0.5)))  # MNIST's share
        return Handwriting(ink, target, THRESHOLD, centre=False)
    return Handwriting(ink, int(np.percentile(sides[has_ink], 50, method="lower")), THRESHOLD, centre=True)
