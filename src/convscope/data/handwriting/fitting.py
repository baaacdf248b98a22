"""Writing fitted into an image: cropped, scaled, stretched to full contrast, its mass put in the middle."""

import numpy as np

from convscope.base.averaging import average, fitted, rounded
from convscope.data.handwriting.pictures import Ink, Picture, box, by_channel, strength


def crop(pixels: Picture, ink: Ink, threshold: float) -> Picture:
    """Return the box of all ink above this share of the strongest; there must be some."""
    top, bottom, left, right = box(strength(pixels, ink), threshold)
    return pixels[top:bottom, left:right]


def scale(pixels: Picture, height: int, width: int, target: int | None) -> Picture:
    """Return the picture with its longer side of `target` pixels, or as large as the image holds it, aspect kept."""
    size = fitted(pixels.shape[0], pixels.shape[1], height, width)
    if target is not None:
        smaller = fitted(pixels.shape[0], pixels.shape[1], target, target)
        size = smaller if smaller[0] <= height and smaller[1] <= width else size
    return average(pixels, *size)


def stretch(pixels: Picture, ink: Ink) -> Picture:
    """Return the picture with its strongest ink at full strength; of each channel the same share."""
    strengths = by_channel(pixels, ink)
    largest = int(strengths.max())
    if largest == 0:
        return pixels
    full = rounded(strengths * 255 / largest)
    return full if ink == "light" else 255 - full


def place(
    pixels: Picture, corner: tuple[int, int], height: int, width: int, around: list[int], ink: Ink
) -> tuple[Picture, float]:
    """Return the pixels from `corner` on, on an image of the ground `around`, and which share of the ink is outside."""
    image = np.empty((height, width, pixels.shape[2]), np.uint8)
    image[:] = around
    (top, left), (rows, columns) = corner, pixels.shape[:2]
    above, below = max(0, -top), min(rows, height - top)
    before, behind = max(0, -left), min(columns, width - left)
    inside = pixels[above:below, before:behind]
    image[top + above : top + below, left + before : left + behind] = inside
    total = int(strength(pixels, ink, "sum").sum())
    lost = total - int(strength(inside, ink, "sum").sum())
    return image, lost / total if total else 0.0
