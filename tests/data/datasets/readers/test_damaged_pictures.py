"""Damaged pictures in folders and tables are listed at once, or left out and counted; others keep their files."""

from pathlib import Path

import numpy as np
import pytest
from tests.shared import invoke, succeed

from convscope.base.errors import DatasetError
from convscope.base.png import encode_png
from convscope.data.datasets import load_dataset
from convscope.data.datasets.readers.picture_files import DAMAGED_SHOWN
from convscope.data.image_files import read_picture

PIXELS = np.arange(35, dtype=np.uint8).reshape(5, 7)


def write(folder: Path, damaged: int = 2, good: int = 4) -> Path:
    """Write the classes a and b of `good` pictures each; a also has `damaged` files, which sort before all pictures."""
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for number in range(good):
            (folder / name / f"{number + 500}.png").write_bytes(encode_png(PIXELS + number))
    for number in range(damaged):
        (folder / "a" / f"{number}.png").write_bytes(b"no picture")
    return folder


def test_all_damaged_pictures_are_listed_at_once_and_many_are_counted(tmp_path: Path):
    with pytest.raises(DatasetError) as caught:
        load_dataset(write(tmp_path / "few"))
    first, *lines = str(caught.value).splitlines()
    assert first.startswith("2 of 10 pictures cannot be read; replace or remove them, or leave them out with")
    assert [line.partition(": ")[0] for line in lines] == [f"  {tmp_path / 'few' / 'a' / f'{i}.png'}" for i in range(2)]
    with pytest.raises(DatasetError, match="12 of 20 pictures") as caught:
        load_dataset(write(tmp_path / "many", damaged=12))
    assert str(caught.value).count(".png: ") == DAMAGED_SHOWN == 10
    assert str(caught.value).endswith("\n  and 2 more")


def test_damaged_pictures_can_be_left_out_and_are_counted(tmp_path: Path):
    whole, folder = load_dataset(write(tmp_path / "whole", damaged=0)), write(tmp_path / "mine")
    data = load_dataset(folder, skip_damaged=True)
    assert (data.num_damaged, whole.num_damaged) == (2, 0)
    assert data.options.skip_damaged
    for part, expected in ((data.train, whole.train), (data.test, whole.test)):
        assert np.array_equal(part.images, expected.images)
        assert np.array_equal(part.labels, expected.labels)


def test_damaged_pictures_of_a_table_are_left_out_with_their_labels(tmp_path: Path):
    write(tmp_path)
    lines = []
    for name, split in (("a", "train"), ("b", "test")):
        lines += [f"{name}/{file.name},{name},{split}" for file in sorted((tmp_path / name).iterdir())]
    lines[-1] = lines[-1].replace(",b,", ",a,")  # so that a label in the wrong row is noticed
    (tmp_path / "labels.csv").write_text("\n".join(["file,label,split", *lines]))
    data = load_dataset(tmp_path / "labels.csv", skip_damaged=True)
    assert (len(data.train), len(data.test), data.num_damaged) == (4, 4, 2)
    assert data.train.labels.tolist() == [0] * 4
    assert data.test.labels.tolist() == [1, 1, 1, 0]


def test_a_data_set_without_a_single_good_picture_is_refused_either_way(tmp_path: Path):
    folder = write(tmp_path / "mine", damaged=3, good=0)
    (folder / "b" / "0.png").write_bytes(b"no picture")
    for skip in (False, True):
        with pytest.raises(DatasetError, match=r"none of the 4 pictures can be read: .*0\.png: "):
            load_dataset(folder, skip_damaged=skip)


def test_images_keep_their_files(tmp_path: Path):
    data = load_dataset(write(tmp_path), skip_damaged=True)
    for part in (data.train, data.train.divide(0.5)[1], data.test):
        for image, file in zip(part.images, part.files, strict=True):
            assert np.array_equal(image, read_picture(tmp_path / file))


def test_doubtful_pictures_are_named_in_findings_and_as_csv(tmp_path: Path):
    write(tmp_path, good=1)  # the pictures of the two classes are equal
    (tmp_path / "a" / "blank.png").write_bytes(encode_png(PIXELS * 0))
    text = succeed("data", "info", tmp_path, "--skip-damaged")
    assert "with different labels, such as a/500.png and b/500.png. " in text
    assert "is blank: a/blank.png. " in text
    rows = [line.split(",") for line in succeed("data", "info", tmp_path, "--skip-damaged", "--csv").splitlines()]
    copies = {("a/500.png", "equal", "true"), ("b/500.png", "equal", "true")}
    others = {("a/blank.png", "blank", ""), ("a/0.png", "damaged", ""), ("a/1.png", "damaged", "")}
    assert {(row[0], row[4], row[6]) for row in rows[1:]} == copies | others
    assert invoke("data", "info", tmp_path / "missing", "--csv").stdout == ""
