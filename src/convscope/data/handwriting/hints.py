"""What may be wrong with a picture of handwriting, found on an even ground and without specks."""

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from convscope.data.handwriting.pictures import FAINTEST, Ink, Picture, box, strength

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
