"""Intervals and tests for models and groups of models that answered the same images, as functions of counts and arrays.

An interval of one rate, the difference of two rates on the same images and McNemar's test stand in `metrics`. Nothing
here knows a model or a data set.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, inf, log, sqrt
from statistics import NormalDist, mean, stdev
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from convscope.streams import random_stream

NUM_RESAMPLES = 5000
"""How often groups are drawn anew: an end of an interval then moves by about 2 % of the half width with the stream."""

_LEAST_RESAMPLES = 1000
_MOST_DRAWN = 50_000_000  # counts drawn in all, which takes some seconds: beyond it there are fewer resamples
_BLOCK = 1 << 21  # counts that are held at once
_PSEUDO_IMAGES = 0.5  # added to each of the four cells, after Agresti and Min

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float] | None:
    """Return (low, high), the interval of the mean behind `values` by Student's t; None for one value, which has none.

    Of accuracies of several seeds on the same images it covers the luck of the seed, not that of the images.

    Source: Student 1908.

    Raises:
        ValueError: if there is no value, or unless 0 < confidence < 1.

    >>> low, high = mean_interval([0.991, 0.992, 0.993])
    >>> f"{low:.4f} to {high:.4f}"
    '0.9895 to 0.9945'
    """
    _check_confidence(confidence)
    if not len(values):
        raise ValueError("values are none; an interval needs at least one")
    if len(values) == 1:
        return None
    from scipy.special import stdtrit  # here, as all of scipy: it takes longer to import than NumPy

    middle, count = mean(values), len(values)
    half = float(stdtrit(count - 1, (1 + confidence) / 2)) * stdev(values) / sqrt(count)
    return middle - half, middle + half


def mean_share_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float] | None:
    """Return `mean_interval` of shares such as accuracies, cut off at 0 and 1, which no share can pass.

    >>> low, high = mean_share_interval([0.98, 1.0])
    >>> f"{low:.4f} to {high:.4f}"
    '0.8629 to 1.0000'
    """
    interval = mean_interval(values, confidence)
    return None if interval is None else (max(interval[0], 0.0), min(interval[1], 1.0))


def error_ratio_interval(only_a: int, only_b: int, both_wrong: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return (low, high), the score interval of how many errors B makes for one of A on the same images.

    A alone is right on `only_a` images, B alone on `only_b`, neither on `both_wrong`; the ratio itself is
    (only_a + both_wrong) / (only_b + both_wrong). An end is the ratio r at which B's errors less r times A's are z of
    their standard deviations, sqrt(r m (p + q)): p and q are the likeliest shares of `only_a` and `only_b` among the m
    images with an error if r were true, and p a root of
    m r (1 + r) p^2 - (r^2 (2 only_a + only_b + both_wrong) - only_a - both_wrong) p - only_a r (1 - r) = 0.

    So it is usable with empty cells, where the logarithm of the ratio has no finite error: `low` is 0 if B makes no
    error, and `high` is infinite if A makes none. At r = 1 it is McNemar's test without correction, as the interval of
    the difference is. It covers the luck of the images alone.

    Source: Nam and Blackwelder 2002, Statistics in Medicine 21, 689-699; the same as Tang, Tang and Chan 2003.

    Raises:
        ValueError: if a count is negative, or unless 0 < confidence < 1.

    >>> low, high = error_ratio_interval(143, 44, 53)  # 97 errors of A, 196 of B
    >>> f"{low:.2f} to {high:.2f}"
    '1.67 to 2.46'
    """
    _check_confidence(confidence)
    if min(only_a, only_b, both_wrong) < 0:
        raise ValueError(f"only_a is {only_a}, only_b {only_b} and both_wrong {both_wrong}; counts are at least 0")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    swapped = _ratio_high(only_b, only_a, both_wrong, z)
    return (0.0 if swapped == inf else 1 / swapped), _ratio_high(only_a, only_b, both_wrong, z)


def _ratio_high(only_a: int, only_b: int, both_wrong: int, z: float) -> float:
    """Return the upper end of `error_ratio_interval`."""
    errors_a, errors_b, images = only_b + both_wrong, only_a + both_wrong, only_a + only_b + both_wrong
    if errors_a == 0:
        return inf
    from scipy.optimize import brentq

    def excess(logarithm: float) -> float:
        """How much further than z deviations the errors of B lie below what the ratio says."""
        r = exp(logarithm)
        half = r**2 * (errors_a + 2 * only_a) - errors_b
        root = sqrt((r**2 * errors_a - errors_b) ** 2 + 4 * r**2 * only_a * only_b)
        p = (half + root) / (2 * images * r * (1 + r))
        q = 1 - r * (1 - p)
        return r * errors_a - errors_b - z * sqrt(max(r * images * (p + q), 0.0))

    low = (log(errors_b / errors_a) if errors_b else -30.0) + 1e-9  # at the ratio itself 0 may stand over 0
    high = low + 1
    while excess(high) < 0:
        low, high = high, high + 1
    return exp(float(brentq(excess, low, high, xtol=1e-12)))


