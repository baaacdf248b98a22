"""Which numbers of X are an image: from what scikit-learn passes around to one row an image, and back to (H, W, C)."""

from math import isqrt, prod
from typing import Any

import numpy as np

ImageShape = tuple[int, int, int]


def as_rows(X: Any) -> tuple[Any, ImageShape | None]:  # noqa: N803 (scikit-learn's name)
    """Return X with one row an image, and the (H, W, C) that X shows: (N, H, W) has one channel, (N, F) shows none.

    What is not three- or four-dimensional is returned as it is.
    """
    ndim = X.ndim if hasattr(X, "ndim") else np.asarray(X).ndim
    if ndim not in (3, 4):
        return X, None
    images = np.asarray(X)
    height, width, channels = (*images.shape[1:], 1)[:3]
    return images.reshape(len(images), height * width * channels), (height, width, channels)


def image_shape_of(num_features: int, shown: ImageShape | None, wanted: Any = None) -> ImageShape:
    """Return (H, W, C) of images with `num_features` numbers, whose X shows the shape `shown`, if any.

    Args:
        wanted: (H, W) or (H, W, C), if the user says so; else a row of a square number of features is a square image,
            and any other row an image of one row.

    Raises:
        ValueError: if `wanted` is no such shape, or not that of X.

    >>> image_shape_of(64, None), image_shape_of(30, None), image_shape_of(48, None, (4, 4, 3))
    ((8, 8, 1), (1, 30, 1), (4, 4, 3))
    """
    if wanted is not None:
        shape = tuple(wanted)
        if len(shape) not in (2, 3) or not all(isinstance(size, int | np.integer) and size > 0 for size in shape):
            raise ValueError(f"image_shape is {wanted!r}; it must be (H, W) or (H, W, C), whole numbers above 0")
        height, width, channels = (int(size) for size in (*shape, 1)[:3])
        if shown is not None and shown != (height, width, channels):
            raise ValueError(f"image_shape is {wanted!r}, but the images in X are {shown}")
        if prod(shape) != num_features:
            raise ValueError(
                f"image_shape is {wanted!r}, which has {prod(shape)} numbers, but X has {num_features} features"
            )
        return height, width, channels
    if shown is not None:
        return shown
    side = isqrt(num_features)
    if side * side == num_features:
        return side, side, 1
    if num_features > 4096:
        raise ValueError(
            f"X has {num_features} features, which are no square image and more than the 4096 that an image of one row "
            "may have; give image_shape=(H, W, C), or fewer features"
        )
    return 1, num_features, 1
