"""Warnings about too few steps and a class without images, and how to go on after Ctrl-C."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import convscope as cs
from convscope.storage import save_model

from .conftest import invoke, succeed

pytestmark = pytest.mark.usefixtures("empty_reports")


def write_npz(path: Path, train: cs.Dataset, test: cs.Dataset) -> Path:
    np.savez(path, x_train=train.images, y_train=train.labels, x_test=test.images, y_test=test.labels)
    return path


def select_classes(dataset: cs.Dataset, *labels: int) -> cs.Dataset:
    return dataset.take(np.flatnonzero(np.isin(dataset.labels, labels)))


@pytest.mark.slow
def test_a_training_of_few_steps_recommends_a_number_of_epochs(small_folder: Path, tmp_path: Path):
    few = ("train", "--dataset", small_folder, "--architecture", "ann")
    completed = invoke(*few, "--epochs", 1, "--out", tmp_path / "run")
    assert completed.exit_code == 0, completed.output
    assert "Warning: training has only 8 steps" in completed.stderr  # 1,000 / 128, rounded up
    # 25 epochs of 8 steps are the 200 that are recommended.
    assert "(1 epoch of 1,000 images in batches of 128); try --epochs 25" in completed.stderr
    completed = invoke(*few, "--epochs", 1, "--validation-fraction", 0.5, "--out", tmp_path / "half", "--json")
    warnings = json.loads(completed.stdout)["warnings"]
    assert [warning.partition(",")[0] for warning in warnings] == ["training has only 4 steps"]
    printed = succeed(*few, "--epochs", 7, "--out", tmp_path / "more", "--json")
    assert printed["warnings"] == []  # 56 steps; it warns below 50


@pytest.mark.slow
@pytest.mark.usefixtures("drawn_reports")
def test_nothing_is_claimed_of_a_class_without_images(small_mnist: cs.Splits, tmp_path: Path):
    train, test = select_classes(small_mnist.train, 0, 1, 3), select_classes(small_mnist.test, 0, 1, 2)
    path, out = write_npz(tmp_path / "few.npz", train, test), tmp_path / "run"
    completed = invoke("train", "--dataset", path, "--architecture", "ann", "--epochs", 2, "--out", out)
    assert completed.exit_code == 0, completed.output
    assert "class '2' has no training images, so the network cannot learn it" in completed.stderr
    assert "1 of 4 classes has no images and cannot be measured: '3'." in completed.stdout
    assert re.search(r"^3 +0 +- +- +- +-$", completed.stdout, re.MULTILINE)
    absent = json.loads((out / "evaluation.json").read_text())["classes"][3]
    nothing = {"support": 0, "precision": None, "recall": None, "recall_interval": None, "f1": None}
    assert absent == {"class_name": "3", **nothing}
    succeed("report", out)
    page = (out / "report.html").read_text()
    assert re.search(r'<td colspan="3"><say-text[^>]*>no test images</say-text></td>', page)


@pytest.mark.parametrize(
    "interrupted", ["convscope.runs.importing.measure_run", "convscope.runs.importing.read_network"]
)
def test_an_import_that_is_interrupted_leaves_nothing_and_says_how_to_go_on(
    interrupted: str, small_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    architecture = cs.presets.ann()
    file, out = tmp_path / "a model.safetensors", tmp_path / "run"
    model = cs.Model(architecture, cs.engine.initial_weights(architecture, 0), tuple("0123456789"))
    save_model(model, file)
    with monkeypatch.context() as patch:
        patch.setattr(interrupted, interrupt)
        completed = invoke("import", file, "--dataset", small_folder, "--out", out, "--scale", 1)
    assert completed.exit_code == 1
    again = f"convscope import '{file}' --dataset {small_folder} --out {out} --scale 1"
    assert completed.stderr.splitlines()[-1] == f"Error: interrupted; to start again, run: {again}"
    assert "Traceback" not in completed.output
    assert not out.exists()


def test_any_command_that_is_interrupted_says_how_to_run_it_again(monkeypatch: pytest.MonkeyPatch):
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("convscope.cli.data.inspect_named", interrupt)
    completed = invoke("data", "info", "mnist")
    assert completed.exit_code == 1
    assert completed.output == "Error: interrupted; to start again, run: convscope data info mnist\n"
