"""Folders of pictures by split and class, also in a zip archive."""

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from tests.shared import encode_picture

from convscope.base.errors import DatasetError
from convscope.data.datasets.loading import load_dataset
from convscope.data.datasets.readers import containers

SHAPE = (5, 7)


def picture(number: int, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, shape, dtype=np.uint8)


def write(folder: Path, *names: str, shape: tuple[int, ...] = SHAPE) -> Path:
    """Write picture files of these names, with the pixels of `picture(0)`, `picture(1)` and so on."""
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode_picture(picture(number, shape)))
    return folder


BOTH = (
    *(f"train/{name}/{i}.png" for name in ("cat", "dog") for i in range(3)),
    *(f"test/{name}/{i}.png" for name in ("cat", "bee") for i in range(2)),
)


def test_folders_in_train_and_test_are_the_classes_of_both_splits(tmp_path):
    data = load_dataset(write(tmp_path / "mine", *BOTH))
    assert data.class_names == ("bee", "cat", "dog")
    assert data.train.labels.tolist() == [1, 1, 1, 2, 2, 2]
    assert data.test.labels.tolist() == [0, 0, 1, 1]
    assert data.image_shape == (*SHAPE, 1)
    np.testing.assert_array_equal(data.train.images[..., 0], [picture(number) for number in range(6)])
    np.testing.assert_array_equal(data.test.images[2, ..., 0], picture(6))
    assert data.name == "mine"
    assert not data.train.images.flags.writeable


@pytest.mark.parametrize(("train", "test"), [("training", "testing"), ("Train", "TEST")])
def test_other_names_of_the_splits_are_known_and_validation_is_left_out(tmp_path, train, test):
    names = [f"{split}/{name}/{i}.png" for split in (train, test, "val") for name in "ab" for i in range(2)]
    data = load_dataset(write(tmp_path, *names, "notes/x.png"))
    assert (len(data.train), len(data.test), data.class_names) == (4, 4, ("a", "b"))


def test_folders_of_classes_alone_are_cut_in_two(tmp_path):
    names = [f"{name}/{i}.png" for name in ("10", "9", "\u6f22", "<script") for i in range(5)]
    data = load_dataset(write(tmp_path, *names), seed=1)
    assert data.class_names == ("9", "10", "<script", "\u6f22")
    assert data.test.class_counts.tolist() == [1, 1, 1, 1]
    assert data.options.seed == 1


def test_pictures_of_any_format_lie_at_any_depth_of_a_class(tmp_path):
    write(tmp_path, "a/0.png", "a/inner/deeper/1.PNG", "b/0.png")
    (tmp_path / "b" / "1.bmp").write_bytes(encode_picture(picture(9), "BMP"))
    (tmp_path / "b" / "notes.txt").write_text("no picture")
    (tmp_path / "b" / ".hidden.png").write_text("no picture")
    (tmp_path / "empty").mkdir()
    data = load_dataset(tmp_path, test_fraction=0.5)
    assert data.class_names == ("a", "b")
    assert len(data.train) + len(data.test) == 4


def test_a_single_outer_folder_is_ignored(tmp_path):
    data = load_dataset(write(tmp_path, *(f"mnist_png/inner/{name}" for name in BOTH)))
    assert (len(data.train), len(data.test)) == (6, 4)


def test_pictures_in_a_folder_called_train_may_be_of_trains(tmp_path):
    data = load_dataset(write(tmp_path, *(f"{name}/{i}.png" for name in ("train", "car") for i in range(3))))
    assert data.class_names == ("car", "train")


def test_a_zip_archive_of_a_tree_is_the_same_data(tmp_path):
    write(tmp_path / "mine", *BOTH)
    with zipfile.ZipFile(tmp_path / "mine.zip", "w") as archive:
        for name in BOTH:
            archive.write(tmp_path / "mine" / name, f"mine/{name}")
        archive.writestr("__MACOSX/mine/._x.png", b"")
    data = load_dataset(tmp_path / "mine.zip")
    assert data.train.sha256 == load_dataset(tmp_path / "mine").train.sha256


