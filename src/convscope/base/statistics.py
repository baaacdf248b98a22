"""Intervals and tests for models and groups of models on the same images, as functions of counts and arrays.

Two kinds of chance play a part. A network that misclassifies 2 % makes about 11 to 29 errors on 1,000 images, and
other seeds of it make, say, 18 to 22 on the same ones. More seeds average out the second kind, and not the first.

    of                            over                 function
    accuracies of several seeds   seeds                mean_interval, mean_share_interval, prediction_interval
    two single models             images               error_ratio_interval; others stand in `metrics`
    one group, or two groups      seeds and images     group_accuracy_interval, group_difference
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import exp, inf, log, sqrt
from statistics import NormalDist, mean, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.metrics import check_confidence, student_quantile
from convscope.base.roots import find_crossing, find_root

# (fewer seeds than this, lowest and highest coverage in percent); benchmarks/claims.py prints them.
_COVERAGE = ((5, (98, 100)), (30, (95, 99)))
# The degrees of freedom are at most this many times those of the smaller group's seeds. If those of both groups'
# seeds together are the bound, equal groups of 2 and 30 seeds differ in 9.9 to 12 % of simulations; with this one in
# at most 5.5 %.
MAX_FREEDOM = 1.6
_PSEUDO_IMAGES = 0.5  # added to each of the four cells, after Agresti and Min 2005

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def mean_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float] | None:
    """Return (low, high), the interval of the mean behind `values` by Student's t.

    None for one value, and for values that are all equal: they do not show how far values lie apart. Of accuracies of
    several seeds on the same images it covers the choice of the seed, not that of the images.

    Source: Student 1908.

    Raises:
        ValueError: if there is no value, or unless 0 < confidence < 1.

    >>> low, high = mean_interval([0.991, 0.992, 0.993])
    >>> f"{low:.4f} to {high:.4f}"
    '0.9895 to 0.9945'
    """
    check_confidence(confidence)
    if not len(values):
        raise ValueError("values is empty; an interval needs at least one value")
    if len(values) == 1 or min(values) == max(values):
        return None
    middle, count = mean(values), len(values)
    half = student_quantile(count - 1, confidence) * stdev(values) / sqrt(count)
    return middle - half, middle + half


def mean_share_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float] | None:
    """Return `mean_interval` of shares such as accuracies, cut off at 0 and 1, which no share can pass.

    >>> low, high = mean_share_interval([0.98, 1.0])
    >>> f"{low:.4f} to {high:.4f}"
    '0.8629 to 1.0000'
    """
    interval = mean_interval(values, confidence)
    return None if interval is None else (max(interval[0], 0.0), min(interval[1], 1.0))


def prediction_interval(values: Sequence[float], min_sd: float = 0.0) -> tuple[float, float] | None:
    """Return (low, high), in which a further value of a normal distribution lies with 95 %; None for one value.

    Args:
        min_sd: lower bound for the values' standard deviation, since they may be equal by chance.

    >>> low, high = prediction_interval([0.991, 0.992, 0.993])
    >>> f"{low:.4f} to {high:.4f}"
    '0.9870 to 0.9970'
    """
    if len(values) < 2:
        return None
    half = student_quantile(len(values) - 1, 0.95) * max(stdev(values), min_sd) * sqrt(1 + 1 / len(values))
    return mean(values) - half, mean(values) + half


def get_simulated_coverage(num_seeds: int) -> tuple[int, int] | None:
    """Return the lowest and highest simulated coverage of the 95 % interval over seeds and images, in percent.

    None for 30 seeds or more.
    """
    return next((share for seeds, share in _COVERAGE if num_seeds < seeds), None)


def error_ratio_interval(only_a: int, only_b: int, both_wrong: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return (low, high), the score interval of how many errors B makes for one of A on the same images.

    A alone is correct on `only_a` images, B alone on `only_b`, neither on `both_wrong`; the measured ratio is
    (only_a + both_wrong) / (only_b + both_wrong). An end is the ratio r at which the difference between B's errors and
    r times A's is z of its standard deviations.

    The m images with an error are of three kinds:

        wrong          share        counted       adds to that difference
        B alone        p            only_a         1
        A alone        q            only_b        -r
        both           1 - p - q    both_wrong     1 - r

    If r is true, the shares of errors are 1 - q = r (1 - p), and the variance of the difference is r m (p + q). The
    likeliest p, where only_a log(p) + only_b log(q) + both_wrong log(1 - p - q) has the derivative 0, is a root of
    m r (1 + r) p^2 - (r^2 (2 only_a + only_b + both_wrong) - only_a - both_wrong) p - only_a r (1 - r) = 0.

    So it is usable with empty cells, where the logarithm of the ratio has no finite error: `low` is 0 if B makes no
    error, and `high` is infinite if A makes none. At r = 1 it is McNemar's test without correction, as the interval of
    the difference is. It covers the choice of the images alone.

    Source: Nam and Blackwelder 2002, Statistics in Medicine 21, 689-699; the same as Tang, Tang and Chan 2003.

    Raises:
        ValueError: if a count is negative, or unless 0 < confidence < 1.

    >>> low, high = error_ratio_interval(143, 44, 53)  # A makes 97 errors, B 196
    >>> f"{low:.2f} to {high:.2f}"
    '1.67 to 2.46'
    """
    check_confidence(confidence)
    if min(only_a, only_b, both_wrong) < 0:
        raise ValueError(f"only_a is {only_a}, only_b {only_b} and both_wrong {both_wrong}; counts must be at least 0")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    # The lower end is 1 / the upper end of A's errors for one of B.
    inverse = _find_ratio_high(only_b, only_a, both_wrong, z)
    return (0.0 if inverse == inf else 1 / inverse), _find_ratio_high(only_a, only_b, both_wrong, z)


