"""Compute the power of the test of `compare_groups` by the number of seeds.

With n runs of each network, the measured difference d is normal around the true one, with the variance

    images + (runs_a + runs_b) / n

Of 4 + (9 + 9) / n, in squares of a tenth of a percentage point, 3 runs leave 10 and endless runs 4: from then on only
more test images help.

The test finds a difference if 0 lies outside d ± half width, that is if |d| is larger than the half width. Both are
random. As d is normal, the probability that |d| is larger than a given half width is a formula. The half width differs
from experiment to experiment, since each estimates it from its own few runs. Here it is drawn 4,000 times, and the
power is the mean of the formula over these draws.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from math import inf, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from convscope.base.statistics import Flags, degrees_of_freedom, variance_parts

MAX_SEEDS = 1000
"""Largest number of runs of each network in a plan."""

POWER = 0.8  # the usual convention

LEVELS = (0.05, 0.0294, 0.0221)
"""Levels of the test for one, two or three looks after equal steps, so that all looks together have 5 %.

Source: Pocock 1977, Biometrika 64, 191-199. His looks are correlated because each contains the runs of those before it.
Here they also share the test images, so they agree more often, and fewer of them find a difference where there is none.
"""

_DRAWS = 4000  # simulated experiments, which give the power to a third of a percentage point


@dataclass(frozen=True, eq=False)
class DifferenceVariances:
    """The variances of the difference of two networks' mean accuracies on `num_images` test images.

    Attributes:
        images: the variance over test sets of as many images, with endless seeds. No further seed lowers it.
        runs: the variance of one run's accuracy on these images, for each network.
        chance: the part of `runs` by which runs differ on each image independently of other images, likewise.
        freedom: the degrees of freedom with which `runs` is known, likewise; infinite if it is exact.
    """

    num_images: int
    images: float
    runs: tuple[float, float]
    chance: tuple[float, float]
    freedom: tuple[float, float]

    @classmethod
    def from_flags(cls, wrong_a: Flags, wrong_b: Flags) -> "DifferenceVariances":
        """Estimate the variances from runs on the same images, (n, N) and (m, N), true where wrong, n and m >= 2."""
        images, runs, chance = variance_parts(wrong_a, wrong_b)
        return cls(wrong_a.shape[1], images, runs, chance, (len(wrong_a) - 1, len(wrong_b) - 1))

    @property
    def floor(self) -> float:
        """The smallest difference of accuracies that endless seeds show on these images with a power of 80 %."""
        normal = NormalDist()
        # (z of the level + z of the power) standard errors; with endless seeds only the images are left in these.
        return (normal.inv_cdf(1 - LEVELS[0] / 2) + normal.inv_cdf(POWER)) * sqrt(self.images)

    def power(self, seeds: int | tuple[int, int], difference: float, level: float = LEVELS[0]) -> float:
        """Compute the probability that `seeds` runs of each network show a true difference of accuracies.

        For a difference of 0 it is the level of the test.
        """
        from scipy.special import ndtr

        error, width = self._standard_error(seeds), self._half_widths(seeds, level)
        # P(d > width) + P(d < -width), with d normal around `difference`.
        return float(np.mean(ndtr((difference - width) / error) + ndtr((-difference - width) / error)))

    def equivalence_power(self, seeds: int | tuple[int, int], margin: float, level: float = LEVELS[0]) -> float:
        """Compute the probability that equally good networks are shown to differ by less than `margin`."""
        from scipy.special import ndtr

        # Equivalence: the whole interval lies within the margin, so the measured difference must lie within the margin
        # less half the interval's width.
        limit = np.maximum(margin - self._half_widths(seeds, level), 0.0) / self._standard_error(seeds)
        return float(np.mean(2 * ndtr(limit) - 1))

    def ends(self) -> "tuple[DifferenceVariances, DifferenceVariances]":
        """Replace the spreads between seeds by the ends of their 95 % intervals, taken as exact: low, then high."""
        # The low end is the true variance at which 97.5 % of estimates are smaller than ours: so large an estimate is
        # rare there. A still lower variance would make ours rarer, and lies outside the interval.
        ends = [self._runs_at(share).ravel().tolist() for share in (0.975, 0.025)]
        low, high = (replace(self, runs=(first, second), freedom=(inf, inf)) for first, second in ends)
        return low, high

    def _standard_error(self, seeds: int | tuple[int, int]) -> NDArray[np.float64]:
        return np.asarray(np.sqrt(self.images + (self._true_runs / _counts(seeds)).sum(axis=0)))

    def _half_widths(self, seeds: int | tuple[int, int], level: float) -> NDArray[np.float64]:
        """Simulate experiments, and compute half the width (draws,) of the interval in each.

        An experiment estimates two variances of the difference. Each of them contains `chance`, since a run's luck on
        single images looks like a difference between the images as well as like one between the runs:

            of the images   images + Σ chance / n    Σ: over the two networks
            of the seeds    Σ runs / n · chi²        runs: with chance in it; chi²: the error of the estimate

        In their sum it must count once, so it is subtracted from the second. If 6 of the 9 in the module's example are
        chance, 3 runs of each give 4 + (6 + 6) / 3 = 8 and (9 + 9) / 3 = 6: together 8 + 6 - 4 = 10, as it should be.
        """
        from scipy.special import stdtrit

        counts = _counts(seeds)
        # The estimated variance of n runs is the true one times chi²(n - 1) / (n - 1). The seed is fixed, so that the
        # same runs give the same plan each time.
        estimates = np.random.default_rng(2).chisquare(counts - 1, (2, _DRAWS)) / (counts - 1)
        # (2, draws): the variance of each network's mean, as an experiment would estimate it.
        seed_variances = self._true_runs / counts * estimates
        chance = float((np.array(self.chance)[:, None] / counts).sum())
        image_variance = self.images + chance
        variance = image_variance + np.maximum(seed_variances.sum(axis=0) - chance, 0.0)
        # Each part of the variance with its degrees of freedom: N for the images, n - 1 for the runs of a network.
        parts = [(part, int(count) - 1) for part, count in zip(seed_variances, counts.ravel(), strict=True)]
        freedom = degrees_of_freedom(variance, (image_variance, float(self.num_images)), parts)
        return np.asarray(stdtrit(freedom, 1 - level / 2) * np.sqrt(variance))

    @cached_property
    def _true_runs(self) -> NDArray[np.float64]:
        """(2, 1), the medians of the possible variances of the runs, each at least `chance`.

        With medians, planned seeds reach the power on average. With the estimates themselves, plans from few runs have
        too few seeds; with a mean over all possible variances three times the seeds (benchmarks/plan_claims.py).
        """
        return self._runs_at(0.5)

    def _runs_at(self, share: float) -> NDArray[np.float64]:
        """Compute (2, 1), the true variances at which estimates are smaller than ours with the probability `share`."""
        from scipy.stats import chi2

        runs = [
            # An estimate s² of n runs has s² (n - 1) / σ² ~ chi²(n - 1); solved for σ². With infinite freedom it is
            # exact.
            max(runs if np.isinf(freedom) else runs * freedom / float(chi2.ppf(share, freedom)), chance)
            for runs, chance, freedom in zip(self.runs, self.chance, self.freedom, strict=True)
        ]
        return np.array(runs)[:, None]


def _counts(seeds: int | tuple[int, int]) -> NDArray[np.int64]:
    """Convert to (2, 1), the runs of each network, which broadcasts over the draws."""
    return np.array((seeds, seeds) if isinstance(seeds, int) else seeds)[:, None]
