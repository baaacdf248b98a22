"""A data set by its name, or from a folder or file of one's own."""

import os
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path

from convscope.datasets.catalogue import DATASETS, read_entry
from convscope.datasets.dataset import SourceFile, Splits
from convscope.datasets.halves import Half, file_name, make_splits
from convscope.datasets.idx import idx_sha256, read_idx
from convscope.datasets.npz import read_npz
from convscope.errors import DatasetError


def load_dataset(name_or_path: str | os.PathLike[str]) -> Splits:
    """Load a data set, by its name or from a folder or file of one's own.

    Args:
        name_or_path: a name in `DATASETS`; or a folder that holds four IDX files under their usual names
            (`train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-...` or `test-...`, plain or `.gz`); or an
            `.npz` archive with x_train, y_train, x_test and y_test. A name comes first: a folder of that name is
            reached as `./name`.

    Returns:
        both splits: images (N, H, W, C) uint8, labels (N,); read-only. The classes of a path are "0" to the highest
        label.

    Raises:
        DatasetError: if there is no such name or path, a file is missing, damaged or not as its digest says, the counts
            of images and labels differ, the image sizes of the splits differ, or a label is out of range.

    Example:
        >>> data = load_dataset("mnist")
        >>> data.train.images.shape, data.train.class_names[data.train.labels[0]]
        ((60000, 28, 28, 1), '5')
    """
    if name_or_path in DATASETS:
        return read_entry(DATASETS[str(name_or_path)])
    path = Path(name_or_path)
    is_folder = exists = False
    if str(name_or_path):  # an empty path would mean the current folder
        with suppress(OSError, ValueError):  # a name too long, a folder that may not be entered, a NUL
            is_folder, exists = path.is_dir(), path.exists()
    if is_folder:
        return _read_folder(path)
    if exists:
        return _read_archive(path)
    meant = get_close_matches(str(name_or_path), DATASETS, n=1)
    hint = f"did you mean {meant[0]!r}" if meant else f"the names are {', '.join(DATASETS)}"
    raise DatasetError(
        f"{str(name_or_path)[:200]!r} is neither the name of a data set nor a folder or file that can be read; "
        f"{hint}, or give a path"
    )


def _read_folder(folder: Path) -> Splits:
    try:
        held = {path.name for path in folder.iterdir()}
    except OSError as error:
        raise DatasetError(f"{folder}: cannot be listed ({error.strerror}); check its permissions") from error
    paths = [
        _find(folder, held, split, kind) for split in (("train",), ("t10k", "test")) for kind in ("images", "labels")
    ]
    train, test = (_read_half(images, labels) for images, labels in (paths[:2], paths[2:]))
    return make_splits(file_name(folder), train, test)


def _read_half(images_path: Path, labels_path: Path) -> Half:
    images, labels = read_idx(images_path), read_idx(labels_path)
    source = (
        SourceFile(file_name(images_path), idx_sha256(images)),
        SourceFile(file_name(labels_path), idx_sha256(labels)),
    )
    return Half(images, labels, str(images_path), str(labels_path), source)


def _find(folder: Path, held: set[str], splits: tuple[str, ...], kind: str) -> Path:
    dimensions = ("3", "4") if kind == "images" else ("1",)
    names = [
        f"{split}-{kind}{dot}idx{digit}-ubyte{suffix}"
        for split in splits
        for dot in "-."
        for digit in dimensions
        for suffix in ("", ".gz")
    ]
    for name in names:
        if name in held:
            return folder / name
    raise DatasetError(f"{folder}: has no {names[0]}, plain or .gz; put the four IDX files into one folder")


def _read_archive(path: Path) -> Splits:
    archive = read_npz(path)
    source = (SourceFile(file_name(path), archive.sha256),)
    train = Half(archive.x_train, archive.y_train, f"{path}: x_train", f"{path}: y_train", source)
    test = Half(archive.x_test, archive.y_test, f"{path}: x_test", f"{path}: y_test", source)
    return make_splits(file_name(path), train, test)
