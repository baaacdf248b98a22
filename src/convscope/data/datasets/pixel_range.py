"""Convert the numbers of a table or of images to the bytes that a model reads.

A `PixelRange` is stated by the user, usual for images, or learned from the training data of a classifier and kept with
it. So a value always becomes the same byte.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ROWS_AT_ONCE = 1024  # widened to float64 together, so that memory does not grow with the number of rows
_USUAL_RANGES = ((0.0, 255.0), (0.0, 1.0), (-1.0, 1.0))  # ranges of images in other libraries


@dataclass(frozen=True, eq=False)
class PixelRange:
    """The numbers that become byte 0 and byte 255; between them the map is linear, beyond them it is clipped.

    Attributes:
        low, high: (F,) float64 each, for the F numbers of an image as one row. If both are equal, all becomes byte 0.
    """

    low: NDArray[np.float64] = field(repr=False)
    high: NDArray[np.float64] = field(repr=False)

    def to_bytes(self, rows: NDArray[Any]) -> NDArray[np.uint8]:
        """Convert finite numbers `rows` (N, F) to the nearest bytes (N, F); bytes stay as they are.

        A number x becomes 255 (x - low) / (high - low), rounded and clipped.

        >>> learn_range(np.array([[0, 2.0], [10, 4.0]]), None).to_bytes(np.array([[2, 3.5], [-1, 9.0]])).tolist()
        [[51, 191], [0, 255]]
        """
        is_bytes = not self.low.any() and (self.high == 255).all()
        if is_bytes and rows.dtype == np.uint8:
            return rows
        # All numbers are halved: the difference of two finite ones, as -1e308 and 1e308, could overflow otherwise.
        low, span = self.low / 2, self.high / 2 - self.low / 2
        factor = np.divide(255, span, out=np.zeros_like(span), where=span > 0)
        result = np.empty(rows.shape, np.uint8)
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            block = rows[start : start + _ROWS_AT_ONCE].astype(np.float64)
            if not is_bytes:
                block /= 2
                block -= low
                # A number far outside the range becomes infinite, and is clipped below; a constant column has factor 0.
                with np.errstate(over="ignore", invalid="ignore"):
                    block *= factor
            result[start : start + _ROWS_AT_ONCE] = np.rint(block).clip(0, 255)
        return result


def learn_range(rows: NDArray[Any], channels: int | None) -> PixelRange:
    """Choose how the numbers of `rows` (N, F) become pixels.

    Bytes (uint8) stay as they are. Other images have the range of `usual_range` if it is clear; else the smallest
    number of each channel becomes 0 and the largest 255. In a table, each column has a range of its own, from its
    smallest number to its largest.

    Args:
        channels: numbers of a pixel, if the rows are images; None for a table, whose columns may have any unit.
    """
    num_features = rows.shape[1]
    if rows.dtype == np.uint8:
        return PixelRange(np.zeros(num_features), np.full(num_features, 255.0))
    low, high = rows.min(axis=0).astype(np.float64), rows.max(axis=0).astype(np.float64)
    if channels is None:
        return PixelRange(low, high)
    # From (F,) to (H W, C), and over all pixels to (C,).
    low, high = low.reshape(-1, channels).min(axis=0), high.reshape(-1, channels).max(axis=0)
    if (usual := usual_range(float(low.min()), float(high.max()))) is not None:
        low, high = np.full(channels, usual[0]), np.full(channels, usual[1])
    return PixelRange(np.tile(low, num_features // channels), np.tile(high, num_features // channels))


def usual_range(low: float, high: float) -> tuple[float, float] | None:
    """Choose the usual range of images whose numbers run from `low` to `high`; None if it is not clear.

    It is the first of 0 to 255, 0 to 1 and -1 to 1 that contains both numbers and is more than half filled by them.

    >>> usual_range(0, 254), usual_range(0.1, 0.9), usual_range(0, 16)
    ((0.0, 255.0), (0.0, 1.0), None)
    """
    for lowest, highest in _USUAL_RANGES:
        # Images need not be black anywhere, so numbers above 0 fill the range from 0 on.
        if lowest <= low and high <= highest and high - min(low, 0) > (highest - lowest) / 2:
            return lowest, highest
    return None
