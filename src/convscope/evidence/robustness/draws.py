"""Random numbers for pictures: those of an image depend on its place in the data set, not on the images beside it."""

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
    numbers, place = np.empty((len(indices), count)), 0
    for row, index in zip(numbers, indices.tolist(), strict=True):
        if index * count != place:
            bits.advance(index * count - place)
        stream.random(out=row)  # a draw of the bit generator for each number
        place = (index + 1) * count
    return numbers


def normals(uniform: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard normal numbers at the quantiles `uniform`."""
    from scipy.special import ndtri

    return np.asarray(ndtri(np.maximum(uniform, np.finfo(np.float64).tiny)))  # 0 would be minus infinity