def _find_ratio_high(only_a: int, only_b: int, both_wrong: int, z: float) -> float:
    """Compute the upper end of `error_ratio_interval`."""
    errors_a, errors_b, images = only_b + both_wrong, only_a + both_wrong, only_a + only_b + both_wrong
    if errors_a == 0:
        return inf

    def excess(logarithm: float) -> float:
        """Compute r times A's errors less B's, less z deviations: 0 at the end that is sought."""
        r = exp(logarithm)
        # The equation for p; `root` is that of its discriminant, written so that nothing cancels.
        half = r**2 * (errors_a + 2 * only_a) - errors_b
        root = sqrt((r**2 * errors_a - errors_b) ** 2 + 4 * r**2 * only_a * only_b)
        p = (half + root) / (2 * images * r * (1 + r))
        q = 1 - r * (1 - p)
        return r * errors_a - errors_b - z * sqrt(max(r * images * (p + q), 0.0))

    # The upper end lies above the ratio itself, where difference and deviation may both be 0; exp(-30) stands for 0.
    low = (log(errors_b / errors_a) if errors_b else -30.0) + 1e-9
    high = low + 1
    while excess(high) < 0:
        low, high = high, high + 1
    return exp(find_root(excess, low, high))


@dataclass(frozen=True)
class GroupDifference:
    """The difference between the error rates of two groups of models, for the choice of seeds and images.

    `p_value` is below 1 - confidence exactly where `interval` leaves out 0 and where `ratio_interval` leaves out 1.

    Attributes:
        interval: (low, high), of A's mean accuracy minus B's.
        ratio_interval: (low, high), of B's mean errors for one of A's; infinite where A makes too few to tell.
        p_value: two-sided, of no difference.
        degrees_of_freedom: those of Student's distribution behind `p_value`.
    """

    interval: tuple[float, float]
    ratio_interval: tuple[float, float]
    p_value: float
    degrees_of_freedom: float