def test_grey_pictures_among_coloured_ones_get_three_channels(tmp_path):
    write(tmp_path, "a/0.png", "a/1.png", "b/0.png", "b/1.png")
    (tmp_path / "a" / "1.png").write_bytes(encode_picture(picture(1, (*SHAPE, 3))))
    data = load_dataset(tmp_path, test_fraction=0.5)
    assert data.image_shape == (*SHAPE, 3)
    images = {image.tobytes() for part in (data.train, data.test) for image in part.images}
    assert picture(1, (*SHAPE, 3)).tobytes() in images
    assert picture(2)[..., np.newaxis].repeat(3, 2).tobytes() in images


def test_the_source_is_a_digest_over_the_files(tmp_path):
    first = load_dataset(write(tmp_path, *BOTH)).train.source
    assert load_dataset(tmp_path).train.source == first
    (tmp_path / BOTH[0]).write_bytes(encode_picture(picture(77)))
    assert load_dataset(tmp_path).train.source != first


def test_pictures_of_several_sizes_are_counted_and_refused(tmp_path):
    write(tmp_path, "a/0.png", "a/1.png", "a/2.png", "b/0.png")
    (tmp_path / "a" / "2.png").write_bytes(encode_picture(picture(1, (9, 9))))
    with pytest.raises(DatasetError) as caught:
        load_dataset(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path / 'a/0.png'}: the pictures have several sizes (height × width): 3 of 5 × 7 (such as "
        "'a/0.png'), 1 of 9 × 9 (such as 'a/2.png'); resize them all with `image_size`, such as 28x28"
    )


def test_pictures_are_averaged_to_the_requested_size(tmp_path):
    write(tmp_path, "a/0.png", "a/1.png", "b/0.png", "b/1.png", shape=(8, 8))
    (tmp_path / "b" / "1.png").write_bytes(encode_picture(np.full((30, 20), 70, np.uint8)))
    data = load_dataset(tmp_path, image_size=(4, 2), test_fraction=0.5)
    images = {image.tobytes() for part in (data.train, data.test) for image in part.images}
    assert np.floor(picture(0, (8, 8)).reshape(4, 2, 2, 4).mean((1, 3)) + 0.5).astype(np.uint8).tobytes() in images
    assert bytes([70] * 8) in images
    assert data.options.image_size == (4, 2)


def test_a_file_of_a_hundred_megabytes_is_no_picture(tmp_path):
    write(tmp_path, *BOTH)
    with (tmp_path / BOTH[0]).open("wb") as file:
        file.truncate(100 << 20)
    with pytest.raises(DatasetError, match=r"train/cat/0\.png: has more than 64 MiB"):
        load_dataset(tmp_path)


def test_links_that_lead_in_a_circle_end(tmp_path):
    write(tmp_path, "a/0.png", "a/1.png", "b/0.png", "b/1.png")
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    assert len(load_dataset(tmp_path, test_fraction=0.5).train) == 2


def test_a_class_may_be_a_link_to_a_folder(tmp_path):
    write(tmp_path, "mine/a/0.png", "mine/a/1.png", "elsewhere/0.png", "elsewhere/1.png")
    (tmp_path / "mine" / "b").symlink_to(tmp_path / "elsewhere")
    assert load_dataset(tmp_path / "mine").class_names == ("a", "b")


def test_a_pipe_among_the_pictures_is_refused_without_waiting(tmp_path):
    write(tmp_path, *BOTH)
    os.mkfifo(tmp_path / "train" / "cat" / "00.png")
    with pytest.raises(DatasetError, match=r"00\.png: is not a regular file"):
        load_dataset(tmp_path)


@pytest.mark.skipif(os.sep == "\\", reason="names are bytes on POSIX only")
def test_a_class_name_that_is_not_text_is_shown_escaped(tmp_path):
    write(tmp_path, "a/0.png", "a/1.png")
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    write(folder, "0.png", "1.png")
    assert load_dataset(tmp_path).class_names == ("a", "caf\N{REPLACEMENT CHARACTER}")


def test_a_folder_of_too_many_files_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(containers, "MAX_FILES", 5)
    with pytest.raises(DatasetError, match="holds more than 5 files; name a folder that holds the data set only"):
        load_dataset(write(tmp_path, *BOTH))
