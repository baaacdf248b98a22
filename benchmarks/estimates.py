"""Estimates with their 95 % intervals."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import atanh, sqrt, tanh
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Z = 1.959963984540054
"""The 97.5 % quantile of the normal distribution."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A number and the ends of its 95 % interval."""

    value: float
    low: float
    high: float


def correlate(first: NDArray[np.floating[Any]], second: NDArray[np.floating[Any]]) -> Estimate | None:
    """Compute Pearson's correlation of two rows of n numbers, with the interval by Fisher's transformation.

    The result is None for fewer than four pairs, and where one row is constant.

    Source: Fisher 1921 (Metron 1).
    """
    if len(first) < 4 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return None
    value = float(np.corrcoef(first, second)[0, 1])
    middle, half = atanh(min(max(value, -1 + 1e-12), 1 - 1e-12)), Z / sqrt(len(first) - 3)
    return Estimate(value, tanh(middle - half), tanh(middle + half))


def jackknife(function: Callable[[Floats], Floats], values: Floats) -> Estimate:
    """Evaluate a function of the means of columns over M images (M, D), with the jackknife's interval over images.

    Args:
        function: maps rows of means (R, D) to (R,) numbers.
        values: a row for each image.

    Source: Tukey 1958 (Annals of Mathematical Statistics 29).
    """
    count, total = len(values), values.sum(axis=0)
    whole = float(function(total[None] / count)[0])
    without = function((total - values) / (count - 1))
    error = sqrt((count - 1) / count * float(((without - without.mean()) ** 2).sum()))
    return Estimate(whole, whole - Z * error, whole + Z * error)


def mean_interval(shares: Sequence[float]) -> tuple[float, float] | None:
    """Compute the interval of the mean of shares (0 to 1) by Student's t; None for one share, and for equal shares."""
    if len(shares) == 1 or min(shares) == max(shares):
        return None
    low, high = stats.t.interval(0.95, len(shares) - 1, np.mean(shares), stats.sem(shares))
    return max(float(low), 0.0), min(float(high), 1.0)


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Compute Wilson's interval of a share."""
    interval = stats.binomtest(successes, trials).proportion_ci(method="wilson")
    return float(interval.low), float(interval.high)