def group_difference(wrong_a: Flags | Floats, wrong_b: Flags | Floats, *, confidence: float = 0.95) -> GroupDifference:
    """Compare two groups of models on the same images, given as (n, N) and (m, N), true where wrong.

    Two-way analysis of variance over seeds and images gives the variance of the difference of the error rates, and
    Satterthwaite's rule its degrees of freedom; Student's t of these gives the p-value and the interval. The interval
    of the ratio holds each r for which the same test does not reject that B's rate is r times A's (Fieller). So all
    three agree. If a group has one model, the result holds for that model alone, not for other seeds; also if its row
    is the mean of several fixed models: the share of them that is wrong on each image.

    A few seeds may look alike by chance, and the group with fewer seeds may be the one that varies more. So the degrees
    of freedom are at most 1.6 times those of the smaller group's seeds, which keeps false findings at 5.5 % or below
    (tests/evidence/comparison/test_planning.py). If images cause most of the variance, intervals are too wide.
    Half an image is added to each cell (all correct, A wrong, B wrong, all wrong), so that groups without an error have
    a variance, too. Runs are not paired by their seeds: networks of one seed are hardly more alike than others, and
    pairing would halve the degrees of freedom.

    Source: Owen 2007, Annals of Applied Statistics 1, 386-411 (the variance); Satterthwaite 1946; Fieller 1954, Journal
        of the Royal Statistical Society B 16, 175-185; Agresti and Min 2005 (the half images).

    Raises:
        ValueError: unless both are (n, N) with n and N at least 1, and N the same; or unless 0 < confidence < 1.

    >>> a, b = np.arange(1000) < np.array([[20], [26], [23]]), np.arange(1000) < np.array([[50], [59], [56]])
    >>> result = group_difference(a, b)
    >>> f"{result.ratio_interval[0]:.2f} to {result.ratio_interval[1]:.2f}, p = {result.p_value:.1g}"
    '1.48 to 5.10, p = 0.01'
    """
    check_confidence(confidence)
    shapes = (wrong_a.shape, wrong_b.shape)
    if not all(len(shape) == 2 and min(shape) > 0 for shape in shapes) or shapes[0][1] != shapes[1][1]:
        raise ValueError(f"wrong_a is {shapes[0]} and wrong_b {shapes[1]}; they must be (n, N) and (m, N), at least 1")
    spread = _Spread.from_groups(wrong_a, wrong_b)
    from scipy.special import stdtr

    difference = float(spread.rates[1] - spread.rates[0])
    error, freedom = spread.standard_error(-1.0, 1.0)
    half = student_quantile(freedom, confidence) * error
    return GroupDifference(
        interval=(max(difference - half, -1.0), min(difference + half, 1.0)),
        ratio_interval=_find_ratio_interval(spread, confidence),
        p_value=min(float(2 * stdtr(freedom, -abs(difference) / error)), 1.0),
        degrees_of_freedom=freedom,
    )


def group_accuracy_interval(wrong: Flags | Floats, confidence: float = 0.95) -> tuple[float, float]:
    """Return (low, high), the interval of the mean accuracy of models (n, N), true where wrong, over seeds and images.

    It is Wilson's score interval for as many images as would give the variance that two-way analysis of variance over
    seeds and images finds (see `group_difference`), with the quantile of Student's t. So it stays within 0 and 1, and
    has a width where all models are equally good or make no error. Of one model it covers the choice of the images
    alone.

    Raises:
        ValueError: unless they are (n, N) with n and N at least 1, and 0 < confidence < 1.

    >>> low, high = group_accuracy_interval(np.arange(1000) < np.array([[20], [20]]))  # two equal seeds
    >>> f"{low:.4f} to {high:.4f}"
    '0.9379 to 0.9937'
    """
    check_confidence(confidence)
    if wrong.ndim != 2 or min(wrong.shape) < 1:
        raise ValueError(f"wrong is {wrong.shape}; it must be (n, N), with at least 1 of each")
    spread = _Spread.from_groups(wrong)
    error, freedom = spread.standard_error(1.0)
    rate, accuracy = float(spread.rates[0]), 1 - float(wrong.mean())
    # Wilson's interval for n images is (p + s / 2 ± sqrt(s p (1 - p) + s² / 4)) / (1 + s), with p the accuracy and
    # s = t² / n. Here n is the number of images that gives this variance, rate (1 - rate) / error².
    share = student_quantile(freedom, confidence) ** 2 * error**2 / (rate * (1 - rate))
    centre, half = accuracy + share / 2, sqrt(share * accuracy * (1 - accuracy) + share**2 / 4)
    return max((centre - half) / (1 + share), 0.0), min((centre + half) / (1 + share), 1.0)


