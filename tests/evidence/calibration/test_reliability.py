"""Accuracy by bins of confidence, beside scikit-learn's."""

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.calibration import calibration_curve

from convscope.evidence.calibration import measure_reliability


def draw_confidences(count=3000, seed=0):
    """Draw confidences, most of them near 1, and whether each prediction is correct: a little less often."""
    stream = np.random.default_rng(seed)
    confidence = 1 - 0.7 * stream.random(count) ** 6
    return confidence, stream.random(count) < confidence**1.5


def test_ten_images_worked_by_hand():
    confidence = np.array([0.3, 0.4, 0.5, 0.6, 0.7, 0.9, 0.9, 0.9, 0.95, 1.0])
    right = np.array([0, 1, 1, 0, 1, 1, 1, 0, 1, 1], bool)
    measured = measure_reliability(confidence, right, num_bins=5)
    # Of five bins of a fifth, that below 0.2 is empty and left out.
    np.testing.assert_allclose(measured.low, [0.2, 0.4, 0.6, 0.8])
    np.testing.assert_allclose(measured.high, [0.4, 0.6, 0.8, 1.0])
    assert measured.num_images == (2, 2, 1, 5)
    np.testing.assert_allclose(measured.confidence, [0.35, 0.55, 0.7, 0.93])
    np.testing.assert_allclose(measured.accuracy, [0.5, 0.5, 1.0, 0.8])
    assert measured.ece == pytest.approx((2 * 0.15 + 2 * 0.05 + 1 * 0.3 + 5 * 0.13) / 10)


@pytest.mark.parametrize(("binning", "strategy"), [("width", "uniform"), ("mass", "quantile")])
@pytest.mark.parametrize("num_bins", [1, 10, 15, 40])
def test_the_bins_are_those_of_scikit_learn(binning, strategy, num_bins):
    confidence, right = draw_confidences()
    measured = measure_reliability(confidence, right, num_bins, binning)
    accuracy, mean = calibration_curve(right, confidence, n_bins=num_bins, strategy=strategy)
    np.testing.assert_allclose(measured.accuracy, accuracy, atol=1e-12)
    np.testing.assert_allclose(measured.confidence, mean, atol=1e-12)


def test_each_accuracy_lies_in_the_wilson_interval_that_scipy_gives():
    confidence, right = draw_confidences()
    measured = measure_reliability(confidence, right)
    for index, images in enumerate(measured.num_images):
        hits = round(measured.accuracy[index] * images)
        expected = binomtest(hits, images).proportion_ci(0.95, "wilson")
        assert measured.accuracy_low[index] == pytest.approx(expected.low, abs=1e-12)
        assert measured.accuracy_high[index] == pytest.approx(expected.high, abs=1e-12)


def test_equal_confidences_stay_in_one_bin():
    confidence = np.array([0.5] * 90 + [0.6] * 10)
    measured = measure_reliability(confidence, np.arange(100) % 2 == 0, 10, "mass")
    assert measured.num_images == (90, 10)
    assert measured.num_bins == 10


@pytest.mark.parametrize(
    ("confidence", "right", "arguments", "message"),
    [
        (np.zeros(3), np.zeros(2, bool), (), "confidence is .* both must be"),
        (np.zeros(0), np.zeros(0, bool), (), "N at least 1"),
        (np.array([1.1]), np.ones(1, bool), (), "confidence runs from 1.1 to 1.1"),
        (np.array([np.nan]), np.ones(1, bool), (), "must lie from 0 to 1"),
        (np.ones(1), np.ones(1, bool), (0,), "num_bins is 0; it must be from 1 to 1000"),
        (np.ones(1), np.ones(1, bool), (1001,), "num_bins is 1001"),
        (np.ones(1), np.ones(1, bool), (15, "depth"), "binning is 'depth'; it must be one of width, mass"),
    ],
)
def test_measure_reliability_rejects_invalid_arguments(confidence, right, arguments, message):
    with pytest.raises(ValueError, match=message):
        measure_reliability(confidence, right, *arguments)
