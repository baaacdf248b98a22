"""The section of the report on calibration: its diagrams, tables and findings."""

import re
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from convscope.evidence.calibration import Calibration, Estimate, measure_calibration
from convscope.report.calibration_charts import sure_text
from convscope.report.evidence import Chart, Section, Table, render_section
from convscope.report.evidence.calibration import (
    calibration_section,
    confidence_finding,
    error_finding,
    refusal_finding,
)
from convscope.report.style import svg_text


def calibrate(count: int = 400, num_classes: int = 4, scale: float = 2.0, **arguments: Any) -> Calibration:
    """Calibrate a network whose logits are `scale` times too large."""
    stream = np.random.default_rng(0)
    logits = stream.normal(size=(count + 1000, num_classes))
    labels = (logits + stream.gumbel(size=logits.shape)).argmax(axis=1)
    logits *= scale
    settings = {"fitted_on": "validation images", "dataset_name": "drawn", **arguments}
    return measure_calibration(logits[:count], labels[:count], logits[count:], labels[count:], **settings)


def calibrate_without_errors() -> Calibration:
    labels = np.arange(60) % 10
    logits = 9 * np.eye(10)[labels]
    return measure_calibration(logits, labels, logits, labels, fitted_on="validation images")


def charts(section: Section) -> list[Chart]:
    return [part for part in section.parts if isinstance(part, Chart)]


def test_the_section_has_the_diagrams_the_figures_and_the_refusals() -> None:
    value = calibrate()
    section = calibration_section(value)
    assert [chart.name for chart in charts(section)] == ["reliability", "risk-coverage"]
    by_width, refusals = (chart.numbers for chart in charts(section))
    assert by_width is not None
    assert refusals is not None
    # The bins as trained, then those after the temperature.
    images = [count for _, figures in value.sides for count in figures.by_width.num_images]
    assert [row[2] for row in by_width.rows] == [f"{count:,}" for count in images]
    assert confidence_finding(value) in charts(section)[0].look
    assert [row[0] for row in refusals.rows] == ["0\xa0%", "1\xa0%", "2\xa0%", "5\xa0%", "10\xa0%"]
    errors = [refusal.num_errors_left for refusal in value.after.risk_coverage.refusals]
    assert [row[2] for row in refusals.rows] == [f"{count} of {errors[0]}" for count in errors]


def test_the_table_holds_each_figure_twice_with_its_change() -> None:
    value = calibrate()
    table = next(part for part in calibration_section(value).parts if isinstance(part, Table))
    rows = {row[0]: row for row in table.rows}
    for title, name, factor, digits in (
        ("ECE, 15 bins of equal width, %", "ece_by_width", 100, 2),
        ("ECE, 15 bins of equal size, %", "ece_by_mass", 100, 2),
        ("Brier score, 0 to 2", "brier", 1, 4),
        ("Negative log-likelihood, nats", "negative_log_likelihood", 1, 4),
        ("AURC × 1000", "aurc", 1000, 3),
    ):
        # A row has the title, then before, after and change, each followed by its interval.
        written = [float(cell.replace("\N{MINUS SIGN}", "-")) for cell in rows[title][1::2]]
        values = [getattr(part, name).value for part in (value.before, value.after, value.changes)]
        assert written == pytest.approx([factor * value for value in values], abs=0.51 * 10**-digits)
    assert {len(row) for row in table.rows} == {len(table.header)}
    assert "1,000 validation images" in table.title


@pytest.mark.slow
def test_the_titles_state_the_effect_of_the_temperature() -> None:
    value = calibrate(3000)
    assert re.fullmatch(
        r"Temperature (1\.9|2\.)\d+ lowers the calibration error from 1\d\.\d\d\s% to \d\.\d\d\s%, "
        "no more than expected by chance",
        error_finding(value),
    )
    assert "As trained, the network is overconfident" in confidence_finding(value)
    error = f"calibration error in bins of equal size is {100 * value.before.ece_by_mass.value:.2f}"
    assert error in confidence_finding(value)
    assert "As trained, the network is underconfident" in confidence_finding(calibrate(3000, scale=0.4))
    calibrated = calibrate(3000, scale=1)
    assert "not change the calibration error significantly" in error_finding(calibrated)
    assert "confidence does not differ significantly from accuracy" in confidence_finding(calibrated)
    chance = calibrated.before.chance_by_mass
    ends = rf"{100 * chance.mean:.2f}\s% \[{100 * chance.low:.2f}\s%, {100 * chance.limit:.2f}\s%\]"
    assert re.search(f"a calibrated network would show {ends}$", confidence_finding(calibrated))
    by_mass = replace(calibrated.before.by_mass, ece=chance.limit + 0.001)
    in_bins = replace(calibrated, before=replace(calibrated.before, by_mass=by_mass))
    assert "does not match accuracy in all bins" in confidence_finding(in_bins)
    raised = replace(value.changes, ece_by_width=Estimate(value=0.1, interval=(0.05, 0.15)))
    worse = replace(value, changes=raised)
    assert "raises the calibration error" in error_finding(worse)


def test_the_title_names_the_first_refusal_that_halves_the_errors() -> None:
    value = calibrate()

    def with_errors(*errors_left: int) -> Calibration:  # after refusing 0, 1, 2, 5 and 10 % of the images
        curve = value.after.risk_coverage
        refusals = [
            replace(refusal, num_errors_left=errors, num_left=1000)
            for refusal, errors in zip(curve.refusals, errors_left, strict=True)
        ]
        return replace(value, after=replace(value.after, risk_coverage=replace(curve, refusals=tuple(refusals))))

    assert refusal_finding(with_errors(97, 56, 36, 13, 6)).endswith("the least confident 2\xa0% leaves 36 of 97 errors")
    assert refusal_finding(with_errors(400, 398, 390, 380, 350)).endswith("leaves 350 of 400 errors")
    assert refusal_finding(with_errors(0, 0, 0, 0, 0)) == "No errors on 1,000 images"


def test_the_section_states_what_the_images_leave_open() -> None:
    value = calibrate_without_errors()
    table = next(part for part in calibration_section(value).parts if isinstance(part, Table))
    assert "these images do not determine it" in table.look
    assert "With only 0 errors, these bootstrap intervals" in table.look
    assert error_finding(value).startswith("Temperature 0.05 is the limit of its range")
    look = next(part for part in calibration_section(calibrate()).parts if isinstance(part, Table)).look
    assert "do not determine it" not in look
    assert "too narrow" not in look


@pytest.mark.slow
@pytest.mark.parametrize(("count", "num_classes", "bins"), [(2, 2, 15), (50, 10, 15), (300, 200, 15), (500, 3, 200)])
def test_any_number_of_images_classes_and_bins_can_be_drawn(count: int, num_classes: int, bins: int) -> None:
    section = calibration_section(calibrate(count, num_classes, num_bins=bins))
    html = render_section(section)
    assert html.count("<svg") == 2
    assert "nan" not in html.lower()
    if bins == 15:
        assert all(len(svg_text(chart.drawing)) < 40_000 for chart in charts(section))


@pytest.mark.parametrize(
    ("confidence", "text"),
    [
        (1.0, "100 %"), (0.99999999, "> 99.9999 %"), (0.999987, "99.999 %"), (0.9912, "99.1 %"), (0.5, "50.0 %"),
        (0.0, "0.0 %"),
    ],
)  # fmt: skip
def test_a_confidence_has_enough_digits_to_differ_from_1(confidence: float, text: str) -> None:
    assert sure_text(confidence).replace("\xa0", " ") == text
