"""What refusing buys: how many mistakes are left when the images that a network is least confident in are not
answered."""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from convscope.base.metrics import wilson_interval
from convscope.base.records import Change, Count, Fraction, FractionInterval, Positive, Record, to_tuple
from convscope.evidence.records import check_lengths

REFUSED = (0.0, 0.01, 0.02, 0.05, 0.1)
"""The fractions of the images that are refused, of each of which a `Refusal` is kept."""

_PLACES = np.unique(np.concatenate([np.arange(0, 0.2, 0.0025), np.arange(0, 1, 0.01)]))  # refused, of the curve


Coverage = Annotated[float, Meta(gt=0, le=1)]


class Refusal(Record, kw_only=True):
    """The images left when the least sure are refused.

    Attributes:
        fraction: asked to be refused.
        num_refused, num_left: images; never none is left.
        num_errors_left: wrong answers among those left.
        risk: num_errors_left / num_left.
        interval: (low, high), its 95 % Wilson interval.
    """

    fraction: Fraction
    num_refused: Count
    num_left: Positive
    num_errors_left: Count
    risk: Fraction
    interval: FractionInterval


class RiskCoverage(Record, kw_only=True):
    """The mistakes left at each coverage, the fraction of the images that is answered.

    Attributes:
        coverage, risk: the curve at up to 161 places from all images to 1 in 100, risk being the fraction
            wrong of those answered.
        aurc: the area under the whole curve, its mean over the coverages 1/N, 2/N, ..., 1. Lower is better; it depends
            on the accuracy as much as on the order.
        optimal_aurc: the same if every wrong answer were less sure than every right one.
        excess_aurc: E-AURC, `aurc` less `optimal_aurc`: what the order of the confidences is to blame for.
        refusals: for 0, 1, 2, 5 and 10 %.
    """

    coverage: Annotated[tuple[Coverage, ...], Meta(min_length=1)]
    risk: tuple[Fraction, ...]
    aurc: Fraction
    optimal_aurc: Fraction
    excess_aurc: Change
    refusals: Annotated[tuple[Refusal, ...], Meta(min_length=1)]

    def __post_init__(self) -> None:
        check_lengths(coverage=self.coverage, risk=self.risk)


def measure_risk_coverage(
    doubt: NDArray[np.float64], right: NDArray[np.bool_], refused: Sequence[float] = REFUSED
) -> RiskCoverage:
    """Return the mistakes left as images are refused by their doubt (N,), (1 - confidence) / confidence, largest first.

    Of equal doubts the later image is refused first.

    Source: Geifman and El-Yaniv 2017 (the curve); Geifman, Uziel and El-Yaniv 2019 (its area and the excess, here with
    the optimum of N images and not its limit).

    Raises:
        ValueError: if the lengths differ, there is no image, a doubt is negative, or a fraction is not from 0
            to below 1.

    >>> curve = measure_risk_coverage(np.array([0.1, 0.9, 0.2, 0.5]), np.array([True, False, True, True]), (0, 0.25))
    >>> [refusal.num_errors_left for refusal in curve.refusals], curve.aurc, curve.excess_aurc
    ([1, 0], 0.0625, 0.0)
    """
    count = len(doubt)
    if doubt.ndim != 1 or doubt.shape != right.shape or not count:
        raise ValueError(f"doubt is {doubt.shape} and right {right.shape}; both must be (N,), N at least 1")
    if not doubt.min() >= 0:
        raise ValueError(f"doubt is at least {doubt.min()}; it must not be negative")
    if not all(0 <= fraction < 1 for fraction in refused):
        raise ValueError(f"refused is {tuple(refused)}; each must lie from 0 to below 1")
    order = np.argsort(doubt, kind="stable")
    errors, answered = np.cumsum(~right[order], dtype=np.int64), np.arange(1, count + 1)
    risk = errors / answered
    num_errors = int(errors[-1])
    optimal = np.maximum(answered - (count - num_errors), 0) / answered
    left = np.unique([_left(count, fraction) for fraction in _PLACES])[::-1]
    aurc, optimal_aurc = float(risk.mean()), float(optimal.mean())
    return RiskCoverage(
        coverage=to_tuple(left / count),
        risk=to_tuple(risk[left - 1]),
        aurc=aurc,
        optimal_aurc=optimal_aurc,
        excess_aurc=aurc - optimal_aurc,
        refusals=tuple(_refusal(fraction, _left(count, fraction), errors) for fraction in refused),
    )


def _left(count: int, fraction: float) -> int:
    return max(1, count - round(fraction * count))


def _refusal(fraction: float, left: int, errors: NDArray[np.int64]) -> Refusal:
    wrong = int(errors[left - 1])
    return Refusal(
        fraction=float(fraction),
        num_refused=len(errors) - left,
        num_left=left,
        num_errors_left=wrong,
        risk=wrong / left,
        interval=wilson_interval(wrong, left),
    )
