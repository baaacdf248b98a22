"""The mathematics of augmentation in NumPy, number by number what native/augmentation.cpp computes.

What happens to an image is a function of the epoch's key and of the image's position in the epoch's order, and of
nothing else, so it does not depend on threads, batches, or an interruption.
"""

import numpy as np
from numpy.typing import NDArray

from convscope.recipes import Augmentation

_SHIFT_DOWN, _SHIFT_RIGHT = range(2)  # slots of an image's stream


def random_bits(key: int, positions: NDArray[np.uint64], slot: int) -> NDArray[np.uint64]:
    """Return number `slot` of the stream of the image at each of `positions` (N,), any 64 bits with equal chance.

    SplitMix64, entered at any place: its state grows by a constant from number to number.

    Source: Steele, Lea and Flood 2014, with the constants of Vigna's implementation.
    """
    counter = (positions << np.uint64(32)) + np.uint64(slot + 1)
    z = np.uint64(key) + counter * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)))


def augment(images: NDArray[np.uint8], augmentation: Augmentation, key: int, first: int = 0) -> NDArray[np.uint8]:
    """Return images (N, H, W, C) changed at random, the n-th as at position `first` + n of the epoch's order.

    Args:
        key: of the epoch's stream, as `convscope.streams.stream_key` gives it.
    """
    if augmentation == Augmentation():
        return images
    positions = np.arange(first, first + len(images), dtype=np.uint64)
    down, right = (
        _between(random_bits(key, positions, slot), augmentation.shift) for slot in (_SHIFT_DOWN, _SHIFT_RIGHT)
    )
    result = np.zeros_like(images)
    height, width = images.shape[1:3]
    for image, moved, dy, dx in zip(images, result, down.tolist(), right.tolist(), strict=True):
        rows, columns = slice(max(dy, 0), max(height + dy, 0)), slice(max(dx, 0), max(width + dx, 0))
        source = image[max(-dy, 0) : max(height - dy, 0), max(-dx, 0) : max(width - dx, 0)]
        moved[rows, columns] = source
    return result


def _between(bits: NDArray[np.uint64], most: int) -> NDArray[np.int64]:
    """Return whole numbers from -most to most, each with equal chance but for one part in 2^32."""
    return ((bits >> np.uint64(32)) * np.uint64(2 * most + 1) >> np.uint64(32)).astype(np.int64) - most
