"""Paths of files and folders as a sorted, bounded list of pictures."""

import pytest

from convscope.base.errors import ImageFileError
from convscope.data.image_files import find_pictures, folders


def make_files(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_files_that_are_named_are_returned_unchecked(tmp_path):
    make_files(tmp_path, "notes.txt", "b.png")
    paths = [tmp_path / "b.png", tmp_path / "missing.png", tmp_path / "notes.txt"]
    assert find_pictures(paths) == paths


def test_a_folder_is_replaced_by_its_pictures_at_any_depth_sorted_by_name(tmp_path):
    make_files(tmp_path, "scan 10.PNG", "scan 2.jpeg", "notes.txt", "deep/er/a.tif", ".hidden.png", ".cache/b.png")
    names = [str(path.relative_to(tmp_path)) for path in find_pictures([tmp_path])]
    assert names == ["deep/er/a.tif", "scan 2.jpeg", "scan 10.PNG"]


@pytest.mark.parametrize(
    "names", [["2", "10", "010a", "11"], ["a", "a1", "a01b", "a2"], ["9" * 30, "1" + "0" * 30], ["1", "²"]]
)
def test_numbers_in_names_are_sorted_by_value(tmp_path, names):
    make_files(tmp_path, *(f"{name}.png" for name in reversed(names)))
    assert [path.stem for path in find_pictures([tmp_path])] == names


def test_a_link_to_a_folder_is_not_followed(tmp_path):
    make_files(tmp_path, "a.png")
    (tmp_path / "again").symlink_to(tmp_path)
    assert len(find_pictures([tmp_path])) == 1


def test_a_folder_without_pictures_is_refused(tmp_path):
    with pytest.raises(ImageFileError, match=r"has no pictures; their names end in \.bmp"):
        find_pictures([tmp_path])


def test_too_many_pictures_or_files_are_refused(tmp_path, monkeypatch):
    make_files(tmp_path, "a.png", "b.png", "c.png")
    monkeypatch.setattr(folders, "MAX_FILES", 2)
    with pytest.raises(ImageFileError, match="more than 2 pictures"):
        find_pictures([tmp_path])
    monkeypatch.setattr(folders, "_MAX_ENTRIES", 2)
    with pytest.raises(ImageFileError, match="more than 2 files"):
        find_pictures([tmp_path])


def test_a_folder_that_cannot_be_read_is_refused(tmp_path, monkeypatch):
    def walk(folder, onerror):
        onerror(PermissionError(13, "Permission denied", str(folder)))

    monkeypatch.setattr(folders.os, "walk", walk)
    with pytest.raises(ImageFileError, match=r"cannot be read \(Permission denied\)"):
        find_pictures([tmp_path])
