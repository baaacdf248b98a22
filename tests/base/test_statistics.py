"""Intervals and p-values of means, error ratios and groups, compared with SciPy, definitions and simulations."""

import tracemalloc
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats
from scipy.optimize import minimize_scalar
from scipy.special import expit, xlogy

from convscope.base.metrics import average_ranks, holm, wilson_interval
from convscope.base.statistics import (
    MAX_FREEDOM,
    error_ratio_interval,
    group_accuracy_interval,
    group_difference,
    mean_interval,
    variance_parts,
)

Z = 1.959963984540054  # the 97.5th percentile of the normal distribution

# --- Means ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
@pytest.mark.parametrize("values", [[0.1, 0.3], [0.991, 0.992, 0.993], list(np.random.default_rng(0).normal(size=40))])
def test_mean_interval_is_scipys(values, confidence):
    expected = stats.t.interval(confidence, len(values) - 1, np.mean(values), stats.sem(values))
    assert mean_interval(values, confidence) == pytest.approx(expected, rel=1e-9)


def test_mean_interval_of_one_value_and_of_equal_values_is_none():
    assert mean_interval([0.99]) is None
    assert mean_interval([0.5, 0.5, 0.5]) is None


# --- The ratio of two error rates on the same images ------------------------------------------------------------------


@pytest.mark.parametrize(("only_a", "only_b", "both"), [(6, 16, 59), (143, 44, 53), (1, 7, 1), (0, 9, 3), (9, 1, 0)])
def test_the_ends_of_an_error_ratio_interval_are_where_the_score_is_z(only_a, only_b, both):
    """Check each end r by its definition: there B's errors less r times A's are Z of their standard errors.

    This difference is a sum over the images that at least one of the two misses:

        correct       chance        counted   adds
        only A        p             only_a      1
        only B        q             only_b     -r
        neither       1 - p - q     both      1 - r

    If r is the true ratio, B's chance of an error 1 - q is r times A's, r (1 - p). Then what an image adds has the mean
    0 and the variance r (p + q). Of the p that remain possible, the likeliest counts; here it is found numerically.

    Source: the score test of Nam and Blackwelder 2002, Statistics in Medicine 21, 689-699.
    """
    images = only_a + only_b + both
    for r in error_ratio_interval(only_a, only_b, both):
        if r in (0, np.inf):
            continue

        def compute_chances(p, r=r):
            q = 1 - r * (1 - p)
            return p, q, r - (1 + r) * p  # the last is 1 - p - q

        def negative_log_likelihood(p):
            counts = (only_a, only_b, both)
            return -sum(xlogy(count, chance) for count, chance in zip(counts, compute_chances(p), strict=True))

        bounds = (max(0.0, 1 - 1 / r), r / (1 + r))  # all three chances are at least 0
        p = minimize_scalar(negative_log_likelihood, bounds=bounds, method="bounded", options={"xatol": 1e-13}).x
        _, q, _ = compute_chances(p)
        standard_error = np.sqrt(images * r * (p + q))
        errors_a, errors_b = only_b + both, only_a + both
        assert abs(errors_b - r * errors_a) / standard_error == pytest.approx(Z, rel=1e-4)


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        ((0, 0, 0), 0.0, np.inf),  # without an error nothing is known of the ratio
        ((0, 4, 0), 0.0, Z**2 / 4),  # the score of r is -sqrt(4 r)
        ((4, 0, 0), 4 / Z**2, np.inf),
        ((0, 0, 5), 1 / (1 + Z**2 / 5), 1 + Z**2 / 5),  # both miss the same images: the score is -sqrt(5 (r - 1))
    ],
)
def test_the_error_ratio_interval_of_empty_cells_is_unbounded(counts, low, high):
    assert error_ratio_interval(*counts) == pytest.approx((low, high), rel=1e-9)


@given(st.integers(0, 500), st.integers(0, 500), st.integers(0, 500))
def test_error_ratio_interval_contains_the_ratio_and_is_mirrored_by_swapping(only_a, only_b, both):
    low, high = error_ratio_interval(only_a, only_b, both)
    if only_b + both:
        assert low < (only_a + both) / (only_b + both) + 1e-9
        assert (only_a + both) / (only_b + both) < high
    swapped = error_ratio_interval(only_b, only_a, both)
    assert swapped == pytest.approx((0 if high == np.inf else 1 / high, np.inf if low == 0 else 1 / low), rel=1e-9)


