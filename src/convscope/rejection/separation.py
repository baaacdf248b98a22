"""How well a score tells images apart: functions of the scores of known images and of strangers, which are lower."""

from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.floating[Any]]
_NEAR = 1e-12  # to an end of the interval from 0 to 1


def threshold_of(scores: Scores, keep: float) -> float:
    """Return the highest score that at least the share `keep` of `scores` (N,) reach.

    Raises:
        ValueError: if there is no score, or `keep` is not between 0 and 1.

    >>> threshold_of(np.arange(100.0), 0.99)  # 0 alone stays below
    1.0
    """
    if len(scores) == 0:
        raise ValueError("scores is empty; a threshold needs at least one")
    if not 0 < keep < 1:
        raise ValueError(f"keep is {keep}; it must lie between 0 and 1")
    # 0.01 × 100 must not be a hair below or above 1.
    refused = int((1 - keep) * len(scores) + 1e-9)
    return float(np.sort(scores)[refused])


def auroc(known: Scores, strangers: Scores) -> float:
    """Return how often a known image scores above a stranger, both drawn at random; half of the ties count.

    The area under the receiver operating characteristic, by ranks: 0.5 tells nothing, 1 tells all apart.

    Source: Hanley and McNeil 1982; the sum of ranks is Wilcoxon's.

    >>> auroc(np.array([2.0, 3.0]), np.array([1.0, 2.0]))
    0.875
    """
    from scipy.stats import rankdata

    count, others = len(known), len(strangers)
    ranks = rankdata(np.concatenate([known, strangers]))[:count].sum()
    return float((ranks - count * (count + 1) / 2) / (count * others))


def auroc_interval(area: float, num_known: int, num_strangers: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return (low, high), the score interval of an `auroc` from so many images.

    An end is the area that lies z of its own standard deviations from what was seen, so the interval is usable for an
    area of 1 too, where an estimated deviation is 0. It takes images as independent and scores as exponential, and
    covers the luck of the images alone.

    Source: Newcombe 2006, Statistics in Medicine 25, 559-573, method 5, with Hanley and McNeil's variance 1982.

    >>> low, high = auroc_interval(0.95, 100, 50)
    >>> f"{low:.3f} to {high:.3f}"
    '0.894 to 0.976'
    """
    from scipy.optimize import brentq

    z = NormalDist().inv_cdf((1 + confidence) / 2)
    more = (num_known + num_strangers) / 2 - 1

    def beyond(end: float) -> float:
        variance = end * (1 - end) / (num_known * num_strangers)
        variance *= 1 + more * ((1 - end) / (2 - end) + end / (1 + end))
        return float((end - area) ** 2 - z**2 * variance)

    # An area of 0 or 1 is a root itself, as its variance is 0; the end is the other one.
    low = brentq(beyond, 0.0, min(area, 1 - _NEAR)) if area > _NEAR else 0.0
    high = brentq(beyond, max(area, _NEAR), 1.0) if area < 1 - _NEAR else 1.0
    return float(low), float(high)


def false_positive_rate(known: Scores, strangers: Scores, keep: float = 0.95) -> float:
    """Return which share of `strangers` a threshold lets through that lets the share `keep` of `known` through.

    >>> false_positive_rate(np.arange(100.0), np.array([1.0, 7.0]))
    0.5
    """
    return float((strangers >= threshold_of(known, keep)).mean())
