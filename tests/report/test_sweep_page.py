"""The page of a sweep: its sentences about the best trial, and a panel for each varied field."""

import re
from itertools import pairwise
from typing import Any

import pytest

from convscope.evidence.calibration import Estimate
from convscope.experiment import DivergedRun
from convscope.experiment.sweep import Trial
from convscope.experiment.sweep.records import FreshRuns, SweepRecord
from convscope.report.sweep_charts import draw_sweep
from convscope.report.sweep_page import render_sweep


def make_trial(number: int, choice: float | None, **values: Any) -> Trial:
    """Make a trial; `choice` is its accuracy on the choosing images, None if it diverged."""
    rest = {"num_images": 500, "choice": choice, "seconds": 1.5, "parameters": 1234}
    return Trial(number=number, values=values, **rest, num_diverged=int(choice is None))


def make_fresh_runs(accuracy: float) -> FreshRuns:
    return FreshRuns(seeds=(1, 2), accuracies=(accuracy,) * 2, accuracy=accuracy, interval=(0.97, 0.99))


def make_sweep(*trials: Trial, dataset: str = "digits", p_value: float = 0.03) -> SweepRecord:
    names = {"architecture": "cnn", "recipe": "fast", "seed": 0, "reason": "training diverged in epoch 3"}
    return SweepRecord(
        format=1, version="0.1.0", dataset=dataset, num_choice=50, num_check=60, chance=0.1,
        best=make_fresh_runs(0.9812),
        default=make_fresh_runs(0.9712) if len(trials) > 1 else None,
        difference=Estimate(value=0.01, interval=(0.001, 0.019)) if len(trials) > 1 else None,
        p_value=p_value if len(trials) > 1 else None,
        contenders=(4, 1), conclusion="What further seeds show.", architecture={}, recipe={},
        trials=trials,
        diverged=tuple(DivergedRun(name=f"trial {trial.number}", **names) for trial in trials if trial.choice is None),
    )  # fmt: skip


def extract_text(page: str) -> str:
    return " ".join(re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL).split())


def test_the_page_says_how_good_the_winner_is_and_how_it_was_chosen():
    trials = (
        make_trial(4, 0.99, filters=16), make_trial(1, 0.97, filters=8), make_trial(2, 0.9, filters=8),
        make_trial(5, 0.1, filters=7), make_trial(3, None, filters=9),
    )  # fmt: skip
    page = render_sweep(make_sweep(*trials, dataset="<u>"), "convscope sweep", "convscope experiment")
    text = extract_text(page)
    assert "The best of 5 trials is better than the default on held-out images that did not choose it" in text
    assert "Trained on 500 training images and chosen by 50 others." in text
    assert "those of other seeds on 60 more" in text
    assert "filters 16 accuracy 98.12 % [97.00, 99.00] default 97.12 % [97.00, 99.00]" in text
    assert "What further seeds show." in text
    assert "9 diverged 1,234 1.50" in text
    assert "7 10.00 % (no better than chance)" in text
    assert "1 run whose training diverged" in text
    assert "cnn, trial 3 fast 0 training diverged in epoch 3" in text
    assert "&lt;u&gt;" in page
    assert "<u>" not in page


def test_a_lead_that_is_not_significant_is_not_called_better():
    trials = make_trial(4, 0.99, filters=16), make_trial(1, 0.97, filters=8)
    assert "The best of 2 trials is not shown to be better than the default" in extract_text(
        render_sweep(make_sweep(*trials, p_value=0.06))
    )


def test_a_single_trial_is_compared_with_nothing():
    text = extract_text(render_sweep(make_sweep(make_trial(0, 1.0, filters=16))))
    assert "The only trial reaches 98.12 %" in text
    assert "Pale ones" not in text
    assert "default" not in text
    assert "To measure it" not in text


FIELDS = {
    "numbers": (("0.001", "0.01"), [0.001 * 1.6**number for number in range(10)]),
    "even numbers": (("4", "8"), list(range(4, 14))),
    "few numbers": (("8", "16", "32"), [8, 16, 32] * 4),
    "few long numbers": (("0.001", "0.01"), [0.00071234, 0.0012345, 0.0056789, 0.02345678] * 3),
    "words": (("relu", "silu"), ["relu", "silu"] * 5),
    "words and nothing": (("true", "none"), [True, None] * 5),
    "one value": (("3",), [3] * 10),
}


@pytest.mark.parametrize("name", FIELDS)
def test_an_axis_suits_the_values_of_its_field(name: str):
    ticks, values = FIELDS[name]
    trials = [make_trial(n, 0.9 + n / 1000, field=value, other=1) for n, value in enumerate(values)]
    drawing = draw_sweep(trials, 100)
    axes, _ = drawing.axes
    drawing.canvas.draw()
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert set(ticks) <= set(labels)
    boxes = [label.get_window_extent() for label in axes.get_xticklabels() if label.get_text()]
    assert not any(left.x1 > right.x0 for left, right in pairwise(boxes))
    assert axes.get_xlabel() == "field"
    low, high = axes.get_xlim()
    dots = [x for line in axes.lines for x in line.get_xdata()]
    assert len(dots) == len(values)
    assert all(low < dot < high for dot in dots)


def test_each_field_has_a_panel_and_a_trial_that_diverged_no_dot():
    trials = [make_trial(n, choice, a=n, b=n + 1, c="xyz"[n]) for n, choice in enumerate((1.0, 0.5, None))]
    panels = draw_sweep(trials, 100).axes
    assert [axes.get_xlabel() for axes in panels] == ["a", "b", "c"]
    assert [sum(len(line.get_xdata()) for line in axes.lines) for axes in panels] == [2, 2, 2]
    assert panels[0].lines[-1].get_ydata()[0] == 0.005  # the best one: no error, drawn as half of one in 100


def test_of_very_many_trials_the_best_thousand_are_drawn():
    trials = [make_trial(number, 0.9 - number / 10**6, rate=0.001 + number) for number in range(20_000)]
    [axes] = draw_sweep(trials, 5000).axes
    assert sum(len(line.get_xdata()) for line in axes.lines) == 1000
    page = render_sweep(make_sweep(*trials))
    assert len(page) < 1_000_000
    assert "Of 20,000 trials the best 1,000 are drawn" in extract_text(page)
