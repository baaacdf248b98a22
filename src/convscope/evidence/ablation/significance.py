"""Mark significant changes by exact tests on pairs, with a bound for the share of wrong marks.

With many filters and classes, a test in twenty would mark a change although there is none. So the p-values are judged
together, by Benjamini and Hochberg's rule: the i-th smallest of m is compared with 0.05 i / m, and all up to the last
one below its limit are marked. Of 0.001, 0.02, 0.04, 0.5 with the limits 0.0125, 0.025, 0.0375, 0.05, these are two.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.metrics import mcnemar_exact
from convscope.base.records import Count, NonNegative, Record

FALSE_DISCOVERY_RATE = 0.05
"""At most this share of the marked changes is expected to be false positives."""


class Marking(Record, kw_only=True):
    """The numbers of changes that were tested and marked.

    Attributes:
        num_tests: changes that were judged together.
        num_expected_by_luck: p-values of at most 0.05 that are expected, at most, if nothing has any effect.
        num_below: p-values of at most 0.05.
        num_significant: changes that Benjamini and Hochberg's rule marks.
    """

    num_tests: Count
    num_expected_by_luck: NonNegative
    num_below: Count
    num_significant: Count


def p_values(gained: NDArray[np.integer[Any]], lost: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """Compute McNemar's exact p-value for each pair of counts, in their shape; see `metrics.mcnemar_exact`."""
    pairs = np.stack([gained.ravel(), lost.ravel()], axis=1)
    if not len(pairs):
        return np.ones(gained.shape)
    distinct, inverse = np.unique(pairs, axis=0, return_inverse=True)
    # The exact test is slow, and 512 ablations of ten classes have few different pairs of counts: each is tested once.
    values = np.array([mcnemar_exact(int(a), int(b)) for a, b in distinct])
    return np.asarray(values[inverse.ravel()].reshape(gained.shape))


def mark(
    p_values: NDArray[np.float64], is_tested: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.bool_], Marking]:
    """Mark the significant changes among `p_values` of any shape, and bound how many of them are false.

    Of the marked ones at most `FALSE_DISCOVERY_RATE` are expected to be false positives, if the tests are independent
    or depend on one another positively; on the same images they mostly do.

    Source: Benjamini and Hochberg 1995: all p-values up to the largest p with p · m / i ≤ rate, where p is the i-th
    smallest of m. (`scipy.stats.false_discovery_control` marks the same; loading it takes longer than a small run.)

    Args:
        is_tested: an array of the same shape, true for the p-values that count; by default all.
    """
    tested = np.ones(p_values.shape, bool) if is_tested is None else is_tested
    marked, values = np.zeros(p_values.shape, bool), p_values[tested]
    ordered = np.sort(values)
    low = ordered[ordered * (values.size / np.arange(1, values.size + 1)) <= FALSE_DISCOVERY_RATE]
    marked[tested] = values <= low.max(initial=-1)  # -1 marks none
    return marked, Marking(
        num_tests=values.size,
        num_expected_by_luck=FALSE_DISCOVERY_RATE * values.size,
        num_below=int((values <= FALSE_DISCOVERY_RATE).sum()),
        num_significant=int(marked.sum()),
    )
