"""The points of the frontier, accuracy against cost: their names, and how networks, views and ensembles count."""

from dataclasses import replace
from itertools import chain
from pathlib import Path

import answers
import numpy as np
import pytest
from frontier.measure import find_pareto_names, measure_point
from frontier.points import POINTS, Point, find_points
from frontier.published import PUBLISHED

import convscope as cs
from convscope.architecture.presets import PRESETS
from convscope.data.datasets import DATASETS
from convscope.recipes import RECIPES

SINGLE = Point("single", "ann", "fast")


def test_every_point_names_existing_networks_and_files():
    assert len({point.name for point in POINTS}) == len(POINTS)
    for point in POINTS:
        assert point.architecture in PRESETS
        assert point.recipe in RECIPES
        assert point.views in (1, 5, 9)
        assert point.dataset in ("", *DATASETS)
        assert point.seeds >= point.members >= 1
    singles = {(point.architecture, point.recipe) for point in POINTS if point.views == point.members == 1}
    assert singles == {(point.architecture, point.recipe) for point in POINTS}  # the training of each can be timed


def test_points_are_named_one_by_one_or_all_of_a_data_set(monkeypatch: pytest.MonkeyPatch):
    own = Point("clothes", "cnn", "fast", dataset="fashion-mnist")
    monkeypatch.setattr("frontier.points.POINTS", (SINGLE, own))
    assert find_points("all", "fashion-mnist") == find_points("single, clothes", "fashion-mnist") == [SINGLE, own]
    assert find_points("all", "mnist") == [SINGLE]
    for names, message in (
        ("sinlge", "use single or all"),
        ("clothes", "no point of mnist"),
        ("single,single", "twice"),
    ):
        with pytest.raises(ValueError, match=message):
            find_points(names, "mnist")


def test_published_results_state_a_cost_and_how_they_were_chosen():
    assert set(PUBLISHED) <= set(DATASETS)
    for result in chain(*PUBLISHED.values()):
        assert 0.5 < result.accuracy < 1
        assert result.chosen
        assert result.source
        assert any((result.parameters, result.weights_bytes, result.seconds))
        assert bool(result.seconds) == bool(result.machine)


@pytest.mark.slow
def test_points_of_the_frontier_share_networks(small_mnist: cs.Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("answers.FOLDER", tmp_path / "answers")
    data, seeds = small_mnist, list(range(4))

    def measure(point: Point) -> dict:
        return measure_point(point, data, seeds, tmp_path, executor=None, threads=1)

    single = measure(SINGLE)
    runs = cs.run_experiment(["ann"], data, ["fast"], seeds, dataset=data.name, folder=tmp_path).runs
    models = [cs.load_model(run.folder) for run in runs]
    assert single["mean"] == pytest.approx(np.mean([run.accuracy for run in runs]))
    assert single["parameters"] == models[0].architecture.parameters
    assert single["first"] == {"seed": 0, "weights_sha256": models[0].weights_sha256}
    assert single["interval"][0] < single["mean"] < single["interval"][1]
    assert single["variation"]["sd_seeds"] == pytest.approx(single["sd"])
    published, wrong = answers.load(single["answers"])
    assert published.tolist() == seeds
    assert wrong.sum(axis=1).tolist() == [round((1 - run.accuracy) * len(data.test)) for run in runs]
    views = measure(replace(SINGLE, views=9))
    expected = [(model.predict(data.test.images, views=9) == data.test.labels).mean() for model in models]
    assert views["mean"] == pytest.approx(np.mean(expected))
    pairs = measure(replace(SINGLE, members=2))
    ensembles = [cs.ensemble(models[start : start + 2]) for start in (0, 2)]  # the four seeds make two pairs
    expected = [(model.predict(data.test.images) == data.test.labels).mean() for model in ensembles]
    assert (pairs["minimum"], pairs["maximum"]) == pytest.approx((min(expected), max(expected)))
    assert pairs["parameters"] == ensembles[0].architecture.parameters
    assert pairs["seconds"] == pytest.approx(sum(run.seconds for run in runs) / 2)
    all_four = measure(replace(SINGLE, members=4))  # one ensemble has no spread
    assert [all_four[name] for name in ("sd", "interval", "interval_with_images", "variation")] == [None] * 4
    longer = measure(replace(SINGLE, epochs=2))
    assert (longer["epochs"], longer["first"] == single["first"]) == (2, False)
    with pytest.raises(ValueError, match="needs as many seeds"):
        measure(replace(SINGLE, members=5))


def test_the_front_holds_points_that_no_point_dominates():
    rows = [("a", 1, 0.9), ("b", 2, 0.9), ("c", 2, 0.95), ("d", 3, 0.94), ("e", 4, 0.97), ("f", 4, 0.97)]
    points = [{"name": name, "parameters": cost, "mean": mean} for name, cost, mean in rows]
    assert find_pareto_names(points[::-1], "parameters") == ("a", "c", "f", "e")
    assert find_pareto_names([*points, {"name": "g", "parameters": None, "mean": 1.0}], "parameters")[-1] == "f"
