"""The points of the frontier: which there are, and what runs come to as single networks, views and ensembles."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import convscope as cs
from convscope.architecture.presets import PRESETS
from convscope.base.errors import ConvscopeError, RunError
from convscope.data.datasets import DATASETS
from convscope.evidence.comparison import weights_bytes
from convscope.experiment import RunResult, RunSpec
from convscope.experiment.frontier import Frontier, measure_point, pareto_names
from convscope.experiment.points import POINTS, Point, points_named
from convscope.experiment.published import PUBLISHED
from convscope.recipes import RECIPES
from convscope.runs.frontier import PlannedPoint, measure_frontier
from convscope.runs.listeners import SILENT
from convscope.training.views import NUM_VIEWS

from .conftest import ONE_EPOCH, specs_of, tiny

SINGLE = Point("single", "tiny", "short")


def test_every_point_names_what_there_is():
    assert len({point.name for point in POINTS}) == len(POINTS)
    for point in POINTS:
        assert point.architecture in PRESETS
        assert point.recipe in RECIPES
        assert point.views in NUM_VIEWS
        assert point.dataset in ("", *DATASETS)
        assert point.seeds >= point.members >= 1
    singles = {(point.architecture, point.recipe) for point in POINTS if point.views == point.members == 1}
    assert singles == {(point.architecture, point.recipe) for point in POINTS}  # whose training can be timed


def test_points_are_named_one_by_one_or_all_of_a_data_set(monkeypatch: pytest.MonkeyPatch):
    own = Point("clothes", "cnn", "fast", dataset="fashion-mnist")
    monkeypatch.setattr("convscope.experiment.points.POINTS", (SINGLE, own))
    assert points_named("all", "fashion-mnist") == points_named("single, clothes", "fashion-mnist") == [SINGLE, own]
    assert points_named("all", "mnist") == [SINGLE]


BAD_NAMES = {
    "sinlge": "no point of mnist is called 'sinlge'; use single or all; did you mean 'single'?",
    "clothes": "no point of mnist is called 'clothes'",
    "single,single": "contains 'single' twice",
    "": "no point of mnist is called ''",
}


@pytest.mark.parametrize("names", BAD_NAMES)
def test_a_wrong_name_is_refused(monkeypatch: pytest.MonkeyPatch, names: str):
    own = Point("clothes", "cnn", "fast", dataset="fashion-mnist")
    monkeypatch.setattr("convscope.experiment.points.POINTS", (SINGLE, own))
    with pytest.raises(ConvscopeError, match="`frontier`") as caught:
        points_named(names, "mnist")
    assert BAD_NAMES[names] in str(caught.value)


def test_published_results_state_a_cost_and_how_they_were_chosen():
    assert set(PUBLISHED) <= set(DATASETS)
    for one in (one for group in PUBLISHED.values() for one in group):
        assert 0.5 < one.accuracy < 1
        assert one.chosen
        assert one.source
        assert any((one.parameters, one.weights_bytes, one.seconds))
        assert bool(one.seconds) == bool(one.machine)


def test_a_point_of_single_networks_is_what_its_runs_say(here: tuple[Path, list[RunResult]], small_splits: cs.Splits):
    _, runs = here
    found = measure_point(SINGLE, tiny(), ONE_EPOCH, runs[::-1], small_splits.test)
    assert found is not None
    assert found.seeds == tuple(range(8))
    assert found.group.values == tuple(run.accuracy for run in runs)
    assert (found.parameters, found.weights_bytes) == (tiny().parameters, 4 * tiny().parameters)
    assert found.seconds == pytest.approx(np.mean([run.seconds for run in runs]))
    assert found.variation is not None
    assert found.variation.sd_seeds == pytest.approx(found.group.sd)


def test_views_answer_as_the_model_does_and_are_computed_once(
    here: tuple[Path, list[RunResult]], small_splits: cs.Splits, tmp_path: Path
):
    shutil.copytree(here[0], tmp_path, dirs_exist_ok=True)
    point, test, folders = (
        replace(SINGLE, views=9),
        small_splits.test,
        [tmp_path / "runs" / run.digest for run in here[1][:2]],
    )
    runs = [replace(run, kept=replace(run.kept, path=folder)) for run, folder in zip(here[1][:2], folders, strict=True)]
    found = measure_point(point, tiny(), ONE_EPOCH, runs, test)
    answers = [cs.load_model(folder).predict(test.images, views=9) for folder in folders]
    assert found is not None
    assert found.group.values == tuple((labels == test.labels).mean() for labels in answers)
    before = [(folder / "predictions-9-views.npz").stat().st_mtime_ns for folder in folders]
    again = measure_point(point, tiny(), ONE_EPOCH, runs, test)
    assert again is not None
    assert again.group == found.group
    assert [(folder / "predictions-9-views.npz").stat().st_mtime_ns for folder in folders] == before
    (folders[0] / "predictions-9-views.npz").write_bytes(b"PK")
    with pytest.raises(RunError, match=r"predictions-9-views\.npz.*delete the file"):
        measure_point(point, tiny(), ONE_EPOCH, runs, test)


def test_an_ensemble_answers_as_its_networks_joined_into_one(
    here: tuple[Path, list[RunResult]], small_splits: cs.Splits
):
    _, runs = here
    test, steps = small_splits.test, list[tuple[str, int, int]]()
    point = replace(SINGLE, members=3)
    found = measure_point(point, tiny(), ONE_EPOCH, runs, test, lambda *step: steps.append(step))
    assert found is not None
    joined = [cs.ensemble([cs.load_model(run.folder) for run in runs[start : start + 3]]) for start in (0, 3)]
    assert found.group.values == tuple((model.predict(test.images) == test.labels).mean() for model in joined)
    assert found.seeds == tuple(range(6))  # two networks are left over
    assert found.parameters == joined[0].architecture.parameters
    assert found.weights_bytes == 4 * joined[0].architecture.parameters
    assert found.seconds == pytest.approx(sum(run.seconds for run in runs[:6]) / 2)
    assert steps == [("single", 1, 2), ("single", 2, 2)]


def test_a_recipe_of_few_bits_packs_the_kernels(here: tuple[Path, list[RunResult]], small_splits: cs.Splits):
    _, runs = here
    found = measure_point(SINGLE, tiny(), replace(ONE_EPOCH, weight_bits=2), runs, small_splits.test)
    sizes = {name: int(np.prod(shape)) for name, shape in tiny().weight_shapes.items()}
    packed = sum(size / 4 for name, size in sizes.items() if name.endswith("kernel"))
    assert found is not None
    assert found.weights_bytes == packed + 4 * (4 + 10) + 4 * (4 + 10)  # steps and biases
    assert found.to_dict()["weight_bits"] == 2
    normalised = PRESETS["tiny697"]((28, 28, 1), 10)
    assert weights_bytes(normalised) == 4 * (normalised.parameters + normalised.non_trainable_parameters)


def test_a_single_ensemble_has_no_spread_and_too_few_networks_are_none(
    here: tuple[Path, list[RunResult]], small_splits: cs.Splits
):
    _, runs = here
    found = measure_point(replace(SINGLE, members=8), tiny(), ONE_EPOCH, runs, small_splits.test)
    assert found is not None
    assert (found.group.sd, found.group.interval_with_images, found.variation) == (None, None, None)
    assert measure_point(replace(SINGLE, members=9), tiny(), ONE_EPOCH, runs, small_splits.test) is None


def test_the_front_holds_what_nothing_beats():
    rows = [("a", 1, 0.9), ("b", 2, 0.9), ("c", 2, 0.95), ("d", 3, 0.94), ("e", 4, 0.97), ("f", 4, 0.97)]
    points = [{"name": name, "parameters": cost, "mean": mean} for name, cost, mean in rows]
    assert pareto_names(points[::-1], "parameters") == ("a", "c", "f", "e")
    assert pareto_names([*points, {"name": "g", "parameters": None, "mean": 1.0}], "parameters")[-1] == "f"


def test_a_frontier_is_plain_json_and_text(here: tuple[Path, list[RunResult]], small_splits: cs.Splits):
    _, runs = here
    points = [SINGLE, replace(SINGLE, name="joined", members=8)]
    measured = [measure_point(point, tiny(), ONE_EPOCH, runs, small_splits.test) for point in points]
    frontier = Frontier("mnist", len(small_splits.test), tuple(measured), ("more",), ("a machine",))
    value = json.loads(json.dumps(frontier.to_dict(), allow_nan=False))
    assert [one["name"] for one in value["points"]] == ["single", "joined"]
    assert value["points"][1]["variation"] is None
    assert [one["difference"] for one in value["points"][0]["variation"]["differences"]] == [0.001, 0.0005, 0.0002]
    assert value["pareto"]["parameters"][0] == "single"
    assert value["published"] == [one.to_dict() for one in PUBLISHED["mnist"]]
    text = str(frontier)
    assert text.startswith(f"2 points, accuracy on {len(small_splits.test)} test images of mnist")
    assert f"{measured[0].group.mean:.5f}" in text
    assert text.endswith("more")
    assert replace(frontier, dataset_name="unknown").published == ()


def test_finished_runs_belong_to_a_point_in_whatever_precision_they_were_trained(
    here: tuple[Path, list[RunResult]], small_splits: cs.Splits, monkeypatch: pytest.MonkeyPatch
):
    folder, runs = here
    rounded = replace(ONE_EPOCH, precision="bfloat16")
    for recipe, count in ((rounded, 8), (replace(rounded, epochs=2), 0)):
        monkeypatch.setitem(RECIPES, "short", recipe)
        spec = RunSpec(str(folder), tiny(), recipe, 0)
        points = [
            PlannedPoint(SINGLE, lambda seed, spec=spec: replace(spec, seed=seed), None),
            PlannedPoint(replace(SINGLE, name="asked"), lambda seed: specs_of(folder, [seed])[0], [0]),
        ]
        frontier = measure_frontier(points, runs, small_splits, SILENT)
        assert [one.group.num_runs for one in frontier.points if one.point is SINGLE] == [count] * bool(count)
