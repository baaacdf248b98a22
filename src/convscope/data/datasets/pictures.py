"""Draw images of a data set as PNG: one enlarged, or the first few in a strip.

One channel is shown in grey and three in colour; any other number of channels is shown side by side in grey.
"""

import numpy as np
from numpy.typing import NDArray

from convscope.base.png import encode_png
from convscope.data.datasets.data_file import Images

STRIP_HEIGHT = 56  # pixels of a picture in a strip, at most; twice an image of MNIST
STRIP_WIDTH = 4 * STRIP_HEIGHT  # pixels of a picture in a strip, at most; wider ones become lower than the strip
STRIP_GAP = 4  # pixels between two pictures


def image_png(image: Images, at_least: int = 280) -> bytes:
    """Draw an image (H, W, C) as PNG, enlarged by the smallest whole factor to `at_least` pixels on its longer side.

    Raises:
        ValueError: if `image` is not uint8 of three dimensions, or `at_least` is below 1.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.size == 0:
        raise ValueError(f"image is {image.dtype} of shape {image.shape}; it must be uint8 (H, W, C)")
    if at_least < 1:
        raise ValueError(f"at_least is {at_least}; it must be at least 1")
    pixels = _colours(image)
    multiple = max(1, -(-at_least // max(image.shape[:2])))  # rounded up
    pixels = pixels.repeat(multiple, axis=0).repeat(multiple, axis=1)
    return encode_png(pixels if image.shape[2] == 3 else pixels[..., 0])


def strip_png(images: Images) -> bytes:
    """Draw images (N, H, W, C) side by side as PNG with transparent gaps.

    Each is at most `STRIP_HEIGHT` high and `STRIP_WIDTH` wide.

    Raises:
        ValueError: if there is no image.
    """
    from PIL import Image  # here: it takes longer to import than the rest of this room, and few calls draw

    if len(images) == 0:
        raise ValueError("images is empty; a strip needs at least one image")
    pieces = []
    for image in images:
        pixels = _colours(image)
        height, width = pixels.shape[:2]
        # Small images grow by whole multiples and stay sharp; large ones are averaged down.
        fit = min(STRIP_HEIGHT / height, STRIP_WIDTH / width)
        scale = int(fit) if fit >= 1 else fit
        size = (max(round(width * scale), 1), max(round(height * scale), 1))
        method = Image.Resampling.NEAREST if scale >= 1 else Image.Resampling.BOX
        piece = np.asarray(Image.fromarray(pixels).resize(size, method))
        opaque = np.full((*piece.shape[:2], 1), 255, dtype=np.uint8)
        pieces += [np.concatenate([piece, opaque], axis=2), np.zeros((size[1], STRIP_GAP, 4), dtype=np.uint8)]
    return encode_png(np.concatenate(pieces[:-1], axis=1))


def _colours(image: Images) -> NDArray[np.uint8]:
    """Convert an image to (H, W, 3), or to (H, C * W, 3) for other than one or three channels."""
    if image.shape[2] == 3:
        return image
    side_by_side = np.concatenate(list(np.moveaxis(image, 2, 0)), axis=1)
    return np.repeat(side_by_side[..., np.newaxis], 3, axis=2)


def matrix_text(values: NDArray[np.uint8]) -> str:
    """Format `values` (H, W) as text, a line for each row, with aligned columns."""
    num_digits = len(str(values.max()))
    return "\n".join(" ".join(f"{value:{num_digits}d}" for value in row) for row in values.tolist())
