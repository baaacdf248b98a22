"""How an image of a data set is made from a picture: found from its images, and kept with a model trained on them.

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
"""The steps in their order; each can be left out."""

OPTIONAL: tuple[Step, ...] = ("deslant",)
"""The steps that are only taken when they are asked for: MNIST's digits slant as they were written."""

THRESHOLD = 0.2
"""Share of the strongest ink from which a pixel counts as ink.

The boxes of MNIST's digits are 20 pixels long for all thresholds to 0.2 (998 of 1,000) and shrink beyond; the higher it
is, the less a shadow or a fleck on a photo widens the box.
"""

_NUM_IMAGES = 1000  # of a data set that are looked at
_NEAR_GROUND = 16  # grey levels
_EVEN_GROUND, _CENTRED = 0.95, 0.1  # MNIST: 0.9996 of the border is ground, centres of mass lie 0.014 sides off at most


class Handwriting(Record):
    """How an image of a data set is made from a picture.

    Attributes:
        ink: which of the two the data set writes with; the other is its ground, exactly 0 or 255.
        target: pixels of the longer side of what is written.
        threshold: share of the strongest ink from which a pixel counts as ink.
        centre: whether the images hold one thing each, sized and centred on an even ground, as MNIST's do. Where they
            do not, as photos, a picture is only resized unless steps are asked for.
    """

    ink: Ink
    target: Positive
    threshold: Annotated[float, Meta(ge=0, lt=1)] = THRESHOLD
    centre: bool = True

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps that are taken unless others are asked for: all but deslanting, or none."""
        return tuple(step for step in STEPS if step not in OPTIONAL) if self.centre else ()


def handwriting_of(images: Picture) -> Handwriting:
    """Return how images like these (N, H, W, C) are made from a picture; at most 1,000 of them are looked at.

    Ink is light where the median of all border pixels is dark. Images are taken as centred if their border is ground
    and, in the median, the centre of mass of their ink is close to the middle; `target` is then the median of the
    longer sides of the ink's boxes, which is 20 for MNIST, and else the same share of the shorter side.

    Raises:
        ValueError: if the images are not (N, H, W, C) uint8, or there are none.
    """
    if images.ndim != 4 or images.dtype != np.uint8 or images.size == 0:
        raise ValueError(f"images are {images.shape} {images.dtype}; they must be (N, H, W, C) uint8, and N at least 1")
    some = np.ascontiguousarray(images[:: max(1, len(images) // _NUM_IMAGES)][:_NUM_IMAGES])
    height, width = some.shape[1:3]
    is_border = np.ones((height, width), bool)
    is_border[1:-1, 1:-1] = False
    border = some[:, is_border]
    ink: Ink = "light" if np.percentile(border, 50, method="lower") < 128 else "dark"
    strongest, sides, tops, lefts = np.array(
        [_handwriting.measure_ink(image, ink == "light", THRESHOLD) for image in some]
    ).T
    ground = border.max(axis=-1) if ink == "light" else 255 - border.min(axis=-1)
    is_even = np.mean(ground < _NEAR_GROUND) >= _EVEN_GROUND
    has_ink = strongest >= _handwriting.FAINTEST
    off_centre = np.maximum(abs(tops), abs(lefts)) / max(height, width)
    if not has_ink.any() or not is_even or np.median(off_centre) > _CENTRED:
        target = max(1, int(np.floor(min(height, width) * 20 / 28 + 0.5)))
        return Handwriting(ink, target, THRESHOLD, centre=False)
    return Handwriting(ink, int(np.percentile(sides[has_ink], 50, method="lower")), THRESHOLD, centre=True)
