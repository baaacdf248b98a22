"""The mistakes that remain if a network refuses the images in which it is least confident.

Of 1,000 images with 10 mistakes, the network refuses the 50 with the least confidence, and 8 of the mistakes are among
these. Then the coverage is 0.95 and the risk 2 / 950. The risks at all coverages are a curve; the smaller its area,
the better the confidence tells mistakes from correct predictions.
"""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from msgspec import UNSET, Meta, UnsetType
from numpy.typing import NDArray

from convscope.base.metrics import wilson_interval
from convscope.base.records import Change, Count, Fraction, FractionInterval, Positive, Record, to_tuple
from convscope.evidence.records import check_lengths

REFUSED = (0.0, 0.01, 0.02, 0.05, 0.1)
"""The fractions of refused images for which a `Refusal` is kept."""

# The 160 fractions of refused images at which the curve is kept: every 0.25 % up to 20 %, then every 1 % up to 99 %.
_CURVE_FRACTIONS = np.unique(np.concatenate([np.arange(0, 0.2, 0.0025), np.arange(0, 1, 0.01)]))


Coverage = Annotated[float, Meta(gt=0, le=1)]


class Refusal(Record, kw_only=True):
    """The images that remain when the least confident ones are refused.

    Attributes:
        fraction: the fraction of images to refuse.
        num_refused, num_left: numbers of images; at least one is left.
        num_errors_left: wrong predictions among the rest.
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
    """The mistakes left at each coverage, the fraction of the images that is accepted.

    Attributes:
        coverage, risk: the curve at up to 160 points, from all images to 1 in 100; risk is the fraction of wrong
            predictions among the accepted images.
        aurc: the area under the whole curve, its mean over the coverages 1/N, 2/N, ..., 1. Lower is better; it depends
            on the accuracy as much as on the order.
        optimal_aurc, excess_aurc: measures of earlier versions; they are not shown.
        refusals: what remains if 0, 1, 2, 5 and 10 % are refused.
    """

    coverage: Annotated[tuple[Coverage, ...], Meta(min_length=1)]
    risk: tuple[Fraction, ...]
    aurc: Fraction
    optimal_aurc: Fraction | UnsetType = UNSET
    excess_aurc: Change | UnsetType = UNSET
    refusals: Annotated[tuple[Refusal, ...], Meta(min_length=1)]

    def __post_init__(self) -> None:
        check_lengths(coverage=self.coverage, risk=self.risk)


def measure_risk_coverage(
    doubt: NDArray[np.float64], is_correct: NDArray[np.bool_], refused: Sequence[float] = REFUSED
) -> RiskCoverage:
    """Measure the mistakes that remain as images are refused by their doubt (N,), (1 - confidence) / confidence.

    The largest doubt is refused first, and the later image of equal doubts.

    Source: Geifman and El-Yaniv 2017 (the curve); Geifman, Uziel and El-Yaniv 2019 (its area).

    Raises:
        ValueError: if the lengths differ, there is no image, a doubt is negative, or a fraction is not from 0
            to below 1.

    >>> # By rising doubt: correct, correct, correct, wrong. The risks are 0, 0, 0 and 1/4, and their mean is 1/16.
    >>> curve = measure_risk_coverage(np.array([0.1, 0.9, 0.2, 0.5]), np.array([True, False, True, True]), (0, 0.25))
    >>> [refusal.num_errors_left for refusal in curve.refusals], curve.aurc
    ([1, 0], 0.0625)
    """
    count = len(doubt)
    if doubt.ndim != 1 or doubt.shape != is_correct.shape or not count:
        raise ValueError(f"doubt is {doubt.shape}, is_correct {is_correct.shape}; both must be (N,), N at least 1")
    if not doubt.min() >= 0:
        raise ValueError(f"doubt is at least {doubt.min()}; it must not be negative")
    if not all(0 <= fraction < 1 for fraction in refused):
        raise ValueError(f"refused is {tuple(refused)}; each must lie from 0 to below 1")
    # Sorted by doubt, the first n images are those that are accepted at coverage n / N.
    order = np.argsort(doubt, kind="stable")
    errors, accepted = np.cumsum(~is_correct[order], dtype=np.int64), np.arange(1, count + 1)
    risk = errors / accepted
    # From all images down to 1 %; with few images, several fractions leave equally many.
    num_left = np.unique([_count_left(count, fraction) for fraction in _CURVE_FRACTIONS])[::-1]
    return RiskCoverage(
        coverage=to_tuple(num_left / count),
        risk=to_tuple(risk[num_left - 1]),
        aurc=float(risk.mean()),
        refusals=tuple(_make_refusal(fraction, _count_left(count, fraction), errors) for fraction in refused),
    )


def _count_left(count: int, fraction: float) -> int:
    # At least one image is accepted, since the risk of none is not defined.
    return max(1, count - round(fraction * count))


def _make_refusal(fraction: float, num_left: int, errors: NDArray[np.int64]) -> Refusal:
    wrong = int(errors[num_left - 1])
    return Refusal(
        fraction=float(fraction),
        num_refused=len(errors) - num_left,
        num_left=num_left,
        num_errors_left=wrong,
        risk=wrong / num_left,
        interval=wilson_interval(wrong, num_left),
    )
