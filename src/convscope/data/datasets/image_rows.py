"""Which numbers of an array are an image: from the shapes that arrays come in to one row an image, and (H, W, C)."""

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
        return stated_shape(wanted, num_features, shown)
    if shown is not None:
        return shown
    side = isqrt(num_features)
    if side * side == num_features:
        return side, side, 1
    if num_features > 4096:
        raise ValueError(
            f"X has {num_features} features, which is not a square image and more than the limit of 4096 for an image "
            "of one row; give image_shape=(H, W, C), or fewer features"
        )
    return 1, num_features, 1


def stated_shape(wanted: Any, num_features: int, shown: ImageShape | None = None) -> ImageShape:
    """Return the (H, W) or (H, W, C) that is `wanted` as (H, W, C).

    Raises:
        ValueError: if it is no such shape, not the one `shown` by the array, or not of `num_features` numbers.
    """
    is_shape = isinstance(wanted, tuple | list | np.ndarray) and len(wanted) in (2, 3)
    if not is_shape or not all(isinstance(size, int | np.integer) and size > 0 for size in wanted):
        raise ValueError(f"image_shape is {wanted!r}; it must be (H, W) or (H, W, C), whole numbers above 0")
    height, width, channels = (int(size) for size in (*wanted, 1)[:3])
    if shown is not None and shown != (height, width, channels):
        raise ValueError(f"image_shape is {wanted!r}, but the images in X are {shown}")
    if prod(wanted) != num_features:
        raise ValueError(
            f"image_shape is {wanted!r}, which has {prod(wanted)} numbers, but X has {num_features} features"
        )
    return height, width, channels
