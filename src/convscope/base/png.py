"""Arrays as PNG files."""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray


def encode_png(pixels: NDArray[np.uint8], compress_level: int = 6) -> bytes:
    """Return grey (H, W) or (H, W, 1), RGB (H, W, 3) or RGBA (H, W, 4) pixels as a PNG file.

    Args:
        compress_level: 0 to 9; 1 is the fastest that compresses, 9 gives the smallest file.
    """
    from PIL import Image  # loaded late: reading a data set needs no pictures

    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    content = BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(content, "PNG", compress_level=compress_level)
    return content.getvalue()
