"""Neighbourhoods of points: which are near, whether they are of one class, and what a picture leaves of them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def neighbours(points: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return (N, N - 1) the indices of the others of `points` (N, D), the nearest first, the first of equals first."""
    points = points - points.mean(axis=0)
    squares = np.square(points).sum(axis=1)
    distances = points @ points.T  # squared, in place: N × N numbers are most of what an embedding takes
    distances *= -2
    distances += squares[:, None]
    distances += squares
    np.maximum(distances, 0, out=distances)
    np.fill_diagonal(distances, np.inf)
    return np.argsort(distances, axis=1, kind="stable")[:, :-1].astype(np.int32)


def agreements(nearest: NDArray[np.int32], labels: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """Return (N,) the share of each image's `nearest` (N, k) others that have its label.

    >>> agreements(np.array([[1, 2], [0, 2], [0, 1]]), np.array([7, 7, 3]))
    array([0.5, 0.5, 0. ])
    """
    return np.asarray((labels[nearest] == labels[:, None]).mean(axis=1))


def trustworthiness(original: NDArray[np.int32], picture: NDArray[np.int32], k: int) -> float:
    """Return how far the k nearest neighbours in a picture are near in the original too: 1 if all are.

    It is 1 - 2 / (N·k·(2N - 3k - 1)) · Σ (r - k) over each image's picture neighbours that are none of its k nearest in
    the original, where r is their rank there; about 0.5 for points strewn at random. It needs k < N / 2. It does not
    say what is torn apart: neighbours in the original may be far away in the picture.

    Args:
        original: what `neighbours` returns for the points in the original space, and `picture` for those in the
            picture, (N, N - 1).

    Source: Venna and Kaski 2001, equation 2.
    """
    count = len(original)
    ranks = np.empty((count, count), np.int32)
    np.put_along_axis(ranks, original, np.arange(1, count)[None, :], axis=1)
    penalty = int(np.maximum(np.take_along_axis(ranks, picture[:, :k], axis=1) - k, 0).sum(dtype=np.int64))
    return 1 - 2 / (count * k * (2 * count - 3 * k - 1)) * penalty
