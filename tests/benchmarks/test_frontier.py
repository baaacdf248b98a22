"""The points of the frontier, accuracy against cost: their names, and how networks, views and ensembles count."""

import json
from dataclasses import replace
from itertools import chain
from pathlib import Path

import answers
import frontier.headers as headers
import numpy as np
import pytest
from frontier.boards import Board, find_best
from frontier.measure import find_pareto_names, measure_point
from frontier.points import OWN, Point, find_network, find_points, find_recipe, read_entry, read_points
from frontier.published import PUBLISHED

import convscope as cs
from convscope.architecture.presets import PRESETS
from convscope.data.datasets import DATASETS
from convscope.recipes import RECIPES

SINGLE = Point("single", "ann", "fast")


def test_every_point_names_existing_networks_and_files():
    points = read_points()
    names = {point.name for point in points}
    assert len(names) == len(points)
    for point in points:
        assert (point.architecture in PRESETS and point.recipe in RECIPES) or point.by
        assert find_network(point.architecture).parameters
        assert point.views in (1, 5, 9)
        assert point.dataset in ("", *DATASETS)
        assert point.seeds >= point.members >= 1
        assert point.beside in {"", *names}
    singles = {(point.architecture, point.recipe) for point in OWN if point.views == point.members == 1}
    assert singles == {(point.architecture, point.recipe) for point in OWN}  # the training of each can be timed


@pytest.fixture
def entry() -> dict:
    """A valid entry."""
    network = cs.presets.ann((28, 28, 1), 10)
    origin = {"name": "theirs", "by": "somebody", "source": "a link", "chosen": "on held-out images"}
    return {**origin, "architecture": network.to_dict(), "recipe": {"epochs": 1}, "seeds": 3}


def test_an_entry_states_its_network_and_recipe_and_its_seeds_follow(
    entry: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("frontier.points.ENTRIES", tmp_path)

    def read(changes: dict) -> Point:
        path = tmp_path / "theirs.json"
        path.write_text(json.dumps(entry | changes), encoding="utf-8")
        return read_entry(path)

    point = read({})
    assert (point.architecture, point.recipe, point.seeds) == ("theirs", "theirs", 3)
    assert (find_network("theirs").parameters, find_network("theirs").name) == (118_282, "theirs")
    assert (find_recipe("theirs").epochs, find_recipe("theirs").name) == (1, "theirs")
    assert point.first_seed >= 1000
    assert read({"by": "somebody else"}).first_seed == point.first_seed
    assert read({"recipe": {"epochs": 2}}).first_seed != point.first_seed


def test_networks_trained_elsewhere_are_measured_from_their_files(
    small_mnist: cs.Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("answers.FOLDER", tmp_path / "answers")
    models = [cs.train(cs.presets.ann, small_mnist, cs.Recipe(epochs=1), seed=seed)[0] for seed in (0, 1)]
    files = [str(tmp_path / f"{number}.safetensors") for number in (0, 1)]
    for model, file in zip(models, files, strict=True):
        cs.export_model(model, Path(file), "safetensors")
    path = tmp_path / "theirs.json"
    origin = {"name": "theirs", "by": "somebody", "source": "a link", "chosen": "by nothing"}
    path.write_text(json.dumps({**origin, "files": files}), encoding="utf-8")
    row = measure_point(read_entry(path), small_mnist, [], tmp_path, executor=None)
    correct = [(model.predict(small_mnist.test.images) == small_mnist.test.labels).mean() for model in models]
    assert (row["num_runs"], row["mean"]) == (2, pytest.approx(np.mean(correct)))
    assert (row["seconds"], row["parameters"], row["weights_bytes"]) == (None, 118_282, 4 * 118_282)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "ours"}, "it must be 'theirs', as the file"),
        ({"recipe": {"epochs": 0}}, "epochs"),
        ({"recipe": {"validation_fraction": 0.1, "early_stopping": {"patience": 1}}}, "early_stopping chooses"),
        ({"architecture": []}, "architecture"),
        ({"first_seed": 7}, "first_seed is unknown"),
        ({"files": "model.pt2"}, "files is 'model.pt2'; it must be a list of paths"),
        ({"seeds": True}, "seeds is True; it must be a number from 1"),
        ({"views": 3}, "views is 3; it must be 1, 5 or 9"),
        ({"dataset": "cifar10"}, "dataset is 'cifar10'"),
        ({"by": ""}, "by is ''; it must be a text"),
        ({"members": 4}, "an ensemble of 4 needs as many"),
    ],
)
def test_an_invalid_entry_is_refused_by_its_file_and_field(entry: dict, tmp_path: Path, changes: dict, message: str):
    path = tmp_path / "theirs.json"
    if "files" in changes:
        del entry["architecture"], entry["recipe"], entry["seeds"]
    path.write_text(json.dumps(entry | changes), encoding="utf-8")
    with pytest.raises(ValueError, match=message) as raised:
        read_entry(path)
    assert str(path) in str(raised.value)
    del entry["by"]
    path.write_text(json.dumps(entry), encoding="utf-8")
    with pytest.raises(ValueError, match="by is missing"):
        read_entry(path)


