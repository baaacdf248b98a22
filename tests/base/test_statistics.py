import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import minimize_scalar
from scipy.special import expit, xlogy
from statsmodels.stats.multitest import multipletests

from convscope.base.metrics import average_ranks, holm, wilson_interval
from convscope.base.statistics import (
    MAX_FREEDOM,
    error_ratio_interval,
    group_accuracy_interval,
    group_difference,
    mean_interval,
    variance_parts,
)

Z = 1.959963984540054

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
    images = only_a + only_b + both
    for ratio in error_ratio_interval(only_a, only_b, both):
        if ratio in (0, np.inf):
            continue

        def shares(p, r=ratio):  # images that only A, only B, none gets right, if B makes r errors for one of A
            return p, 1 - r * (1 - p), r - (1 + r) * p

        def unlikeliness(p):
            return -sum(xlogy(count, share) for count, share in zip((only_a, only_b, both), shares(p), strict=True))

        ends = (max(0.0, 1 - 1 / ratio), ratio / (1 + ratio))
        p = minimize_scalar(unlikeliness, bounds=ends, method="bounded", options={"xatol": 1e-13}).x
        alone_a, alone_b, _ = shares(p)
        spread = np.sqrt(ratio * images * (alone_a + alone_b))
        assert abs(only_a + both - ratio * (only_b + both)) / spread == pytest.approx(Z, rel=1e-4)


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        ((0, 0, 0), 0.0, np.inf),  # nobody makes an error: nothing is told
        ((0, 4, 0), 0.0, Z**2 / 4),  # the score of r is -sqrt(4 r)
        ((4, 0, 0), 4 / Z**2, np.inf),
        ((0, 0, 5), 1 / (1 + Z**2 / 5), 1 + Z**2 / 5),  # the very same errors: it is -sqrt(5 (r - 1))
    ],
)
def test_the_error_ratio_interval_of_empty_cells_is_unbounded(counts, low, high):
    assert error_ratio_interval(*counts) == pytest.approx((low, high), rel=1e-9)


@given(st.integers(0, 500), st.integers(0, 500), st.integers(0, 500))
def test_error_ratio_interval_holds_the_ratio_and_is_mirrored_by_swapping(only_a, only_b, both):
    low, high = error_ratio_interval(only_a, only_b, both)
    if only_b + both:
        assert low < (only_a + both) / (only_b + both) + 1e-9
        assert (only_a + both) / (only_b + both) < high
    swapped = error_ratio_interval(only_b, only_a, both)
    assert swapped == pytest.approx((0 if high == np.inf else 1 / high, np.inf if low == 0 else 1 / low), rel=1e-9)


@pytest.mark.parametrize("shares", [(0.02, 0.01, 0.01), (0.004, 0.004, 0.002), (0.3, 0.1, 0.2)])
def test_error_ratio_interval_covers_the_truth(shares):
    truth = (shares[0] + shares[2]) / (shares[1] + shares[2])
    drawn = np.random.default_rng(2).multinomial(1000, (*shares, 1 - sum(shares)), 300)
    intervals = [error_ratio_interval(*counts[:3].tolist()) for counts in drawn]
    assert 0.91 < np.mean([low <= truth <= high for low, high in intervals]) < 0.99


# --- Several comparisons ----------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    "p_values", [[0.2], [0.01, 0.04, 0.03], [0.5, 0.5, 0.01, 0.01], [0.0, 1.0], list(np.linspace(0.001, 0.2, 30))]
)
def test_holm_is_statsmodels(p_values):
    np.testing.assert_allclose(holm(p_values), multipletests(p_values, method="holm")[1], rtol=1e-12)


# --- Groups -----------------------------------------------------------------------------------------------------------


def answers(stream, seeds, images, seed_sd=0.1, ease=2.0, hard=1.0, own=1.0):
    """Which of the images each of two groups gets wrong: harder and easier images, better and worse seeds."""
    difficulty = stream.normal(0, hard, images)
    return tuple(
        stream.random((count, images))
        < expit(difficulty - ease + stream.normal(0, own, images) + stream.normal(0, seed_sd, (count, 1)))
        for count in seeds
    )


