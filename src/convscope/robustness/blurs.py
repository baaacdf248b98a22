"""Blurs: glass, through which neighbouring pixels change places, and motion along a line.

Lengths are in pixels of an image 28 pixels wide, and grow with the image.
"""

from math import ceil

import numpy as np
from numpy.typing import NDArray

from convscope.robustness.draws import Uniform
from convscope.robustness.noise import Levels, Pictures

_LARGEST_ANGLE = 45  # degrees to either side of horizontal, as in MNIST-C


def glass_blur(images: Pictures, constants: tuple[float, float, int], uniform: Uniform) -> Levels:
    """Smooth, let each pixel change places with a near one, and smooth again.

    Args:
        constants: the standard deviation of the smoothing, how far pixels go along each axis, and how many times.
    """
    from scipy.ndimage import gaussian_filter

    num_images, height, width, _ = images.shape
    growth = max(height, width) / 28
    deviation, reach, passes = constants[0] * growth, max(1, round(constants[1] * growth)), constants[2]
    around = (0, deviation, deviation, 0)
    smooth = gaussian_filter(images.astype(np.float32), around, mode="nearest")
    shuffled = shuffle(smooth, reach, uniform(passes * height * width).reshape(num_images, passes, height * width))
    return np.asarray(gaussian_filter(shuffled, around, mode="nearest"))


def shuffle(images: Levels, reach: int, chances: NDArray[np.float64]) -> Levels:
    """Return `images` (N, H, W, C), half of whose pixels, in turn, changed places with one at most `reach` away.

    Args:
        chances: (N, passes, H · W) from 0 up to 1: below a half a pixel stays, above it they say which of the
            (2 reach + 1)² places around it, `reach` along each axis, its own among them, it goes to.
    """
    num_images, height, width, channels = images.shape
    span = 2 * reach + 1
    pixels = np.moveaxis(images.reshape(num_images, -1, channels), 0, 1).copy()  # (H W, N, C)
    every = np.arange(num_images)
    for one in range(chances.shape[1]):
        choices = np.floor((2 * chances[:, one] - 1) * span**2).astype(np.int64).T  # (H W, N)
        choices[choices < 0] = span**2 // 2  # its own
        for place in range(height * width):
            down, right = np.divmod(choices[place], span)
            rows = np.clip(place // width + down - reach, 0, height - 1)
            columns = np.clip(place % width + right - reach, 0, width - 1)
            others = rows * width + columns
            held = pixels[place].copy()
            pixels[place] = pixels[others, every]
            pixels[others, every] = held
    return np.ascontiguousarray(np.moveaxis(pixels, 0, 1)).reshape(images.shape)


def motion_blur(images: Pictures, deviation: float, uniform: Uniform) -> Levels:
    """Smear each image along a line within 45 degrees of horizontal, to one side, with half a Gaussian as weights.

    The line's direction is a whole number of degrees, and its points are whole pixels. Beyond an edge its pixels go on.
    """
    _, height, width, _ = images.shape
    deviation = deviation * max(height, width) / 28
    length = ceil(3 * deviation)
    weights = np.exp(-0.5 * (np.arange(length + 1) / deviation) ** 2)
    weights /= weights.sum()
    angles = np.floor(uniform(1)[:, 0] * (2 * _LARGEST_ANGLE + 1)).astype(np.int64) - _LARGEST_ANGLE
    result = np.zeros(images.shape, np.float32)
    for angle in np.unique(angles):
        members = angles == angle
        padded = np.pad(images[members], ((0, 0), (length, length), (length, length), (0, 0)), mode="edge")
        blurred = np.zeros(images[members].shape, np.float32)
        for step, weight in enumerate(weights):
            top = length - round(step * np.sin(np.radians(angle)))
            left = length + round(step * np.cos(np.radians(angle)))
            blurred += np.float32(weight) * padded[:, top : top + height, left : left + width]
        result[members] = blurred
    return result
