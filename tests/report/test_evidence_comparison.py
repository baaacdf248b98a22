"""The chart of a comparison in the page."""

from dataclasses import replace
from typing import Any

import numpy as np

from convscope.base.records import decode, encode
from convscope.evidence.comparison import GroupComparison, RunGroup, compare_groups
from convscope.evidence.comparison.records import GroupComparisonRecord
from convscope.report.evidence.comparison import comparison_chart
from convscope.report.style import svg_text


def make_group(name: str, models: int, accuracy: float, seed: int, images: int = 400, **costs: Any) -> RunGroup:
    stream = np.random.default_rng(seed)
    y_true = np.arange(images) % 10
    is_correct = stream.random((models, images)) < accuracy
    y_pred = np.where(is_correct, y_true, (y_true + 1) % 10)
    values = {"parameters": 1000, "macs": 6000, "weights_bytes": 4096, "training_seconds": 2.5, **costs}
    return RunGroup(name, tuple(range(models)), y_true, y_pred, "m", "test", **values)


def compare_models(
    models: tuple[int, int] = (5, 5), names: tuple[str, str] = ("cnn", "ann"), **costs: Any
) -> GroupComparison:
    a = make_group(names[0], models[0], 0.95, 1, **costs)
    return compare_groups(a, make_group(names[1], models[1], 0.85, 2, macs=2000, weights_bytes=8192))


def write_and_read(comparison: GroupComparison) -> GroupComparisonRecord:
    return decode(encode(comparison.to_record()), GroupComparisonRecord, "comparison.json")


def test_the_chart_has_the_verdict_as_its_title_and_every_model_in_its_numbers() -> None:
    comparison = compare_models()
    chart = comparison_chart(write_and_read(comparison))
    assert chart.title == comparison.verdict
    assert chart.numbers is not None
    names = [row[0] for row in chart.numbers.rows]
    assert names[:6] == ["cnn", *(f"cnn, seed {seed}" for seed in range(5))]
    assert [row[4] for row in chart.numbers.rows[1:6]] == [f"{errors}" for errors in comparison.a.errors]
    low, high = comparison.accuracy_difference_interval  # in the last row but one; the last is the ratio of errors
    assert chart.numbers.rows[-2][2] == f"[{100 * low:.3f}, {100 * high:.3f}]"


def test_the_drawing_shows_means_difference_and_p() -> None:
    comparison = compare_models()
    svg = svg_text(comparison_chart(write_and_read(comparison)).drawing)
    for text in (f"{100 * comparison.a.accuracy:.2f}\xa0%", f"+{100 * comparison.accuracy_difference:.2f}", "n = 5"):
        assert text in svg
    assert f"p = {comparison.p_value:.2g}" in svg


def test_the_corrected_p_value_replaces_the_single_one_in_the_figure() -> None:
    comparison = replace(compare_models(), adjusted_p_value=0.0625)
    chart = comparison_chart(write_and_read(comparison))
    assert chart.look.endswith("p has Holm’s correction.")
    assert "p = 0.062" in svg_text(chart.drawing)


def test_models_without_an_error_are_drawn() -> None:
    perfect = compare_groups(make_group("a", 3, 1.0, 1), make_group("b", 3, 1.0, 2))
    chart = comparison_chart(write_and_read(perfect))
    assert chart.title.startswith("No significant difference: accuracy of a minus accuracy of b is 0.00")
    assert chart.numbers is not None
    assert chart.numbers.rows[-1][1:3] == ["none", "[0.00, \N{INFINITY}]"]
    svg_text(chart.drawing)
