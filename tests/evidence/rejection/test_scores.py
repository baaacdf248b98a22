import numpy as np
import pytest
from scipy.special import logsumexp

from convscope.evidence.rejection.scores import SCORES, TITLES, energy, max_logit, max_probability, score_of_logits

LOGITS = np.array([[0.0, np.log(3.0)], [2.0, 2.0], [-800.0, 700.0]])


def test_energy_is_the_logarithm_of_the_sum_of_exponentials_worked_by_hand():
    np.testing.assert_allclose(energy(LOGITS), [np.log(4), 2 + np.log(2), 700], rtol=1e-15)


def test_energy_is_that_of_scipy():
    logits = np.random.default_rng(0).normal(0, 30, (50, 1000)).astype(np.float32)
    np.testing.assert_allclose(energy(logits), logsumexp(logits.astype(np.float64), axis=1), rtol=1e-14)


def test_max_logit_and_max_probability_are_the_largest_of_each_row():
    np.testing.assert_array_equal(max_logit(LOGITS), [np.log(3), 2, 700])
    np.testing.assert_allclose(max_probability(LOGITS), [0.75, 0.5, 1.0], rtol=1e-15)


@pytest.mark.parametrize("name", [name for name in SCORES if name not in ("mahalanobis", "image_statistics")])
def test_a_logit_added_to_all_the_others_raises_energy_and_logit_but_no_probability(name):
    moved = score_of_logits(name, LOGITS + 5) - score_of_logits(name, LOGITS)
    np.testing.assert_allclose(moved, 0 if name == "max_probability" else 5, atol=1e-12)


def test_every_score_has_a_title():
    assert set(TITLES) == set(SCORES)
