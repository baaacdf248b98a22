"""Draw the first few images of a data set in a strip as PNG.

One channel is shown in grey and three in colour; any other number of channels is shown side by side in grey.
"""

import numpy as np
from numpy.typing import NDArray

from convscope.base.png import encode_png
from convscope.data.datasets.data_file import Images

STRIP_HEIGHT = 56  # pixels of a picture in a strip, at most; twice an image of MNIST
STRIP_WIDTH = 4 * STRIP_HEIGHT  # pixels of a picture in a strip, at most; wider ones become lower than the strip
STRIP_GAP = 4  # pixels between two pictures


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
