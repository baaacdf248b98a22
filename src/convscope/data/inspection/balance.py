"""How many images each class has, and what follows from that alone: guessing rates, imbalance, classes without images.

Counts (K,) of two splits to plain values; no pixel is looked at.
"""

import numpy as np
from numpy.typing import NDArray

from convscope.base.metrics import wilson_interval
from convscope.base.records import Count, Fraction, FractionInterval, NonNegative, Record

EXAMPLE_ACCURACY = 0.9
"""The share of right answers for which the interval of a test set is given."""

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


class Guessing(Record):
    """How often answers are right that look at no image.

    Attributes:
        chance: of drawing one of the K classes evenly.
        majority: the label with the most training images.
        majority_accuracy: share of the test images that have it.
    """

    chance: Fraction
    majority: Count
    majority_accuracy: Fraction


class Resolution(Record):
    """What a number of test images can tell.

    Attributes:
        num_correct: of `num_images`, as near to 90 % as there are.
        interval: (low, high), the 95 % Wilson interval behind that.
    """

    num_images: Count
    num_correct: Count
    interval: FractionInterval

    @property
    def width(self) -> float:
        return self.interval[1] - self.interval[0]


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


def guessing(train_counts: Integers, test_counts: Integers) -> Guessing:
    """Return how often one is right without looking, from the (K,) counts of both splits."""
    majority = int(train_counts.argmax())
    return Guessing(1 / len(train_counts), majority, float(test_counts[majority] / test_counts.sum()))


def resolution(num_images: int) -> Resolution:
    """Return what `num_images` test images, at least one, leave open about an accuracy near 90 %.

    >>> low, high = resolution(10).interval
    >>> f"{low:.3f} to {high:.3f}"
    '0.596 to 0.982'
    """
    num_correct = round(EXAMPLE_ACCURACY * num_images)
    return Resolution(num_images, num_correct, wilson_interval(num_correct, num_images))
