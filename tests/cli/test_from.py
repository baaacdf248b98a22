"""Runs that start from the model of another, through their entry point."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import convscope as cs
from convscope.checkpoint import load_model, open_run

from .conftest import invoke


@pytest.fixture(scope="module")
def source(small_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("source") / "run"
    assert invoke("train", "--dataset", small_folder, "--epochs", 12, "--out", out).exit_code == 0
    return out


@pytest.fixture(scope="module")
def fewer_classes(small_mnist: cs.Splits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of 3, 5 and 8 alone, as classes 0, 1 and 2."""
    arrays = {}
    for split, part in (("train", small_mnist.train), ("test", small_mnist.test)):
        chosen = np.isin(part.labels, (3, 5, 8))
        arrays |= {
            f"x_{split}": part.images[chosen],
            f"y_{split}": np.searchsorted((3, 5, 8), part.labels[chosen]).astype(np.uint8),
        }
    path = tmp_path_factory.mktemp("fewer") / "three.npz"
    np.savez(path, **arrays)
    return path


def history_of(run: Path):
    return [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]


def test_a_run_goes_on_from_the_model_of_another(source: Path, small_folder: Path, tmp_path: Path):
    out = tmp_path / "on"
    done = invoke("train", "--dataset", small_folder, "--from", source, "--epochs", 1, "--out", out)
    assert done.exit_code == 0, done.output
    assert history_of(out)[0]["loss"] < history_of(source)[3]["loss"]
    record = open_run(out).record
    assert record["from"] == {
        "argument": str(source),
        "weights_sha256": load_model(source).weights_sha256,
        "kept_classes": list("0123456789"),
        "new_classes": [],
        "new_output": False,
    }
    assert record["command"].endswith(f"--from {source}")
    assert load_model(out).provenance["from"] == load_model(source).weights_sha256
    assert load_model(out / "checkpoints" / "epoch-0000.safetensors").weights_sha256 == record["from"]["weights_sha256"]


def test_classes_may_change(source: Path, fewer_classes: Path, tmp_path: Path):
    out = tmp_path / "three"
    done = invoke(
        "run",
        *("--dataset", fewer_classes, "--from", source, "--new-output"),
        *("--epochs", 4, "--seeds", 2, "--out", out, "--json"),
    )
    assert done.exit_code == 0, done.output
    model = load_model(out)
    assert model.class_names == ("0", "1", "2")
    seeds = json.loads(done.stdout)["seeds"]["runs"]
    runs = [run for run in seeds if run["architecture"] == "cnn"]
    assert len({run["weights_sha256"] for run in runs}) == len(runs) == 2
    scratch = invoke("train", "--dataset", fewer_classes, "--epochs", 4, "--out", tmp_path / "scratch")
    assert scratch.exit_code == 0
    assert history_of(out)[-1]["loss"] < history_of(tmp_path / "scratch")[-1]["loss"]
    for folder in (out / "seeds" / "runs").iterdir():
        seed_run = open_run(folder)
        if seed_run.architecture.name == "cnn":
            assert history_of(folder)[-1]["loss"] < history_of(tmp_path / "scratch")[-1]["loss"]


def test_a_run_stopped_before_its_first_epoch_still_starts_from_the_model(
    source: Path, small_folder: Path, tmp_path: Path
):
    out = tmp_path / "stopped"
    arguments = ("train", "--dataset", small_folder, "--from", source, "--epochs", 1, "--out", out)
    assert invoke(*arguments).exit_code == 0
    expected = load_model(out).weights_sha256
    for path in (out / "checkpoints").iterdir():
        path.unlink()
    assert invoke("train", "--resume", out).exit_code == 0
    assert load_model(out).weights_sha256 == expected


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--from", "nowhere"), 1, "nowhere/model.safetensors: not found|nowhere: not found"),
        (("--from", "SOURCE", "--architecture", "ann"), 2, "--from takes the architecture of the run"),
        (("--new-output",), 2, "--new-output says what to take from a run; give one with --from"),
        (("--from", "SOURCE", "--dataset", "LARGER"), 1, r"--from .*: images of \(32, 32, 1\) need dense/kernel"),
    ],
)
def test_what_cannot_be_started_from_is_one_line_and_leaves_no_folder(
    source: Path, small_folder: Path, small_mnist: cs.Splits, tmp_path: Path, arguments, code, message
):
    larger = tmp_path / "larger.npz"
    images = np.pad(small_mnist.train.images[:50], ((0, 0), (2, 2), (2, 2), (0, 0)))
    labels = small_mnist.train.labels[:50]
    np.savez(larger, x_train=images, y_train=labels, x_test=images, y_test=labels)
    places = {"SOURCE": str(source), "LARGER": str(larger)}
    words = [places.get(word, word) for word in arguments]
    if "--dataset" not in words:
        words += ["--dataset", str(small_folder)]
    done = invoke("train", *words, "--out", tmp_path / "out")
    assert done.exit_code == code
    assert len([line for line in done.output.splitlines() if line.startswith("Error: ")]) == 1
    assert re.search(message, done.output), done.output
    assert not (tmp_path / "out").exists()
