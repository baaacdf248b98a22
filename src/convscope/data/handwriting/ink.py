"""Ink parted from paper, and what is too small to be writing dropped from it.

Sources: Otsu 1979 for what is strong; pixels about strong ones are kept as Canny 1986 keeps weak edges, but by nearness
instead of by connection, since ruled lines are connected with the ink that crosses them.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.data.handwriting.pictures import Ink, Picture, as_ink, border, by_channel, median, strength

_NOISE = 3  # median deviations from the ground that are ground too: two standard deviations of Gaussian noise
_STRONG = 0.8  # share of the middle between weak and strong from which ink is strong; 0.6 keeps squared paper
_NEAR = 28  # a weak pixel is kept within a 28th of the longer side of a strong one: a pixel of an MNIST image
_SPECK = 20  # a piece with less than a 20th of the largest piece's ink is no part of the writing

_NEIGHBOURS = np.ones((3, 3), np.int64)  # pixels touch at their corners too


def part(pixels: Picture, ink: Ink) -> Picture:
    """Return a picture (h, w, C) uint8 with ink alone: paper is exactly 0 (or 255 for dark ink).

    The median of the border and three median deviations from it are taken away from each channel. Of what is left, the
    strongest channel tells: Otsu's method parts the weak, as ruled lines and grain, from the strong. Weak pixels
    stay where they are the edge of strong ones, at most a 28th of the longer side away.
    """
    from scipy.ndimage import maximum_filter

    strengths = by_channel(pixels, ink)
    around = border(strengths)
    for c in range(strengths.shape[2]):
        ground = median(around[:, c])
        noise = _NOISE * median(np.abs(around[:, c] - ground))
        noise = min(noise, (int(strengths[..., c].max()) - ground) // 2)  # a busy border must not take the ink away
        strengths[..., c] = np.maximum(strengths[..., c] - ground - noise, 0)
    most = strengths.max(axis=2)
    strong = most > _STRONG * between_classes(most)
    reach = max(1, max(strong.shape) // _NEAR)
    strengths[~maximum_filter(strong, 2 * reach + 1, mode="nearest")] = 0
    return as_ink(strengths, ink)


def between_classes(strengths: NDArray[np.integer[Any]]) -> float:
    """Return the middle between the mean of weak and of strong values (h, w) above 0, parted where Otsu parts them.

    It is 0 where all values above 0 are alike. Values of 0 are left out, since ground is most of a picture and would
    decide where there is little ink. The middle tells more than Otsu's threshold, which is the largest weak value and,
    where there is nothing in between, as low as that.

    Source: Otsu 1979, equation 18, without its constant factor: (m_w·n_s - m_s·n_w)² / (n_w·n_s) with the numbers n and
    the sums m of weak and strong values; the lowest threshold that makes it largest. The square is rounded by float64.
    """
    counts = np.bincount(strengths.ravel(), minlength=256).astype(np.float64)
    counts[0] = 0
    weak, weak_sum = np.cumsum(counts), np.cumsum(counts * np.arange(256))
    strong, strong_sum = weak[-1] - weak, weak_sum[-1] - weak_sum
    apart = weak_sum * strong - strong_sum * weak
    between = np.divide(apart * apart, weak * strong, out=np.zeros(256), where=weak * strong > 0)
    best = int(np.argmax(between))
    if between[best] == 0:
        return 0.0
    return float((weak_sum[best] / weak[best] + strong_sum[best] / strong[best]) / 2)


def drop_specks(pixels: Picture, ink: Ink) -> Picture:
    """Return a picture (h, w, C) uint8 without the pieces of ink that hold less than a 20th of the largest one's.

    A piece is what is connected, over corners too, of the pixels that are not ground in all channels.
    """
    from scipy.ndimage import label

    mass = strength(pixels, ink, "sum")
    pieces, count = label(mass > 0, _NEIGHBOURS)
    if count < 2:
        return pixels
    sums = np.bincount(pieces.ravel(), mass.ravel())  # float64, of whole numbers
    dropped = _SPECK * sums < sums.max()
    dropped[0] = False  # the ground
    strengths = by_channel(pixels, ink)
    strengths[dropped[pieces]] = 0
    return as_ink(strengths, ink)