@pytest.mark.parametrize("seeds", [(4, 4), (8, 8)])
def test_the_interval_is_students_if_only_seeds_differ(seeds):
    # So many images that their luck is nothing beside that of the seeds.
    stream, images = np.random.default_rng(11), 400_000
    rates = [stream.normal(0.2, 0.03, (count, 1)) for count in seeds]
    a, b = (np.arange(images) / images < rate for rate in rates)
    a, b = (np.array([np.roll(row, 977 * i) for i, row in enumerate(group)]) for group in (a, b))
    x, y = 1 - a.mean(axis=1), 1 - b.mean(axis=1)
    # The freedom is bounded by that of one group.
    error = np.sqrt((x.var(ddof=1) + y.var(ddof=1)) / len(x))
    freedom = min(stats.ttest_ind(x, y, equal_var=False).df, MAX_FREEDOM * (len(x) - 1))
    expected = stats.t(freedom, x.mean() - y.mean(), error).interval(0.95)
    difference = group_difference(a, b)
    np.testing.assert_allclose(difference.interval, expected, atol=0.02 * (expected[1] - expected[0]))
    assert difference.p_value == pytest.approx(2 * stats.t.sf(abs(x.mean() - y.mean()) / error, freedom), rel=0.03)


def by_hand(a, b, ratio=1.0):
    """The difference b - ratio a of the mean rates, its standard error and the degrees of freedom."""
    groups = (ratio * a.astype(float), b.astype(float))
    images = a.shape[1]
    difference = groups[1].mean(axis=0) - groups[0].mean(axis=0)
    of_images, of_seeds, of_rest = difference.var(ddof=1) / images, [], 0.0
    for x in groups:
        n = len(x)
        rest = x - x.mean(axis=0) - x.mean(axis=1, keepdims=True) + x.mean()
        of_rest += (rest**2).sum() / (n - 1) / (images - 1) / n / images
        of_seeds.append((x.mean(axis=1).var(ddof=1) / n, n - 1))
    variance = of_images + max(sum(part for part, _ in of_seeds) - of_rest, 0)
    doubt = of_images**2 / (images - 1) + sum(part**2 / freedom for part, freedom in of_seeds)
    bound = MAX_FREEDOM * min(freedom for _, freedom in of_seeds)
    return difference.mean(), np.sqrt(variance), min(variance**2 / doubt, bound)


@pytest.mark.parametrize("seeds", [(6, 6), (3, 12)])
def test_the_variance_equals_an_analysis_by_hand(seeds):
    a, b = answers(np.random.default_rng(3), seeds, 5000)
    result = group_difference(a, b)
    difference, error, freedom = by_hand(a, b)
    assert result.degrees_of_freedom == pytest.approx(freedom, rel=1e-3)
    half = stats.t.ppf(0.975, freedom) * error
    assert result.interval == pytest.approx((difference - half, difference + half), rel=2e-3)


@pytest.mark.parametrize(("errors", "is_surely_above_zero"), [(2, False), (6, True)])
def test_a_ratio_interval_reaches_zero_if_there_may_be_no_errors(errors, is_surely_above_zero):
    # With k errors the rate lies about the root of k standard errors above 0.
    many, few = (np.arange(1000) < 20)[None], (np.arange(1000) >= 1000 - errors)[None]
    low, high = group_difference(many, few).ratio_interval
    assert (low > 0) == is_surely_above_zero
    assert low < errors / 20 < high
    swapped = group_difference(few, many).ratio_interval
    assert np.isfinite(swapped[1]) == is_surely_above_zero


def test_average_ranks_are_scipys():
    values = np.random.default_rng(0).integers(0, 5, 40)
    np.testing.assert_array_equal(average_ranks(values), stats.rankdata(values))


