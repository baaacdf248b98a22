"""How many images each class has: imbalance, and classes without images.

Counts (K,) of two splits to plain values; no pixel is looked at.
"""

import numpy as np
from numpy.typing import NDArray

from convscope.base.records import Count, NonNegative, Record

Integers = NDArray[np.int64]


class Balance(Record, kw_only=True):
    """How evenly the images of a split are spread over the classes.

    Attributes:
        num_classes: classes with at least one image.
        missing: labels of the classes without one.
        smallest, largest: labels of the classes with the fewest (of those with any) and the most images.
        ratio: images of the largest class for one of the smallest.
    """

    num_classes: Count
    missing: tuple[Count, ...]
    smallest: Count
    largest: Count
    smallest_count: Count
    largest_count: Count
    ratio: NonNegative


def balance(class_counts: Integers) -> Balance:
    """Return how evenly (K,) counts are spread; at least one of them is above zero."""
    present = np.flatnonzero(class_counts)
    counts = class_counts[present]
    smallest, largest = present[counts.argmin()], present[counts.argmax()]
    return Balance(
        num_classes=len(present),
        missing=tuple(np.flatnonzero(class_counts == 0).tolist()),
        smallest=int(smallest),
        largest=int(largest),
        smallest_count=int(counts.min()),
        largest_count=int(counts.max()),
        ratio=float(counts.max() / counts.min()),
    )
