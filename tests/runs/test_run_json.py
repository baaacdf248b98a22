"""That the command in `run.json` makes the run again, and that --resume goes on with no other."""

import json
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.shared import bare_reports, invoke

import convscope as cs
from convscope.engine.processor import instruction_sets
from convscope.experiment import RunSpec
from convscope.runs.run_json import job_record, run_record
from convscope.storage import load_model, open_run

pytestmark = pytest.mark.usefixtures("bare_reports")

CNN, CLASSIC = cs.presets.cnn(), cs.recipes.classic
COMMANDS = {
    "presets": (CNN, CLASSIC, "--architecture cnn --recipe classic --seed"),
    "other precision": (
        CNN,
        replace(CLASSIC, precision="bfloat16"),
        "--architecture cnn --recipe classic --precision bfloat16 --seed",
    ),
    "other epochs": (CNN, replace(CLASSIC, epochs=3), "--architecture cnn --recipe classic --epochs 3 --seed"),
    "early stopping": (
        CNN, replace(CLASSIC, validation_fraction=0.1, early_stopping=cs.EarlyStopping(patience=3)),
        "--architecture cnn --recipe classic --validation-fraction 0.1 --patience 3 --seed",
    ),
    "early stopping that no option asks for": (
        CNN, replace(CLASSIC, validation_fraction=0.1, early_stopping=cs.EarlyStopping(min_delta=0.1)),
        "--architecture cnn --recipe /place/run.json --seed",
    ),
    "classes that count alike": (
        CNN, replace(CLASSIC, class_weights="balanced"),
        "--architecture cnn --recipe classic --class-weights balanced --seed",
    ),
    "a network that only bears the name": (
        replace(CNN, layers=CNN.layers[-3:]), CLASSIC, "--architecture /place/run.json --recipe classic --seed",
    ),
    "another batch size and learning rate": (
        CNN, replace(CLASSIC, batch_size=64, optimizer=cs.Adam(0.01)),
        "--architecture cnn --recipe classic --batch-size 64 --lr 0.01 --seed",
    ),
    "a recipe that only bears the name": (
        CNN, replace(CLASSIC, label_smoothing=0.1), "--architecture cnn --recipe /place/run.json --seed",
    ),
    "both from files": (
        replace(CNN, name="mine"), replace(CLASSIC, name="mine"),
        "--architecture /place/run.json --recipe /place/run.json --seed",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", COMMANDS)
def test_the_recorded_command_makes_this_run_and_no_other(small_mnist: cs.Splits, case: str):
    architecture, recipe, expected = COMMANDS[case]
    if not instruction_sets(recipe.precision):
        pytest.skip(f"the processor has no instructions for {recipe.precision}")
    record = run_record(RunSpec("mnist", architecture, recipe, seed=2), small_mnist, threads=1)
    command = job_record(Path("/place"), record, None)["command"]
    assert command == f"convscope train --dataset mnist {expected} 2 --engine native"


@pytest.fixture(scope="module")
def few(small_mnist: cs.Splits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 images without a test split."""
    path = tmp_path_factory.mktemp("few") / "few.npz"
    np.savez(path, images=small_mnist.train.images[:300], labels=small_mnist.train.labels[:300])
    return path


@pytest.fixture(scope="module")
def begun(few: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of `convscope run` with options of its job, a network and a recipe from files."""
    folder = tmp_path_factory.mktemp("begun")
    network = replace(cs.presets.ann(num_classes=10), name="mine")
    (folder / "network.json").write_text(json.dumps(network.to_dict()))
    (folder / "recipe.json").write_text(json.dumps(cs.Recipe(epochs=2, batch_size=50, name="mine").to_dict()))
    with bare_reports():
        done = invoke(
            "run",
            *("--dataset", few, "--test-fraction", 1 / 3, "--split-seed", 4, "--validation-fraction", 0.2),
            *("--architecture", folder / "network.json", "--recipe", folder / "recipe.json"),
            *("--seed", 7, "--seeds", 1, "--no-baseline", "--index", 3, "--out", folder / "run"),
        )
    assert done.exit_code == 0, done.output
    return folder / "run"


def make_again(run: Path, out: Path) -> None:
    """Run the command that `run` records, and hold the result against `run`."""
    words = shlex.split(open_run(run).record["command"])
    assert words[0] == "convscope"
    done = invoke(*words[1:], "--out", out)
    assert done.exit_code == 0, done.output
    assert load_model(out).weights_sha256 == load_model(run).weights_sha256
    first, second = ({**open_run(place).record} for place in (run, out))
    for record in (first, second):
        record["command"] = record["command"].replace(str(out), str(run))  # where its own network lies
    assert first == second


@pytest.mark.slow
def test_the_recorded_command_makes_the_run_again(begun: Path, tmp_path: Path):
    assert "--seeds 1" in open_run(begun).record["command"]
    make_again(begun, tmp_path / "again")
    assert not (tmp_path / "again" / "baseline").exists()
    explanations = [json.loads((run / "explanation.json").read_text()) for run in (begun, tmp_path / "again")]
    assert [one["index"] for one in explanations] == [3, 3]


def test_the_recorded_command_of_a_run_that_starts_from_another_makes_it_again(few: Path, begun: Path, tmp_path: Path):
    out = tmp_path / "on"
    cut = ("--test-fraction", 1 / 3, "--split-seed", 4)
    done = invoke("train", "--dataset", few, *cut, "--from", begun, "--new-output", "--epochs", 1, "--out", out)
    assert done.exit_code == 0, done.output
    make_again(out, tmp_path / "again")


@pytest.mark.slow
def test_a_resumed_run_has_the_options_that_it_was_begun_with(begun: Path):
    command = open_run(begun).record["command"]
    (begun / "DONE").unlink()
    done = invoke("run", "--resume", begun)
    assert done.exit_code == 0, done.output
    assert not (begun / "baseline").exists()
    assert not (begun / "seeds").exists()
    assert json.loads((begun / "explanation.json").read_text())["index"] == 3
    assert open_run(begun).record["command"] == command


OTHER_RUNS = {
    "--epochs": "50", "--recipe": "accurate", "--architecture": "cnn", "--dataset": "mnist", "--out": "z",
    "--seed": "8", "--test-fraction": "0.5", "--split-seed": "5", "--image-size": "14x14", "--patience": "3",
    "--validation-fraction": "0.3", "--class-weights": "balanced", "--precision": "bfloat16", "--from": "elsewhere",
    "--engine": "reference", "--new-output": None, "--lr": "0.5", "--batch-size": "7", "--skip-damaged": None,
}  # fmt: skip


def test_an_option_that_asks_for_another_run_is_an_error_on_resume(begun: Path, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = (begun / "run.json").read_bytes()
    for option, value in OTHER_RUNS.items():
        done = invoke("train", "--resume", begun, option, *([] if value is None else [value]))
        assert done.exit_code == 1, option
        assert done.output.startswith(f"Error: {option}"), done.output
        assert f"the run in {begun} was started with" in done.output
        assert f"remove {option}, or start a new run without --resume" in done.output
    assert (begun / "run.json").read_bytes() == before
    assert not (tmp_path / "z").exists()


@pytest.mark.slow
def test_options_that_a_run_was_begun_with_are_welcome_on_resume(begun: Path):
    words = shlex.split(open_run(begun).record["command"])[2:]
    done = invoke("run", "--resume", begun, *words, "--epochs", 2, "--threads", 1, "--out", begun)
    assert done.exit_code == 0, done.output
    assert open_run(begun).record["threads"] == 1