def holm(p_values: ArrayLike) -> Floats:
    """Return (M,) p-values corrected for being the best of M: the chance of any false finding stays below the level.

    The smallest is multiplied by M, the next by M - 1 and so on; none is smaller than one before it, nor above 1.

    Source: Holm 1979, Scandinavian Journal of Statistics 6, 65-70.

    Raises:
        ValueError: unless they are (M,) numbers from 0 to 1.

    >>> holm([0.01, 0.04, 0.03]).round(6).tolist()
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(p_values, np.float64)
    if values.ndim != 1 or not np.all((values >= 0) & (values <= 1)):
        raise ValueError(f"p_values are {p_values!r:.100}; they must be (M,) numbers from 0 to 1")
    order = np.argsort(values, kind="stable")
    stepped = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return adjusted


@dataclass(frozen=True)
class GroupDifference:
    """How far two groups of models lie apart, for the luck of seeds and images alike.

    Attributes:
        interval: (low, high), of A's mean accuracy less B's.
        ratio_interval: (low, high), of B's mean errors for one of A's; infinite where A makes too few to tell.
        p_value: two-sided, of no difference; not below 2 / (num_resamples + 1).
        num_resamples: how often both groups were drawn anew.
    """

    interval: tuple[float, float]
    ratio_interval: tuple[float, float]
    p_value: float
    num_resamples: int


def bootstrap_groups(
    wrong_a: Flags,
    wrong_b: Flags,
    *,
    paired: bool,
    seed: int = 0,
    confidence: float = 0.95,
    num_resamples: int = NUM_RESAMPLES,
) -> GroupDifference:
    """Return how far two groups lie apart that answered the same images: (n, N) and (m, N), true where wrong.

    Seeds and images are drawn anew, each with replacement and by itself, the same images for all models
    (`resample_error_rates`). Left so, few seeds would give too short an interval and many images too long a one: the
    draws count the spread of n seeds as (n - 1) / n of it, and what neither seed nor image explains three times. So the
    deviations of the draws are scaled to the variance that two-way analysis of variance estimates, and by
    sqrt(f / chi-squared of f), which makes a normal distribution Student's, with Satterthwaite's degrees of freedom f.
    With one model in a group nothing is known of its other seeds, and the result holds for that very model.

    Half an image is added to each cell (all right, A wrong, B wrong, all wrong), so that groups without an error do not
    seem to be without doubt.

    Args:
        paired: whether row i of both has the same seed, so that the two are drawn together; then n is m.
        seed: of the draws.
        num_resamples: how many draws at most; of very many different images there are fewer, down to 1,000.

    Source: Owen 2007, Annals of Applied Statistics 1, 386-411 (the draws and what they miscount); Satterthwaite 1946;
        Hesterberg 2015, The American Statistician 69, 371-386 (few values); Agresti and Min 2005 (the half images).

    Raises:
        ValueError: unless both are (n, N) with n and N at least 1, N the same, and n too if they are paired; or unless
            0 < confidence < 1 and `num_resamples` is at least 1.
    """
    _check_confidence(confidence)
    if num_resamples < 1:
        raise ValueError(f"num_resamples is {num_resamples}; it must be at least 1")
    columns, counts = _count_patterns(wrong_a, wrong_b, paired)
    count_a = len(wrong_a)
    cells = np.array([[False, True, False, True], [False, False, True, True]])
    flags = np.concatenate([columns, np.repeat(cells, (count_a, len(wrong_b)), axis=0)], axis=1)
    patterns, counts = flags.astype(np.float64), np.concatenate([counts, np.full(4, _PSEUDO_IMAGES)])
    stream = random_stream(seed, "groups")
    num_resamples = min(num_resamples, max(_LEAST_RESAMPLES, int(_MOST_DRAWN / len(counts))))
    drawn_a, drawn_b = _draw(patterns, counts, count_a, paired, stream, num_resamples)
    means = patterns @ counts / counts.sum()
    rate_a, rate_b = float(means[:count_a].mean()), float(means[count_a:].mean())

    def student(weight_a: float, weight_b: float) -> Floats:
        """Return by what to multiply the deviations of weight_a * drawn_a - weight_b * drawn_b."""
        weighted_a, weighted_b = weight_a * patterns[:count_a], weight_b * patterns[count_a:]
        variance, freedom = _variance(np.asarray(weighted_a), np.asarray(weighted_b), counts, paired)
        spread = float(np.var(weight_a * drawn_a - weight_b * drawn_b))
        return np.sqrt(variance / spread * freedom / stream.chisquare(freedom, num_resamples))

    drawn = drawn_b - drawn_a
    differences = rate_b - rate_a + (drawn - drawn.mean()) * student(1.0, 1.0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # a draw may hold no error
        deviations = np.log(drawn_b / drawn_a) - log(rate_b / rate_a)
        ratios = rate_b / rate_a * np.exp(deviations * student(1 / rate_a, 1 / rate_b))
    tail = (1 - confidence) / 2
    at_most_0, at_least_0 = int(np.count_nonzero(differences <= 0)), int(np.count_nonzero(differences >= 0))
    return GroupDifference(
        interval=(max(_quantile(differences, tail), -1.0), min(_quantile(differences, 1 - tail), 1.0)),
        # 0 of 0 errors says nothing: it counts as the worst for either end.
        ratio_interval=(
            _quantile(np.where(np.isnan(ratios), 0.0, ratios), tail),
            _quantile(np.where(np.isnan(ratios), inf, ratios), 1 - tail),
        ),
        p_value=min(2 * (1 + min(at_most_0, at_least_0)) / (num_resamples + 1), 1.0),
        num_resamples=num_resamples,
    )


def resample_error_rates(
    wrong_a: Flags, wrong_b: Flags, num_resamples: int, *, paired: bool, stream: np.random.Generator
) -> tuple[Floats, Floats]:
    """Return the mean error rates (R,) of two groups in R draws of as many seeds and images as there are.

    Seeds and images are drawn with replacement, each by itself; a draw has the same images for all models, and the same
    seeds for both groups if they are `paired`. Images that all models answer alike are drawn as one, by their number.

    Source: Owen 2007, the pigeonhole bootstrap.

    Raises:
        ValueError: as `bootstrap_groups` does.
    """
    patterns, counts = _count_patterns(wrong_a, wrong_b, paired)
    return _draw(patterns.astype(np.float64), counts, len(wrong_a), paired, stream, num_resamples)


def _count_patterns(wrong_a: Flags, wrong_b: Flags, paired: bool) -> tuple[Flags, Floats]:
    """Return the different columns (n + m, U) of both, and how many images (U,) have each."""
    shapes = (wrong_a.shape, wrong_b.shape)
    if not all(len(shape) == 2 and min(shape) > 0 for shape in shapes) or shapes[0][1] != shapes[1][1]:
        raise ValueError(f"wrong_a is {shapes[0]} and wrong_b {shapes[1]}; they must be (n, N) and (m, N), at least 1")
    if paired and shapes[0] != shapes[1]:
        raise ValueError(f"wrong_a is {shapes[0]} and wrong_b {shapes[1]}; paired groups have as many models")
    wrong = np.concatenate([wrong_a, wrong_b])
    columns = np.packbits(wrong, axis=0)  # an eighth of the bytes to sort
    _, first, counts = np.unique(columns, axis=1, return_index=True, return_counts=True)
    return wrong[:, first], counts.astype(np.float64)


def _draw(
    patterns: Floats, counts: Floats, count_a: int, paired: bool, stream: np.random.Generator, num_resamples: int
) -> tuple[Floats, Floats]:
    count_b, total = len(patterns) - count_a, counts.sum()
    seeds_a = _draw_shares(stream, count_a, num_resamples)
    seeds_b = seeds_a if paired else _draw_shares(stream, count_b, num_resamples)
    drawn_a, drawn_b = np.empty(num_resamples), np.empty(num_resamples)
    step = max(1, _BLOCK // len(counts))
    for start in range(0, num_resamples, step):
        block = slice(start, min(start + step, num_resamples))
        images = stream.multinomial(round(total), counts / total, block.stop - start)  # (B, U)
        rates = images.astype(np.float64) @ patterns.T / total
        drawn_a[block] = (seeds_a[block] * rates[:, :count_a]).sum(axis=1)
        drawn_b[block] = (seeds_b[block] * rates[:, count_a:]).sum(axis=1)
    return drawn_a, drawn_b


def _draw_shares(stream: np.random.Generator, count: int, num_resamples: int) -> Floats:
    """Return (R, n) the share that each of n seeds has of a draw."""
    return np.asarray(stream.multinomial(count, np.full(count, 1 / count), num_resamples) / count)


def _variance(a: Floats, b: Floats, counts: Floats, paired: bool) -> tuple[float, float]:
    """Return the variance of the mean of `a` (n, U) less that of `b` (m, U) over seeds and images, and its freedom.

    It is that of the images' differences, and of the seeds' means as far as it is more than chance among the images.
    """
    total = counts.sum()

    def center(values: Floats) -> Any:
        return values - (values @ counts / total)[..., None]

    of_images = float(center(a.mean(axis=0) - b.mean(axis=0)) ** 2 @ counts) / (total - 1) / total
    of_seeds, of_chance, doubt = 0.0, 0.0, of_images**2 / (total - 1)
    for values in [a - b] if paired else [a, b]:
        count = len(values)
        if count == 1:
            continue
        variance = float(np.var(values @ counts / total, ddof=1)) / count
        rest = center(values) - center(values.mean(axis=0))
        of_seeds += variance
        of_chance += float((rest**2 @ counts).sum()) / (count - 1) / (total - 1) / count / total
        doubt += variance**2 / (count - 1)
    variance = of_images + max(of_seeds - of_chance, 0.0)
    return variance, variance**2 / doubt


def _quantile(values: Floats, share: float) -> float:
    return float(np.quantile(values, share, method="inverted_cdf"))  # no mean of two, which infinite values have not


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}; it must lie between 0 and 1")
