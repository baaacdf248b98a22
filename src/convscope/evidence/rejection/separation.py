"""Thresholds and measures of separation, as functions of the scores of known and of out-of-distribution images.

Known images have higher scores.
"""

from collections.abc import Mapping
from statistics import NormalDist
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from convscope.base.metrics import average_ranks

Name = TypeVar("Name", bound=str)
Scores = NDArray[np.floating[Any]]
_NEAR = 1e-12  # distance from 0 or 1 within which an area counts as that


def joint_thresholds(
    scores: Mapping[Name, Scores], keep: float, guard: Name | None = None, guard_share: float = 1.0
) -> dict[Name, float]:
    """Find the highest thresholds of J `scores` (n,) below which at most 1 - `keep` of new images lie on average.

    Of the n images and a new one, k = (1 - keep) (n + 1) may be refused. So at most k - 1 of the n images may lie at or
    below a threshold: in the example n = 100, k = 6.06, and at most 5 images. Every score refuses equally many by
    itself, there 2, since 3 each would be 6; the score `guard` at most the share `guard_share` of all. If k is at most
    J, each threshold is the lowest score, and at most J / (n + 1) of new images lie below one.

    Each image has a number in every score. New images must be exchangeable with the n images.

    Source: split conformal prediction (Vovk, Gammerman and Shafer 2005), with k counted over all scores: a rank below k
    among n + 1 exchangeable images has the chance k / (n + 1), and the set of them depends on no order.

    Raises:
        ValueError: if there is no score, or `keep` is not between 0 and 1.

    >>> two = {"a": np.arange(100.0), "b": np.arange(100.0)[::-1]}
    >>> joint_thresholds(two, 0.94)  # refused: images 0 and 1 by a, 98 and 99 by b
    {'a': 1.0, 'b': 1.0}
    """
    total = len(next(iter(scores.values()), ()))
    if total == 0:
        raise ValueError("scores is empty; a threshold needs at least one")
    if not 0 < keep < 1:
        raise ValueError(f"keep is {keep}; it must lie between 0 and 1")
    allowed = max(int((1 - keep) * (total + 1) + 1e-9) - 1, 0)  # 0.01 × 100 must not be a hair below or above 1
    ordered = {name: np.sort(values) for name, values in scores.items()}

    def thresholds(count: int) -> dict[Name, float]:
        # The guard score may refuse only its share of the images.
        guarded = min(count, int(guard_share * allowed))
        return {name: float(values[guarded if name == guard else count]) for name, values in ordered.items()}

    # Every threshold rises with the count, and with it the number of refused images, so bisection finds the highest.
    low, high = 0, allowed
    while low < high:
        middle = (low + high + 1) // 2
        candidate = thresholds(middle)
        refused = np.zeros(total, bool)
        for name, values in scores.items():
            refused |= values <= candidate[name]
        low, high = (middle, high) if refused.sum() <= allowed else (low, middle - 1)
    return thresholds(low)


def auroc(known: Scores, outside: Scores) -> float:
    """Compute the probability that a known image scores above an out-of-distribution image; ties count half.

    It is the area under the receiver operating characteristic, by ranks: 0.5 is chance, 1 perfect separation.

    Source: Hanley and McNeil 1982; the sum of ranks is Wilcoxon's.

    >>> auroc(np.array([2.0, 3.0]), np.array([1.0, 2.0]))
    0.875
    """
    num_known, num_outside = len(known), len(outside)
    # The sum of the known images' ranks among all, less the smallest possible sum, counts the pairs in the right order.
    # In the example the known images have the ranks 2.5 and 4 of 4: 6.5 - (1 + 2) = 3.5 of 4 pairs.
    rank_sum = average_ranks(np.concatenate([known, outside]))[:num_known].sum()
    return float((rank_sum - num_known * (num_known + 1) / 2) / (num_known * num_outside))


