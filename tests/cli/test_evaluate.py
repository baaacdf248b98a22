"""`convscope evaluate` on data that are not the run's own: which images are measured, and as which classes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import convscope as cs

from .conftest import invoke, run_fails, succeed


@pytest.fixture(scope="module")
def trained(small_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("trained") / "run"
    arguments = ("--dataset", small_folder, "--architecture", "ann", "--epochs", 2, "--out", out)
    succeed("train", *arguments)
    return out


@pytest.fixture(scope="module")
def unseen(mnist: cs.Splits) -> cs.Dataset:
    """100 images that the run never saw."""
    return mnist.test.take(np.arange(1000, 1100))


def write_pictures(folder: Path, dataset: cs.Dataset, size: int = 28) -> Path:
    for number, (image, label) in enumerate(zip(dataset.images, dataset.labels, strict=True)):
        path = folder / dataset.class_names[label]
        path.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[..., 0]).resize((size, size)).save(path / f"{number}.png")
    return folder


def evaluate(run: Path, *arguments: object) -> dict:
    return succeed("evaluate", run, *arguments, "--json")


def test_all_images_of_other_data_are_measured(trained: Path, unseen: cs.Dataset, tmp_path: Path):
    folder = write_pictures(tmp_path / "unseen", unseen)
    result = evaluate(trained, "--dataset", folder)
    expected = cs.evaluate(cs.load_model(trained), unseen)
    assert (result["num_images"], result["split"], result["num_trained_on"]) == (100, "all", 0)
    assert result["confusion_matrix"] == expected.confusion_matrix.tolist()
    completed = invoke("evaluate", trained, "--dataset", folder)
    assert f"Evaluated on {folder}: 100 images without splits" in completed.output
    held_out = evaluate(trained, "--dataset", folder, "--split", "test", "--test-fraction", 0.3)
    data = cs.load_dataset(folder, test_fraction=0.3)
    assert (held_out["num_images"], held_out["split"]) == (len(data.test), "test")
    np.testing.assert_array_equal(np.sum(held_out["confusion_matrix"], axis=1), data.test.class_counts)


def test_data_with_splits_are_measured_whole_or_by_split(trained: Path, small_mnist: cs.Splits, unseen, tmp_path: Path):
    path, train = tmp_path / "both.npz", small_mnist.train
    np.savez(path, x_train=train.images[:50], y_train=train.labels[:50], x_test=unseen.images, y_test=unseen.labels)
    result = evaluate(trained, "--dataset", path)
    assert (result["num_images"], result["num_trained_on"]) == (150, 50)
    assert evaluate(trained, "--dataset", path, "--split", "test")["num_images"] == 100
    completed = invoke("evaluate", trained, "--dataset", path)
    assert f"Evaluated on {path}: 50 training images and 100 test images." in completed.output
    assert "The network was trained on 50 of these images" in completed.output


@pytest.mark.parametrize("kind", ["pictures", "npz", "idx"])
def test_test_images_alone_are_enough(trained: Path, small_folder: Path, unseen: cs.Dataset, tmp_path: Path, kind: str):
    path = tmp_path / ("test.npz" if kind == "npz" else "folder")
    if kind == "pictures":
        write_pictures(path / "test", unseen)
    elif kind == "npz":
        np.savez(path, x_test=unseen.images, y_test=unseen.labels)
    else:
        path.mkdir()
        for file in small_folder.glob("t10k-*"):
            (path / file.name).write_bytes(file.read_bytes())
    result = evaluate(trained, "--dataset", path, "--split", "test")
    assert result["num_images"] == (300 if kind == "idx" else 100)
    assert "holds test images only" in run_fails("train", "--dataset", path, "--out", tmp_path / "run")


def test_pictures_are_brought_to_the_size_that_the_run_reads(trained: Path, unseen: cs.Dataset, tmp_path: Path):
    folder = write_pictures(tmp_path / "large", unseen.take(np.arange(20)), size=40)
    assert "resize pictures with --image-size 28x28" in run_fails("evaluate", trained, "--dataset", folder)
    assert evaluate(trained, "--dataset", folder, "--image-size", "28x28")["num_images"] == 20


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--dataset", "UNKNOWN"), 1, "has images of class 'x', which the network does not know; it knows 0, 1, 2"),
        (("--dataset", "TEST", "--split", "train"), 1, "has no train split, only test; omit --split"),
        (("--dataset", "TEST", "--test-fraction", "0.5"), 2, "needs --split train or --split test"),
        (("--image-size", "14x14"), 2, "these options do not apply to the run's own data set"),
    ],
)
def test_impossible_evaluations_print_one_line(
    trained: Path, unseen: cs.Dataset, tmp_path: Path, arguments: tuple[str, ...], code: int, message: str
):
    few = unseen.take(np.arange(4))
    np.savez(tmp_path / "test.npz", x_test=few.images, y_test=few.labels)
    np.savez(tmp_path / "unknown.npz", images=few.images, labels=np.array(["3", "x", "x", "4"]))
    paths = {"UNKNOWN": tmp_path / "unknown.npz", "TEST": tmp_path / "test.npz"}
    completed = invoke("evaluate", trained, *(paths.get(word, word) for word in arguments))
    assert completed.exit_code == code
    assert message in " ".join(completed.output.split())
    assert completed.output.count("Error: ") == 1


def test_views_are_averaged_and_named(trained: Path, unseen: cs.Dataset, tmp_path: Path):
    np.savez(tmp_path / "test.npz", x_test=unseen.images, y_test=unseen.labels)
    arguments = ("--dataset", tmp_path / "test.npz", "--views", 9)
    expected = cs.evaluate(cs.load_model(trained), unseen, views=9)
    result = evaluate(trained, *arguments)
    assert (result["views"], result["loss"]) == (9, pytest.approx(expected.loss))
    assert "mean of 9 views of each image" in invoke("evaluate", trained, *arguments).output
    wrong = invoke("evaluate", trained, "--views", 3)
    assert wrong.exit_code == 2
    assert "'3' is not one of 1, 5, 9" in wrong.output
