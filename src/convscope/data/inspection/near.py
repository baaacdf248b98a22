"""Pairs of images whose pixels are almost a linear function of each other, without comparing the pixels of all pairs.

An image is described by a few numbers whose products cannot lie below the correlation of the pixels, so what they rule
out is ruled out for certain; only what is left is checked against the pixels.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.data.datasets import evenly

FLATTEST = 1.0
"""The standard deviation of an image's pixels, in grey levels, below which it is noise on a plain ground."""

_DIMENSIONS = 47  # of a description, and one more for the rest
_SAMPLE = 1024  # images that the directions are taken from
_ROWS, _COLUMNS = 1024, 4096  # images whose descriptions are multiplied at once
_MAX_LIKELY = 1 << 16  # pairs of such a block that are checked against the pixels
_BLOCK_BYTES = 1 << 22  # of the pixels that are held as floats at once: what a cache holds
_ROUNDING = 1e-4  # far above that of float32, far below what tells images apart

Numbers = NDArray[np.int64]
Floats = NDArray[np.float32]
Pixels = Callable[[Numbers], NDArray[np.uint8]]
"""Of images by their numbers (n,), the pixels (n, D)."""


def deviations(pixels: Pixels, numbers: Numbers) -> Floats:
    """Return (n,), the standard deviation of the pixels of each image, over places and channels."""
    return np.concatenate([pixels(some).astype(np.float32).std(axis=1) for some in _blocks(pixels, numbers)])


def components(count: int, pairs: Numbers) -> Numbers:
    """Return (count,), the number of the group of each of `count` things, of which `pairs` (P, 2) are linked."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return np.asarray(connected_components(links, directed=False)[1], np.int64)


def near_pairs(pixels: Pixels, numbers: Numbers, threshold: float) -> tuple[Numbers, Floats]:
    """Return pairs (P, 2) of the images `numbers` whose correlation is at least `threshold`, and the correlation (P,).

    Two images that are linked through others are not compared with each other, so of many that are near to one another
    not all pairs are found. Where the descriptions alone leave more than 65,536 pairs of 1,024 by 4,096 images, only
    the likeliest of each image is checked against the pixels: then a near pair can be missed.

    With z an image less its mean, divided by its norm, the correlation of two images is z·z'. For directions V of
    orthonormal columns, p = z V and r = sqrt(1 - |p|²), Cauchy and Schwarz give z·z' <= p·p' + r r'.

    Args:
        numbers: (n,), none of a flat image (see `FLATTEST`).
    """
    if len(numbers) < 2:
        return np.empty((0, 2), np.int64), np.empty(0, np.float32)
    described = _describe(pixels, numbers)
    order = np.argsort(described[:, 0], kind="stable")
    pairs, bounds = _likely_pairs(described[order], threshold - _ROUNDING)
    pairs = order[pairs]
    # First the likeliest of each image: where everything is near to everything, that links it all.
    best = np.lexsort((-bounds, pairs[:, 0]))
    is_first = np.zeros(len(pairs), bool)
    is_first[best[np.diff(pairs[best, 0], prepend=-1) != 0]] = True
    linking, correlations = _confirm(pixels, numbers, pairs[is_first], threshold)
    group = components(len(numbers), linking)
    apart = group[pairs[:, 0]] != group[pairs[:, 1]]
    more, their_correlations = _confirm(pixels, numbers, pairs[~is_first & apart], threshold)
    return numbers[np.concatenate([linking, more])], np.concatenate([correlations, their_correlations])


def _describe(pixels: Pixels, numbers: Numbers) -> Floats:
    """Return (n, D + 1): each image's coordinates along the sample's main directions, and how long the rest is."""
    some = numbers[evenly(len(numbers), _SAMPLE)]
    centred = _unit(pixels(some))
    centred -= centred.mean(axis=0)
    number = min(_DIMENSIONS, *centred.shape)
    _, vectors = np.linalg.eigh(centred @ centred.T)
    directions, _ = np.linalg.qr(centred.T @ vectors[:, ::-1][:, :number])  # orthonormal whatever the rank
    parts = list[Floats]()
    for some in _blocks(pixels, numbers):
        along = _unit(pixels(some)) @ directions
        rest = np.sqrt(np.maximum(1 - (along**2).sum(axis=1, keepdims=True), 0))
        parts.append(np.concatenate([along, rest], axis=1))
    return np.concatenate(parts)


def _likely_pairs(described: Floats, threshold: float) -> tuple[Numbers, Floats]:
    """Return pairs (P, 2) of rows of `described` (n, D) whose product reaches `threshold`, and the product (P,).

    The rows are sorted by their first column. Two unit vectors differ in no coordinate by more than their distance.
    """
    reach = np.sqrt(2 - 2 * threshold)
    pairs, bounds = [np.empty((0, 2), np.int64)], [np.empty(0, np.float32)]
    for top in range(0, len(described), _ROWS):
        rows = described[top : top + _ROWS]
        end = int(np.searchsorted(described[:, 0], rows[-1, 0] + reach, side="right"))
        for left in range(top, end, _COLUMNS):
            products = rows @ described[left : min(left + _COLUMNS, end)].T
            if left == top:
                products[:, : len(rows)][np.tri(len(rows), dtype=bool)] = -1  # an image, itself and those before it
            near = np.flatnonzero(products.max(axis=1) >= threshold)
            products = products[near]
            is_likely = products >= threshold
            if np.count_nonzero(is_likely) <= _MAX_LIKELY:
                row, column = np.nonzero(is_likely)
            else:
                row, column = np.arange(len(near)), products.argmax(axis=1)
            pairs.append(np.stack([near[row] + top, column + left], axis=1))
            bounds.append(products[row, column])
    return np.concatenate(pairs), np.concatenate(bounds)


def _confirm(pixels: Pixels, numbers: Numbers, pairs: Numbers, threshold: float) -> tuple[Numbers, Floats]:
    """Return those of `pairs` (P, 2) of places in `numbers` whose pixels correlate by `threshold`, and how much."""
    distances = [np.empty(0, np.float32)]
    for some in _blocks(pixels, pairs):
        first, second = (_unit(pixels(numbers[side])) for side in some.T)
        distances.append(np.minimum(np.einsum("ij,ij->i", first, second), 1))
    correlations = np.concatenate(distances)
    return pairs[correlations >= threshold], correlations[correlations >= threshold]


def _blocks(pixels: Pixels, rows: Numbers) -> Iterator[Numbers]:
    """Yield `rows`, images or pairs of them, in blocks whose pixels fit into memory as floats."""
    if len(rows):
        step = max(1, _BLOCK_BYTES // (4 * rows[0].size * pixels(rows[:1].reshape(-1)[:1]).size))
        for start in range(0, len(rows), step):
            yield rows[start : start + step]


def _unit(rows: NDArray[Any]) -> Floats:
    """Return rows of pixels (n, D) as float32, less their means and of length 1."""
    centred = rows.astype(np.float32)
    centred -= centred.mean(axis=1, keepdims=True)
    centred /= np.sqrt(np.einsum("ij,ij->i", centred, centred))[:, None]
    return centred