def effective_number(
    values: NDArray[np.floating[Any]] | NDArray[np.bool_], clusters: NDArray[np.integer[Any]]
) -> float:
    """Compute the number of independent values whose mean is as uncertain as that of `values` (N,), at most N.

    Values of the same one of G `clusters` (N,) may be correlated, such as drawings of a letter. The variance of the
    mean is that between clusters. The number is reduced by (z / t)², t of G - 1 degrees of freedom, because few
    clusters show that variance only roughly. If all values are equal, the number is G before this reduction.

    Source: Kish 1965 (design effect); Korn and Graubard 1998 for intervals of shares by the effective number.

    >>> round(effective_number(np.array([1.0, 1, 0, 0] * 50), np.arange(200) // 2), 1)  # pairs of equals: 100 of 200
    96.6
    """
    from scipy.stats import t

    numbers, inverse = np.asarray(values, np.float64), np.unique(clusters, return_inverse=True)[1]
    centred, groups = numbers - numbers.mean(), int(inverse.max()) + 1
    if groups == 1:
        return 1.0
    # The squared sums of clusters add up to as much as the squares of images, on average, if these are independent. If
    # images of a cluster vary together, they are more: for the pairs 1 1 and 0 0, centred to ±0.5, the squares add up
    # to 4 · 0.25 = 1, and the squared sums to 1 + 1 = 2. Twice as much, so half the images count.
    between = (np.bincount(inverse, centred) ** 2).sum() * groups / (groups - 1)
    within = (centred**2).sum()
    number = float(len(numbers))
    if within == 0:
        number = groups
    elif between > 0:
        number = len(numbers) * within / between
    # With few clusters their variance is itself uncertain: t and not normal.
    z = NormalDist().inv_cdf(0.975)
    return float(max(1.0, min(number, len(numbers)) * (z / t.ppf(0.975, groups - 1)) ** 2))


def auroc_interval(area: float, num_known: float, num_outside: float, confidence: float = 0.95) -> tuple[float, float]:
    """Compute (low, high), the score interval of an `auroc` from these numbers of images, which need not be whole.

    An end is the area that lies z of its own standard deviations from the measured one, so the interval is usable for
    an area of 1, too, where an estimated deviation is 0. It assumes independent images and exponential scores, and
    covers the choice of the images alone.

    Source: Newcombe 2006, Statistics in Medicine 25, 559-573, method 5, with Hanley and McNeil's variance 1982.

    >>> low, high = auroc_interval(0.95, 100, 50)
    >>> f"{low:.3f} to {high:.3f}"
    '0.894 to 0.976'
    """
    from scipy.optimize import brentq

    z = NormalDist().inv_cdf((1 + confidence) / 2)
    # The variance of an area by Hanley and McNeil (1982), with the mean of both numbers in place of each.
    number = (num_known + num_outside) / 2 - 1

    def excess(end: float) -> float:
        """Compute (end - area)² - z² variance(end), which is 0 at both ends of the interval."""
        variance = end * (1 - end) / (num_known * num_outside)
        variance *= 1 + number * ((1 - end) / (2 - end) + end / (1 + end))
        return float((end - area) ** 2 - z**2 * variance)

    # If the area is 0 or 1, it is a root itself, as its variance is 0; the search then starts just beside it.
    low = brentq(excess, 0.0, min(area, 1 - _NEAR)) if area > _NEAR else 0.0
    high = brentq(excess, max(area, _NEAR), 1.0) if area < 1 - _NEAR else 1.0
    return float(low), float(high)


def false_positive_rate(known: Scores, outside: Scores, keep: float = 0.95) -> float:
    """Compute the share of `outside` that is accepted by a threshold that accepts the share `keep` of `known`.

    >>> false_positive_rate(np.arange(100.0), np.array([1.0, 7.0]))
    0.5
    """
    # 1e-9, since 0.01 × 100 must not be a hair below 1.
    return float((outside >= np.sort(known)[int((1 - keep) * len(known) + 1e-9)]).mean())
