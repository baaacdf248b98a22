"""Blur pictures by glass, which swaps neighbouring pixels, and by motion along a line.

Lengths are in pixels of an image 28 pixels wide, and grow with the image.
"""

from math import ceil

import numpy as np
from numpy.typing import NDArray

from convscope.evidence.robustness.noise import Levels, Pictures, Uniform

_LARGEST_ANGLE = 45  # degrees to either side of horizontal, as in MNIST-C
# Grey levels, added before values are cut to whole levels, so that an even picture stays the same.
_ROUNDING = 1e-6


def glass_blur(images: Pictures, constants: tuple[float, float, int], uniform: Uniform) -> Levels:
    """Smooth each column, swap pixels with near ones, and smooth each column again.

    This is MNIST-C's definition: its Gaussian filter treats the columns of a grey image as colour channels, so nothing
    is smoothed along a row. Between the two filters, values are cut to whole grey levels.

    Args:
        constants: the standard deviation of the smoothing, the reach of swaps along each axis, and the passes.
    """
    from scipy.ndimage import gaussian_filter1d

    num_images, height, width, _ = images.shape
    growth = max(height, width) / 28
    deviation, reach, passes = constants[0] * growth, max(1, round(constants[1] * growth)), constants[2]
    smooth = np.floor(gaussian_filter1d(images.astype(np.float64), deviation, axis=1, mode="nearest") + _ROUNDING)
    shuffled = shuffle(smooth, reach, uniform(passes * height * width).reshape(num_images, passes, height * width))
    return np.asarray(gaussian_filter1d(shuffled, deviation, axis=1, mode="nearest"), np.float32)


def shuffle(images: Levels, reach: int, chances: NDArray[np.float64]) -> Levels:
    """Swap half of the inner pixels of `images` (N, H, W, C) with a near pixel, from the last to the first.

    A pixel at (row, column) goes to a row from `row - reach` to `row + reach - 1`, and a column likewise. The first
    `reach + 1` rows and columns, and the last `reach - 1`, have no turn of their own.

    Args:
        chances: (N, passes, H · W) from 0 to below 1: below a half a pixel stays; above, they choose one of the
            (2 reach)² positions around it, its own among them. For a reach of 1 these are numbered

                0 1    above to the left, above
                2 3    to the left, the pixel itself
    """
    num_images, height, width, channels = images.shape
    span = 2 * reach
    # Pixels first: a swap then moves contiguous values of all images at once.
    pixels = np.moveaxis(images.reshape(num_images, -1, channels), 0, 1).copy()  # (H W, N, C)
    image_numbers = np.arange(num_images)
    for step in range(chances.shape[1]):
        # From 0.5 to 1, chances become the positions 0 to span² - 1; below 0.5 they are negative.
        choices = np.floor((2 * chances[:, step] - 1) * span**2).astype(np.int64).T  # (H W, N)
        choices[choices < 0] = span * reach + reach  # the pixel itself
        # One after another, as in MNIST-C: a pixel may be moved several times.
        for row in range(height - reach, reach, -1):
            for column in range(width - reach, reach, -1):
                position = row * width + column
                down, right = np.divmod(choices[position], span)
                partners = (row + down - reach) * width + column + right - reach  # (N,), another one in each image
                swapped = pixels[position].copy()
                pixels[position] = pixels[partners, image_numbers]
                pixels[partners, image_numbers] = swapped
    return np.ascontiguousarray(np.moveaxis(pixels, 0, 1)).reshape(images.shape)


def motion_blur(images: Pictures, deviation: float, uniform: Uniform) -> Levels:
    """Smear each image along a line within 45 degrees of horizontal, to one side, with half a Gaussian as weights.

    The line's direction is a whole number of degrees, and its points are whole pixels. Edge pixels repeat outside.
    """
    _, height, width, _ = images.shape
    deviation = deviation * max(height, width) / 28
    length = ceil(4 * deviation)  # beyond it lies a ten-thousandth of the weights
    weights = np.exp(-0.5 * (np.arange(length + 1) / deviation) ** 2)
    weights /= weights.sum()
    angles = np.floor(uniform(1)[:, 0] * (2 * _LARGEST_ANGLE + 1)).astype(np.int64) - _LARGEST_ANGLE
    result = np.zeros(images.shape, np.float32)
    for angle in np.unique(angles):
        members = angles == angle
        # The border's pixels go on beyond the image, so that nothing dark is smeared in.
        padded = np.pad(images[members], ((0, 0), (length, length), (length, length), (0, 0)), mode="edge")
        blurred = np.zeros(images[members].shape, np.float32)
        for step, weight in enumerate(weights):
            # `length` is the padding: step 0 reads the image itself, later steps further along the line.
            top = length - round(step * np.sin(np.radians(angle)))
            left = length + round(step * np.cos(np.radians(angle)))
            blurred += np.float32(weight) * padded[:, top : top + height, left : left + width]
        result[members] = blurred
    return result
