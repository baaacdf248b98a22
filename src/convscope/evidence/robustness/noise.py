"""Noise: pictures (N, H, W, C) in grey levels 0 to 255, each value changed by itself."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.evidence.robustness.draws import Uniform, normals

Pictures = NDArray[np.uint8]
Levels = NDArray[np.floating[Any]]


def shot_noise(images: Pictures, photons: float, uniform: Uniform) -> Levels:
    """Count photons: of value v there are n, drawn from the Poisson distribution with mean photons · v / 255.

    The result is 255 · n / photons: the mean stays, and of a fraction of white the variance is the mean / photons.
    """
    from scipy.special import pdtr

    # A row of the table for each grey level: the probability of at most 0, 1, 2, ... photons.
    most = int(photons + 10 * np.sqrt(photons) + 10)
    table = pdtr(np.arange(most + 1), np.arange(256)[:, None] * (photons / 255))
    counts = np.zeros(images.shape)
    lit = images > 0  # black has no photons
    levels = images[lit].astype(np.float64)
    chances = uniform(images[0].size).reshape(images.shape)[lit]
    # All rows in one rising sequence: level g has its probabilities between g and g + 1.
    rising = (np.arange(256)[:, None] + table).ravel()
    counts[lit] = np.searchsorted(rising, levels + chances, side="right") - levels * (most + 1)
    return counts * (255 / photons)


def impulse_noise(images: Pictures, share: float, uniform: Uniform) -> Levels:
    """Replace `share` of the values, half of them by black and half by white."""
    chances = uniform(images[0].size).reshape(images.shape)
    noisy = np.where(chances < share, np.where(chances < share / 2, 0, 255), images)
    return noisy.astype(np.float32)


def gaussian_noise(images: Pictures, deviation: float, uniform: Uniform) -> Levels:
    """Add normal noise of standard deviation `deviation`, in grey levels."""
    noise = normals(uniform(images[0].size)).reshape(images.shape)
    return np.asarray(images + deviation * noise)
