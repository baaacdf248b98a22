"""Whether the test images are like the training images: shares of the classes, and brightness class by class."""

from collections.abc import Sequence
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.records import Count, Fraction, Record
from convscope.base.statistics import holm
from convscope.data.inspection.scan import Scan

SMALL_EFFECT = 0.2
"""Of Cohen's d: below it a difference may be certain, but is of little account (Cohen 1988)."""

LEVEL = 0.05
"""Of p-values, after Holm's correction for the number of classes."""


class ClassShift(Record):
    """How the brightness of a class differs between the splits.

    Attributes:
        train_mean, test_mean: of the images' mean values, 0 to 255.
        effect: Cohen's d, test less train in pooled standard deviations; None where those are 0 and the means differ.
        p_value: of Welch's test, corrected by Holm for the number of classes.
    """

    label: Count
    train_mean: float
    test_mean: float
    effect: float | None
    p_value: Fraction

    @property
    def is_relevant(self) -> bool:
        """Whether it is both certain and not small."""
        return self.p_value < LEVEL and (self.effect is None or abs(self.effect) >= SMALL_EFFECT)


class Shift(Record):
    """How the splits differ.

    Attributes:
        brightness: of each class with at least two images in both splits.
        shares_distance: total variation distance of the class shares, 0 (equal) to 1.
        shares_p_value: of the chi-squared test that both splits have the same shares.
    """

    brightness: tuple[ClassShift, ...]
    shares_distance: Fraction
    shares_p_value: Fraction

    @property
    def relevant(self) -> tuple[ClassShift, ...]:
        """The classes whose brightness differs beyond doubt and not by little, the strongest first."""
        found = [one for one in self.brightness if one.is_relevant]
        return tuple(sorted(found, key=lambda one: -abs(one.effect) if one.effect is not None else -np.inf))


def find_shift(train: Scan, test: Scan) -> Shift:
    """Return how two splits differ in the brightness of their classes and in the shares of these.

    The brightness of a class is compared by Welch's test: t = (m - m') / sqrt(v/n + v'/n'), with the degrees of freedom
    of Welch and Satterthwaite. Images of one person are treated as independent, so p-values are rather too small.

    Source: Welch 1947, Biometrika 34, 28-35; Holm 1979; Pearson 1900 (chi-squared).
    """
    labels = np.flatnonzero((train.class_counts > 1) & (test.class_counts > 1)).tolist()
    tests = [_welch(train, test, label) for label in labels]
    p_values = holm([p_value for _, p_value in tests]) if tests else ()
    distance, shares_p_value = _shares(train.class_counts, test.class_counts)
    return Shift(_class_shifts(train, test, labels, tests, p_values), distance, shares_p_value)


def _class_shifts(
    train: Scan,
    test: Scan,
    labels: Sequence[int],
    tests: Sequence[tuple[float | None, float]],
    p_values: Any,
) -> tuple[ClassShift, ...]:
    return tuple(
        ClassShift(
            label, float(train.intensity_means[label]), float(test.intensity_means[label]), effect, float(p_value)
        )
        for label, (effect, _), p_value in zip(labels, tests, p_values, strict=True)
    )


def _welch(train: Scan, test: Scan, label: int) -> tuple[float | None, float]:
    """Return Cohen's d of a class and the p-value of Welch's test."""
    from scipy.special import stdtr  # here, as all of scipy: it takes longer to import than NumPy

    n, m = int(train.class_counts[label]), int(test.class_counts[label])
    difference = float(test.intensity_means[label] - train.intensity_means[label])
    v, w = float(train.intensity_variances[label]), float(test.intensity_variances[label])
    if v == w == 0:
        return (0.0, 1.0) if difference == 0 else (None, 0.0)
    pooled = sqrt(((n - 1) * v + (m - 1) * w) / (n + m - 2))
    of_mean, of_other = v / n, w / m
    freedom = (of_mean + of_other) ** 2 / (of_mean**2 / (n - 1) + of_other**2 / (m - 1))
    return difference / pooled, 2 * float(stdtr(freedom, -abs(difference) / sqrt(of_mean + of_other)))


def _shares(train: NDArray[np.int64], test: NDArray[np.int64]) -> tuple[float, float]:
    """Return the total variation distance of two class counts (K,), and the p-value of their homogeneity."""
    from scipy.special import chdtrc

    counts = np.stack([train, test])[:, (train + test) > 0].astype(np.float64)
    shares = counts / counts.sum(axis=1, keepdims=True)
    distance = float(np.abs(shares[0] - shares[1]).sum() / 2)
    if counts.shape[1] < 2:
        return distance, 1.0
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / counts.sum()
    statistic = float(((counts - expected) ** 2 / expected).sum())
    return distance, float(chdtrc(counts.shape[1] - 1, statistic))
