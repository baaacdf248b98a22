"""Find connected ink in a mask.

The pieces are arrays and not objects, because a picture of noise has a million of them.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
_BAND = 256  # rows that are scanned together: the coordinates of their ink take 16 bytes a pixel


@dataclass(frozen=True, eq=False)
class Components:
    """Pieces of ink; pixels that touch at a corner are connected.

    Attributes:
        labels: (h, w), the label of each pixel's piece from 1, and 0 without ink.
        boxes: (N, 4) int64: top, left, bottom and right, the latter two exclusive.
        pixels: (N,) int64: number of pixels of each piece.
        numbers: (N,) int64: the label of each piece.
    """

    labels: NDArray[np.int32]
    boxes: NDArray[np.int64]
    pixels: NDArray[np.int64]
    numbers: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def heights(self) -> NDArray[np.int64]:
        return self.boxes[:, 2] - self.boxes[:, 0]

    @property
    def widths(self) -> NDArray[np.int64]:
        return self.boxes[:, 3] - self.boxes[:, 1]

    @property
    def areas(self) -> NDArray[np.int64]:
        """Pixels of the boxes."""
        return self.heights * self.widths

    def take(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> "Components":
        """Select pieces by a mask or by indices, in their order."""
        return Components(self.labels, self.boxes[which], self.pixels[which], self.numbers[which])

    def mask(self, index: int) -> Mask:
        """Cut out the mask of a piece within its box."""
        top, left, bottom, right = self.boxes[index]
        return np.asarray(self.labels[top:bottom, left:right] == self.numbers[index])


def find_components(mask: Mask) -> Components:
    """Find the pieces of ink in a mask (h, w), in the order in which they begin, row by row."""
    from scipy import ndimage

    labels, count = ndimage.label(mask, np.ones((3, 3)))
    boxes = np.zeros((count + 1, 4), np.int64)  # row 0, the ground's, is not used
    # Larger than any row and column, so that the first pixel of a piece replaces it; 0 is as good for the maxima.
    boxes[:, :2] = max(mask.shape)
    pixels = np.zeros(count + 1, np.int64)
    for start in range(0, len(mask), _BAND):
        rows, columns = np.nonzero(labels[start : start + _BAND])
        numbers = labels[start + rows, columns]
        # `boxes[numbers, 0] = minimum(...)` would keep one of a piece's pixels in the band; `at` goes through them all.
        np.minimum.at(boxes[:, 0], numbers, start + rows)
        np.minimum.at(boxes[:, 1], numbers, columns)
        np.maximum.at(boxes[:, 2], numbers, start + rows + 1)
        np.maximum.at(boxes[:, 3], numbers, columns + 1)
        pixels += np.bincount(numbers, minlength=count + 1)
    return Components(labels, boxes[1:], pixels[1:], np.arange(1, count + 1))
