"""A calibration on held-out images, with its figures before and after."""

import numpy as np
import pytest

import convscope as cs
from convscope.base.metrics import cross_entropy
from convscope.base.records import decode, encode
from convscope.evidence.calibration import fit_temperature, measure_calibration

from .conftest import draw_logits


def calibrate(count=800, num_classes=4):
    """Calibrate `count` drawn predictions by a temperature fitted to 2,000 others; the right temperature is 2."""
    names = {"fitted_on": "validation images", "dataset_name": "drawn"}
    return measure_calibration(*draw_logits(count, num_classes), *draw_logits(2000, num_classes, seed=1), **names)


def test_the_temperature_depends_only_on_held_out_images():
    logits, labels = draw_logits()
    held_out = draw_logits(2000, seed=1)
    calibration = measure_calibration(logits, labels, *held_out, fitted_on="validation images")
    assert calibration.temperature == fit_temperature(*held_out)
    shuffled = measure_calibration(logits, labels[::-1].copy(), *held_out, fitted_on="validation images")
    assert shuffled.temperature == calibration.temperature
    assert shuffled.accuracy != calibration.accuracy


def test_figures_before_are_those_of_the_logits_and_after_those_of_logits_divided_by_the_temperature():
    logits, labels = draw_logits()
    calibration = calibrate()
    divided = measure_calibration(
        logits / calibration.temperature, labels, *draw_logits(2000, seed=1), fitted_on="validation images"
    )
    after, again = calibration.after, divided.before
    assert calibration.before.negative_log_likelihood.value == pytest.approx(cross_entropy(logits, labels))
    assert after.negative_log_likelihood.value == pytest.approx(cross_entropy(logits / calibration.temperature, labels))
    assert after.ece_by_mass.value == pytest.approx(again.ece_by_mass.value)
    assert after.risk_coverage.aurc == pytest.approx(again.risk_coverage.aurc)
    assert after.ece_by_width.value == pytest.approx(after.by_width.ece)
    assert after.aurc.value == pytest.approx(after.risk_coverage.aurc)


@pytest.mark.slow
def test_a_temperature_corrects_logits_that_are_twice_too_large():
    calibration = calibrate(3000)
    low, high = calibration.temperature_interval
    assert low < 2 < high
    assert calibration.before.mean_confidence > calibration.accuracy_interval[1]
    for binning in ("width", "mass"):
        before, after = (getattr(fit, f"ece_by_{binning}") for fit in (calibration.before, calibration.after))
        chance = getattr(calibration.after, f"chance_by_{binning}")
        assert before.interval[0] > 0.1
        assert after.value < chance.limit
        assert after.interval[0] == 0
        assert getattr(calibration.changes, f"ece_by_{binning}").interval[1] < -0.1
    assert calibration.changes.negative_log_likelihood.interval[1] < 0


def test_an_undetermined_temperature_is_stated():
    logits, labels = draw_logits(60)
    all_correct = 9 * np.eye(4), np.arange(4)  # the lower the temperature, the better
    calibration = measure_calibration(logits, labels, *all_correct, fitted_on="validation images", dataset_name="drawn")
    assert (calibration.temperature, calibration.is_at_bound, calibration.temperature_interval) == (0.05, True, None)
    assert "Temperature 0.050, fitted on 4 validation images, the limit of its range" in str(calibration)
    assert not calibrate().is_at_bound


def test_of_too_many_held_out_images_some_are_taken_evenly(monkeypatch):
    # The limit counts logits: 100 images of 4 classes.
    monkeypatch.setattr("convscope.evidence.calibration.calibration._MAX_FITTED", 400)
    logits, labels = draw_logits()
    held_out_logits, held_out_labels = draw_logits(199, seed=1)
    calibration = measure_calibration(logits, labels, held_out_logits, held_out_labels, fitted_on="validation images")
    assert (calibration.num_fitted, calibration.num_fitted_left_out) == (100, 99)
    assert calibration.temperature == fit_temperature(held_out_logits[::2], held_out_labels[::2])


@pytest.mark.slow
@pytest.mark.parametrize(("count", "num_classes"), [(2, 3), (50, 2), (50, 10), (40, 1000)])
def test_few_images_and_many_classes_are_calibrated(count, num_classes):
    calibration = calibrate(count, num_classes)
    assert decode(encode(calibration), cs.Calibration, "calibration.json") == calibration
    assert (calibration.num_images, calibration.num_classes) == (count, num_classes)
    assert sum(calibration.before.by_width.num_images) == sum(calibration.after.by_mass.num_images) == count


def test_text_and_html_show_the_figures_and_the_refusals():
    calibration = calibrate()
    text = str(calibration)
    assert f"{calibration.before.brier.value:.5f}" in text
    assert "ECE, 15 bins of equal size" in text
    errors = calibration.after.risk_coverage.refusals[-1].num_errors_left
    assert text.splitlines()[-1].split()[:4] == ["10", "%", "720", str(errors)]  # 10 % of 800 images refused
    html = calibration._repr_html_()
    assert html.count("<table") == 2
    assert f">{calibration.before.brier.value:.5f}</td>" in html


@pytest.mark.parametrize(
    ("logits", "labels", "held_out", "bins", "message"),
    [
        (np.zeros((3, 2)), np.zeros(3, int), (np.zeros((3, 4)), np.zeros(3, int)), 15, "but held-out logits 4"),
        (np.zeros((1, 2)), np.zeros(1, int), (np.zeros((3, 2)), np.zeros(3, int)), 15, "logits are of 1 image"),
        (np.zeros((3, 2)), np.zeros(3, int), (np.zeros((3, 2)), np.zeros(3, int)), 0, "num_bins is 0"),
        (np.zeros((3, 2)), np.full(3, 2), (np.zeros((3, 2)), np.zeros(3, int)), 15, "labels run from 2 to 2"),
        (np.zeros((3, 2)), np.zeros(3, int), (np.zeros((0, 2)), np.zeros(0, int)), 15, "held-out logits have shape"),
        (np.full((3, 2), np.nan), np.zeros(3, int), (np.zeros((3, 2)), np.zeros(3, int)), 15, "are not finite"),
    ],
)
def test_measure_calibration_rejects_invalid_arguments(logits, labels, held_out, bins, message):
    with pytest.raises(ValueError, match=message):
        measure_calibration(logits, labels, *held_out, fitted_on="validation images", num_bins=bins)