@pytest.mark.parametrize("shares", [(0.02, 0.01, 0.01), (0.004, 0.004, 0.002), (0.3, 0.1, 0.2)])
def test_error_ratio_interval_covers_the_truth(shares):
    only_a, only_b, both = shares
    true_ratio = (only_a + both) / (only_b + both)
    samples = np.random.default_rng(2).multinomial(1000, (*shares, 1 - sum(shares)), 300)
    intervals = [error_ratio_interval(*counts[:3].tolist()) for counts in samples]
    # 95 %, and three standard errors over 300 draws.
    assert 0.91 < np.mean([low <= true_ratio <= high for low, high in intervals]) < 0.99


# --- Ranks, and several comparisons -----------------------------------------------------------------------------------


def test_average_ranks_are_scipys():
    values = np.random.default_rng(0).integers(0, 5, 40)  # with many ties
    np.testing.assert_array_equal(average_ranks(values), stats.rankdata(values))


@pytest.mark.parametrize(
    "p_values", [[0.2], [0.01, 0.04, 0.03], [0.5, 0.5, 0.01, 0.01], [0.0, 1.0], list(np.linspace(0.2, 0.001, 10))]
)
def test_holm_is_bonferroni_for_every_set_of_hypotheses(p_values):
    # Holm 1979: a hypothesis is rejected if Bonferroni rejects every set that contains it.
    sets = [part for size in range(1, len(p_values) + 1) for part in combinations(range(len(p_values)), size)]
    worst = [
        max(len(part) * min(p_values[i] for i in part) for part in sets if k in part) for k in range(len(p_values))
    ]
    np.testing.assert_allclose(holm(p_values), np.minimum(worst, 1), rtol=1e-12)


# --- Groups -----------------------------------------------------------------------------------------------------------


def draw_errors(stream, seeds, images, seed_sd=0.1, eases=(2.0, 2.0)):
    """Draw which images the runs of two groups miss, each (n, N) bool.

    The log-odds of an error are the image's difficulty, minus the group's ease, plus the image's difficulty for this
    group alone, plus the deviation of the seed; both difficulties have the standard deviation 1.
    """
    difficulty = stream.normal(0, 1, images)
    groups = []
    for count, ease in zip(seeds, eases, strict=True):
        own_difficulty, seed_deviation = stream.normal(0, 1, images), stream.normal(0, seed_sd, (count, 1))
        chances = expit(difficulty - ease + own_difficulty + seed_deviation)
        groups.append(stream.random((count, images)) < chances)
    return groups


