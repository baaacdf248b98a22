"""The section and the page of an experiment, for one and many groups, one run and hundreds, and hostile names."""

import re
from functools import cache
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from msgspec.structs import replace

from convscope.base.figure_style import FigureStyle
from convscope.base.records import decode, encode
from convscope.experiment import Experiment, RunResult
from convscope.experiment.records import ExperimentRecord
from convscope.report.document import STILL_POLICY
from convscope.report.evidence import Chart, Table
from convscope.report.evidence.seeds import experiment_section, seeds_finding
from convscope.report.experiment_page import render_experiment
from convscope.report.style import figure_bytes, svg_text
from convscope.training import History

from .test_render import Page

HOSTILE = '</style><script>alert(1)</script>"\x1b[31m$x$ 名前'


def make_experiment(
    groups: list[tuple[str, str]], seeds: int, epochs: list[int], split: Any = "test"
) -> ExperimentRecord:
    """Make an experiment with made-up accuracies: each group is 0.3 points worse than the one before."""
    random, runs = np.random.default_rng(1), []
    for number, (architecture, recipe) in enumerate(groups):
        for seed in range(seeds):
            # From 96 % in the first epoch towards 99 %, with some noise.
            curve = 0.99 - 0.003 * number - 0.03 * np.exp(-0.8 * np.arange(epochs[number]))
            values = tuple((curve + 0.0007 * random.standard_normal(len(curve))).round(4).tolist())
            ones = tuple(1.0 for _ in values)
            history = History(ones, values, ones, values, ones, split)
            # All labels are 0, so a prediction of 1 is an error.
            y_pred = random.permutation(np.arange(10_000) < round(10_000 * (1 - values[-1]))).astype(np.uint16)
            costs = {"parameters": 1000 + number, "macs": 2000, "weights_bytes": 4000, "num_images": 60_000}
            run = {"digest": f"{number:08}{seed:08}", "architecture": architecture, "recipe": recipe, "seed": seed}
            results = {"accuracy": values[-1], "loss": 0.03, "seconds": 0.5, "history": history, "y_pred": y_pred}
            runs.append(RunResult(**run, **results, **costs, weights_sha256="a" * 64))
    return Experiment("mnist", np.zeros(10_000, np.uint8), 60_000, tuple(runs)).to_record()


# Groups as (architecture, recipe), seeds of each, epochs of each, and the split if it is not the test images.
CASES: dict[str, tuple[Any, ...]] = {
    "one group": ([("cnn", "classic")], 30, [10]),
    "one run": ([("cnn", "classic")], 1, [1]),
    "two": ([("cnn", "classic"), ("ann", "fast")], 5, [10, 1]),
    "equal": ([("cnn", "classic"), ("ann", "classic")], 1, [1, 1]),
    "many": ([(f"network number {n}", r) for n in range(5) for r in ("classic", "fast")], 8, [3, 1] * 5),
    "hundreds": ([("cnn", "classic"), ("ann", "classic")], 200, [120, 100]),
    "hostile": ([(HOSTILE, "a"), (HOSTILE, "b"), ("x" * 300, "c")], 3, [2, 2, 2], "validation"),
}


@cache
def make_case(name: str) -> ExperimentRecord:
    return make_experiment(*CASES[name])


def charts(value: ExperimentRecord) -> list[Chart]:
    return [part for part in experiment_section(value).parts if isinstance(part, Chart)]


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_every_experiment_has_a_section_whose_charts_are_small(case: str):
    section = experiment_section(decode(encode(make_case(case)), ExperimentRecord, "experiment.json"))
    assert isinstance(section.parts[1], Table)
    for chart in charts(make_case(case)):
        # The largest, of "hundreds", has 25,000 characters, since its 400 dots are two paths.
        assert len(svg_text(chart.drawing)) < 30_000, chart.name
        assert figure_bytes(chart.drawing, FigureStyle())[:4] == b"\x89PNG"


