"""Numbers as pixels: from whatever a table or an array of images holds to the bytes that a model reads.

A `PixelRange` is stated, or is one that images usually have, or is learned from the training data of a classifier and
kept. So a value always means the same byte.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ROWS_AT_ONCE = 1024  # what is widened to float64 at once, so that memory does not grow with the number of rows
_USUAL_RANGES = ((0.0, 255.0), (0.0, 1.0), (-1.0, 1.0))  # of images as others keep them


@dataclass(frozen=True, eq=False)
class PixelRange:
    """Which number becomes byte 0 and which becomes byte 255; between them it is linear, beyond them cut off.

    Attributes:
        low, high: (F,) float64 each, for the F numbers of an image as one row. Where both are equal, all is byte 0.
    """

    low: NDArray[np.float64] = field(repr=False)
    high: NDArray[np.float64] = field(repr=False)

    def to_bytes(self, rows: NDArray[Any]) -> NDArray[np.uint8]:
        """Return (N, F) uint8, each of the finite numbers `rows` (N, F) as the nearest byte; bytes as they are.

        >>> learn_range(np.array([[0, 2.0], [10, 4.0]]), None).to_bytes(np.array([[2, 3.5], [-1, 9.0]])).tolist()
        [[51, 191], [0, 255]]
        """
        is_bytes = not self.low.any() and (self.high == 255).all()
        if is_bytes and rows.dtype == np.uint8:
            return rows
        # Halved, so that no difference of two finite numbers overflows.
        low, span = self.low / 2, self.high / 2 - self.low / 2
        factor = np.divide(255, span, out=np.zeros_like(span), where=span > 0)
        result = np.empty(rows.shape, np.uint8)
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            block = rows[start : start + _ROWS_AT_ONCE].astype(np.float64)
            if not is_bytes:
                block /= 2
                block -= low
                with np.errstate(over="ignore", invalid="ignore"):
                    block *= factor
            result[start : start + _ROWS_AT_ONCE] = np.rint(block).clip(0, 255)
        return result


def learn_range(rows: NDArray[Any], channels: int | None) -> PixelRange:
    """Choose how the numbers of `rows` (N, F) become pixels.

    Bytes (uint8) stay as they are. Of other images, the smallest number of each channel becomes 0 and the largest 255,
    unless `usual_range` says what the range is. Of a table, each column has a range of its own, from its smallest
    number to its largest.

    Args:
        channels: how many numbers a pixel has, if the rows are images; None for a table, whose columns may be of any
            units.
    """
    num_features = rows.shape[1]
    if rows.dtype == np.uint8:
        return PixelRange(np.zeros(num_features), np.full(num_features, 255.0))
    low, high = rows.min(axis=0).astype(np.float64), rows.max(axis=0).astype(np.float64)
    if channels is None:
        return PixelRange(low, high)
    low, high = low.reshape(-1, channels).min(axis=0), high.reshape(-1, channels).max(axis=0)
    if (usual := usual_range(float(low.min()), float(high.max()))) is not None:
        low, high = np.full(channels, usual[0]), np.full(channels, usual[1])
    return PixelRange(np.tile(low, num_features // channels), np.tile(high, num_features // channels))


def usual_range(low: float, high: float) -> tuple[float, float] | None:
    """Return the range of images whose numbers run from `low` to `high`, if it is clear.

    That is the first of 0 to 255, 0 to 1 and -1 to 1 that contains both numbers and is more than half filled by them.

    >>> usual_range(0, 254), usual_range(0.1, 0.9), usual_range(0, 16)
    ((0.0, 255.0), (0.0, 1.0), None)
    """
    for lowest, highest in _USUAL_RANGES:
        if lowest <= low and high <= highest and high - min(low, 0) > (highest - lowest) / 2:
            return lowest, highest
    return None
