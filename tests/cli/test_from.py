"""`convscope train --from` and `run --from`: runs that start from the model of another run."""

import json
import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import convscope as cs
from convscope.data.datasets.records import SourceFile
from convscope.storage import NOTHING, list_runs, load_model, load_trained_on, open_run

from .conftest import invoke, run_fails, succeed

pytestmark = pytest.mark.usefixtures("empty_reports")


@pytest.fixture(scope="module")
def source(small_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of `cnn` on `small_mnist`, from whose model the other runs start."""
    out = tmp_path_factory.mktemp("source") / "run"
    succeed("train", "--dataset", small_folder, "--epochs", 12, "--out", out)
    return out


@pytest.fixture(scope="module")
def fewer_classes(small_mnist: cs.Splits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of 3, 5 and 8 alone, as classes 0, 1 and 2."""
    arrays = {}
    for split, part in (("train", small_mnist.train), ("test", small_mnist.test)):
        chosen = np.isin(part.labels, (3, 5, 8))
        arrays[f"x_{split}"] = part.images[chosen]
        arrays[f"y_{split}"] = np.searchsorted((3, 5, 8), part.labels[chosen]).astype(np.uint8)
    path = tmp_path_factory.mktemp("fewer") / "three.npz"
    np.savez(path, **arrays)
    return path


def read_history(run: Path):
    return [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]


def test_a_run_goes_on_from_the_model_of_another(source: Path, small_folder: Path, tmp_path: Path):
    out = tmp_path / "on"
    succeed("train", "--dataset", small_folder, "--from", source, "--epochs", 1, "--out", out)
    assert read_history(out)[0]["loss"] < read_history(source)[3]["loss"]
    record = open_run(out).record
    assert record.start.to_dict() == {
        "argument": str(source), "weights_sha256": load_model(source).weights_sha256, "num_seen_images": 1000,
        "kept_classes": list("0123456789"), "new_classes": [], "new_output": False,
    }  # fmt: skip
    assert f" --from {source} " in record.command
    assert load_model(out).provenance["from"] == load_model(source).weights_sha256
    assert load_model(out / "checkpoints" / "epoch-0000.safetensors").weights_sha256 == record.start.weights_sha256


@pytest.mark.slow
def test_classes_may_change(source: Path, fewer_classes: Path, tmp_path: Path):
    out = tmp_path / "three"
    printed = succeed(
        "run",
        *("--dataset", fewer_classes, "--from", source, "--new-output"),
        *("--epochs", 4, "--seeds", 2, "--out", out, "--json"),
    )
    model = load_model(out)
    assert model.class_names == ("0", "1", "2")
    seeds = printed["seeds"]["runs"]
    runs = [run for run in seeds if run["architecture"] == "cnn"]
    assert len({run["weights_sha256"] for run in runs}) == len(runs) == 2
    succeed("train", "--dataset", fewer_classes, "--epochs", 4, "--out", tmp_path / "scratch")
    loss_from_scratch = read_history(tmp_path / "scratch")[-1]["loss"]
    assert read_history(out)[-1]["loss"] < loss_from_scratch
    for folder in list_runs(out / "seeds" / "runs"):
        if open_run(folder).architecture.name == "cnn":
            assert read_history(folder)[-1]["loss"] < loss_from_scratch


def test_a_run_stopped_before_its_first_epoch_still_starts_from_the_model(
    source: Path, small_folder: Path, tmp_path: Path
):
    out = tmp_path / "stopped"
    arguments = ("train", "--dataset", small_folder, "--from", source, "--epochs", 1, "--out", out)
    succeed(*arguments)
    expected = load_model(out).weights_sha256
    for path in (out / "checkpoints").iterdir():
        path.unlink()
    succeed("train", "--resume", out)
    assert load_model(out).weights_sha256 == expected


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--from", "nowhere"), 1, "nowhere: no such file"),
        (("--from", "SOURCE", "--architecture", "ann"), 2, "--from uses the architecture of the run"),
        (("--new-output",), 2, "--new-output needs --from RUN"),
        (("--from", "SOURCE", "--dataset", "LARGER"), 1, r"--from .*: images of \(32, 32, 1\) need dense/kernel"),
    ],
)
def test_an_impossible_start_prints_one_line_and_leaves_no_folder(
    source: Path, small_folder: Path, small_mnist: cs.Splits, tmp_path: Path, arguments, code, message
):
    larger = tmp_path / "larger.npz"
    images = np.pad(small_mnist.train.images[:50], ((0, 0), (2, 2), (2, 2), (0, 0)))
    labels = small_mnist.train.labels[:50]
    np.savez(larger, x_train=images, y_train=labels, x_test=images, y_test=labels)
    paths = {"SOURCE": str(source), "LARGER": str(larger)}
    words = [paths.get(word, word) for word in arguments]
    if "--dataset" not in words:
        words += ["--dataset", str(small_folder)]
    completed = invoke("train", *words, "--out", tmp_path / "out")
    assert completed.exit_code == code
    assert len([line for line in completed.output.splitlines() if line.startswith("Error: ")]) == 1
    assert re.search(message, completed.output), completed.output
    assert not (tmp_path / "out").exists()


def test_images_that_the_network_was_trained_on_are_never_held_out(source: Path, small_folder: Path, tmp_path: Path):
    options = ("train", "--dataset", small_folder, "--epochs", 1, "--validation-fraction", 0.1)
    error = run_fails(*options, "--from", source, "--out", tmp_path / "refused")
    assert "needs 10 images of class '0' that the network was not trained on before, but only 0" in error
    assert not (tmp_path / "refused").exists()


