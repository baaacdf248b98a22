"""How far single runs of one network lie apart by chance alone.

Runs differ by their seed, and by the test images that they happen to be measured on. Flags of wrong predictions go
in, one row for each run; standard deviations and probabilities come out. Accuracies are fractions.
"""

from dataclasses import dataclass
from math import ceil, erfc, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class RunVariation:
    """How much of the difference between two runs is chance.

    The two runs that are compared are of networks that are equally good: equal on these images where both are measured
    on the same ones, and equal on all images of the kind where each has test images of its own.

    Attributes:
        num_runs, num_images: the numbers of runs and of test images that this was estimated from. `n` runs determine a
            standard deviation to within about 1 / sqrt(2 (n - 1)) of it.
        mean: the mean of the accuracies.
        sd_seeds: the standard deviation of a run's accuracy over seeds, on these test images.
        sd_images: the standard deviation of the accuracy of one network over test sets of as many images,
            sqrt(p (1 - p) / N) with the error rate p and N images.
        sd_true: the standard deviation of the accuracy over seeds on endless test images, which is what remains of
            `sd_seeds` without the chance that falls on single images; 0.0 where that explains all of it.

    Source: Jordan 2023 (arXiv 2304.01910), whose distribution-wise variance is the square of `sd_true`.
    """

    num_runs: int
    num_images: int
    mean: float
    sd_seeds: float
    sd_images: float
    sd_true: float

    @classmethod
    def from_flags(cls, wrong: NDArray[Any]) -> "RunVariation":
        """Compute the variation of n runs on N images from `wrong` (n, N), true where a prediction is wrong.

        Raises:
            ValueError: unless `wrong` is (n, N) with n at least 2 and N at least 1.
        """
        if wrong.ndim != 2 or len(wrong) < 2 or wrong.shape[1] < 1:
            raise ValueError(f"wrong is {wrong.shape}; it must be (n, N), with at least two runs and one image")
        return cls.from_counts(wrong.sum(axis=1), wrong.sum(axis=0))

    @classmethod
    def from_counts(
        cls, errors_by_run: NDArray[np.integer[Any]], errors_by_image: NDArray[np.integer[Any]]
    ) -> "RunVariation":
        """Compute the variation from the number of wrong predictions of each run (n,), and on each image (N,)."""
        num_runs, num_images = len(errors_by_run), len(errors_by_image)
        shares = errors_by_image / num_runs
        rate = float(shares.mean())
        # The variance of whole numbers, so that it is exactly 0 if all are equal.
        variance_over_seeds = float(errors_by_run.var(ddof=1)) / num_images**2
        # The variance over runs if the prediction for each image were left to chance independently of the others.
        independent_variance = float((shares * (1 - shares)).mean()) * num_runs / (num_runs - 1) / num_images
        return cls(
            num_runs=num_runs,
            num_images=num_images,
            mean=1 - rate,
            sd_seeds=sqrt(variance_over_seeds),
            sd_images=sqrt(rate * (1 - rate) / num_images),
            sd_true=sqrt(max(variance_over_seeds - independent_variance, 0.0)),
        )

    @property
    def sd_same_images(self) -> float:
        """The standard deviation of the difference of two runs on these test images."""
        return sqrt(2) * self.sd_seeds

    @property
    def sd_other_images(self) -> float:
        """The standard deviation of the difference where each run is measured on as many test images of its own."""
        return sqrt(2 * (self.sd_images**2 + self.sd_true**2))

    def chance_same_images(self, difference: float) -> float:
        """Compute the probability that two runs on these test images lie `difference` or more apart, either way."""
        return self._both_tails(difference, self.sd_same_images)

    def chance_other_images(self, difference: float) -> float:
        """Compute the same probability for runs that are each measured on as many test images of their own."""
        return self._both_tails(difference, self.sd_other_images)

    def _both_tails(self, difference: float, sd: float) -> float:
        """Compute the probability that a normal number, rounded to whole images, is `difference` or more from 0."""
        images = ceil(difference * self.num_images - 1e-9) - 0.5
        return 1.0 if images < 0 else erfc(images / self.num_images / sd / sqrt(2)) if sd else 0.0
