"""Significance of ablations beside SciPy's tests."""

import numpy as np
import pytest
from scipy.stats import binomtest, false_discovery_control

from convscope.evidence.ablation.significance import FALSE_DISCOVERY_RATE, mark, p_values


def test_p_values_equal_scipys_exact_binomial_test():
    stream = np.random.default_rng(0)
    newly_correct, newly_wrong = stream.integers(0, 30, (6, 5)), stream.integers(0, 30, (6, 5))
    newly_correct[0, 0] = newly_wrong[0, 0] = 0  # without a changed prediction p is 1
    expected = [
        binomtest(int(a), int(a + b)).pvalue if a + b else 1.0
        for a, b in zip(newly_correct.ravel(), newly_wrong.ravel(), strict=True)
    ]
    np.testing.assert_allclose(p_values(newly_correct, newly_wrong), np.reshape(expected, (6, 5)), rtol=1e-9)


def test_no_counts_give_no_p_value():
    assert p_values(np.zeros((0, 3), int), np.zeros((0, 3), int)).shape == (0, 3)


def test_marks_equal_scipys_among_the_tested_filters():
    stream = np.random.default_rng(1)
    for share in (0.0, 0.3, 0.9):  # of tests with an effect, whose p-values lie near zero
        values = np.where(stream.random((40, 9)) < share, stream.random((40, 9)) ** 6, stream.random((40, 9)))
        tested = stream.random((40, 9)) < 0.8
        marked, marking = mark(values, tested)
        expected = false_discovery_control(values[tested]) <= FALSE_DISCOVERY_RATE
        np.testing.assert_array_equal(marked[tested], expected)
        assert not marked[~tested].any()
        assert marking.num_significant == expected.sum()
        assert marking.num_tests == tested.sum()


def test_without_any_effect_hardly_anything_is_marked():
    # 20 times 1,000 tests of fair coins. Uncorrected, p < 0.05 would mark up to 50 coins each time.
    stream = np.random.default_rng(2)
    marked, below = 0, 0
    for _ in range(20):
        tosses = stream.binomial(40, 0.5, 1000)
        marking = mark(p_values(tosses, 40 - tosses))[1]
        marked, below = marked + marking.num_significant, below + marking.num_below
        assert marking.num_expected_by_luck == pytest.approx(50)
    assert below > 300  # of 20,000 p-values; the test of 40 tosses is discrete, so fewer than 5 % lie below 0.05
    assert marked <= 5  # a false mark is expected in 1 of 20 families