@dataclass(frozen=True, eq=False)
class _Spread:
    """The error rates (G,) of G groups on the same images, and the variances of their weighted sums.

    Run i of a group is wrong on image j by wrong[i, j] = rate + run[i] + image[j] + rest[i, j]. The mean of n runs on
    N images varies by var(run) / n + var(image) / N + var(rest) / (n N). What can be measured are three parts:

        images   var(image) / N + var(rest) / (n N)      by how the images' means lie apart
        runs       var(run) / n + var(rest) / (n N)      by how the runs' rates lie apart
        chance                    var(rest) / (n N)      by what neither explains

    So the variance of the mean is images + runs - chance.

    Attributes:
        images: (G, G), the covariance of the rates due to the choice of images.
        runs, chance: (G,), the parts above for each group; 0 for a single run.
        counts: (G,), the number of runs in each group.
        freedom: the degrees of freedom of `images`.
    """

    rates: Floats
    images: Floats
    runs: Floats
    chance: Floats
    counts: NDArray[np.int64]
    freedom: float

    @classmethod
    def from_groups(cls, *groups: Flags | Floats) -> "_Spread":
        """Compute the spread of groups (n, N)."""
        # (G, 2^G): the outcomes, 1 where a group is wrong; for G = 2: 00, 01, 10, 11. Half an image of each is added.
        cells = np.array(list(product((0.0, 1.0), repeat=len(groups)))).T
        weights = np.concatenate([np.ones(groups[0].shape[1]), np.full(cells.shape[1], _PSEUDO_IMAGES)])
        total = weights.sum()

        def append_cells(number: int, flags: NDArray[Any]) -> Floats:
            return np.concatenate([flags.astype(np.float64), cells[number]])

        means = np.array([append_cells(number, group.mean(axis=0)) for number, group in enumerate(groups)])
        rates = means @ weights / total
        means -= rates[:, None]  # the effect of each image
        # A sum of squares is divided by n - 1 for the variance of one image or run, and by n for that of the mean.
        images = (means * weights) @ means.T / (total - 1) / total
        runs, chance = np.zeros(len(groups)), np.zeros(len(groups))
        for number, group in enumerate(groups):
            if (count := len(group)) == 1:
                continue
            for flags in group:
                wrong = append_cells(number, flags)
                rate = wrong @ weights / total
                runs[number] += (rate - rates[number]) ** 2 / (count - 1) / count
                rest = wrong - rate - means[number]
                chance[number] += (rest * weights) @ rest / (count - 1) / (total - 1) / count / total
        return cls(rates, images, runs, chance, np.array([len(group) for group in groups]), float(total - 1))

    def standard_error(self, *weights: float) -> tuple[float, float]:
        """Compute the standard error of the weighted sum of the rates, and its degrees of freedom."""
        factors = np.array(weights)
        image_variance = float(factors @ self.images @ factors)
        # The seeds' part is estimated, and may come out below 0.
        variance = image_variance + max(float(factors**2 @ (self.runs - self.chance)), 0.0)
        seed_variances = [
            (weight**2 * runs, int(count) - 1)
            for weight, runs, count in zip(weights, self.runs, self.counts, strict=True)
            if count > 1 and weight
        ]
        return sqrt(variance), float(degrees_of_freedom(variance, (image_variance, self.freedom), seed_variances))


