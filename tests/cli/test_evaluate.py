"""`convscope evaluate` on data that are not the run's own: which images are measured, and as which classes."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import convscope as cs
from convscope.engine import initial_weights
from convscope.storage import save_model

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


def test_pictures_of_another_size_can_be_resized(trained: Path, unseen: cs.Dataset, tmp_path: Path):
    folder = write_pictures(tmp_path / "large", unseen.take(np.arange(20)), size=40)
    completed = invoke("evaluate", trained, "--dataset", folder, "--image-size", "28x28")
    assert "20 images without splits.\n\n" in completed.output  # nothing was prepared
    assert "resize pictures with --image-size 28x28" in run_fails(
        "evaluate", trained, "--dataset", folder, "--image-size", "14x14"
    )


def write_photos(folder: Path, dataset: cs.Dataset) -> Path:
    """Write images as dark ink on paper of several colours, shapes and formats."""
    for number, (image, label) in enumerate(zip(dataset.images, dataset.labels, strict=True)):
        path = folder / dataset.class_names[label]
        path.mkdir(parents=True, exist_ok=True)
        digit = Image.fromarray(255 - image[..., 0]).resize((150, 150))
        paper = Image.new("RGB", (300 + 40 * (number % 3), 240), (255, 255, 255 - 10 * (number % 4)))
        paper.paste(digit, (30 + number % 7, 40))
        paper.save(path / f"scan {number} ü'<b>.{('png', 'jpg')[number % 2]}")
    return folder


def test_photos_are_prepared_as_predict_does(trained: Path, unseen: cs.Dataset, tmp_path: Path):
    folder = write_photos(tmp_path / "photos", unseen.take(np.arange(30)))
    printed = invoke("evaluate", trained, "--dataset", folder).output
    assert "30 pictures were prepared as by convscope predict, which makes them 28 × 28 × 1" in printed
    assert f"To list the mistakes by file, run: convscope predict {trained} {folder}" in printed
    matrix = np.zeros((10, 10), int)
    for prediction in succeed("predict", trained, folder, "--json"):
        matrix[int(Path(prediction["file"]).parent.name), prediction["label"]] += 1
    result = evaluate(trained, "--dataset", folder)
    assert result["confusion_matrix"] == matrix.tolist()
    assert result["accuracy"] > 0.6  # resized alone, dark ink on paper would be no better than chance
    archive = shutil.make_archive(str(tmp_path / "zipped"), "zip", folder)
    assert evaluate(trained, "--dataset", archive)["confusion_matrix"] == matrix.tolist()


def test_pictures_of_the_right_size_are_prepared_if_their_ink_or_colours_differ(
    trained: Path, unseen: cs.Dataset, tmp_path: Path
):
    dark = cs.Dataset(255 - unseen.images, unseen.labels, unseen.class_names)
    few = unseen.take(np.arange(40))
    coloured = write_pictures(tmp_path / "coloured", few)
    for path in coloured.glob("*/*.png"):
        grey = np.asarray(Image.open(path)).astype(int)
        Image.fromarray(np.stack([grey, grey // 2, grey], axis=-1).astype(np.uint8)).save(path)
    for folder in (write_pictures(tmp_path / "dark", dark), coloured):
        assert "as by convscope predict" in invoke("evaluate", trained, "--dataset", folder).output
        assert evaluate(trained, "--dataset", folder)["accuracy"] > 0.6


def test_grey_pictures_are_prepared_for_a_network_that_reads_colours(unseen: cs.Dataset, tmp_path: Path):
    network = cs.presets.ann((20, 20, 3), 10)
    weights = cs.Model(network, initial_weights(network, 0), unseen.class_names)
    save_model(weights, tmp_path / "colours.safetensors")
    folder = write_pictures(tmp_path / "grey", unseen.take(np.arange(12)))
    result = evaluate(tmp_path / "colours.safetensors", "--dataset", folder)
    predictions = succeed("predict", tmp_path / "colours.safetensors", folder, "--json")
    counts = np.bincount([prediction["label"] for prediction in predictions], minlength=10)
    np.testing.assert_array_equal(np.sum(result["confusion_matrix"], axis=0), counts)


def test_damaged_photos_are_named_and_can_be_left_out(trained: Path, unseen: cs.Dataset, tmp_path: Path):
    folder = write_photos(tmp_path / "photos", unseen.take(np.arange(6)))
    (folder / "0").mkdir(exist_ok=True)
    (folder / "0" / "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    message = run_fails("evaluate", trained, "--dataset", folder)
    assert "cut.png: is damaged" in message
    assert "leave it out with --skip-damaged" in message
    assert evaluate(trained, "--dataset", folder, "--skip-damaged")["num_images"] == 6


def test_arrays_of_another_size_are_an_error_with_advice(trained: Path, unseen: cs.Dataset, tmp_path: Path):
    np.savez(tmp_path / "small.npz", x_test=unseen.images[:, ::2, ::2], y_test=unseen.labels)
    message = run_fails("evaluate", trained, "--dataset", tmp_path / "small.npz")
    assert "has images of 14 × 14 × 1" in message
    assert "--image-size 28x28" in message


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
