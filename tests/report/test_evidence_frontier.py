"""The sections and charts of the frontier: marks where the numbers are, names that can be read, and what is said."""

import json
from typing import Any

import numpy as np
import pytest

import convscope as cs
from convscope.experiment import RunResult
from convscope.experiment.frontier import COSTS, Frontier, measure_point
from convscope.experiment.points import Point
from convscope.report.evidence import Chart, Section, Table
from convscope.report.evidence.frontier import frontier_finding, frontier_sections
from convscope.report.experiment_page import render_experiment
from convscope.report.frontier_charts import draw_frontier
from convscope.report.style import svg_text
from convscope.training import History

from .test_evidence_experiment import CASES, Page

IMAGES = 2000
NAMES = ("smallest", "small", "middle", "middle with a longer name than fits", "large", "slow", "poor", "</script>")


def make(names: tuple[str, ...] = NAMES, runs: int = 5, dataset: str = "mnist") -> dict[str, Any]:
    """A frontier of made-up runs, each point larger and better than the one before but the last two, as plain JSON."""
    random, test, measured = np.random.default_rng(0), _test(), []
    for number, name in enumerate(names):
        network = cs.presets.ann() if number > 5 else cs.presets.cnn((28, 28, 1), 10)
        rate = 0.05 if number > 5 else 0.04 / 2**number
        results = []
        for seed in range(runs):
            y_pred = np.where(random.random(IMAGES) < rate * random.uniform(0.9, 1.1), 1, 0).astype(np.uint16)
            results.append(
                RunResult(
                    f"{number}{seed}", name, "r", seed, 0.5, 0.1, 2.0**number, History(), "a" * 64, 1, 1, 4, 9, y_pred
                )
            )
        found = measure_point(Point(name, "cnn", "fast"), network, cs.recipes.fast, results, test)
        assert found is not None
        measured.append(found)
    value = Frontier(dataset, IMAGES, tuple(measured), (), ("a processor, 1 thread per run",)).to_dict()
    for number, one in enumerate(value["points"]):  # networks of one preset: let each have its own size
        one["parameters"], one["weights_bytes"] = 700 * 3**number, 2800 * 3**number
    names_by_cost = [one["name"] for one in value["points"][:6]]
    return json.loads(json.dumps(value | {"pareto": dict.fromkeys(COSTS, names_by_cost)}, allow_nan=False))


def _test() -> cs.Dataset:
    images = np.zeros((IMAGES, 28, 28, 1), np.uint8)
    return cs.Dataset(images, np.zeros(IMAGES, np.uint8), tuple("0123456789"), "mnist", "test")


VALUE = make()


def charts(value: dict[str, Any]) -> list[Chart]:
    return [part for part in frontier_sections(value)[0].parts if isinstance(part, Chart)]


def tables(section: Section) -> list[Table]:
    return [part for part in section.parts if isinstance(part, Table)]


@pytest.mark.parametrize("cost", COSTS)
def test_every_mark_stands_at_its_cost_and_its_errors(cost: str):
    axes = charts(VALUE)[COSTS.index(cost)].drawing.axes[0]
    assert (axes.get_xscale(), axes.get_yscale(), axes.yaxis_inverted()) == ("log", "log", True)
    marks = [line for line in axes.lines if line.get_marker() == "o"]
    filled = [(*line.get_xdata(), *line.get_ydata()) for line in marks if line.get_fillstyle() == "full"]
    hollow = [(*line.get_xdata(), *line.get_ydata()) for line in marks if line.get_fillstyle() == "none"]
    published = [(one[cost], 1 - one["accuracy"]) for one in VALUE["published"] if one[cost]]
    assert np.array(filled) == pytest.approx(np.array([(one[cost], 1 - one["mean"]) for one in VALUE["points"]]))
    assert np.array(hollow) == pytest.approx(np.array(published))


def test_bars_are_the_two_intervals_and_the_line_joins_the_front():
    axes = charts(VALUE)[0].drawing.axes[0]
    joined, *bars = (line for line in axes.lines if line.get_marker() != "o")
    assert list(joined.get_xdata()) == [one["parameters"] for one in VALUE["points"][:6]]
    for thin, thick, one in zip(bars[::2], bars[1::2], VALUE["points"], strict=True):
        for line, name in ((thin, "interval_with_images"), (thick, "interval")):
            drawn = 1 - np.asarray(line.get_ydata())
            assert drawn == pytest.approx(np.minimum(one[name], 1 - 0.5 / IMAGES))  # half an image


