"""Training that gives a number that is not finite: one line that says what is kept, and an experiment goes on."""

import json
from pathlib import Path

import numpy as np
import pytest

from .conftest import assert_one_error, invoke


@pytest.fixture
def diverging(tmp_path: Path) -> tuple[Path, Path]:
    """Data and an architecture with which the loss stays finite, and the `val_loss` does not."""
    random = np.random.default_rng(0)
    labels = np.arange(60, dtype=np.uint8) % 3
    np.savez(
        tmp_path / "data.npz",
        x_train=np.zeros((60, 4, 4), np.uint8),
        y_train=labels,
        x_test=random.integers(200, 256, (60, 4, 4), np.uint8),
        y_test=labels,
    )
    layers = [{"kind": "Flatten", "name": "flatten"}, {"kind": "Dense", "name": "dense", "units": 3}]
    network = {"name": "huge", "input": {"height": 4, "width": 4, "scale": 1e37}, "layers": layers}
    (tmp_path / "huge.json").write_text(json.dumps(network))
    return tmp_path / "data.npz", tmp_path / "huge.json"


def test_a_val_loss_of_nan_is_one_error_that_says_what_is_kept(diverging: tuple[Path, Path], tmp_path: Path):
    data, network = diverging
    out = tmp_path / "run"
    words = ("training diverged in epoch 1 (val_loss nan); lower the learning rate", "the untrained weights are kept")
    assert_one_error(invoke("train", "--dataset", data, "--architecture", network, "--out", out, "--json"), *words)
    assert (out / "checkpoints" / "epoch-0000.safetensors").exists()
    assert_one_error(invoke("train", "--resume", out, "--json"), str(out), *words)
    assert not (out / "DONE").exists()


def test_an_experiment_goes_on_without_the_run_that_diverges(diverging: tuple[Path, Path], tmp_path: Path):
    data, network = diverging
    out = tmp_path / "out"
    words = ("experiment", "--dataset", data, "--architecture", network, "--architecture", "ann", "--seeds", 2)
    done = invoke(*words, "--epochs", 1, "--out", out)
    assert done.exit_code == 0, done.output
    assert "huge, classic, seed 0: training diverged in epoch 1 (val_loss nan)" in done.stdout
    assert "0 (2 diverged)" in (out / "table.txt").read_text()
    kept = json.loads((out / "experiment.json").read_text())
    assert [(run["architecture"], run["seed"]) for run in kept["runs"]] == [("ann", 0), ("ann", 1)]
    assert [(run["architecture"], run["seed"]) for run in kept["diverged"]] == [("huge", 0), ("huge", 1)]
    assert "2 runs whose training diverged" in (out / "experiment.html").read_text()


def test_an_experiment_whose_runs_all_diverge_is_one_error(diverging: tuple[Path, Path], tmp_path: Path):
    data, network = diverging
    done = invoke(
        "experiment", "--dataset", data, "--architecture", network, "--seeds", 2, "--json", "--out", tmp_path / "out"
    )
    assert_one_error(done, "huge, classic, seed 0: training diverged", "all other runs")
