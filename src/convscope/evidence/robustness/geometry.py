"""Rotate, shear, scale and shift pictures (N, H, W, C); gaps are black."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.evidence.robustness.noise import Levels, Pictures, Uniform

_IDENTITY = np.eye(2)


def warp(images: Pictures, inverse: NDArray[np.float64] = _IDENTITY, shift: tuple[float, float] = (0.0, 0.0)) -> Levels:
    """Transform `images` (N, H, W, C): pixel p is read at inverse · (p - centre - shift) + centre, bilinearly.

    To enlarge by 2, the inverse is 1/2: the pixel 3 columns to the right of the centre is read 1.5 columns to the right
    of it, half from the pixel at 1 and half from that at 2.

    Args:
        inverse: (2, 2), from a position in the result to that in the image, both (rows down, columns to the right).
        shift: pixels (down, to the right).
    """
    num_images, height, width, channels = images.shape
    centre = np.array([(height - 1) / 2, (width - 1) / 2])
    positions = np.indices((height, width)).reshape(2, -1).T - centre - shift  # (H W, 2)
    positions = positions @ inverse.T + centre
    corner = np.floor(positions).astype(np.int64)
    part = positions - corner
    flat = images.reshape(num_images, height * width, channels)
    result = np.zeros(flat.shape, np.float32)
    # The four pixels around a position, each with the weight (1 - distance in rows) · (1 - distance in columns).
    for down in (0, 1):
        for right in (0, 1):
            rows, columns = corner[:, 0] + down, corner[:, 1] + right
            weights = np.abs(1 - down - part[:, 0]) * np.abs(1 - right - part[:, 1])
            # Beyond the image is black, which adds nothing.
            used = (weights > 0) & (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
            source = (rows * width + columns)[used]
            result[:, used] += flat[:, source] * weights[used, None].astype(np.float32)
    return result.reshape(images.shape)


def rotate_by(images: Pictures, degrees: float) -> Levels:
    """Rotate `images` counterclockwise."""
    angle = np.radians(degrees)
    return warp(images, np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]))


def scale_by(images: Pictures, factor: float) -> Levels:
    """Scale the content of `images` by `factor` about their centre."""
    # The inverse: where a pixel of the result is read.
    return warp(images, np.eye(2) / factor)


def rotate(images: Pictures, radians: float, uniform: Uniform) -> Levels:
    """Rotate each image clockwise or counterclockwise."""
    return _apply_by_direction(images, uniform(1), lambda group, sign: rotate_by(group, sign[0] * np.degrees(radians)))


def shear(images: Pictures, slope: float, uniform: Uniform) -> Levels:
    """Shift each row to the left or right by `slope` times its distance from the middle row."""
    return _apply_by_direction(
        images, uniform(1), lambda group, sign: warp(group, np.array([[1, 0], [sign[0] * slope, 1]]))
    )


def scale(images: Pictures, factor: float, _: Uniform) -> Levels:
    """Shrink the content of each image."""
    return scale_by(images, factor)


def translate(images: Pictures, pixels: float, uniform: Uniform) -> Levels:
    """Shift each image up or down and left or right, by `pixels` of 28 along each axis."""
    distance = pixels * max(images.shape[1:3]) / 28
    return _apply_by_direction(
        images, uniform(2), lambda group, sign: warp(group, shift=(sign[0] * distance, sign[1] * distance))
    )


def _apply_by_direction(
    images: Pictures, chances: NDArray[np.float64], change: Callable[[Pictures, NDArray[Any]], Levels]
) -> Levels:
    """Apply `change` to groups of images with the same signs, -1 or 1 for each column of `chances` (N, A)."""
    signs = np.where(chances < 0.5, -1, 1)
    result = np.empty(images.shape, np.float32)
    for sign in np.unique(signs, axis=0):
        members = (signs == sign).all(axis=1)
        result[members] = change(images[members], sign)
    return result