def variance_parts(wrong_a: Flags, wrong_b: Flags) -> tuple[float, tuple[float, float], tuple[float, float]]:
    """Divide the variance of the difference in error rates of (n, N) and (m, N) runs: images, runs and chance.

    The first is the variance over sets of N images with endless runs, the second that of one run of each group on these
    images, the third its part `_Spread.chance`; see `group_difference` for the sources.

    Raises:
        ValueError: if a group has a single run.
    """
    if min(len(wrong_a), len(wrong_b)) < 2:
        raise ValueError(f"there are {len(wrong_a)} and {len(wrong_b)} runs; at least two of each tell how they vary")
    spread = _Spread.from_groups(wrong_a, wrong_b)
    signs = np.array([-1.0, 1.0])
    # `_Spread.images` contains the chance of the runs there are, which endless runs would not have.
    images = float(signs @ spread.images @ signs - spread.chance.sum())
    runs, chance = (spread.runs * spread.counts).tolist(), (spread.chance * spread.counts).tolist()
    return max(images, 0.0), (runs[0], runs[1]), (chance[0], chance[1])


def degrees_of_freedom(
    variance: Floats | float, images: tuple[Floats | float, float], seeds: Sequence[tuple[Floats | float, int]]
) -> Floats | float:
    """Compute the degrees of freedom of a variance by Satterthwaite's rule, bounded as `group_difference` says.

    Args:
        images: the part of the variance that the images cause, and its degrees of freedom.
        seeds: the same for the seeds of each group.
    """
    # Satterthwaite: (Σ parts)² / Σ (part² / degrees of freedom of the part).
    denominator = sum(part**2 / freedom for part, freedom in (images, *seeds))
    bound = MAX_FREEDOM * min(freedom for _, freedom in seeds) if seeds else inf
    return np.minimum(variance**2 / denominator, bound)


def _find_ratio_interval(spread: _Spread, confidence: float) -> tuple[float, float]:
    """Find the range of ratios r, around the measured one, for which B's rate may be r times A's.

    The ratio is searched by its logarithm, where `excess` is below 0 inside the range:

        excess      + + + 0 - - - - - - - 0 + + +
        logarithm        low  measured   high
    """
    rate_a, rate_b = map(float, spread.rates)

    def excess(weight_a: float, weight_b: float) -> float:
        """Above 0 where a weighted sum of the rates is further from 0 than chance explains."""
        error, freedom = spread.standard_error(weight_a, weight_b)
        return abs(weight_a * rate_a + weight_b * rate_b) / error - student_quantile(freedom, confidence)

    def excess_at(logarithm: float) -> float:
        return excess(-exp(logarithm), 1.0)

    measured = log(rate_b / rate_a)
    is_equal_possible = excess_at(0.0) < 0

    def find_end(direction: float, weights_at_infinity: tuple[float, float]) -> float:
        """Find the lower end (direction -1) or the upper one (1)."""
        # Equality (logarithm 0) is rejected and lies on this side, so the end lies between the two.
        if not is_equal_possible and direction * measured < 0:
            return exp(find_root(excess_at, 0.0, measured))
        # A ratio of 0 or infinity is tested apart, since its logarithm is infinite: whether B's rate may be 0, by the
        # weights (0, 1), or A's, by (1, 0).
        if excess(*weights_at_infinity) < 0:
            return exp(direction * inf)
        # The search starts at the measured logarithm, or at 0 if that is inside too and further on this side.
        return exp(find_crossing(excess_at, direction * max(direction * measured, 0.0), direction))

    return find_end(-1.0, (0.0, 1.0)), find_end(1.0, (1.0, 0.0))
