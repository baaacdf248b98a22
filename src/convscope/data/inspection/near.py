"""Find pairs of images whose pixels are highly correlated, without comparing the pixels of all pairs.

An image is described by a few numbers, whose product with those of another image is an upper bound for the correlation
of their pixels. Only pairs that the bound does not rule out are compared by their pixels:

    describe       60,000 images with 784 pixels become rows of 48 numbers
    bound          rows are sorted by their first number and multiplied, where these are close enough to allow a pair
    compare        pairs with a bound from the threshold on, by their pixels

Of 1,000 images that are all alike, half a million pairs would have to be compared. So first each image is compared with
the one it is likeliest near to; the 999 pairs found link all, and the others need not be compared.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.data.datasets import evenly

FLATTEST = 1.0
"""Standard deviation of an image's pixels, in grey levels, below which they are noise on a plain ground."""

_DIMENSIONS = 47  # coordinates of a description; the length of the rest makes it 48 numbers
_SAMPLE = 1024  # images from which the directions are computed
_ROWS, _COLUMNS = 1024, 4096  # descriptions that are multiplied with each other at once
_MAX_LIKELY = 1 << 16  # pairs of a block of 1,024 by 4,096 that are compared by their pixels
_BLOCK_BYTES = 1 << 22  # pixels that are held as floats at once, as many as a cache holds
_ROUNDING = 1e-4  # far above the errors of float32, and far below differences that matter

Numbers = NDArray[np.int64]
Floats = NDArray[np.float32]
Pixels = Callable[[Numbers], NDArray[np.uint8]]
"""Returns the pixels (n, D) of images by their numbers (n,)."""


def near_pairs(pixels: Pixels, numbers: Numbers, threshold: float) -> tuple[Numbers, Floats]:
    """Find pairs (P, 2) of the images `numbers` whose correlation (P,) is at least `threshold`.

    Two images that are linked through others are not compared with each other, so not all pairs of a group are found.
    If the descriptions leave more than 65,536 pairs of 1,024 by 4,096 images, only the likeliest of each image is
    compared by its pixels: then a near pair can be missed.

    With z an image less its mean, divided by its norm, the correlation of two images is z·z'. For directions V of
    orthonormal columns, p = z V are the coordinates along them and r = sqrt(1 - |p|²) is the length of the rest. By
    Cauchy and Schwarz for the rests, z·z' <= p·p' + r r'. So (p, r) is the description of an image.

    Args:
        numbers: (n,), none of a flat image (see `FLATTEST`).
    """
    if len(numbers) < 2:
        return np.empty((0, 2), np.int64), np.empty(0, np.float32)
    described = _describe(pixels, numbers)
    order = np.argsort(described[:, 0], kind="stable")
    pairs, bounds = _likely_pairs(described[order], threshold - _ROUNDING)
    pairs = order[pairs]  # from rows of the sorted descriptions back to indices in `numbers`
    # First the likeliest pair of each image: if many are near to each other, these already link them all.
    is_first = _mark_likeliest(pairs, bounds)
    linking, correlations = _confirm(pixels, numbers, pairs[is_first], threshold)
    # Then all other pairs whose images these do not link.
    group = components(len(numbers), linking)
    is_unlinked = group[pairs[:, 0]] != group[pairs[:, 1]]
    further, further_correlations = _confirm(pixels, numbers, pairs[~is_first & is_unlinked], threshold)
    return numbers[np.concatenate([linking, further])], np.concatenate([correlations, further_correlations])


def _describe(pixels: Pixels, numbers: Numbers) -> Floats:
    """Compute (n, 48): each image's coordinates along the sample's main directions, and the length of the rest.

    A smaller sample, or images of few pixels, have fewer directions, and rows are shorter.
    """
    centred = _unit(pixels(numbers[evenly(len(numbers), _SAMPLE)]))
    centred -= centred.mean(axis=0)
    num_directions = min(_DIMENSIONS, *centred.shape)
    # Principal directions of few images with many pixels: X.T times the eigenvectors of X X.T, of which the last have
    # the largest eigenvalues.
    _, vectors = np.linalg.eigh(centred @ centred.T)
    directions, _ = np.linalg.qr(centred.T @ vectors[:, ::-1][:, :num_directions])  # orthonormal whatever the rank
    parts = list[Floats]()
    for block in _blocks(pixels, numbers):
        along = _unit(pixels(block)) @ directions
        rest = np.sqrt(np.maximum(1 - (along**2).sum(axis=1, keepdims=True), 0))
        parts.append(np.concatenate([along, rest], axis=1))
    return np.concatenate(parts)