def truth(ease, seed_sd, hard=1.0, own=1.0):
    """The error rate over all seeds and images, by numerical integration of the normal distribution."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    sd = np.sqrt(seed_sd**2 + hard**2 + own**2)
    return (expit(sd * nodes - ease) * weights).sum() / weights.sum()


@pytest.mark.slow
@pytest.mark.parametrize(("seed_sd", "seeds"), [(0.03, (5, 5)), (0.3, (5, 5)), (0.3, (2, 2)), (0.3, (3, 10))])
def test_intervals_of_groups_cover_the_truth_whether_seeds_or_images_make_the_luck(seed_sd, seeds):
    stream, held = np.random.default_rng(13), []
    rates = truth(2.5, seed_sd), truth(2.1, seed_sd)
    for _ in range(300):
        base = stream.normal(0, 1, 400)
        a, b = (
            stream.random((count, 400))
            < expit(base + stream.normal(0, 1, 400) - ease + stream.normal(0, seed_sd, (count, 1)))
            for count, ease in zip(seeds, (2.5, 2.1), strict=True)
        )
        difference = group_difference(a, b)
        of_a, ratio = group_accuracy_interval(a), rates[1] / rates[0]
        held.append(
            (
                difference.interval[0] <= rates[1] - rates[0] <= difference.interval[1],
                difference.ratio_interval[0] <= ratio <= difference.ratio_interval[1],
                of_a[0] <= 1 - rates[0] <= of_a[1],
            )
        )
    assert (np.mean(held, axis=0) >= 0.92).all()  # over 300 draws, a standard error is 0.013


@pytest.mark.slow
@given(
    count_a=st.integers(1, 6), count_b=st.integers(1, 6), images=st.sampled_from([1, 2, 5, 30, 200, 1000]),
    rates=st.tuples(*[st.floats(0.001, 0.999)] * 2), overlap=st.booleans(), seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_both_intervals_leave_equality_out_exactly_where_p_is_below_the_level(
    count_a, count_b, images, rates, overlap, seed
):
    stream = np.random.default_rng(seed)
    a = stream.random((count_a, images)) < rates[0] * stream.random((count_a, 1))
    b = stream.random((count_b, images)) < rates[1]
    if overlap:
        b[0] |= a[0]
    difference = group_difference(a, b)
    is_told = difference.p_value < 0.05
    assert is_told == (not difference.interval[0] <= 0 <= difference.interval[1])
    assert is_told == (not difference.ratio_interval[0] <= 1 <= difference.ratio_interval[1])
    assert 0 <= difference.ratio_interval[0] <= difference.ratio_interval[1]


def test_the_ends_of_a_ratio_interval_are_where_the_test_of_that_ratio_turns():
    # A rate times r is that of a group with r times the errors: here B's images, each asked r times as often.
    a, b = answers(np.random.default_rng(21), (6, 6), 3000)
    low, high = group_difference(a, b).ratio_interval
    for ratio, expected in ((low * 0.99, False), (low * 1.01, True), (high * 0.99, True), (high * 1.01, False)):
        difference, error, freedom = by_hand(a, b, ratio)
        assert (abs(difference) < stats.t.ppf(0.975, freedom) * error) == expected


def test_corrected_p_values_of_many_groups_still_detect_a_much_worse_group():
    stream = np.random.default_rng(22)
    a, b = stream.random((5, 10_000)) < 0.005, stream.random((5, 10_000)) < 0.18
    assert group_difference(a, b).p_value * 780 < 1e-4  # every two of 40 groups


def test_groups_without_an_error_are_not_called_equal():
    none = np.zeros((5, 50), bool)
    difference = group_difference(none, none)
    assert -0.2 < difference.interval[0] < -0.02 < 0.02 < difference.interval[1] < 0.2
    assert difference.ratio_interval == (0.0, np.inf)
    assert difference.p_value > 0.5


def test_the_interval_of_a_groups_accuracy_is_wilsons_where_all_models_answer_alike():
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
    a, b = answers(np.random.default_rng(17), (30, 30), 10_000, ease=7.0)
    tracemalloc.start()
    try:
        group_difference(a, b)
        assert tracemalloc.get_traced_memory()[1] < 10e6
    finally:
        tracemalloc.stop()
