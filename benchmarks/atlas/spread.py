"""How the accuracies of many networks are distributed, what chance alone gives, and what of it is a better seed."""

from dataclasses import dataclass
from math import exp, log, sqrt

import numpy as np
from atlas.counts import AnswerCounts
from estimates import Estimate, Z, correlate, mean_interval
from numpy.typing import NDArray
from scipy.special import ndtri


@dataclass(frozen=True)
class Spread:
    """The accuracies of n networks that differ in the seed alone.

    Attributes:
        mean, mean_interval: with Student's t.
        sd, sd_interval: between seeds, with Bonett's interval, which needs no normal distribution.
        sd_independent: what networks would spread by if each image were missed for itself, with the share of networks
            that miss it: sqrt(sum p_i (1 - p_i)) / M.
        sd_binomial: the same if all images were equally hard: sqrt(p (1 - p) / M), which is also how far the accuracy
            of one network moves from one test set to another.
        skewness: 0 for a normal distribution, with its standard error.
        minimum, maximum: and `expected_maximum`, of n numbers of a normal distribution with this mean and sd.
        halves: the correlation over networks of the accuracies on two random halves of the test images; None where it
            cannot be told.
        carries_over: which part of a network's lead over the mean is expected to show on as many other images of the
            kind, by Spearman and Brown's formula from `halves`.
    """

    mean: float
    mean_interval: tuple[float, float] | None
    sd: float
    sd_interval: tuple[float, float] | None
    sd_independent: float
    sd_binomial: float
    skewness: float
    skewness_error: float
    minimum: float
    maximum: float
    expected_maximum: float
    halves: Estimate | None
    carries_over: Estimate | None

    @classmethod
    def of(cls, counts: AnswerCounts) -> "Spread":
        """Return the spread of the accuracies.

        Sources: Bonett 2006 (Computational Statistics & Data Analysis 50) for the interval of the standard deviation;
        Spearman 1910 and Brown 1910 for a test of twice the length; Blom 1958 for the expected maximum.
        """
        values, n = counts.accuracies, counts.num_runs
        mean, sd = float(values.mean()), float(values.std(ddof=1))
        p = counts.misses / n
        centred = values - mean
        skewness = float((centred**3).mean() / (centred**2).mean() ** 1.5) if sd else 0.0
        first, second = 1 - counts.wrong_of_runs.T / np.array([[(~counts.half).sum()], [counts.half.sum()]])
        halves = correlate(first, second)
        return cls(
            mean=mean,
            mean_interval=mean_interval(values.tolist()),
            sd=sd,
            sd_interval=_sd_interval(values),
            sd_independent=float(np.sqrt((p * (1 - p)).sum() * n / (n - 1))) / counts.num_images,
            sd_binomial=sqrt(mean * (1 - mean) / counts.num_images),
            skewness=skewness,
            skewness_error=sqrt(6 * n * (n - 1) / ((n - 2) * (n + 1) * (n + 3))) if n > 2 else 0.0,
            minimum=float(values.min()),
            maximum=float(values.max()),
            expected_maximum=mean + sd * float(ndtri((n - 0.375) / (n + 0.25))),
            halves=halves,
            carries_over=None if halves is None else halves.mapped(_doubled),
        )


def _doubled(correlation: float) -> float:
    """Return the reliability of a test twice as long, 0 where the halves do not agree at all."""
    return max(0.0, 2 * correlation / (1 + correlation)) if correlation > -1 else 0.0


def _sd_interval(values: NDArray[np.floating]) -> tuple[float, float] | None:
    """Return Bonett's 95 % interval of the standard deviation; None for fewer than five values, or equal ones."""
    n, variance = len(values), float(values.var(ddof=1))
    if n < 5 or variance == 0:
        return None
    cut = int(n / (2 * sqrt(n - 4)))  # Bonett trims 1 / (2 sqrt(n - 4)) from each end
    middle = float(np.sort(values)[cut : n - cut].mean()) if n - 2 * cut > 0 else float(np.median(values))
    kurtosis = n * float(((values - middle) ** 4).sum()) / (variance * (n - 1)) ** 2
    error = sqrt(max((kurtosis - (n - 3) / n) / (n - 1), 0.0))
    factor = n / (n - Z)
    low, high = (exp(log(factor * variance) + sign * Z * factor * error) for sign in (-1, 1))
    return sqrt(low), sqrt(high)