def test_the_leaderboard_has_the_best_network_within_each_limit():
    def row(name: str, parameters: int, mean: float, seconds: float | None, runs: int = 5, members: int = 1) -> dict:
        costs = {"parameters": parameters, "seconds": seconds}
        return {"name": name, **costs, "mean": mean, "num_runs": runs, "members": members, "views": 1}

    measured = [
        row("a", 697, 0.98, 5),
        row("b", 600, 0.97, 1),
        row("c", 500, 0.99, None, runs=1, members=2),
        row("lucky", 400, 1.0, 1, runs=4),
    ]
    assert find_best(Board("", "frontier", "parameters", 697), measured)["name"] == "a"
    assert find_best(Board("", "frontier", "parameters", 650), measured)["name"] == "b"
    assert find_best(Board("", "frontier", "seconds", 4), measured)["name"] == "b"
    assert find_best(Board("", "frontier", "parameters", 697, is_single=False), measured)["name"] == "c"
    assert find_best(Board("", "frontier", "parameters", 10), measured) is None


def test_points_are_named_one_by_one_or_all_of_a_data_set(monkeypatch: pytest.MonkeyPatch):
    own = Point("clothes", "cnn", "fast", dataset="fashion-mnist")
    monkeypatch.setattr("frontier.points.read_points", lambda: (SINGLE, own))
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


def test_the_c_of_a_point_is_described_by_its_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("answers.FOLDER", tmp_path)
    seed_of_none_here = {"seed": 9, "wrong": [0], "bytes": 990}
    runs = [{"seed": 5, "wrong": [5], "bytes": 910}, seed_of_none_here, {"seed": 4, "wrong": [3, 5], "bytes": 900}]
    row = headers.describe(SINGLE, [4, 5], {"runs": runs, "num_images": 10})
    assert (row["mean"], row["weights_bytes"], row["num_runs"]) == (pytest.approx(0.85), 910, 2)
    seeds, wrong = answers.load(row["answers"])
    assert (seeds.tolist(), np.argwhere(wrong).tolist()) == ([4, 5], [[0, 3], [0, 5], [1, 5]])
    assert not headers.is_of_few_bits(SINGLE)
    assert headers.is_of_few_bits(Point("micro11k", "micro11k", "micro11k"))


def test_the_front_holds_points_that_no_point_dominates():
    rows = [("a", 1, 0.9), ("b", 2, 0.9), ("c", 2, 0.95), ("d", 3, 0.94), ("e", 4, 0.97), ("f", 4, 0.97)]
    points = [{"name": name, "parameters": cost, "mean": mean} for name, cost, mean in rows]
    assert find_pareto_names(points[::-1], "parameters") == ("a", "c", "f", "e")
    assert find_pareto_names([*points, {"name": "g", "parameters": None, "mean": 1.0}], "parameters")[-1] == "f"
