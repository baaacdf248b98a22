"""How far single runs of one network lie apart by chance alone, and how many runs show a difference of a given size.

Runs differ by their seed, and by the test images that they happen to be measured on. Flags of wrong answers go in, one
row for each run; standard deviations, probabilities and numbers of runs come out. Accuracies are fractions.
"""

from dataclasses import asdict, dataclass
from math import erfc, inf, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import nctdtr, stdtrit

MAX_RUNS = 1 << 20  # of each network; more than that is no plan for anybody
DIFFERENCES = (0.001, 0.0005, 0.0002)
"""Differences of accuracies for which it is stated how often chance alone makes them."""


@dataclass(frozen=True)
class RunVariation:
    """How much of the difference between two runs is chance.

    The two runs that are compared are of networks that are equally good: equal on these images where both are measured
    on the same ones, and equal on all images of the kind where each has test images of its own.

    Attributes:
        num_runs, num_images: what this was estimated from; `n` runs know a standard deviation to within about
            1 / sqrt(2 (n - 1)) of it.
        mean: of the accuracies.
        sd_seeds: of a run's accuracy over seeds, on these test images.
        sd_images: of the accuracy of one network over test sets of as many images, sqrt(p (1 - p) / N).
        sd_true: of the accuracy over seeds on endless test images, which is what is left of `sd_seeds` without the
            chance that falls on single images; 0.0 where that explains all of it.

    Source: Jordan 2023 (arXiv 2304.01910), whose distribution-wise variance is the square of `sd_true`.
    """

    num_runs: int
    num_images: int
    mean: float
    sd_seeds: float
    sd_images: float
    sd_true: float

    @classmethod
    def of(cls, wrong: NDArray[Any]) -> "RunVariation":
        """Return the variation of the runs (n, N), true where wrong.

        Raises:
            ValueError: unless they are (n, N) with n at least 2 and N at least 1.
        """
        if wrong.ndim != 2 or len(wrong) < 2 or wrong.shape[1] < 1:
            raise ValueError(f"wrong is {wrong.shape}; it must be (n, N), with at least two runs and one image")
        return cls.of_counts(wrong.sum(axis=1), wrong.sum(axis=0))

    @classmethod
    def of_counts(cls, of_runs: NDArray[np.integer[Any]], of_images: NDArray[np.integer[Any]]) -> "RunVariation":
        """Return the same from how many images each run classifies wrongly (n,), and how many runs each image (N,)."""
        num_runs, num_images = len(of_runs), len(of_images)
        shares = of_images / num_runs
        rate = float(shares.mean())
        # Of whole numbers, so that it is exactly 0 if all are equal.
        over_seeds = float(of_runs.var(ddof=1)) / num_images**2
        # What runs would differ by if each image's answer fell to chance for itself.
        alone = float((shares * (1 - shares)).mean()) * num_runs / (num_runs - 1) / num_images
        return cls(
            num_runs=num_runs,
            num_images=num_images,
            mean=1 - rate,
            sd_seeds=sqrt(over_seeds),
            sd_images=sqrt(rate * (1 - rate) / num_images),
            sd_true=sqrt(max(over_seeds - alone, 0.0)),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain JSON, with what follows for each of `DIFFERENCES`."""
        differences = [
            {
                "difference": difference,
                "chance_same_images": self.chance_same_images(difference),
                "chance_other_images": self.chance_other_images(difference),
                "runs_needed": self.runs_needed(difference),
            }
            for difference in DIFFERENCES
        ]
        sds = {"sd_same_images": self.sd_same_images, "sd_other_images": self.sd_other_images}
        return {**asdict(self), **sds, "differences": differences}

    @property
    def sd_same_images(self) -> float:
        """The standard deviation of the difference of two runs on these test images."""
        return sqrt(2) * self.sd_seeds

    @property
    def sd_other_images(self) -> float:
        """The same where each run is measured on as many test images of its own."""
        return sqrt(2 * (self.sd_images**2 + self.sd_true**2))

    def chance_same_images(self, difference: float) -> float:
        """Return the probability that two runs on these test images lie `difference` or more apart, either way."""
        return _both_tails(difference, self.sd_same_images)

    def chance_other_images(self, difference: float) -> float:
        """Return the same where each run is measured on as many test images of its own."""
        return _both_tails(difference, self.sd_other_images)

    def runs_needed(self, difference: float, power: float = 0.8, level: float = 0.05) -> int | None:
        """Return how many runs of each network show a true difference of their means on these test images.

        It is the smallest number of runs with which a two-sided t-test at `level` finds it with probability `power`, if
        both networks vary as these runs do. None for more than a million.

        Raises:
            ValueError: unless `difference` is above 0, and 0 < level < power < 1.
        """
        if not difference > 0 or not 0 < level < power < 1:
            raise ValueError(
                f"difference is {difference}, power {power} and level {level}; they must be above 0, with "
                "level < power < 1"
            )
        if self.sd_seeds == 0:
            return 2
        low, high = 1, 2
        while power_of_t_test(high, difference / self.sd_seeds, level) < power:
            low, high = high, 2 * high
            if high > MAX_RUNS:
                return None
        while high - low > 1:
            middle = (low + high) // 2
            is_enough = power_of_t_test(middle, difference / self.sd_seeds, level) >= power
            low, high = (low, middle) if is_enough else (middle, high)
        return high


def _both_tails(difference: float, sd: float) -> float:
    """Return the probability that a normal number around 0 is `difference` or more away from it."""
    return erfc((difference / sd if sd else inf) / sqrt(2))


def power_of_t_test(count: int, effect: float, level: float) -> float:
    """Return how likely a two-sided t-test of twice `count` normal values finds that means lie `effect` sds apart."""
    freedom, shift = 2 * count - 2, effect * sqrt(count / 2)
    limit = float(stdtrit(freedom, 1 - level / 2))
    return float(1 - nctdtr(freedom, shift, limit) + nctdtr(freedom, shift, -limit))
