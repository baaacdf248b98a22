"""`convscope run` on custom data: colour pictures in folders, classes of unequal size, and a set of 50 images."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import convscope as cs
from convscope.data.datasets import LoadOptions
from convscope.storage import load_model, open_run

from .conftest import invoke, succeed

NAMES = ("<b>x", "кошка", "ß & o")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Colour pictures of 20 × 24 pixels, 60, 24 and 12 of three classes; each class is bright in another third."""
    folder = tmp_path_factory.mktemp("own") / "shapes"
    stream = np.random.default_rng(0)
    for label, (name, count) in enumerate(zip(NAMES, (60, 24, 12), strict=True)):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            pixels = stream.integers(0, 120, (20, 24, 3), np.uint8)
            pixels[4:16, 8 * label : 8 * label + 8, label] += 130
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def own_run(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    out = tmp_path_factory.mktemp("own-runs") / "run"
    printed = succeed(
        "run",
        *("--dataset", pictures, "--test-fraction", 0.25, "--class-weights", "balanced"),
        *("--epochs", 6, "--seeds", 2, "--out", out, "--json"),
    )
    return out, printed


@pytest.mark.slow
def test_pictures_in_folders_are_trained_on_with_their_names_and_sizes(own_run):
    out, printed = own_run
    model = load_model(out)
    assert set(model.class_names) == set(NAMES)
    assert model.architecture.input.shape == (20, 24, 3)
    assert printed["evaluation"]["num_images"] == 24  # a quarter of 96
    assert printed["evaluation"]["balanced_accuracy"] > 0.8  # chance is a third
    assert "<b>x" not in (out / "report.html").read_text(encoding="utf-8")


def test_a_run_says_how_its_test_split_was_cut_off_and_finds_it_again(own_run, pictures: Path):
    out, _ = own_run
    record = open_run(out).record
    assert record.dataset.options == LoadOptions(0.25)
    assert "--test-fraction 0.25" in record.command
    assert "--class-weights balanced" in record.command
    again = cs.load_dataset(pictures, test_fraction=0.25)
    assert again.test.sha256 == record.dataset.test.sha256


@pytest.mark.slow
@pytest.mark.parametrize("command", ["report", "compare"])
def test_the_tutorial_works_for_custom_pictures(own_run, command):
    out, _ = own_run
    arguments = {"report": (out, "all", "ablation"), "compare": (out / "seeds", out)}
    succeed(command, *arguments[command])


@pytest.mark.slow
@pytest.mark.usefixtures("drawn_reports")
def test_fifty_images_train_and_state_their_limits(small_mnist: cs.Splits, tmp_path: Path):
    path = tmp_path / "few.npz"
    train, test = small_mnist.train.take(np.arange(50)), small_mnist.test.take(np.arange(10))
    np.savez(path, x_train=train.images, y_train=train.labels, x_test=test.images, y_test=test.labels)
    out = tmp_path / "run"
    printed = succeed("run", "--dataset", path, "--epochs", 2, "--seeds", 2, "--out", out)
    assert "With 10 images, the 95 % interval of the accuracy is" in printed
    assert "fewer than 10 images, so the figures of these classes are unreliable" in printed
    assert "the 95 % interval of the accuracy is" in (out / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", [("data", "info"), ("run", "--dataset")])
def test_an_image_size_that_no_network_reads_is_refused_before_a_picture_is_read(pictures: Path, command):
    completed = invoke(*command, pictures, "--image-size", "60000x60000")
    assert completed.exit_code == 2
    assert completed.stderr.splitlines()[-1] == (
        "Error: Invalid value for '--image-size': '60000x60000': height and width must each be 4,096 pixels or less"
    )


def test_pictures_that_do_not_fit_into_memory_are_refused_before_it_is_allocated(pictures: Path, monkeypatch):
    needed_bytes = 96 * 400 * 400 * 3  # pictures, height, width, channels
    monkeypatch.setattr("convscope.data.datasets.readers.picture_files.free_memory", lambda: needed_bytes - 1)
    completed = invoke("data", "info", pictures, "--image-size", "400x400")
    assert (completed.exit_code, completed.stderr.count("\n")) == (1, 1)
    assert "96 pictures of 400 × 400 pixels do not fit into memory; give a smaller image size" in completed.stderr
