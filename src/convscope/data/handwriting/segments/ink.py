"""Ink on a whole sheet: `sheet_ink` takes a picture to the strength of its ink and to the pixels that are ink.

The light is made even as for a single character. What is ink is then told from the usual strength of the pen, and not
from the border: a sheet holds more than one pen stroke, specks and printed rules.
"""

import numpy as np
from numpy.typing import NDArray

from convscope.data.handwriting.ink import between_classes
from convscope.data.handwriting.light import even_light, has_light_ground, turn
from convscope.data.handwriting.pictures import FAINTEST, Picture, in_colours

_FAINT, _FULL = 0.4, 0.65  # of the usual strength: a pixel is ink from the one if connected ink reaches the other
_GROUND = 0.3  # of the usual strength: what is fainter is paper; so strokes are as wide as MNIST's are


def sheet_ink(picture: Picture, longest: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Return the strength of ink (h, w) uint8, 0 on the ground, and which pixels are ink (h, w).

    Args:
        picture: (h, w), (h, w, 1) or (h, w, 3) uint8; if a side is longer than `longest`, it is averaged down.

    Raises:
        ValueError: for a picture of another form.
    """
    from scipy import ndimage

    pixels = in_colours(picture, longest, 1)
    strengths = even_light(turn(pixels, has_light_ground(pixels), "light"), "light")[..., 0]
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
    threshold = between_classes(strengths)
    strong = strengths[strengths > max(threshold, FAINTEST // 2)]
    return float(np.median(strong)) if strong.size else 0.0
