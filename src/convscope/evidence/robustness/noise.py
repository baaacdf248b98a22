"""Noise, and the random numbers of every corruption: pictures (N, H, W, C) in grey levels 0 to 255.

The numbers of an image depend on its place in the data set, not on the images beside it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.streams import stream_key

Uniform = Callable[[int], NDArray[np.float64]]
"""Takes how many numbers an image needs to (N, so many), each from 0 up to 1; the same ones every time."""


def uniforms(seed: int, purpose: str, indices: NDArray[np.integer[Any]], count: int) -> NDArray[np.float64]:
    """Return (N, count) numbers from 0 up to 1, for each of `indices` (N,) its own.

    Image i has the numbers i · count to (i + 1) · count - 1 of the stream for `purpose`, so a part of a data set
    gets what it gets in the whole.

    >>> whole, part = uniforms(0, "noise", np.arange(5), 3), uniforms(0, "noise", np.array([4, 1]), 3)
    >>> bool((part == whole[[4, 1]]).all())
    True
    """
    bits = np.random.PCG64(stream_key(seed, purpose))
    stream = np.random.Generator(bits)
    numbers, position = np.empty((len(indices), count)), 0
    for row, index in zip(numbers, indices.tolist(), strict=True):
        if index * count != position:
            bits.advance(index * count - position)
        stream.random(out=row)  # a draw of the bit generator for each number
        position = (index + 1) * count
    return numbers


def normals(uniform: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard normal numbers at the quantiles `uniform`."""
    from scipy.special import ndtri

    return np.asarray(ndtri(np.maximum(uniform, np.finfo(np.float64).tiny)))  # 0 would be minus infinity


Pictures = NDArray[np.uint8]
Levels = NDArray[np.floating[Any]]


def shot_noise(images: Pictures, photons: float, uniform: Uniform) -> Levels:
    """Count photons: of value v there are n, drawn from the Poisson distribution with mean photons · v / 255.

    The result is 255 · n / photons: the mean stays, and of a fraction of white the variance is the mean / photons.
    """
    from scipy.special import pdtr

    # A row of the table for each grey level: the probability of at most 0, 1, 2, ... photons.
    max_photons = int(photons + 10 * np.sqrt(photons) + 10)
    table = pdtr(np.arange(max_photons + 1), np.arange(256)[:, None] * (photons / 255))
    counts = np.zeros(images.shape)
    lit = images > 0  # black has no photons
    levels = images[lit].astype(np.float64)
    chances = uniform(images[0].size).reshape(images.shape)[lit]
    # All rows in one rising sequence: level g has its probabilities between g and g + 1.
    rising = (np.arange(256)[:, None] + table).ravel()
    counts[lit] = np.searchsorted(rising, levels + chances, side="right") - levels * (max_photons + 1)
    return counts * (255 / photons)


def impulse_noise(images: Pictures, share: float, uniform: Uniform) -> Levels:
    """Replace `share` of the values, half of them by black and half by white."""
    chances = uniform(images[0].size).reshape(images.shape)
    noisy = np.where(chances < share, np.where(chances < share / 2, 0, 255), images)
    return noisy.astype(np.float32)
