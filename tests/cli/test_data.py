"""`convscope data list` and `data info`, on MNIST and on three colour images."""

from pathlib import Path

import numpy as np
import pytest

import convscope as cs
from convscope.data.datasets.readers.idx import idx_header

from .conftest import invoke, run_fails, succeed


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


def test_a_damaged_file_is_refused_with_nothing_on_stdout(colour_folder, tmp_path):
    for path in colour_folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes()[:-1])
    assert "download it again" in run_fails("data", "info", tmp_path, "--json")
