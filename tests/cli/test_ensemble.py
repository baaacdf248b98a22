"""`convscope ensemble` through its entry point: runs joined into a run that every command reads."""

import json
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from tests.shared import bare_reports

import convscope as cs
from convscope.base.metrics import log_softmax

from .conftest import invoke, succeed

pytestmark = [pytest.mark.usefixtures("empty_reports"), pytest.mark.slow]


@pytest.fixture(scope="module")
def ensemble(shared_run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """The folder of an ensemble of a run and its dense baseline, and what `--json` printed."""
    out = tmp_path_factory.mktemp("ensembles") / "run"
    with bare_reports():
        completed = invoke("ensemble", shared_run, shared_run / "baseline", "--out", out, "--json")
    assert completed.exit_code == 0, completed.output
    assert completed.stderr == ""
    return out, json.loads(completed.stdout)


def test_the_probabilities_are_the_mean_of_the_members(ensemble: tuple[Path, dict], shared_run: Path):
    out, printed = ensemble
    joint, *members = ({**np.load(run / "predictions.npz")} for run in (out, shared_run, shared_run / "baseline"))
    expected = np.mean([member["y_prob"] for member in members], axis=0)
    np.testing.assert_allclose(joint["y_prob"], expected, atol=1e-6)
    assert printed["evaluation"]["accuracy"] == np.mean(expected.argmax(axis=1) == joint["y_true"])
    members_correct = np.mean([member["y_pred"] == member["y_true"] for member in members], axis=0)
    comparison = printed["against_members"]
    assert comparison["b"]["accuracy"] == pytest.approx(members_correct.mean())
    gains = (joint["y_pred"] == joint["y_true"]) - members_correct
    # The t-test adds a gain and a loss whose squares are a half each, so that equal networks have a variance, too.
    gains = np.append(gains, [0.5**0.5, -(0.5**0.5)])
    assert comparison["p_value"] == pytest.approx(stats.ttest_1samp(gains, 0).pvalue)
    assert "seed" not in comparison["verdict"] + comparison["sentence"]
    assert [member["run"] for member in printed["members"]] == [str(shared_run), str(shared_run / "baseline")]


def test_the_ensemble_is_a_run_that_other_commands_read(ensemble: tuple[Path, dict], shared_run: Path, tmp_path: Path):
    out, printed = ensemble
    measured = succeed("evaluate", out, "--json")
    assert measured["accuracy"] == printed["evaluation"]["accuracy"]
    compared = succeed("compare", out, shared_run, "--json")
    assert [group["name"] for group in compared["groups"]] == ["ensemble", "cnn"]
    seconds = [member["seconds"] for member in json.loads((out / "run.json").read_text())["members"]]
    assert compared["groups"][0]["training_seconds"] == pytest.approx(sum(seconds))
    copy = shutil.copytree(out, tmp_path / "run")
    assert succeed("export", copy, "--format", "c", "--json")["exports"][0]["num_changed"] == 0
    report = (out / "report.html").read_text(encoding="utf-8")
    assert "The ensemble answers with the mean of their probabilities" in report
    assert "baseline (ann, seed 3)" in report


def test_the_seeds_of_an_experiment_become_members(small_folder: Path, tmp_path: Path):
    arguments = ("--dataset", small_folder, "--architecture", "ann", "--seeds", 3, "--epochs", 1)
    for recipe in ("fast", "classic"):
        succeed("experiment", *arguments, "--recipe", recipe, "--out", tmp_path / "seeds")
    choice = ("ensemble", tmp_path / "seeds", "--out", tmp_path / "run", "--json", "--group")
    assert 'its groups are "ann, fast", "ann, classic"' in invoke(*choice, "ann").stderr
    members = succeed(*choice, "ann, fast")["members"]
    assert [member["seed"] for member in members] == [0, 1, 2]
    images = cs.open_run(tmp_path / "run").splits.test.images
    expected = np.mean([cs.load_model(member["run"]).probabilities(images) for member in members], axis=0)
    np.testing.assert_allclose(cs.load_model(tmp_path / "run").probabilities(images), expected, atol=1e-6)


def test_the_temperature_is_fitted_to_the_averaged_probabilities(ensemble: tuple[Path, dict], tmp_path: Path):
    copy = shutil.copytree(ensemble[0], tmp_path / "run")
    succeed("report", copy, "calibration", "--json")
    model, splits = cs.load_model(copy), cs.open_run(copy).splits
    members = json.loads((copy / "run.json").read_text())["members"]
    recipes = [cs.Recipe.from_dict(member["recipe"]) for member in members]
    fits = [
        cs.crossfit(network, splits.train, recipe, seed=3, folds_seed=3)  # 3 is the seed of both members
        for network, recipe in zip((cs.presets.cnn, cs.presets.ann), recipes, strict=True)
    ]
    probabilities = np.mean([np.exp(log_softmax(fit.logits)) for fit in fits], axis=0)
    expected = cs.fit_temperature(np.log(probabilities), splits.train.labels)
    assert model.calibration["temperature"] == pytest.approx(expected, rel=1e-4)


def test_the_recorded_command_repeats_the_run(ensemble: tuple[Path, dict], tmp_path: Path):
    out, _ = ensemble
    words = shlex.split(json.loads((out / "run.json").read_text())["command"])
    succeed(*words[1:], "--out", tmp_path / "again")
    assert cs.load_model(tmp_path / "again").weights_sha256 == cs.load_model(out).weights_sha256


def test_impossible_ensembles_print_one_line(ensemble: tuple[Path, dict], shared_run: Path, tmp_path: Path):
    out, _ = ensemble
    other_data = shutil.copytree(shared_run / "baseline", tmp_path / "other")
    record = json.loads((other_data / "run.json").read_text())
    record["dataset"]["train"]["sha256"] = "0" * 64
    (other_data / "run.json").write_text(json.dumps(record))
    imported = shutil.copytree(out, tmp_path / "imported")
    record = json.loads((imported / "run.json").read_text())
    record["members"][1]["is_from_random_weights"] = False
    (imported / "run.json").write_text(json.dumps(record))
    for words, message in (
        (("ensemble", shared_run), "is the only run; an ensemble needs at least two"),
        (("ensemble", shared_run, shared_run), "has the same weights as"),
        (("ensemble", shared_run, out), "is an ensemble itself; name its members instead"),
        (("ensemble", shared_run, other_data), f"{other_data}: has other train images than {shared_run}"),
        (("ensemble", shared_run, tmp_path / "none"), "no such folder"),
        (("report", imported, "calibration"), "a member was imported, or trained on from another network"),
        (("train", "--resume", out), "is an ensemble; train one of its members on"),
    ):
        completed = invoke(*words)
        assert completed.exit_code == 1, words
        assert message in " ".join(completed.output.split())
        assert completed.output.count("Error: ") == 1