def read_dots(axes: Axes) -> list[np.ndarray]:
    """Read the dots of each group, (runs, 2): the accuracy, and the height to which dots are stacked.

    A group's dots are one line of short strokes, each with an end to the left and to the right of its dot and a gap:

        x   left   right   NaN   left   right   NaN   ...

    The only other lines are the bands of the intervals. They are pale: they have an alpha.
    """
    lines = [np.stack(line.get_data(), axis=1) for line in axes.lines if line.get_alpha() is None]  # (3 runs, 2)
    return [line.reshape(-1, 3, 2)[:, :2].mean(axis=1) for line in lines]  # the middle of the two ends


def test_the_strips_show_every_run_at_its_accuracy():
    value = make_case("two")
    axes = charts(value)[0].drawing.axes[0]
    for dots, architecture in zip(read_dots(axes), ("cnn", "ann"), strict=True):
        accuracies = [run.accuracy for run in value.runs if run.architecture == architecture]
        assert sorted(dots[:, 0]) == pytest.approx(sorted(accuracies))
        assert len(np.unique(dots, axis=0)) == 5  # runs of a group: none hides another


def test_the_band_of_a_strip_is_the_interval_and_the_mark_the_mean():
    value = make_case("two")
    axes = charts(value)[0].drawing.axes[0]
    bands = [tuple(line.get_xdata()) for line in axes.lines if line.get_alpha() is not None]
    assert bands == [group.interval_with_images for group in value.table]
    # A mark is a collection of one vertical line, whose ends (x, y) have the same x.
    marks = [collection.get_segments()[0][0][0] for collection in axes.collections]
    assert marks == [group.mean for group in value.table]


FINDINGS = {
    "one group": r"cnn reaches \d\d\.\d\d.% on average over 30 seeds, from .* to .*",
    "one run": r"One run of cnn reaches .*; other seeds may differ",
    "two": r"cnn has the highest mean, .*, significantly higher than ann \(p = .*\)",
    "equal": r"cnn has the highest mean, .*, but does not differ significantly from ann \(p = .*\)",
    "many": r"network number 0 with classic has the highest mean, .*, significantly higher than the second best, .* "
    r"\(p = .*\)",
}


@pytest.mark.parametrize("case", FINDINGS)
def test_the_title_follows_from_the_numbers(case: str):
    assert re.fullmatch(FINDINGS[case], seeds_finding(make_case(case)))


def test_the_title_of_two_single_runs_says_nothing_of_other_seeds():
    value = make_case("equal")
    value = replace(value, lead=replace(value.lead, p_value=0.01, is_distinguishable=True))
    assert seeds_finding(value).endswith("from ann (p = 0.01), but a single run does not cover other seeds")


def test_the_title_goes_by_the_corrected_test_and_says_when_means_are_equal():
    value = make_case("two")
    lead = replace(value.lead, p_value=0.01, adjusted_p_value=0.3, is_distinguishable=False)
    value = replace(value, lead=lead)
    assert seeds_finding(value).endswith("but does not differ significantly from ann (p = 0.3)")
    first, second = value.table
    value = replace(value, table=(first, replace(second, mean=first.mean)))
    assert seeds_finding(value).startswith("cnn and ann have the same mean")


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_the_page_is_one_file_without_requests_and_scripts(case: str):
    page = Page(render_experiment(make_case(case), f"convscope experiment --dataset '{HOSTILE}'"))
    assert STILL_POLICY in page.values("content")
    links = page.values("href") + page.values("xlink:href") + page.values("src")
    assert all(link.startswith(("#", "data:")) for link in links)
    assert not {"script", "iframe", "object", "form"} & set(page.tags)
    assert len(page.values("id")) == len(set(page.values("id")))
    assert "\x1b" not in page.text


def test_the_page_holds_every_single_value_and_follows_the_theme():
    value = make_case("two")
    text = render_experiment(value)
    for run in value.runs:
        assert f"{100 * run.accuracy:.2f}" in text
    svgs = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(svgs) == 1
    assert all("var(--accent)" in svg and not re.search(r"#[0-9a-f]{6}\b", svg) for svg in svgs)
