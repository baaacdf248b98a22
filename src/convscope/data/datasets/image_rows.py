"""Convert arrays of images to a row for each image, and find the shape (H, W, C) of an image."""

from math import isqrt, prod
from typing import Any

import numpy as np

ImageShape = tuple[int, int, int]


def as_rows(X: Any) -> tuple[Any, ImageShape | None]:  # noqa: N803 (scikit-learn's name)
    """Reshape X (N, H, W) or (N, H, W, C) to a row for each image, and return the rows with (H, W, C).

    Arrays of any other number of dimensions are returned unchanged, with None.
    """
    ndim = X.ndim if hasattr(X, "ndim") else np.asarray(X).ndim
    if ndim not in (3, 4):
        return X, None
    images = np.asarray(X)
    height, width, channels = (*images.shape[1:], 1)[:3]  # the 1 is for images without an axis of channels
    return images.reshape(len(images), height * width * channels), (height, width, channels)


def image_shape_of(num_features: int, shown: ImageShape | None, wanted: Any = None) -> ImageShape:
    """Choose (H, W, C) of images with `num_features` numbers; `shown` is the shape that X has, if it has one.

    Args:
        wanted: (H, W) or (H, W, C), if the user states it; else a row of a square number of features is a square image,
            and any other row an image of height 1.

    Raises:
        ValueError: if `wanted` is no such shape, or not that of X.

    >>> image_shape_of(64, None), image_shape_of(30, None), image_shape_of(48, None, (4, 4, 3))
    ((8, 8, 1), (1, 30, 1), (4, 4, 3))
    """
    if wanted is not None:
        return parse_shape(wanted, num_features, shown)
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


def parse_shape(wanted: Any, num_features: int, shown: ImageShape | None = None) -> ImageShape:
    """Check the shape (H, W) or (H, W, C) that a user states, and return (H, W, C).

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
