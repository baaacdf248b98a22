"""Resampled intervals of the calibration's figures, and what chance gives."""

import numpy as np
import pytest

from convscope.evidence.calibration import measure_reliability, measure_risk_coverage
from convscope.evidence.calibration.intervals import FIGURES, bootstrap, chance_errors, count_resamples
from convscope.evidence.calibration.scores import Scores, score_images

from .conftest import draw_logits


def make_scores(confidence, right):
    """Make scores of which only the confidence and the correctness matter."""
    doubt = (1 - confidence) / confidence
    return Scores(confidence, doubt, right, np.log1p(doubt), doubt)


def measure_directly(scores):
    return {
        "ece_by_width": measure_reliability(scores.confidence, scores.is_correct, 15, "width").ece,
        "ece_by_mass": measure_reliability(scores.confidence, scores.is_correct, 15, "mass").ece,
        "brier": scores.brier.mean(),
        "negative_log_likelihood": scores.negative_log_likelihood.mean(),
        "aurc": measure_risk_coverage(scores.doubt, scores.is_correct).aurc,
    }


def test_values_are_those_measured_directly_and_changes_are_their_differences():
    logits, labels = draw_logits()
    before, after = (score_images(logits, labels, temperature) for temperature in (1.0, 2.0))
    first, second, change = bootstrap(before, after, 15, np.random.default_rng(0))
    for name in FIGURES:
        expected_before, expected_after = measure_directly(before)[name], measure_directly(after)[name]
        assert first[name].value == pytest.approx(expected_before)
        assert second[name].value == pytest.approx(expected_after)
        assert change[name].value == pytest.approx(expected_after - expected_before, abs=1e-12)


def test_resampled_figures_are_those_of_the_resampled_images(monkeypatch):
    logits, labels = draw_logits(count=60)
    scores = score_images(logits, labels, 1.0)
    monkeypatch.setattr("convscope.evidence.calibration.intervals.count_resamples", lambda _: 2)
    estimates, _, _ = bootstrap(scores, scores, 15, np.random.default_rng(5))
    resamples = np.random.default_rng(5).integers(0, 60, (2, 60))  # the same draws as scipy's, from the same seed
    errors = [
        measure_reliability(scores.confidence[chosen], scores.is_correct[chosen], 15, "width").ece
        for chosen in resamples
    ]
    low, high = np.quantile(errors, [0.025, 0.975])
    value = estimates["ece_by_width"].value  # its interval is the basic one: mirrored at the value, and not below 0
    assert estimates["ece_by_width"].interval == pytest.approx((max(2 * value - high, 0), max(2 * value - low, 0)))
    briers = [scores.brier[chosen].mean() for chosen in resamples]
    assert estimates["brier"].interval == pytest.approx(np.quantile(briers, [0.025, 0.975]))


@pytest.mark.slow
def test_the_interval_of_the_error_covers_an_error_that_is_known():
    stream, hits = np.random.default_rng(0), np.zeros(2)
    for _ in range(40):
        confidence = stream.choice([0.6, 0.8, 0.95], 300)
        scores = make_scores(confidence, stream.random(300) < confidence - 0.1)  # the true error is 0.1
        estimates, _, _ = bootstrap(scores, scores, 15, stream)
        for number, name in enumerate(FIGURES[:2]):  # the errors in bins of equal width, and of equal size
            low, high = estimates[name].interval
            hits[number] += low <= 0.1 <= high
    assert (hits >= 34).all()  # of 40; 38 are expected, and 33 or fewer happen once in a hundred times


@pytest.mark.slow
def test_chance_equals_a_simulation_of_calibrated_answers():
    logits, labels = draw_logits(count=300)
    scores = score_images(logits, labels, 1.0)
    *chances, accuracy = chance_errors(scores, 15, np.random.default_rng(0))
    stream = np.random.default_rng(1)
    accuracies = (stream.random((9000, 300)) < scores.confidence).mean(axis=1)
    # Both ends of 97.5 %: with the error beside it, the two ranges together hold 95 % (Bonferroni).
    assert accuracy == pytest.approx(np.quantile(accuracies, [0.0125, 0.9875]), abs=0.01)
    for chance, binning in zip(chances, ("width", "mass"), strict=True):
        errors = [
            measure_reliability(scores.confidence, stream.random(300) < scores.confidence, 15, binning).ece
            for _ in range(1000)
        ]
        assert chance.mean == pytest.approx(np.mean(errors), rel=0.04)
        assert (chance.low, chance.limit) == pytest.approx(np.quantile(errors, [0.025, 0.975]), rel=0.08)


def test_the_same_stream_gives_the_same_intervals_in_blocks_too(monkeypatch):
    logits, labels = draw_logits(count=200)
    scores = score_images(logits, labels, 1.0)

    def measure():
        stream = np.random.default_rng
        return chance_errors(scores, 15, stream(0)), bootstrap(scores, scores, 15, stream(0))

    whole = measure()
    monkeypatch.setattr("convscope.evidence.calibration.intervals._BLOCK", 200 * 130)  # 130 resamples at a time
    assert measure() == whole


@pytest.mark.parametrize(
    ("images", "resamples"), [(2, 1000), (10_000, 1000), (100_000, 1000), (250_000, 400), (10**7, 200)]
)
def test_more_images_are_drawn_less_often(images, resamples):
    assert count_resamples(images) == resamples
