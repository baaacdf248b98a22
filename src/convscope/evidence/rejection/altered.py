"""Test images moved or turned a little: what a rule costs where images lie otherwise than in training.

They keep their classes, so each refusal of an image that is answered correctly is a cost.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from convscope.base.streams import random_stream
from convscope.data.datasets import Dataset

_SHIFTS = 2, 4  # pixels of an image 28 pixels wide
_ANGLES = 15, 30  # degrees


@dataclass(frozen=True, eq=False)
class Altered:
    """Images of known classes that lie otherwise.

    Attributes:
        name: what was done to them, such as "shifted by 2 pixels".
        images: (N, H, W, C) uint8.
    """

    name: str
    images: NDArray[np.uint8] = field(repr=False)


def alter(dataset: Dataset, seed: int = 0) -> tuple[Altered, ...]:
    """Return the images of `dataset` shifted and turned by two amounts each, to a random side; edge pixels go on."""
    from scipy.ndimage import rotate, shift

    images, side = dataset.images, max(dataset.image_shape[:2])
    directions = np.array([(-1, 0), (0, 1), (1, 0), (0, -1)])[
        random_stream(seed, "altered shift").integers(0, 4, len(images))
    ]
    signs = random_stream(seed, "altered turn").choice((-1, 1), len(images))
    found = list[Altered]()
    for pixels in sorted({max(1, round(pixels * side / 28)) for pixels in _SHIFTS}):
        moved = [
            shift(image, (*(pixels * direction), 0), order=0, mode="nearest")
            for image, direction in zip(images, directions, strict=True)
        ]
        found.append(Altered(f"shifted by {pixels} pixel{'s' * (pixels > 1)}", np.stack(moved)))
    for angle in _ANGLES:
        turned = [
            rotate(image, sign * angle, (0, 1), reshape=False, order=1, mode="nearest")
            for image, sign in zip(images, signs, strict=True)
        ]
        found.append(Altered(f"turned by {angle}°", np.stack(turned)))
    return tuple(found)
