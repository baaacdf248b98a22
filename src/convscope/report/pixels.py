"""Arrays as pictures: palettes, grids of small pictures, and PNG.

Nothing is interpolated: a value is a square of whole pixels.
"""

from base64 import b64encode
from collections.abc import Sequence
from typing import Literal

import matplotlib
import numpy as np
from numpy.typing import NDArray

from convscope.base.palette import BLUE, ORANGE
from convscope.base.png import encode_png

Pixels = NDArray[np.uint8]
"""(H, W, 4), RGBA."""

Palette = Literal["signed", "viridis"]

_FRAME = (128, 128, 128, 96)  # a hairline that shows on a dark and on a light ground


def paint(values: NDArray[np.float32] | NDArray[np.float64], palette: Palette, low: float, high: float) -> Pixels:
    """Colour `values` (H, W) as RGBA (H, W, 4), with `low` and `high` at the ends of the palette; NaN is clear.

    "signed" is blue below zero and orange above it, and more transparent nearer to zero: zero shows the ground, dark or
    light. It expects low = -high; from -2 to 2, the value -1 is blue with half the opacity. "viridis" is matplotlib's.
    """
    span = high - low
    scaled = np.clip((np.asarray(values, np.float64) - low) / span, 0, 1) if span > 0 else np.zeros(values.shape)
    missing = np.isnan(values)
    scaled = np.where(missing, 0, scaled)
    pixels = np.empty((*values.shape, 4), np.uint8)
    if palette == "signed":
        # From 0..1 to -1..1: the sign is the colour, the size the opacity. If all values are equal, they are zero.
        signed = 2 * scaled - 1 if span > 0 else scaled
        pixels[..., :3] = np.where((signed < 0)[..., None], BLUE, ORANGE)
        pixels[..., 3] = np.rint(255 * np.abs(signed))
    else:
        pixels[:] = matplotlib.colormaps["viridis"](scaled, bytes=True)
    pixels[missing] = 0
    return pixels


def image_pixels(image: NDArray[np.uint8]) -> Pixels:
    """Turn an image (H, W, C) into RGBA: one channel as grey, three as colour, any other number as their mean."""
    channels = image.shape[2]
    colours = image if channels in (1, 3) else np.rint(image.mean(axis=2, keepdims=True)).astype(np.uint8)
    pixels = np.empty((*image.shape[:2], 4), np.uint8)
    pixels[..., :3] = colours
    pixels[..., 3] = 255
    return pixels


def enlarge(pixels: Pixels, scale: int) -> Pixels:
    """Enlarge the picture: each pixel becomes a square of `scale` by `scale`."""
    return pixels.repeat(scale, axis=0).repeat(scale, axis=1)


def tile(pictures: Sequence[Pixels], columns: int, gap: int = 3, framed: bool = False) -> Pixels:
    """Put equally large `pictures` into a grid row by row, `gap` clear pixels apart.

    With `framed`, each has a hairline around it, which shows the edge of a picture in the colour of the ground.
    """
    if framed:
        pictures = [_frame(picture) for picture in pictures]
    height, width = pictures[0].shape[:2]
    # No gap after the last row and column.
    rows, step_down, step_right = -(-len(pictures) // columns), height + gap, width + gap
    grid = np.zeros((rows * step_down - gap, columns * step_right - gap, 4), np.uint8)
    for number, picture in enumerate(pictures):
        top, left = (number // columns) * step_down, (number % columns) * step_right
        grid[top : top + height, left : left + width] = picture
    return grid


def _frame(picture: Pixels) -> Pixels:
    height, width = picture.shape[:2]
    framed = np.full((height + 2, width + 2, 4), _FRAME, np.uint8)
    framed[1:-1, 1:-1] = picture
    return framed


def scale_to(size: int, target: int) -> int:
    """Find the largest whole factor that keeps `size` pixels within `target`, at least 1."""
    return max(1, target // size)


def png_of(pixels: Pixels) -> bytes:
    """Encode RGBA pixels as PNG, in the simplest mode that holds them without loss."""
    # A grey pixel takes a third of the bytes of a coloured one, and that takes three quarters of one with RGBA.
    if (pixels[..., 3] == 255).all():
        is_grey = bool((pixels[..., :1] == pixels[..., 1:3]).all())
        return encode_png(pixels[..., 0] if is_grey else pixels[..., :3])
    return encode_png(pixels)


def pixels_view(pixels: Pixels, scale: int = 1) -> dict[str, object]:
    """Describe a picture for an `img` element that shows each pixel as a square of `scale`."""
    height, width = pixels.shape[:2]
    return {"uri": data_uri(picture_to_json(pixels)), "width": width * scale, "height": height * scale}


def data_uri(content: str, kind: str = "png") -> str:
    """Write the address that holds a picture, which comes in base64."""
    return f"data:image/{kind};base64,{content}"


def picture_to_json(pixels: Pixels) -> str:
    """Encode a picture for JSON: its PNG in base64."""
    return b64encode(png_of(pixels)).decode()
