"""Geometry: pictures (N, H, W, C) turned, sheared, scaled about their centre and moved; black comes in."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.evidence.robustness.noise import Levels, Pictures, Uniform

_IDENTITY = np.eye(2)


def warp(images: Pictures, inverse: NDArray[np.float64] = _IDENTITY, shift: tuple[float, float] = (0.0, 0.0)) -> Levels:
    """Return `images` (N, H, W, C) with each pixel p taken from inverse · (p - centre - shift) + centre, bilinearly.

    Args:
        inverse: (2, 2), from a place in the result to that in the image, both (rows down, columns to the right).
        shift: by how many pixels all is moved, (down, to the right).
    """
    num_images, height, width, channels = images.shape
    centre = np.array([(height - 1) / 2, (width - 1) / 2])
    positions = np.indices((height, width)).reshape(2, -1).T - centre - shift  # (H W, 2)
    positions = positions @ inverse.T + centre
    corner = np.floor(positions).astype(np.int64)
    part = positions - corner
    flat = images.reshape(num_images, height * width, channels)
    result = np.zeros(flat.shape, np.float32)
    for down in (0, 1):
        for right in (0, 1):
            rows, columns = corner[:, 0] + down, corner[:, 1] + right
            weights = np.abs(1 - down - part[:, 0]) * np.abs(1 - right - part[:, 1])
            used = (weights > 0) & (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
            source = (rows * width + columns)[used]
            result[:, used] += flat[:, source] * weights[used, None].astype(np.float32)
    return result.reshape(images.shape)


def turned(images: Pictures, degrees: float) -> Levels:
    """Return `images` turned counterclockwise."""
    angle = np.radians(degrees)
    return warp(images, np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]))


def scaled(images: Pictures, factor: float) -> Levels:
    """Scale the content of `images` by `factor` about their centre."""
    return warp(images, np.eye(2) / factor)


def rotate(images: Pictures, radians: float, uniform: Uniform) -> Levels:
    """Turn each image to one side or the other."""
    return _by_direction(images, uniform(1), lambda some, sign: turned(some, sign[0] * np.degrees(radians)))


def shear(images: Pictures, slope: float, uniform: Uniform) -> Levels:
    """Move each row to one side or the other by `slope` times its distance from the middle row."""
    return _by_direction(images, uniform(1), lambda some, sign: warp(some, np.array([[1, 0], [sign[0] * slope, 1]])))


def scale(images: Pictures, factor: float, _: Uniform) -> Levels:
    """Make what is shown smaller."""
    return scaled(images, factor)


def translate(images: Pictures, pixels: float, uniform: Uniform) -> Levels:
    """Move each image up or down and left or right, by `pixels` of 28 along each axis."""
    distance = pixels * max(images.shape[1:3]) / 28
    return _by_direction(
        images, uniform(2), lambda some, sign: warp(some, shift=(sign[0] * distance, sign[1] * distance))
    )


def _by_direction(
    images: Pictures, chances: NDArray[np.float64], change: Callable[[Pictures, NDArray[Any]], Levels]
) -> Levels:
    """Apply `change` to the images with signs -1 or 1, as many as `chances` (N, A) has columns."""
    signs = np.where(chances < 0.5, -1, 1)
    result = np.empty(images.shape, np.float32)
    for sign in np.unique(signs, axis=0):
        members = (signs == sign).all(axis=1)
        result[members] = change(images[members], sign)
    return result
