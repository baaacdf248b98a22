"""`convscope data list`, `data info` and `data show`, on MNIST and on three colour images."""

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import convscope as cs
from convscope.data.datasets.readers.idx import idx_header

from .conftest import invoke, run_fails, succeed


def parse_pixel_rows(printed: str) -> list[list[int]]:
    """Return the printed lines that hold two or more numbers and nothing else."""
    rows = [line.split() for line in printed.splitlines()]
    return [list(map(int, row)) for row in rows if len(row) > 1 and all(word.isdecimal() for word in row)]


@pytest.fixture(scope="module")
def colour_folder(tmp_path_factory) -> Path:
    """Two training images and one test image, 5 × 7 in colour."""
    folder = tmp_path_factory.mktemp("colour")
    pixels = np.random.default_rng(0).integers(0, 256, (3, 5, 7, 3), dtype=np.uint8)
    for name, array in {
        "train-images-idx4-ubyte": pixels[:2],
        "train-labels-idx1-ubyte": np.array([2, 0], dtype=np.uint8),
        "test-images-idx4-ubyte": pixels[2:],
        "test-labels-idx1-ubyte": np.array([1], dtype=np.uint8),
    }.items():
        (folder / name).write_bytes(idx_header(array.shape) + array.tobytes())
    return folder


def test_list_names_mnist_and_its_licence():
    printed = succeed("data", "list")
    assert printed.startswith("mnist: MNIST")
    assert "Creative Commons Attribution-Share Alike 3.0" in printed


@pytest.mark.slow
def test_info_prints_what_mnist_holds(mnist):
    lines = [" ".join(line.split()) for line in invoke("data", "info", "mnist").output.splitlines()]
    assert not [line for line in lines if line.startswith(("fault:", "warning:"))]
    assert "images 60,000 10,000" in lines
    assert "identical to a training image 0" in lines
    assert "polarity light ink on dark light ink on dark" in lines
    assert "images: 28 × 28 × 1 (height × width × channels)" in lines
    assert "pixel values 0 to 255, 256 distinct 0 to 255, 256 distinct" in lines
    assert "5 5,421 892" in lines
    assert any(line.startswith("licence") and line.endswith("Share Alike 3.0") for line in lines)
    for file in (*mnist.train.source, *mnist.test.source):
        assert f"{file.name} {file.sha256}" in lines


def test_info_as_json_has_the_numbers_of_both_splits(small_folder):
    document = succeed("data", "info", small_folder, "--json")
    splits = cs.load_dataset(small_folder)
    for split in (splits.train, splits.test):
        assert document[split.split] == split.to_dict()
    assert document["train"]["num_images"] == 1000
    assert document["train"]["pixel_range"] == [0, 255]
    assert document["test"]["class_counts"] == splits.test.class_counts.tolist()
    assert document["inspection"]["splits"]["train"]["num_images"] == 1000


def test_info_lists_faults_first(colour_folder):
    output = invoke("data", "info", colour_folder).output
    assert "fault: 1 class (class 1) is in the test images" in output.replace("(1)", "(class 1)")
    assert output.index("fault: ") < output.index("warning: ") < output.index("SHA-256")


def test_show_prints_every_number_of_the_first_training_image(mnist):
    printed = succeed("data", "show", "mnist", "--split", "train", "--index", "0")
    assert "label 5, class 5" in printed
    assert parse_pixel_rows(printed) == mnist.train.images[0, :, :, 0].tolist()


def test_show_prints_a_matrix_for_each_channel(colour_folder):
    output = invoke("data", "show", colour_folder, "--split", "test").output
    image = np.array(succeed("data", "show", colour_folder, "--split", "test", "--json")["image"])
    assert [line for line in output.splitlines() if line.startswith("channel")] == [
        "channel 0, red",
        "channel 1, green",
        "channel 2, blue",
    ]
    assert parse_pixel_rows(output) == np.concatenate([image[:, :, channel] for channel in range(3)]).tolist()


def test_show_writes_a_picture(mnist, tmp_path):
    path = tmp_path / "five.png"
    assert f"picture: {path}" in invoke("data", "show", "mnist", "--png", path).output
    picture = np.asarray(Image.open(BytesIO(path.read_bytes()), formats=["PNG"]))
    pixel_centres = picture[5::10, 5::10]  # each pixel of the image is a square of 10 × 10
    np.testing.assert_array_equal(pixel_centres, mnist.train.images[0, :, :, 0])


def test_show_replaces_a_picture_only_when_forced(tmp_path):
    path = tmp_path / "five.png"
    path.write_text("precious")
    assert "already exists" in run_fails("data", "show", "mnist", "--png", path)
    assert path.read_text() == "precious"
    succeed("data", "show", "mnist", "--png", path, "--force")
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("split", "index", "last"), [("train", -1, 59999), ("train", 60000, 59999), ("test", 10**30, 9999)]
)
def test_show_refuses_an_index_out_of_range(split, index, last):
    message = run_fails("data", "show", "mnist", "--split", split, "--index", str(index))
    assert f"--index {index}: the {split} split of mnist has images 0 to {last}" in message


@pytest.mark.parametrize("command", ["info", "show"])
def test_a_damaged_file_is_refused_with_nothing_on_stdout(command, colour_folder, tmp_path):
    for path in colour_folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes()[:-1])
    assert "download it again" in run_fails("data", command, tmp_path, "--json")