@pytest.mark.slow
def test_images_that_no_ancestor_saw_are_held_out_again(small_folder: Path, tmp_path: Path):
    options = ("train", "--dataset", small_folder, "--epochs", 1, "--validation-fraction", 0.2)
    generations = [tmp_path / name for name in ("first", "second", "third")]
    succeed(*options, "--out", generations[0])
    for number, (before, out) in enumerate(pairwise(generations)):
        succeed(*options, "--from", before, "--seed", number + 1, "--out", out)
        # 20 % of 1,000 images, rounded within each class, are 199; the others are trained on.
        assert open_run(out).record.start.num_seen_images == 801
        assert succeed("report", out, "calibration", "--json")["evidence"]["calibration"]["num_fitted"] == 199
    digests = [load_trained_on(out, load_model(out)).digests for out in generations]
    for digest in digests[1:]:  # so no later one was trained on what the first held out
        np.testing.assert_array_equal(digests[0], digest)
    more = (*options, "--validation-fraction", 0.3, "--from", generations[2], "--out", tmp_path / "more")
    assert "needs 29 images of class '0'" in run_fails(*more)
    why = "audit: the network that this run started from was trained on 801 of the 1,000"
    assert why in run_fails("report", generations[2], "audit")


@pytest.mark.slow
def test_of_a_set_that_has_grown_only_new_images_are_held_out(
    source: Path, mnist: cs.Splits, small_mnist: cs.Splits, tmp_path: Path
):
    grown = mnist.train.take(np.arange(1500))
    path, out = tmp_path / "grown.npz", tmp_path / "run"
    test = small_mnist.test
    np.savez(path, x_train=grown.images, y_train=grown.labels, x_test=test.images, y_test=test.labels)
    arguments = ("--dataset", path, "--from", source, "--epochs", 1, "--validation-fraction", 0.1)
    succeed("run", *arguments, "--seeds", 2, "--no-baseline", "--out", out)
    assert open_run(out).record.start.num_seen_images == 1000
    old = load_trained_on(source, load_model(source)).digests
    known = load_trained_on(out, load_model(out))
    assert np.isin(old, known.digests).all()
    held_out = ~known.includes(grown)
    assert held_out.sum() > 140  # 10 % of 1,500, rounded within each class
    assert not held_out[:1000].any()


@pytest.mark.slow
def test_a_cross_fit_starts_from_a_network_that_saw_none_of_the_images(
    source: Path, small_mnist: cs.Splits, tmp_path: Path
):
    arrays = {}
    for split, part in (("train", small_mnist.train), ("test", small_mnist.test)):
        arrays |= {f"x_{split}": 255 - part.images, f"y_{split}": part.labels}
    np.savez(tmp_path / "inverted.npz", **arrays)
    out = tmp_path / "run"
    started = ("--dataset", tmp_path / "inverted.npz", "--from", source, "--epochs", 1)
    succeed("train", *started, "--out", out)
    assert open_run(out).record.start.num_seen_images == 0
    calibration = succeed("report", out, "audit", "calibration", "--json")["evidence"]["calibration"]
    model = load_model(source)
    data = cs.load_dataset(tmp_path / "inverted.npz")
    state = cs.transfer(model, data.image_shape, data.class_names, 0).state
    expected = cs.crossfit(model.architecture, data.train, open_run(out).recipe, state=state)
    assert calibration["temperature"] == pytest.approx(cs.fit_temperature(expected.logits, data.train.labels))


def test_the_training_data_of_a_foreign_network_are_unknown(source: Path, small_folder: Path, tmp_path: Path):
    alone = tmp_path / "model.safetensors"
    alone.write_bytes((source / "model.safetensors").read_bytes())
    options = ("train", "--dataset", small_folder, "--from", alone, "--epochs", 1)
    error = run_fails(*options, "--validation-fraction", 0.1, "--out", tmp_path / "refused")
    assert f"--from {alone}: its training images are unknown" in error
    succeed(*options, "--out", tmp_path / "on")
    assert open_run(tmp_path / "on").record.start.num_seen_images is None
    assert "nobody knows which images" in run_fails("report", tmp_path / "on", "calibration")


def test_test_images_that_the_network_was_trained_on_are_refused(small_mnist: cs.Splits, tmp_path: Path):
    path = tmp_path / "whole.npz"
    np.savez(path, images=small_mnist.train.images, labels=small_mnist.train.labels)
    options = ("train", "--dataset", path, "--epochs", 1)
    succeed(*options, "--out", tmp_path / "first")
    started = (*options, "--from", tmp_path / "first")
    error = run_fails(*started, "--test-fraction", 0.3, "--out", tmp_path / "other")
    # 30 % of 1,000 images are cut off now, and 20 % were before: the first run trained on the other 10 %.
    assert "it was trained on 100 of the 300 test images of" in error
    succeed(*started, "--out", tmp_path / "same")


def test_images_of_the_same_file_in_another_size_may_have_been_seen(small_mnist: cs.Splits):
    source = (SourceFile("a.npz", "0" * 64),)
    large = replace(small_mnist.train, source=source)
    known = NOTHING.union(large)
    assert known.may_include(large).all()
    small = replace(large, images=np.ascontiguousarray(large.images[:, ::2, ::2]))
    assert known.may_include(small).all()
    assert not known.includes(small).all()
    elsewhere = replace(small, source=(SourceFile("b.npz", "1" * 64),))
    assert not known.may_include(elsewhere).all()
