"""The error among accepted predictions at each share of refused ones."""

import numpy as np
import pytest
from scipy.stats import binomtest

from convscope.evidence.calibration import measure_risk_coverage


def draw_doubts(count=500):
    """Draw doubts of images, and whether each is classified correctly: less often the larger the doubt."""
    stream = np.random.default_rng(0)
    doubt = stream.exponential(0.2, count)
    return doubt, stream.random(count) < 1 / (1 + doubt)


def keep_surest(doubt, is_correct, number):
    """Return the correctness of the `number` images with the smallest doubt."""
    return is_correct[np.argsort(doubt)[:number]]


def test_the_area_is_the_mean_risk_over_all_coverages():
    doubt, is_correct = draw_doubts()
    risks = [1 - keep_surest(doubt, is_correct, number).mean() for number in range(1, 501)]
    curve = measure_risk_coverage(doubt, is_correct)
    assert curve.aurc == pytest.approx(np.mean(risks))


def test_each_refusal_counts_the_errors_left():
    doubt, is_correct = draw_doubts()
    curve = measure_risk_coverage(doubt, is_correct)
    assert [refusal.fraction for refusal in curve.refusals] == [0, 0.01, 0.02, 0.05, 0.1]
    for refusal, left in zip(curve.refusals, (500, 495, 490, 475, 450), strict=True):
        errors = int((~keep_surest(doubt, is_correct, left)).sum())
        assert (refusal.num_left, refusal.num_refused, refusal.num_errors_left) == (left, 500 - left, errors)
        assert refusal.risk == errors / left
        expected = binomtest(errors, left).proportion_ci(0.95, "wilson")
        assert refusal.interval == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_the_curve_runs_from_all_images_down_and_is_the_risk_at_each_coverage():
    doubt, is_correct = draw_doubts()
    curve = measure_risk_coverage(doubt, is_correct)
    assert curve.coverage[0] == 1
    assert (np.diff(curve.coverage) < 0).all()
    for coverage, risk in zip(curve.coverage, curve.risk, strict=True):
        assert risk == pytest.approx(1 - keep_surest(doubt, is_correct, round(500 * coverage)).mean())
    assert curve.coverage[-1] == pytest.approx(0.01)
    assert np.abs(np.diff(curve.coverage)).max() < 0.0101  # steps of at most 1 %


def test_of_equal_doubts_the_later_image_is_refused_first():
    curve = measure_risk_coverage(np.ones(4), np.array([True, True, True, False]), (0, 0.25, 0.5))
    assert [refusal.num_errors_left for refusal in curve.refusals] == [1, 0, 0]


def test_no_threshold_refuses_every_image():
    curve = measure_risk_coverage(np.ones(1), np.array([False]))
    assert {refusal.num_left for refusal in curve.refusals} == {1}
    assert (curve.aurc, curve.coverage) == (1, (1,))


@pytest.mark.parametrize(
    ("doubt", "is_correct", "refused", "message"),
    [
        (np.zeros(2), np.zeros(3, bool), (0,), "doubt is .* both must be"),
        (np.zeros(0), np.zeros(0, bool), (0,), "N at least 1"),
        (np.array([-0.1]), np.ones(1, bool), (0,), "doubt is at least -0.1"),
        (np.ones(1), np.ones(1, bool), (1.0,), "each must lie from 0 to below 1"),
        (np.ones(1), np.ones(1, bool), (-0.5,), "each must lie from 0 to below 1"),
    ],
)
def test_measure_risk_coverage_rejects_invalid_arguments(doubt, is_correct, refused, message):
    with pytest.raises(ValueError, match=message):
        measure_risk_coverage(doubt, is_correct, refused)
