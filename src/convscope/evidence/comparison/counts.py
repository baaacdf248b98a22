"""Compare two models on the same images by four counts."""

from dataclasses import dataclass
from functools import cached_property
from math import inf

import numpy as np
from numpy.typing import NDArray

from convscope.base.metrics import difference_interval, mcnemar_exact
from convscope.base.records import OpenInterval
from convscope.base.statistics import error_ratio_interval


@dataclass(frozen=True)
class PairedCounts:
    """McNemar's table of models A and B: images that both, one of them, or neither classify correctly.

    The intervals and the p-value cover the choice of the images, not that of the seeds.
    """

    both_correct: int
    only_a_correct: int
    only_b_correct: int
    both_wrong: int

    @classmethod
    def from_flags(cls, wrong_a: NDArray[np.bool_], wrong_b: NDArray[np.bool_]) -> "PairedCounts":
        """Count the images from the flags (N,) of both models, true where wrong."""
        # Outcome 0: both correct, 1: only A, 2: only B, 3: both wrong.
        return cls(*np.bincount(2 * wrong_a.astype(np.int64) + wrong_b, minlength=4).tolist())

    @property
    def num_images(self) -> int:
        return self.both_correct + self.only_a_correct + self.only_b_correct + self.both_wrong

    @cached_property
    def accuracy_difference_interval(self) -> tuple[float, float]:
        """(low, high), the 95 % score interval of A's accuracy less B's; extended to 0 unless the test rejects 0."""
        low, high = difference_interval(np.array(self.only_a_correct), np.array(self.only_b_correct), self.num_images)
        return self._with_equality((float(low), float(high)), 0.0)

    @cached_property
    def error_ratio_interval(self) -> tuple[float, float]:
        """(low, high), the 95 % score interval of B's errors for one of A's; infinite if A makes none.

        It is extended to 1 unless the test rejects 1.

        See `statistics.error_ratio_interval`.
        """
        return self._with_equality(error_ratio_interval(self.only_a_correct, self.only_b_correct, self.both_wrong), 1.0)

    @cached_property
    def p_value(self) -> float:
        """The two-sided p-value of McNemar's exact test: whether these networks differ on images of this kind."""
        return mcnemar_exact(self.only_a_correct, self.only_b_correct)

    def _with_equality(self, interval: tuple[float, float], equal: float) -> tuple[float, float]:
        """Extend the interval to `equal` if the exact test does not reject that the models are equally good."""
        # A score interval inverts McNemar's test without its correction, which is a little less strict: it may leave
        # out equality where the exact test does not.
        low, high = interval
        return interval if self.p_value < 0.05 else (min(low, equal), max(high, equal))


def open_interval(interval: tuple[float, float]) -> OpenInterval:
    """Replace an infinite end of an interval by None."""
    low, high = interval
    return low, None if high == inf else high