@pytest.mark.parametrize("cost", COSTS)
def test_no_name_lies_on_another_or_outside(cost: str):
    axes = charts(VALUE)[COSTS.index(cost)].drawing.axes[0]
    figure = axes.figure
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in axes.texts]
    hollow = sum(one[cost] is not None for one in VALUE["published"])
    assert len(boxes) == len(NAMES) + hollow
    for number, box in enumerate(boxes):
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.x1
        assert not any(box.overlaps(other) for other in boxes[number + 1 :])


def test_the_accuracies_beside_the_axis_are_round_and_far_enough_apart():
    axes = charts(VALUE)[0].drawing.axes[0]
    axes.figure.draw_without_rendering()
    labels = [text.get_text() for text in axes.get_yticklabels()]
    assert {"99 %", "99.9 %"} <= set(labels)
    assert len(labels) >= 4
    assert all(len(label) <= 7 for label in labels)


def test_a_point_without_interval_or_without_an_error_is_drawn_all_the_same():
    one = {"name": "a", "parameters": 9, "mean": 1.0, "interval": None, "interval_with_images": None}
    axes = draw_frontier([one], [], ["a"], "parameters", 100).axes[0]
    assert list(axes.lines[-1].get_ydata()) == [0.005]  # half an image
    assert "a" in svg_text(axes.figure)


def test_the_finding_names_the_ends_of_the_front():
    first, last = VALUE["points"][0], VALUE["points"][5]
    said = frontier_finding(VALUE).replace("\N{NO-BREAK SPACE}", " ")
    assert said == (
        f"smallest reaches {100 * first['mean']:.2f} % with 700 parameters, slow {100 * last['mean']:.2f} % with "
        "170,100 parameters"
    )
    alone = make(("only",))
    alone["pareto"] = {cost: ["only"] for cost in COSTS}
    assert frontier_finding(alone, "seconds").endswith("in 1\N{NO-BREAK SPACE}s")


def test_the_tables_name_every_point_and_how_each_published_result_was_chosen():
    points, published = tables(frontier_sections(VALUE)[0])
    assert [row[0] for row in points.rows] == list(NAMES)
    assert points.rows[6][2] == "none"
    assert points.rows[0][2] == "parameters, training, bytes"
    assert [row[1] for row in published.rows] == [one["chosen"] for one in VALUE["published"]]
    assert [row[0][0] for row in published.rows] == list("abcdefghij"[: len(published.rows)])
    assert len(tables(frontier_sections(make(dataset="kmnist"))[0])) == 1


def test_chance_is_said_in_words_and_is_left_out_for_single_runs():
    section = frontier_sections(VALUE)[1]
    found = VALUE["points"][5]["variation"]
    same, other = (found["differences"][1][f"chance_{name}_images"] for name in ("same", "other"))
    assert f"lie 0.05 points or more apart in {100 * same:.0f} % of cases on the same test images" in section.shows
    assert f"and in {100 * other:.0f} % of cases if each has 2,000 test images of its own" in section.shows
    assert f"takes {found['differences'][1]['runs_needed']} runs of each" in section.shows
    assert section.does_not_show.endswith("to within about 35 %, from 5 runs.")
    (table,) = tables(section)
    assert [row[-1] for row in table.rows] == [
        f"{one['variation']['differences'][2]['runs_needed']:,}" for one in VALUE["points"]
    ]
    assert len(frontier_sections(make(("once",), runs=1))) == 1


@pytest.mark.slow
def test_the_page_of_an_experiment_shows_the_frontier_first():
    text = render_experiment(CASES["two"] | {"frontier": VALUE}, "convscope experiment --frontier all")
    page = Page(text)
    assert page.requests == []
    assert "script" not in page.tags
    assert len(page.ids) == len(set(page.ids))
    assert [name for name in ("frontier", "chance", "seeds") if name in page.ids] == ["frontier", "chance", "seeds"]
    assert text.index('id="frontier"') < text.index('id="chance"') < text.index('id="seeds"')
