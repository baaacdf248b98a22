"""`convscope plan` writes how many seeds to train and when to look at them; `experiment --plan` follows it."""

import json
from pathlib import Path

import numpy as np
import pytest

import convscope as cs
from convscope.architecture import presets
from convscope.base.errors import ConvscopeError, RunError
from convscope.runs import experiments
from convscope.storage import StoredRuns
from convscope.storage.run_notes import RunNotes

from .conftest import invoke, run_fails, succeed


@pytest.fixture(scope="module")
def pilot(small_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An experiment with three seeds of two networks that differ a lot, and a plan of two looks."""
    folder = tmp_path_factory.mktemp("pilot")
    recipe = folder / "short.json"
    recipe.write_text(json.dumps({"name": "short", "epochs": 1, "batch_size": 50}))
    networks = ("--architecture", "ann", "--architecture", "lenet5", "--recipe", recipe)
    succeed("experiment", "--dataset", small_folder, *networks, "--seeds", "3", "--out", folder / "pilot")
    arguments = ("--difference", "40", "--looks", "2", "--out", folder / "plan.json")
    printed = succeed("plan", folder / "pilot", *arguments)
    assert f"convscope experiment --dataset {small_folder} --plan {folder / 'plan.json'} --out runs/planned" in printed
    return folder


def follow_plan(pilot: Path, data: Path, out: Path, *options: object):
    return invoke("experiment", "--dataset", data, "--plan", pilot / "plan.json", "--out", out, *options)


def read_looks(folder: Path):
    return succeed("compare", folder, "--json")["looks"]


@pytest.mark.slow
def test_an_experiment_follows_its_plan_look_by_look(pilot: Path, small_folder: Path, tmp_path: Path):
    plan = json.loads((pilot / "plan.json").read_text())
    for look in (1, 2, 2):  # the third command finds both looks finished
        completed = follow_plan(pilot, small_folder, tmp_path / "out")
        assert completed.exit_code == 0, completed.output
        count = look * plan["seeds"] // 2
        text = " ".join(completed.output.split())
        assert f"was followed: look {look} of 2, with {count} of {plan['seeds']} seeds of each network" in text
        seeds = sorted(run["seed"] for run in json.loads((tmp_path / "out" / "experiment.json").read_text())["runs"])
        assert seeds == sorted([*range(3, 3 + count)] * 2)  # of both networks; the pilot had the seeds 0 to 2
    value = succeed("compare", tmp_path / "out", "--json")
    level = 0.0294  # Pocock's level of each of two looks that together are wrong in 5 %
    assert (value["looks"]["is_followed"], value["looks"]["look"], value["looks"]["level"]) == (True, 2, level)
    comparison = value["comparisons"][0]
    assert comparison["margin"] == plan["margin"]
    assert comparison["adjusted_p_value"] == pytest.approx(min(comparison["p_value"] * 0.05 / level, 1))


@pytest.mark.slow
def test_a_plan_that_is_not_followed_is_named(pilot: Path, small_folder: Path, tmp_path: Path):
    out = tmp_path / "out"
    assert follow_plan(pilot, small_folder, out).exit_code == 0
    recipe = ("--recipe", pilot / "short.json", "--seeds", "90-90")
    succeed("experiment", "--dataset", small_folder, "--architecture", "ann", *recipe, "--out", out)
    looks = read_looks(out)
    assert (looks["is_followed"], looks["level"]) == (False, 0.05)
    assert "was not followed: ann also has seed 90" in looks["sentence"]
    (out / "plan.json").write_text((out / "plan.json").read_text().replace('"difference": 0.4', '"difference": 0.5'))
    assert "is not the plan with which this experiment began" in run_fails("compare", out)


@pytest.mark.slow
def test_looks_at_fewer_seeds_are_named(pilot: Path, small_folder: Path, tmp_path: Path):
    recipe = ("--recipe", pilot / "short.json", "--architecture", "ann", "--architecture", "lenet5")
    for seeds in ("2", "3"):
        invoke("experiment", "--dataset", small_folder, *recipe, "--seeds", seeds, "--out", tmp_path / "out")
    looks = read_looks(tmp_path / "out")
    assert (looks["plan"], looks["is_followed"], looks["look"]) == (None, None, 2)
    assert "Results were shown before with fewer seeds (ann: 2; lenet5: 2)." in looks["sentence"]
    assert read_looks(tmp_path / "out") == looks  # the same runs again are no further look
    assert read_looks(pilot / "pilot") is None


@pytest.mark.slow
@pytest.mark.parametrize(("seconds", "seeds"), [(0, 2), (1e6, 5)], ids=["fewest seeds", "most seeds"])
def test_two_architectures_are_planned_from_a_pilot(
    small_mnist: cs.Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, seeds: int
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(experiments, "PILOT_SECONDS", seconds)
    network = {**presets.tiny697((28, 28, 1), 10).to_dict(), "name": "mine"}
    Path("mine.json").write_text(json.dumps(network))
    train, test = small_mnist.train.take(range(200)), small_mnist.test
    np.savez("few.npz", x_train=train.images, y_train=train.labels, x_test=test.images, y_test=test.labels)
    for _ in range(2):  # the second time the pilot is there already
        printed = succeed("plan", "ann", "mine.json", "--dataset", "few.npz", "--difference", "40", "--json")
        assert printed["pilot_seeds"] == [seeds, seeds]
    assert "--dataset is for two architectures" in invoke("plan", "runs", "--dataset", "few.npz").stderr


@pytest.mark.slow
def test_a_plan_refuses_invalid_arguments(pilot: Path, small_folder: Path, tmp_path: Path):
    for completed, message in [
        (
            follow_plan(pilot, small_folder, pilot / "pilot"),
            "the runs here began without a plan; choose another folder",
        ),
        (follow_plan(pilot, small_folder, tmp_path / "a", "--recipe", "fast"), "--recipe does not go with --plan"),
        (follow_plan(pilot, small_folder, tmp_path / "b", "--seeds", "3"), "--seeds does not go with --plan"),
        (follow_plan(pilot, small_folder, tmp_path / "b", "--epochs", "3"), "--epochs does not go with --plan"),
        (follow_plan(pilot, Path("mnist"), tmp_path / "c"), "is a plan for other images than those of"),
    ]:
        assert completed.exit_code in (1, 2)
        assert message in completed.stderr
    too_small = invoke("plan", pilot / "pilot", "--difference", "0.01", "--out", tmp_path / "plan.json")
    assert "no number of seeds up to 1,000 suffices" in too_small.stderr
    assert not (tmp_path / "plan.json").exists()
    stored = StoredRuns(tmp_path / "d")
    stored.notes.follow_plan("0" * 64)
    with pytest.raises(RunError, match="follow another plan"):
        stored.notes.follow_plan("1" * 64)


@pytest.mark.slow
def test_a_look_in_a_read_only_folder_is_judged_but_not_counted(
    pilot: Path, small_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(_: RunNotes):
        raise ConvscopeError("runs.db: cannot be opened")

    assert follow_plan(pilot, small_folder, tmp_path / "out").exit_code == 0
    monkeypatch.setattr(RunNotes, "add_look", refuse)
    text = " ".join(succeed("compare", tmp_path / "out").split())
    assert "Left out: this look is not counted: runs.db: cannot be opened" in text
    assert "was followed: look 1 of 2" in text


@pytest.mark.slow
def test_the_same_network_in_two_folders_is_compared(pilot: Path, small_folder: Path, tmp_path: Path):
    options = ("--dataset", small_folder, "--architecture", "ann", "--recipe", pilot / "short.json")
    for seeds in ("0-1", "5-6"):
        invoke("experiment", *options, "--seeds", seeds, "--out", tmp_path / seeds)
    value = succeed("compare", tmp_path / "0-1", tmp_path / "5-6", "--json")
    assert [group["seeds"] for group in value["groups"]] == [[0, 1], [5, 6]]
    assert value["looks"] is None


@pytest.mark.parametrize("seeds", [3, 5, 1004])
def test_a_plan_whose_seeds_do_not_fall_into_equal_steps_is_refused(pilot: Path, small_folder: Path, seeds: int):
    plan = json.loads((pilot / "plan.json").read_text())
    (pilot / "changed.json").write_text(json.dumps({**plan, "seeds": seeds}))
    words = ("experiment", "--dataset", small_folder, "--plan", pilot / "changed.json", "--out", pilot / "none")
    error = run_fails(*words)
    assert "changed.json: " in error
    assert "seeds" in error
