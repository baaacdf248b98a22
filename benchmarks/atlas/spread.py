"""Describe the accuracies of many networks that differ in the seed alone: their spread, and chance's share in it."""

from dataclasses import dataclass
from math import exp, log, sqrt

import numpy as np
from atlas.counts import PredictionCounts
from estimates import Estimate, Floats, Z, mean_interval
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import binom


@dataclass(frozen=True)
class Spread:
    """The accuracies of n networks that differ in the seed alone.

    Attributes:
        mean, mean_interval: the mean accuracy, and its interval over seeds by Student's t.
        mean_interval_with_images: its interval over seeds and images.
        sd, sd_interval: the standard deviation between seeds, with Bonett's interval, which needs no normal
            distribution.
        sd_independent: the standard deviation if each image were missed independently of the others, with probability
            p_i, the share of networks that miss it: sqrt(sum p_i (1 - p_i)) / M.
        sd_binomial: the same if all images were equally hard: sqrt(p (1 - p) / M). It is also the standard deviation of
            one network's accuracy between test sets.
        skewness, skewness_error: the skewness, 0 for a normal distribution, and its standard error.
        minimum, maximum: the lowest and the highest accuracy.
        expected_maximum: the expected highest of n numbers of a normal distribution with this mean and sd.
        reached: the accuracy that 95 % of networks reach, over seeds.
        carries_over: the part of a network's lead over the mean that is expected on as many other images of the kind,
            over seeds; None if the sd has no interval.
    """

    mean: float
    mean_interval: tuple[float, float] | None
    mean_interval_with_images: tuple[float, float]
    sd: float
    sd_interval: tuple[float, float] | None
    sd_independent: float
    sd_binomial: float
    skewness: float
    skewness_error: float
    minimum: float
    maximum: float
    expected_maximum: float
    reached: Estimate
    carries_over: Estimate | None

    @classmethod
    def from_counts(cls, counts: PredictionCounts) -> "Spread":
        """Compute the spread of the accuracies.

        Sources: Bonett 2006 (Computational Statistics & Data Analysis 50) for the interval of the standard deviation;
        Blom 1958 for the expected maximum.
        """
        values, n = counts.accuracies, counts.num_runs
        mean, sd = float(values.mean()), float(values.std(ddof=1))
        p = counts.misses / n
        centred = values - mean
        skewness = float((centred**3).mean() / (centred**2).mean() ** 1.5) if sd else 0.0
        sd_interval = _sd_interval(values)
        sd_independent = float(np.sqrt((p * (1 - p)).sum() * n / (n - 1))) / counts.num_images
        sd_binomial = sqrt(mean * (1 - mean) / counts.num_images)
        return cls(
            mean=mean,
            mean_interval=mean_interval(values.tolist()),
            mean_interval_with_images=interval_with_images(mean, n, sd, sd_independent, sd_binomial),
            sd=sd,
            sd_interval=sd_interval,
            sd_independent=sd_independent,
            sd_binomial=sd_binomial,
            skewness=skewness,
            skewness_error=sqrt(6 * n * (n - 1) / ((n - 2) * (n + 1) * (n + 3))) if n > 2 else 0.0,
            minimum=float(values.min()),
            maximum=float(values.max()),
            expected_maximum=mean + sd * float(ndtri((n - 0.375) / (n + 0.25))),
            reached=estimate_reached(0.95, values),
            carries_over=None if sd_interval is None else estimate_carry_over(sd, sd_interval, sd_independent),
        )


def estimate_reached(share: float, values: Floats) -> Estimate:
    """Estimate the accuracy that a share of all networks reaches, from those of a hundred or more.

    The interval is that of order statistics.
    """
    ranked, n = np.sort(values), len(values)
    ranks = (1 - share) * n, *binom.ppf([0.025, 0.975], n, 1 - share)
    return Estimate(*(float(ranked[min(int(rank), n - 1)]) for rank in ranks))


def estimate_carry_over(sd: float, sd_interval: tuple[float, float], sd_independent: float) -> Estimate:
    """Estimate the part of the variance between seeds that is more than luck on single images.

    It is the mean, over all divisions of the images into halves, of what Spearman and Brown (1910) compute from the
    correlation of the two halves (Kuder and Richardson 1937; Cronbach 1951). Only the uncertainty of the sd
    matters.
    """
    return Estimate(*(max(0.0, 1 - (sd_independent / number) ** 2) for number in (sd, *sd_interval)))


def interval_with_images(
    mean: float, num_runs: int, sd: float, sd_independent: float, sd_binomial: float
) -> tuple[float, float]:
    """Compute the interval of the mean over seeds and images, as `cs.RunGroup` has it, for a hundred runs or more."""
    of_images = sd_binomial**2 - sd_independent**2
    variance = of_images + max(sd**2, sd_independent**2) / num_runs
    share = Z**2 * variance / (mean * (1 - mean))
    centre, half = mean + share / 2, sqrt(share * mean * (1 - mean) + share**2 / 4)
    return (centre - half) / (1 + share), (centre + half) / (1 + share)


def _sd_interval(values: NDArray[np.floating]) -> tuple[float, float] | None:
    """Compute Bonett's 95 % interval of the standard deviation; None for fewer than five values, or equal ones."""
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
