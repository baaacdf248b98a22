"""The temperature that fits logits to labels, and its interval."""

import numpy as np
import pytest

import convscope as cs
from convscope.base.metrics import cross_entropy
from convscope.evidence.calibration import HIGHEST_TEMPERATURE, LOWEST_TEMPERATURE, temperature_interval

from .conftest import draw_logits


def make_calibrated():
    """Make logits of 4 · 10 images with labels exactly as frequent as the softmax of the logits."""
    rows, labels = [], []
    for shares in ((5, 3, 2), (1, 2, 7), (8, 1, 1), (3, 3, 4)):
        for label, times in enumerate(shares):
            rows += [np.log(shares)] * times
            labels += [label] * times
    return np.array(rows), np.array(labels)


@pytest.mark.parametrize("factor", [0.06, 0.3, 1.0, 2.5, 19.0])
def test_calibrated_logits_times_a_factor_give_the_factor_back(factor):
    logits, labels = make_calibrated()
    assert cs.fit_temperature(factor * logits, labels) == pytest.approx(factor, rel=1e-5)


@pytest.mark.parametrize("scale", [0.2, 1.0, 8.0])
def test_no_other_temperature_makes_the_labels_likelier(scale):
    logits, labels = draw_logits(scale=scale)
    best = cross_entropy(logits / cs.fit_temperature(logits, labels), labels)
    grid = [cross_entropy(logits / temperature, labels) for temperature in np.geomspace(0.05, 20, 400)]
    assert best <= min(grid)
    assert best == pytest.approx(min(grid), rel=1e-4)


@pytest.mark.parametrize(
    ("logits", "labels", "temperature"),
    [
        ([[3.0, 0.0], [0.0, 4.0]], [0, 1], LOWEST_TEMPERATURE),
        ([[3.0, 0.0, 1.0]], [0], LOWEST_TEMPERATURE),
        ([[3.0, 0.0]], [1], HIGHEST_TEMPERATURE),
        ([[3.0, 0.0], [0.0, 4.0]], [1, 0], HIGHEST_TEMPERATURE),
        ([[2.0, 2.0, 2.0]], [1], 1.0),
        ([[5000.0, 0.0]], [0], 1.0),  # the loss is 0 at every temperature
    ],
)
def test_images_that_do_not_determine_a_temperature_have_no_interval(logits, labels, temperature):
    logits, labels = np.array(logits), np.array(labels)
    assert cs.fit_temperature(logits, labels) == temperature
    assert temperature_interval(logits, labels, temperature) is None


def test_the_interval_of_two_classes_has_a_closed_form():
    labels = (np.arange(200) < 30).astype(int)
    logits = np.tile([3.0, 0.0], (200, 1))
    temperature = cs.fit_temperature(logits, labels)
    low, high = temperature_interval(logits, labels, temperature)
    # log odds of 30 / 200 have the standard error 1 / sqrt(n q (1 - q)), and 1 / T is log odds / 3.
    log_odds, error = np.log(170 / 30), 1 / np.sqrt(200 * 0.15 * 0.85)
    assert np.log(high / low) == pytest.approx(2 * 1.959964 * error / log_odds, rel=1e-4)  # the normal's 97.5 % point
    assert np.sqrt(low * high) == pytest.approx(temperature)


def test_the_interval_is_as_wide_as_temperatures_of_resampled_images_scatter():
    logits, labels = draw_logits(count=400)
    low, high = temperature_interval(logits, labels, cs.fit_temperature(logits, labels))
    stream = np.random.default_rng(1)
    fits = [cs.fit_temperature(logits[chosen], labels[chosen]) for chosen in stream.integers(0, 400, (200, 400))]
    assert np.log(high / low) == pytest.approx(2 * 1.96 * np.std(np.log(fits)), rel=0.15)


@pytest.mark.parametrize(
    ("logits", "labels", "message"),
    [
        (np.zeros((0, 3)), np.zeros(0, int), "logits have shape"),
        (np.zeros(3), np.zeros(3, int), "must be .N, K."),
        (np.zeros((2, 1)), np.zeros(2, int), "K at least 2"),
        (np.zeros((2, 3)), np.zeros(3, int), "they must be 2 whole numbers"),
        (np.zeros((2, 3)), np.zeros(2), "labels is an array of float64 .* whole numbers"),
        (np.zeros((2, 3)), np.array([0, 3]), "labels run from 0 to 3; they must lie from 0 to 2"),
        (np.zeros((2, 3)), np.array([-1, 0]), "labels run from -1"),
        (np.array([[0, np.inf], [0, 0]]), np.array([0, 0]), "logits of 1 of 2 images are not finite"),
    ],
)
def test_fit_temperature_rejects_invalid_arguments(logits, labels, message):
    with pytest.raises((TypeError, ValueError), match=message):
        cs.fit_temperature(logits, labels)
