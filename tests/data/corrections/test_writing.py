"""A corrected copy is read back with the corrected labels, in the order of its original, which is not changed."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

import convscope as cs
from convscope.base.errors import ConvscopeError
from convscope.data.corrections import read_corrections, write_corrected
from convscope.data.datasets.disk.images import is_on_disk

from .conftest import NAMES, Write, pack, write_pictures


def list_files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def correct(source: Path, out: Path, write_list: Write, *decisions: tuple[str, int, str, str], **options) -> cs.Splits:
    """Write a corrected copy and load it."""
    splits = cs.load_dataset(source, **options)
    write_corrected(source, splits, read_corrections(write_list(splits, *decisions), splits), out)
    return cs.load_dataset(out)


def images_of(splits: cs.Splits) -> dict[bytes, str]:
    """List the class of each image of both splits by its pixels."""
    return {
        image.tobytes(): part.class_names[label]
        for part in (splits.train, splits.test)
        for image, label in zip(part.images, part.labels, strict=True)
    }


def test_a_folder_is_copied_with_its_split_and_only_listed_images_differ(pictures, write_list: Write, tmp_path: Path):
    before, files = cs.load_dataset(pictures), list_files(pictures)
    moved, dropped = before.train.images[0].tobytes(), before.train.images[5].tobytes()
    out = tmp_path / "clean"
    out.mkdir()  # an empty folder may be there
    copy = correct(pictures, out, write_list, ("train", 0, "relabel", NAMES[1]), ("train", 5, "drop", ""))
    assert list_files(pictures) == files
    assert copy.test.sha256 == before.test.sha256
    expected = images_of(before) | {moved: NAMES[1]}
    del expected[dropped]
    assert images_of(copy) == expected
    assert copy.class_names == before.class_names
    assert (out / "corrections.csv").read_bytes() == (tmp_path / "corrections.csv").read_bytes()
    assert (out / "test" / before.test.files[0]).read_bytes() == files[before.test.files[0]]
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_picture_whose_name_is_taken_in_its_new_class_gets_a_number(pictures, write_list: Write, tmp_path: Path):
    before = cs.load_dataset(pictures)
    source = before.train.files.index("=1+1/deep/1.png")
    assert "<b>ü/deep/1.png" in before.train.files
    out = tmp_path / "clean"
    correct(pictures, out, write_list, ("train", source, "relabel", NAMES[1]))
    assert (out / "train/<b>ü/deep/1-2.png").read_bytes() == (pictures / "=1+1/deep/1.png").read_bytes()
    assert (out / "train/<b>ü/deep/1.png").read_bytes() == (pictures / "<b>ü/deep/1.png").read_bytes()


def test_a_zip_archive_with_splits_and_a_wrapper_becomes_a_folder(write_list: Write, tmp_path: Path):
    for split in ("train", "test"):
        write_pictures(tmp_path / "in" / "wrapper" / split, ("a", "b"), 4)
    source = pack(tmp_path / "in", tmp_path / "in.zip")
    copy = correct(source, tmp_path / "clean", write_list, ("test", 0, "relabel", "b"))
    assert copy.test.class_counts.tolist() == [3, 5]
    assert copy.train.sha256 == cs.load_dataset(source).train.sha256
    assert (tmp_path / "clean/test/b/0-2.png").exists()


def test_a_table_stays_a_table_with_its_order(write_list: Write, tmp_path: Path):
    folder = write_pictures(tmp_path / "in" / "pictures", ("x",), 8).parent
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.png"))
    rows = [f"{name},{'ab'[index % 2]},{'train' if index < 5 else 'test'}" for index, name in enumerate(names)]
    (folder / "list.csv").write_text("\n".join(["file,label,split", *rows]) + "\n")
    before = cs.load_dataset(folder)
    copy = correct(folder, tmp_path / "clean", write_list, ("train", 0, "relabel", "b"))
    assert copy.test.sha256 == before.test.sha256
    assert copy.train.files == before.train.files
    assert copy.train.labels.tolist() == [1, *before.train.labels[1:]]
    again = correct(folder / "list.csv", tmp_path / "again", write_list, ("train", 0, "keep", ""))
    assert again.train.sha256 == before.train.sha256


def test_arrays_become_an_npz_file_with_the_list_beside_it(write_list: Write, tmp_path: Path, monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (12, 6, 6, 3), np.uint8)
    source = tmp_path / "data.npz"
    np.savez(source, x=images, y=np.arange(12) % 3, class_names=np.array(NAMES))
    before = cs.load_dataset(source)
    out = tmp_path / "new" / "clean.npz"
    decisions = (("train", 0, "drop", ""), ("train", 1, "relabel", NAMES[0]))
    copy = correct(source, out, write_list, *decisions)
    assert copy.test.sha256 == before.test.sha256
    np.testing.assert_array_equal(copy.train.images, before.train.images[1:])
    assert copy.train.labels.tolist() == [0, *before.train.labels[2:]]
    assert (tmp_path / "new" / "clean.corrections.csv").read_bytes() == (tmp_path / "corrections.csv").read_bytes()
    with zipfile.ZipFile(out) as archive:
        assert archive.testzip() is None
    # Images that stay on disk are copied in blocks.
    monkeypatch.setenv("CONVSCOPE_IN_MEMORY_BYTES", "0")
    monkeypatch.setattr("convscope.data.datasets.disk.images.PART_BYTES", 400)
    monkeypatch.setattr("convscope.data.datasets.disk.images.BLOCK_BYTES", 300)  # two images
    assert is_on_disk(cs.load_dataset(source).train.images)
    again = correct(source, tmp_path / "again.npz", write_list, *decisions)
    assert is_on_disk(again.train.images)
    assert again.train.sha256 == copy.train.sha256


def test_pictures_of_another_size_and_damaged_ones_are_copied_as_they_are(write_list: Write, tmp_path: Path):
    source = write_pictures(tmp_path / "in", ("a", "b"))
    (source / "a" / "broken.png").write_bytes(b"nothing")
    splits = cs.load_dataset(source, image_size=(4, 4), skip_damaged=True)
    out = tmp_path / "clean"
    write_corrected(source, splits, read_corrections(write_list(splits, ("train", 0, "drop", "")), splits), out)
    assert len(list(out.rglob("*.png"))) == 19
    assert cs.load_dataset(out, image_size=(4, 4)).test.sha256 == splits.test.sha256


def test_nothing_is_overwritten_and_nothing_half_written(pictures, write_list: Write, tmp_path: Path, monkeypatch):
    splits = cs.load_dataset(pictures)
    result = read_corrections(write_list(splits, ("train", 0, "drop", "")), splits)
    for name in ("folder", "file"):
        (tmp_path / name).mkdir() if name == "folder" else (tmp_path / name).write_text("precious")
    (tmp_path / "folder" / "mine").write_text("precious")
    files = list_files(tmp_path)
    for name in ("folder", "file"):
        with pytest.raises(ConvscopeError, match="already exists and is not empty; choose another name"):
            write_corrected(pictures, splits, result, tmp_path / name)
    with pytest.raises(ConvscopeError, match=r"new: is inside .*my pictures, which stays as it is"):
        write_corrected(pictures, splits, result, pictures / "new")
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(ConvscopeError, match=r"clean: cannot be written \(No space left on device\)"):
        write_corrected(pictures, splits, result, tmp_path / "clean")
    assert list_files(tmp_path) == files
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corrections.csv", "file", "folder"]


def test_arrays_need_the_name_of_a_new_npz_file(small_mnist: cs.Splits, write_list: Write, tmp_path: Path):
    result = read_corrections(write_list(small_mnist, ("train", 0, "drop", "")), small_mnist)
    with pytest.raises(ConvscopeError, match=r"so the copy is one \.npz file; choose a name such as clean\.npz"):
        write_corrected(Path("mnist"), small_mnist, result, tmp_path / "clean")
    (tmp_path / "clean.corrections.csv").write_text("precious")
    with pytest.raises(ConvscopeError, match=r"clean\.corrections\.csv: already exists, from other corrections"):
        write_corrected(Path("mnist"), small_mnist, result, tmp_path / "clean.npz")
    assert not (tmp_path / "clean.npz").exists()


def test_a_list_beside_the_pictures_is_not_taken_for_a_table_of_them(write_list: Write, tmp_path: Path):
    source = write_pictures(tmp_path / "in", ("a", "b"))
    before = cs.load_dataset(source)
    write_list(before, ("train", 0, "drop", "")).rename(source / "corrections.csv")
    assert cs.load_dataset(source).train.sha256 == before.train.sha256
