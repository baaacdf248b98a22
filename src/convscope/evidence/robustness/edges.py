"""Draw the edges of pictures (N, H, W, C) as lines one pixel wide."""

import numpy as np
from numpy.typing import NDArray

from convscope.evidence.robustness.noise import Levels, Pictures, Uniform

# The width in pixels and the thresholds of scikit-image's Canny filter, whose defaults MNIST-C used.
_DEVIATION = 1.0
_LOW, _HIGH = 0.1, 0.2
_TIE = 1e-9  # gradients that differ by less count as equal


def canny_edges(images: Pictures, share: float, _: Uniform) -> Levels:
    """Mix each image with `share` of the lines of its edges; a share of 1 gives white lines on black."""
    lines = find_edges(images.mean(axis=3) / 255)
    return np.asarray((1 - share) * images + 255 * share * lines[..., None])


def find_edges(grey: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Find the edges of pictures (N, H, W), 0 to 1; never in the outermost pixels.

    A pixel is kept if the gradient there is larger than on either side along the gradient, and if it is connected to a
    pixel above the high threshold by pixels above the low one. Of two equal pixels the brighter is kept.

    Source: Canny 1986.
    """
    from scipy.ndimage import correlate1d, gaussian_filter, label

    deviations = (0, _DEVIATION, _DEVIATION)  # along the images, the rows and the columns
    # Divided by the filter's weight inside the image, so that the border is no edge to black.
    inside = gaussian_filter(np.ones((1, *grey.shape[1:])), deviations, mode="constant")
    smooth = gaussian_filter(grey, deviations, mode="constant") / inside
    # Sobel's: a difference along one axis, smoothed along the other; `scipy.ndimage.sobel` smooths from image to image.
    down = correlate1d(correlate1d(smooth, (-1, 0, 1), axis=1), (1, 2, 1), axis=2)
    right = correlate1d(correlate1d(smooth, (-1, 0, 1), axis=2), (1, 2, 1), axis=1)
    size = np.hypot(down, right)
    candidates = size >= _LOW
    candidates[:, [0, -1]] = candidates[:, :, [0, -1]] = False
    thin = np.zeros(grey.shape, bool)
    thin[candidates] = _is_ridge(size, down, right, np.nonzero(candidates))
    neighbours = np.zeros((3, 3, 3), bool)
    neighbours[1] = True  # within an image, not from one to the next
    # Connected pixels are a piece with a number, from 1. A piece with one strong pixel is kept whole.
    pieces, count = label(thin, neighbours)
    strong = np.zeros(count + 1, bool)
    strong[pieces[thin & (size >= _HIGH)]] = True
    return np.asarray(strong[pieces])


def _is_ridge(
    size: NDArray[np.float64],
    down: NDArray[np.float64],
    right: NDArray[np.float64],
    positions: tuple[NDArray[np.intp], ...],
) -> NDArray[np.bool_]:
    """Decide for each of `positions` if the gradient is largest there along its direction.

    Between two pixels the gradient is interpolated linearly:

        near       diagonal        for a gradient (down y, right x) with |y| >= |x|, the point at a distance of one row
          |  part  .  /            lies `part` = |x| / |y| of the way from the pixel below to the one diagonally below
        here
    """
    image, row, column = positions
    y, x = down[positions], right[positions]
    is_steep = np.abs(y) >= np.abs(x)
    step_y, step_x = np.sign(y).astype(np.intp), np.sign(x).astype(np.intp)
    near_y, near_x = np.where(is_steep, step_y, 0), np.where(is_steep, 0, step_x)
    part = np.minimum(np.abs(y), np.abs(x)) / np.maximum(np.abs(y), np.abs(x))

    def along(sign: int) -> NDArray[np.float64]:
        near = size[image, row + sign * near_y, column + sign * near_x]
        diagonal = size[image, row + sign * step_y, column + sign * step_x]
        return np.asarray((1 - part) * near + part * diagonal)

    here = size[positions]
    # Larger than on the side to which the gradient points, and at least as large as on the other: so one of two equal
    # neighbours is kept, the brighter one.
    return np.asarray((here > along(1) + _TIE) & (here > along(-1) - _TIE))