def compute_true_rate(ease, seed_sd):
    """Return the error rate of `draw_errors` over all seeds and images, by Gauss-Hermite quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    sd = np.sqrt(seed_sd**2 + 1 + 1)
    return (expit(sd * nodes - ease) * weights).sum() / weights.sum()


@pytest.mark.parametrize("seeds", [(4, 4), (8, 8)])
def test_the_interval_is_students_if_only_seeds_differ(seeds):
    # With so many images, chance on single images is negligible next to the spread of the seeds.
    stream, images = np.random.default_rng(11), 400_000
    rates = [stream.normal(0.2, 0.03, (count, 1)) for count in seeds]
    a, b = (np.arange(images) / images < rate for rate in rates)  # a run is wrong on its first images
    a, b = (np.array([np.roll(row, 977 * i) for i, row in enumerate(group)]) for group in (a, b))  # now on others
    x, y = 1 - a.mean(axis=1), 1 - b.mean(axis=1)
    error = np.sqrt((x.var(ddof=1) + y.var(ddof=1)) / len(x))
    freedom = min(stats.ttest_ind(x, y, equal_var=False).df, MAX_FREEDOM * (len(x) - 1))  # Welch's, with our bound
    expected = stats.t(freedom, x.mean() - y.mean(), error).interval(0.95)
    difference = group_difference(a, b)
    np.testing.assert_allclose(difference.interval, expected, atol=0.02 * (expected[1] - expected[0]))
    assert difference.p_value == pytest.approx(2 * stats.t.sf(abs(x.mean() - y.mean()) / error, freedom), rel=0.03)


def analyse_by_hand(a, b, ratio=1.0):
    """Return the difference b - ratio * a of the mean error rates, its standard error and the degrees of freedom.

    The variance of the difference is that over images, plus that over the seeds of each group, less the interaction of
    seeds and images, which both contain. The degrees of freedom are Satterthwaite's, with an upper bound.
    """
    groups = (ratio * a.astype(float), b.astype(float))
    images = a.shape[1]
    difference = groups[1].mean(axis=0) - groups[0].mean(axis=0)
    image_variance, seed_variances, interaction = difference.var(ddof=1) / images, [], 0.0
    for x in groups:
        n = len(x)
        residuals = x - x.mean(axis=0) - x.mean(axis=1, keepdims=True) + x.mean()
        interaction += (residuals**2).sum() / (n - 1) / (images - 1) / n / images
        seed_variances.append(x.mean(axis=1).var(ddof=1) / n)
    variance = image_variance + max(sum(seed_variances) - interaction, 0)
    freedoms = [len(x) - 1 for x in groups]
    denominator = image_variance**2 / (images - 1) + sum(np.square(seed_variances) / freedoms)
    return difference.mean(), np.sqrt(variance), min(variance**2 / denominator, MAX_FREEDOM * min(freedoms))


@pytest.mark.parametrize("seeds", [(6, 6), (3, 12)])
def test_the_variance_equals_an_analysis_by_hand(seeds):
    a, b = draw_errors(np.random.default_rng(3), seeds, 5000)
    result = group_difference(a, b)
    difference, error, freedom = analyse_by_hand(a, b)
    assert result.degrees_of_freedom == pytest.approx(freedom, rel=1e-3)
    half = stats.t.ppf(0.975, freedom) * error
    assert result.interval == pytest.approx((difference - half, difference + half), rel=2e-3)


@pytest.mark.parametrize(("errors", "is_surely_above_zero"), [(2, False), (6, True)])
def test_a_ratio_interval_reaches_zero_if_there_may_be_no_errors(errors, is_surely_above_zero):
    # A rate of k errors lies about sqrt(k) standard errors above 0: 1.4 for two errors, 2.4 for six.
    many, few = (np.arange(1000) < 20)[None], (np.arange(1000) >= 1000 - errors)[None]
    low, high = group_difference(many, few).ratio_interval
    assert (low > 0) == is_surely_above_zero
    assert low < errors / 20 < high
    swapped = group_difference(few, many).ratio_interval
    assert np.isfinite(swapped[1]) == is_surely_above_zero


@pytest.mark.slow
@pytest.mark.parametrize(("seed_sd", "seeds"), [(0.03, (5, 5)), (0.3, (2, 2)), (0.3, (3, 10))])
def test_intervals_of_groups_cover_the_truth_whether_seeds_or_images_make_the_luck(seed_sd, seeds):
    stream, is_covered = np.random.default_rng(13), []
    eases = (2.5, 2.1)
    rate_a, rate_b = (compute_true_rate(ease, seed_sd) for ease in eases)
    true_values = (rate_b - rate_a, rate_b / rate_a, 1 - rate_a)
    for _ in range(300):
        a, b = draw_errors(stream, seeds, 400, seed_sd, eases)
        difference = group_difference(a, b)
        intervals = (difference.interval, difference.ratio_interval, group_accuracy_interval(a))
        is_covered.append([low <= truth <= high for truth, (low, high) in zip(true_values, intervals, strict=True)])
    assert (np.mean(is_covered, axis=0) >= 0.92).all()  # over 300 draws, a standard error is 0.013


@pytest.mark.slow
@given(
    count_a=st.integers(1, 6), count_b=st.integers(1, 6), images=st.sampled_from([1, 2, 5, 30, 200, 1000]),
    rates=st.tuples(*[st.floats(0.001, 0.999)] * 2), overlap=st.booleans(), seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_both_intervals_exclude_equality_exactly_where_p_is_below_the_level(
    count_a, count_b, images, rates, overlap, seed
):
    stream = np.random.default_rng(seed)
    a = stream.random((count_a, images)) < rates[0] * stream.random((count_a, 1))
    b = stream.random((count_b, images)) < rates[1]
    if overlap:
        b[0] |= a[0]
    difference = group_difference(a, b)
    is_significant = difference.p_value < 0.05
    assert is_significant == (not difference.interval[0] <= 0 <= difference.interval[1])
    assert is_significant == (not difference.ratio_interval[0] <= 1 <= difference.ratio_interval[1])
    assert 0 <= difference.ratio_interval[0] <= difference.ratio_interval[1]


def test_a_ratio_interval_contains_the_ratios_that_a_test_does_not_reject():
    a, b = draw_errors(np.random.default_rng(21), (6, 6), 3000)
    low, high = group_difference(a, b).ratio_interval
    for ratio, is_inside in ((low * 0.99, False), (low * 1.01, True), (high * 0.99, True), (high * 1.01, False)):
        difference, error, freedom = analyse_by_hand(a, b, ratio)
        assert (abs(difference) < stats.t.ppf(0.975, freedom) * error) == is_inside


def test_corrected_p_values_of_many_groups_still_detect_a_much_worse_group():
    stream = np.random.default_rng(22)
    a, b = stream.random((5, 10_000)) < 0.005, stream.random((5, 10_000)) < 0.18
    assert group_difference(a, b).p_value * 780 < 1e-4  # Bonferroni's correction for all 40 * 39 / 2 pairs of 40 groups


def test_groups_without_an_error_are_not_called_equal():
    """Check that half an image in each of the four cells, as if of 52 images, gives the difference a variance.

    On two of these halves one group alone is wrong. So the squared differences, 1 each, add up to 1.
    """
    none = np.zeros((5, 50), bool)
    difference = group_difference(none, none)
    half = stats.t.ppf(0.975, MAX_FREEDOM * (5 - 1)) * np.sqrt(1 / (52 - 1) / 52)
    assert difference.interval == pytest.approx((-half, half))
    assert difference.ratio_interval == (0.0, np.inf)
    assert difference.p_value > 0.5


def test_the_interval_of_a_groups_accuracy_is_wilsons_if_all_models_predict_the_same():
    wrong = np.repeat(np.arange(2000)[None] < 37, 40, axis=0)
    assert group_accuracy_interval(wrong) == pytest.approx(wilson_interval(1963, 2000), abs=2e-4)


FLAGS = np.zeros((2, 3), bool)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mean_interval([]), "values is empty"),
        (lambda: mean_interval([1.0, 2.0], 1.0), "confidence is 1.0"),
        (lambda: error_ratio_interval(-1, 0, 0), "counts must be at least 0"),
        (lambda: error_ratio_interval(1, 0, 0, 0.0), "confidence is 0.0"),
        (lambda: holm([0.1, 1.5]), "numbers from 0 to 1"),
        (lambda: holm([[0.1]]), "numbers from 0 to 1"),
        (lambda: holm([np.nan]), "numbers from 0 to 1"),
        (lambda: group_difference(FLAGS, FLAGS[:, :2]), r"wrong_a is \(2, 3\) and wrong_b \(2, 2\)"),
        (lambda: group_difference(FLAGS, FLAGS[0]), r"must be \(n, N\) and \(m, N\)"),
        (lambda: group_difference(FLAGS[:0], FLAGS), "at least 1"),
        (lambda: variance_parts(FLAGS, FLAGS[:1]), "at least two of each"),
        (lambda: group_difference(FLAGS, FLAGS, confidence=2), "confidence is 2"),
        (lambda: group_accuracy_interval(FLAGS[:0]), r"wrong is \(0, 3\)"),
        (lambda: group_accuracy_interval(FLAGS, 0.0), "confidence is 0.0"),
    ],
)
def test_statistics_reject_invalid_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_thirty_seeds_on_ten_thousand_images_stay_within_bounded_memory():
    a, b = draw_errors(np.random.default_rng(17), (30, 30), 10_000, eases=(7.0, 7.0))
    tracemalloc.start()
    try:
        group_difference(a, b)
        assert tracemalloc.get_traced_memory()[1] < 10e6  # bytes at the peak; in float64 the flags are 2.4e6 a group
    finally:
        tracemalloc.stop()
