"""Noise for pictures (N, H, W, C) in grey levels 0 to 255, and the random numbers of all corruptions.

An image's numbers depend on its index in the data set, not on the other images.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.streams import stream_key

Uniform = Callable[[int], NDArray[np.float64]]
"""Returns (N, count) numbers from 0 to below 1 for a count; the same ones every time."""


def uniforms(seed: int, purpose: str, indices: NDArray[np.integer[Any]], count: int) -> NDArray[np.float64]:
    """Draw (N, count) numbers from 0 to below 1, a row for each of `indices` (N,).

    Image i has the numbers i · count to (i + 1) · count - 1 of the stream for `purpose`, so an image gets the same
    numbers in a part of a data set as in the whole.

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
        stream.random(out=row)  # takes one step of the bit generator for each number, as `advance` counts
        position = (index + 1) * count
    return numbers


def normals(uniform: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert uniform numbers to standard normal ones, by their quantiles."""
    from scipy.special import ndtri

    return np.asarray(ndtri(np.maximum(uniform, np.finfo(np.float64).tiny)))  # 0 would be minus infinity


Pictures = NDArray[np.uint8]
Levels = NDArray[np.floating[Any]]


def shot_noise(images: Pictures, photons: float, uniform: Uniform) -> Levels:
    """Replace value v by 255 · n / photons, with n from the Poisson distribution with mean photons · v / 255.

    The mean stays; as a fraction of white, the variance is the mean / photons.
    """
    from scipy.special import pdtr

    # A row of the table for each grey level: the probability of at most 0, 1, 2, ... photons.
    max_photons = int(photons + 10 * np.sqrt(photons) + 10)
    table = pdtr(np.arange(max_photons + 1), np.arange(256)[:, None] * (photons / 255))
    counts = np.zeros(images.shape)
    lit = images > 0  # black has no photons
    levels = images[lit].astype(np.float64)
    chances = uniform(images[0].size).reshape(images.shape)[lit]
    # All rows in one rising sequence: level g has its probabilities between g and g + 1. If 0.1, 0.6 and 1 are those of
    # level 2, the sequence has 2.1, 2.6 and 3. For a chance of 0.5 look for 2.5, which has one of them below it: one
    # photon. The rows of all lower levels are below it, too, and are taken off.
    rising = (np.arange(256)[:, None] + table).ravel()
    counts[lit] = np.searchsorted(rising, levels + chances, side="right") - levels * (max_photons + 1)
    return counts * (255 / photons)


def impulse_noise(images: Pictures, share: float, uniform: Uniform) -> Levels:
    """Replace `share` of the values, half of them by black and half by white."""
    chances = uniform(images[0].size).reshape(images.shape)
    noisy = np.where(chances < share, np.where(chances < share / 2, 0, 255), images)
    return noisy.astype(np.float32)
