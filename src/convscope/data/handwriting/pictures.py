"""The types of pictures and of their ink."""

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray

Picture = Annotated[
    NDArray[np.uint8], "an array (h, w), (h, w, 1) or (h, w, 3) of uint8; cs.read_picture(path) reads a file into one"
]
Ink = Literal["light", "dark"]


def with_channels(picture: Picture) -> Picture:
    """Convert a picture to (h, w, 1) or (h, w, 3).

    Raises:
        ValueError: if it is not (h, w), (h, w, 1) or (h, w, 3) uint8, or has no pixels.
    """
    pixels = picture[..., np.newaxis] if picture.ndim == 2 else picture
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3) or pixels.dtype != np.uint8 or pixels.size == 0:
        raise ValueError(f"picture is {picture.shape} {picture.dtype}; it must be (h, w), (h, w, 1) or (h, w, 3) uint8")
    return pixels
