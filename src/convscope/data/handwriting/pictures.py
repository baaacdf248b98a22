"""What all steps share: pictures as bytes, resized exactly, in grey or in colours, and how much ink a pixel holds.

All sums are of whole numbers, which float64 holds exactly, and every value is rounded as floor(x + 0.5), so that the
page does the same pixel for pixel (web/src/handwriting/).
"""

from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray

from convscope.base.averaging import average, fitted

Picture = Annotated[
    NDArray[np.uint8], "an array (h, w), (h, w, 1) or (h, w, 3) of uint8; cs.read_picture(path) reads a file into one"
]
Ink = Literal["light", "dark"]

FAINTEST = 26  # of 255: a picture whose strongest ink is fainter holds none


def in_colours(picture: Picture, largest: int, num_colours: Literal[1, 3]) -> Picture:
    """Return the picture (h, w, num_colours), its longer side `largest` at most, in grey or in colours.

    Raises:
        ValueError: if it is not (h, w), (h, w, 1) or (h, w, 3) uint8, or has no pixels.
    """
    pixels = picture[..., np.newaxis] if picture.ndim == 2 else picture
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3) or pixels.dtype != np.uint8 or pixels.size == 0:
        raise ValueError(f"picture is {picture.shape} {picture.dtype}; it must be (h, w), (h, w, 1) or (h, w, 3) uint8")
    if max(pixels.shape[:2]) > largest:
        pixels = average(pixels, *fitted(pixels.shape[0], pixels.shape[1], largest, largest))
    if pixels.shape[2] == num_colours:
        return pixels
    if num_colours == 3:
        return np.repeat(pixels, 3, axis=2)
    red, green, blue = (pixels[..., [c]].astype(np.uint32) for c in range(3))
    return ((299 * red + 587 * green + 114 * blue + 500) // 1000).astype(np.uint8)  # luma of ITU-R BT.601


def border(images: NDArray[Any]) -> NDArray[Any]:
    """Return the border pixels of images (..., H, W, C) as (pixels, C)."""
    is_border = np.ones(images.shape[-3:-1], bool)
    is_border[1:-1, 1:-1] = False
    return images[..., is_border, :].reshape(-1, images.shape[-1])


def median(values: NDArray[Any]) -> int:
    """Return the middle value, the lower of the two if there are two."""
    middle = (values.size - 1) // 2
    return int(np.partition(values, middle, axis=None)[middle])


def ground(pixels: Picture) -> list[int]:
    """Return the median of the border of each channel."""
    around = border(pixels)
    return [median(around[:, c]) for c in range(around.shape[1])]


def strength(pixels: Picture, ink: Ink, over_channels: Literal["max", "sum"] = "max") -> NDArray[np.int64]:
    """Return how much ink there is, (..., H, W): over all channels the most or the sum."""
    found = by_channel(pixels, ink)
    over: NDArray[np.int64] = found.max(axis=-1) if over_channels == "max" else found.sum(axis=-1)
    return over


def by_channel(pixels: Picture, ink: Ink) -> NDArray[np.int64]:
    """Return how much ink there is in each channel, of the same shape, 0 to 255."""
    values: NDArray[np.int64] = pixels.astype(np.int64)
    return values if ink == "light" else 255 - values


def as_ink(strengths: NDArray[np.int64], ink: Ink) -> Picture:
    """Return the picture that `by_channel` gives these strengths of."""
    return (strengths if ink == "light" else 255 - strengths).astype(np.uint8)


def box(strengths: NDArray[np.int64], threshold: float) -> tuple[int, int, int, int]:
    """Return top, bottom, left and right of all ink above this share of the strongest, the ends exclusive."""
    is_ink = strengths > threshold * int(strengths.max())
    rows, columns = np.flatnonzero(is_ink.any(axis=1)), np.flatnonzero(is_ink.any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def centred_corner(mass: NDArray[np.int64], height: int, width: int) -> tuple[int, int]:
    """Return where the first pixel goes if the centre of mass comes to the middle of `height` × `width`.

    Row i counts as i, and the middle of 28 rows as 14: so the centres of MNIST's digits lie from 13.5 to 14.5.
    """
    total = int(mass.sum())
    if total == 0:
        return (height - mass.shape[0]) // 2, (width - mass.shape[1]) // 2
    row = int((mass.sum(axis=1) * np.arange(mass.shape[0])).sum()) / total
    column = int((mass.sum(axis=0) * np.arange(mass.shape[1])).sum()) / total
    return int(np.floor(height / 2 - row + 0.5)), int(np.floor(width / 2 - column + 0.5))
