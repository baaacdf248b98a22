"""Put fog in front of pictures (N, H, W, C), and mud on the lens.

Lengths are in pixels of an image 28 pixels wide, and grow with the image.
"""

from math import ceil

import numpy as np
from numpy.typing import NDArray

from convscope.evidence.robustness.noise import Levels, Pictures, Uniform, normals

_WIDEST = 4  # width of the widest clouds in multiples of the longer side, about as in MNIST-C
_OCTAVES = 7  # so that the narrowest clouds are a sixteenth of the image
_MUD = 63.0  # grey level of the mud, as in MNIST-C
_THINNEST = 0.8  # smallest opacity of the mud, as in MNIST-C


def fog(images: Pictures, constants: tuple[float, float], uniform: Uniform) -> Levels:
    """Mix each image with fog: (image + amount · fog) / (1 + amount).

    Fog is a sum of random clouds between 0 and 1, each kind half as wide as the one before and fainter.

    Args:
        constants: the amount of fog, and the strength of each kind of cloud relative to the next wider one.
    """
    amount, ratio = constants
    num_images, height, width, _ = images.shape
    # A kind of cloud is a coarse grid of random numbers, interpolated to all pixels. The nodes of its grid are `size`
    # pixels apart: of 28 pixels 112, 56, 28, ..., 1.75.
    sizes = [_WIDEST * max(height, width) / 2**octave for octave in range(_OCTAVES)]
    weights = [(_interpolate(height, size), _interpolate(width, size)) for size in sizes]
    counts = [rows.shape[1] * columns.shape[1] for rows, columns in weights]
    # All random numbers of an image at once, so that they follow from its index alone.
    random_numbers = np.split(uniform(sum(counts)), np.cumsum(counts)[:-1], axis=1)
    # Each kind has `ratio` of the strength of the one before; together they are 1.
    strengths = ratio ** np.arange(_OCTAVES)
    clouds = np.zeros((num_images, height, width), np.float32)
    for (rows, columns), nodes, strength in zip(weights, random_numbers, strengths / strengths.sum(), strict=True):
        grid = nodes.reshape(num_images, rows.shape[1], columns.shape[1]).astype(np.float32)
        clouds += np.float32(strength) * (rows @ grid @ columns.T)  # (H, n) @ (N, n, m) @ (m, W)
    return np.asarray((images + np.float32(255 * amount) * clouds[..., None]) / np.float32(1 + amount))


def _interpolate(pixels: int, size: float) -> NDArray[np.float32]:
    """Compute (pixels, nodes), the weights of linear interpolation between nodes `size` pixels apart."""
    positions = np.arange(pixels) / size
    nodes = np.arange(ceil((pixels - 1) / size) + 1)
    return np.asarray(np.maximum(1 - np.abs(positions[:, None] - nodes), 0), np.float32)


def spatter(images: Pictures, constants: tuple[float, float, float], uniform: Uniform) -> Levels:
    """Cover parts of each image with dark grey mud.

    Args:
        constants: the standard deviation of the Gaussian that smooths random numbers to a liquid; the level in its
            standard deviations above which the liquid is mud; and the smoothing of the mud's edges. Mud below an
            opacity of 0.8 is removed.
    """
    from scipy.ndimage import gaussian_filter, gaussian_filter1d

    size, level, softness = constants
    num_images, height, width, _ = images.shape
    growth = max(height, width) / 28
    noise = normals(uniform(height * width)).reshape(num_images, height, width).astype(np.float32)
    liquid = gaussian_filter(noise, (0, size * growth, size * growth), mode="nearest")
    # Noise of variance 1 that is smoothed with weights w has the variance Σ w². In two dimensions that is its square,
    # so the standard deviation is the Σ w² of one dimension.
    impulse = np.zeros(2 * ceil(4 * size * growth) + 3)
    impulse[len(impulse) // 2] = 1
    deviation = (gaussian_filter1d(impulse, size * growth) ** 2).sum()
    mud = (liquid > level * deviation).astype(np.float32)
    mud = gaussian_filter(mud, (0, softness * growth, softness * growth), mode="nearest")
    mud[mud < _THINNEST] = 0
    return np.asarray(images * (1 - mud[..., None]) + np.float32(_MUD) * mud[..., None])
