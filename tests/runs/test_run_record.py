"""The command in `run.json` repeats the run, and --resume continues with the original settings."""

import json
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.shared import empty_reports, invoke, succeed

import convscope as cs
from convscope.storage import load_model, open_run

pytestmark = pytest.mark.usefixtures("empty_reports")


@pytest.fixture(scope="module")
def few(small_mnist: cs.Splits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """300 images without a test split."""
    path = tmp_path_factory.mktemp("few") / "few.npz"
    np.savez(path, images=small_mnist.train.images[:300], labels=small_mnist.train.labels[:300])
    return path


@pytest.fixture(scope="module")
def finished_run(few: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of `convscope run` with many options, and with its network and recipe from files."""
    folder = tmp_path_factory.mktemp("finished")
    network = replace(cs.presets.ann(num_classes=10), name="mine")
    (folder / "network.json").write_text(json.dumps(network.to_dict()))
    (folder / "recipe.json").write_text(json.dumps(cs.Recipe(epochs=2, batch_size=50, name="mine").to_dict()))
    with empty_reports():
        completed = invoke(
            "run",
            *("--dataset", few, "--test-fraction", 1 / 3, "--validation-fraction", 0.2),
            *("--architecture", folder / "network.json", "--recipe", folder / "recipe.json"),
            *("--seed", 7, "--seeds", 1, "--no-baseline", "--out", folder / "run"),
        )
    assert completed.exit_code == 0, completed.output
    return folder / "run"


def assert_command_repeats(run: Path, out: Path) -> None:
    """Execute the command that `run` records, and compare the result with `run`."""
    words = shlex.split(open_run(run).record.command)
    assert words[0] == "convscope"
    succeed(*words[1:], "--out", out)
    assert load_model(out).weights_sha256 == load_model(run).weights_sha256
    assert open_run(run).record == open_run(out).record


@pytest.mark.slow
def test_the_recorded_command_repeats_the_run(finished_run: Path, tmp_path: Path):
    assert "--seeds 1" in open_run(finished_run).record.command
    assert_command_repeats(finished_run, tmp_path / "again")
    assert not (tmp_path / "again" / "baseline").exists()


def test_the_recorded_command_of_a_run_that_starts_from_another_repeats_it(
    few: Path, finished_run: Path, tmp_path: Path
):
    out, split = tmp_path / "started", ("--test-fraction", 1 / 3)
    succeed("train", "--dataset", few, *split, "--from", finished_run, "--new-output", "--epochs", 1, "--out", out)
    assert_command_repeats(out, tmp_path / "again")


@pytest.mark.slow
def test_a_resumed_run_keeps_its_original_options(finished_run: Path):
    command = open_run(finished_run).record.command
    (finished_run / "DONE").unlink()
    succeed("run", "--resume", finished_run)
    assert not (finished_run / "baseline").exists()
    assert not (finished_run / "seeds").exists()
    assert open_run(finished_run).record.command == command


OTHER_SETTINGS = {
    "--epochs": "50", "--recipe": "accurate", "--architecture": "cnn", "--dataset": "mnist", "--out": "z",
    "--seed": "8", "--test-fraction": "0.5", "--image-size": "14x14", "--patience": "3",
    "--validation-fraction": "0.3", "--class-weights": "balanced", "--from": "elsewhere",
    "--engine": "reference", "--new-output": None, "--lr": "0.5", "--batch-size": "7", "--skip-damaged": None,
    "--width": "2",
}  # fmt: skip


def test_other_settings_for_a_resumed_run_are_refused(finished_run: Path, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = (finished_run / "run.json").read_bytes()
    for option, value in OTHER_SETTINGS.items():
        completed = invoke("train", "--resume", finished_run, option, *([] if value is None else [value]))
        assert completed.exit_code == 2, option
        assert completed.output.endswith(f"Error: {option}: a resumed run keeps its settings; remove {option}\n")
    assert (finished_run / "run.json").read_bytes() == before
    assert not (tmp_path / "z").exists()