def _likely_pairs(described: Floats, threshold: float) -> tuple[Numbers, Floats]:
    """Find pairs (P, 2) of rows of `described` (n, 48) whose product (P,) is at least `threshold`.

    The rows are unit vectors, sorted by their first column. The products are computed in blocks of 1,024 rows and 4,096
    columns, from the diagonal to the right, and only as far as the first column allows a near pair: for the threshold
    0.98 numbers that differ by at most sqrt(2 - 1.96) = 0.2.

        rows    0    x x x . .     x: a block of products, the first of each line on the diagonal
             1024      x x x .     .: too far in the first column, from `end` on
             2048        x x x     nothing: pairs with rows before, which have been found there
    """
    # |a - b|² = 2 - 2 a·b, and no coordinate differs by more than the distance.
    reach = np.sqrt(2 - 2 * threshold)
    pairs, bounds = [np.empty((0, 2), np.int64)], [np.empty(0, np.float32)]
    for top in range(0, len(described), _ROWS):
        rows = described[top : top + _ROWS]
        end = int(np.searchsorted(described[:, 0], rows[-1, 0] + reach, side="right"))
        for left in range(top, end, _COLUMNS):
            products = rows @ described[left : min(left + _COLUMNS, end)].T
            if left == top:  # each pair once: an image is not compared with itself or with those before it
                products[:, : len(rows)][np.tri(len(rows), dtype=bool)] = -1
            # Most rows have no near one, and go no further.
            near = np.flatnonzero(products.max(axis=1) >= threshold)
            products = products[near]
            is_likely = products >= threshold
            if np.count_nonzero(is_likely) <= _MAX_LIKELY:
                row, column = np.nonzero(is_likely)
            else:  # too many pairs to compare: the likeliest of each image
                row, column = np.arange(len(near)), products.argmax(axis=1)
            pairs.append(np.stack([near[row] + top, column + left], axis=1))
            bounds.append(products[row, column])
    return np.concatenate(pairs), np.concatenate(bounds)


def _mark_likeliest(pairs: Numbers, bounds: Floats) -> NDArray[np.bool_]:
    """Mark (P,) for each image that comes first in pairs the one with the largest bound."""
    # Sorted by first image and then by falling bound, it is where a new first image begins: of the first images
    # 2 2 2 5 5, at the positions 0 and 3.
    by_image = np.lexsort((-bounds, pairs[:, 0]))
    is_likeliest = np.zeros(len(pairs), bool)
    is_likeliest[by_image[np.diff(pairs[by_image, 0], prepend=-1) != 0]] = True
    return is_likeliest


def _confirm(pixels: Pixels, numbers: Numbers, pairs: Numbers, threshold: float) -> tuple[Numbers, Floats]:
    """Keep `pairs` (P, 2) of indices in `numbers` whose pixels have a correlation of at least `threshold`."""
    parts = [np.empty(0, np.float32)]
    for block in _blocks(pixels, pairs):
        first, second = (_unit(pixels(numbers[side])) for side in block.T)
        parts.append(np.minimum(np.einsum("ij,ij->i", first, second), 1))  # the product of each pair of rows
    correlations = np.concatenate(parts)
    return pairs[correlations >= threshold], correlations[correlations >= threshold]


def components(count: int, pairs: Numbers) -> Numbers:
    """Number the groups of `count` images that `pairs` (P, 2) link: (count,), the number of each image's group."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return np.asarray(connected_components(links, directed=False)[1], np.int64)


def deviations(pixels: Pixels, numbers: Numbers) -> Floats:
    """Compute the standard deviation (n,) of the pixels of each image, over positions and channels."""
    return np.concatenate([pixels(block).astype(np.float32).std(axis=1) for block in _blocks(pixels, numbers)])


def _blocks(pixels: Pixels, rows: Numbers) -> Iterator[Numbers]:
    """Yield `rows`, images or pairs of images, in blocks whose pixels fit into a cache as floats."""
    if len(rows):
        step = max(1, _BLOCK_BYTES // (4 * rows[0].size * pixels(rows[:1].reshape(-1)[:1]).size))
        for start in range(0, len(rows), step):
            yield rows[start : start + step]


def _unit(rows: NDArray[Any]) -> Floats:
    """Convert rows of pixels (n, D) to float32, with mean 0 and length 1."""
    centred = rows.astype(np.float32)
    centred -= centred.mean(axis=1, keepdims=True)
    centred /= np.sqrt(np.einsum("ij,ij->i", centred, centred))[:, None]
    return centred
