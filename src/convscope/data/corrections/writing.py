"""Write a corrected copy of a data set in the form that it had, with both splits, which `load_dataset` reads.

    pictures in a folder for each class   train/CLASS/ and test/CLASS/ with the original files
    a table of picture files              the original files, and labels.csv with a column for the split
    any other data                        one .npz file with the images as they were loaded

The images of a split keep their order, so a split whose labels are not changed has the same digest as before. A folder
gets the list of corrections as corrections.csv, which `load_dataset` ignores; the .npz file has it beside it.
"""

import csv
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import StringIO
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from convscope.base.errors import ConvscopeError
from convscope.base.files import fill_folder, inside, write_bytes, write_whole
from convscope.data.corrections.reading import DROPPED, Corrections
from convscope.data.datasets import Dataset, Splits
from convscope.data.datasets.data_file import open_data_file
from convscope.data.datasets.disk.images import blocks
from convscope.data.datasets.readers.containers import MAX_DEPTH, Container, list_archive, list_folder
from convscope.data.datasets.readers.labels import natural_key
from convscope.data.datasets.readers.unpack import ZIP_MAGIC

_LIST, _TABLE = "corrections.csv", "labels.csv"
_Image = tuple[str, int]  # a split and an index


def write_corrected(source: Path, splits: Splits, corrections: Corrections, out: Path) -> None:
    """Write the corrected copy of `splits`, which were loaded from `source`, to `out`, whole or not at all.

    Raises:
        ConvscopeError: if something is at `out`, it is inside the original or cannot be written, or a picture cannot be
            read any more.
    """
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise ConvscopeError(f"{out}: already exists and is not empty; choose another name")
    if source.is_dir() and out.resolve().is_relative_to(source.resolve()):
        raise ConvscopeError(f"{out}: is inside {source}, which stays as it is; choose another folder")
    if splits.train.files:
        with fill_folder(out) as folder:
            _write_pictures(source, splits, corrections.labels, folder)
            (folder / _LIST).write_bytes(corrections.content)
        return
    if out.suffix.lower() != ".npz" or out.exists():
        raise ConvscopeError(
            f"{out}: these images have no files of their own, so the copy is one .npz file; choose a name such as "
            f"{out.with_suffix('.npz').name}"
        )
    copy_of_list = out.with_name(f"{out.stem}.{_LIST}")
    if copy_of_list.exists() and copy_of_list.read_bytes() != corrections.content:
        raise ConvscopeError(f"{copy_of_list}: already exists, from other corrections; choose another name")
    with write_whole(out) as path:
        _write_npz(path, splits, corrections.labels)
    write_bytes(copy_of_list, corrections.content)


def _write_pictures(source: Path, splits: Splits, labels: Mapping[str, NDArray[np.int64]], folder: Path) -> None:
    """Copy the pictures that are kept into `folder`, by class or with a table."""
    files = {(dataset.split, index): file for dataset in _both(splits) for index, file in enumerate(dataset.files)}
    kept = [image for image in files if labels[image[0]][image[1]] != DROPPED]
    names = _name_by_class(splits, labels)
    if names is None:  # the files lie as their table says
        names = files
        table = StringIO(newline="")
        rows = ((files[image], splits.class_names[labels[image[0]][image[1]]], image[0]) for image in kept)
        csv.writer(table).writerows([("file", "label", "split"), *rows])
        (folder / _TABLE).write_text(table.getvalue(), encoding="utf-8", newline="")
    with _open_source(source, next(iter(files.values()))) as read:
        for image in kept:
            target = inside(folder, names[image])
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(read(files[image]))


def _name_by_class(splits: Splits, labels: Mapping[str, NDArray[np.int64]]) -> dict[_Image, str] | None:
    """Name each picture as split/CLASS/file, with a number where a picture of the new class has that name already.

    Returns None if the pictures are not in folders of their classes, or would be read in another order than before.
    """
    depth = _find_class_depth(splits)
    if depth is None:
        return None
    names, taken, moved = dict[_Image, str](), set[str](), list[_Image]()
    for dataset in _both(splits):
        for index, file in enumerate(dataset.files):
            names[dataset.split, index] = "/".join((dataset.split, *file.split("/")[depth:]))
            if labels[dataset.split][index] not in (dataset.labels[index], DROPPED):
                moved.append((dataset.split, index))
        order = [name for (split, _), name in names.items() if split == dataset.split]
        if sorted(order, key=lambda name: (natural_key(name), name)) != order:
            return None
    # Names are compared as systems that ignore capitals do.
    taken = {name.lower() for image, name in names.items() if image not in set(moved)}
    for split, index in moved:
        parts = names[split, index].split("/")
        path = PurePosixPath(split, splits.class_names[labels[split][index]], *parts[2:])
        name, number = path, 1
        while str(name).lower() in taken:
            number += 1
            name = path.with_stem(f"{path.stem}-{number}")
        taken.add(str(name).lower())
        names[split, index] = str(name)
    return names


def _find_class_depth(splits: Splits) -> int | None:
    """Find the depth in the names of all files at which the folder has the name of the image's class."""
    pairs = [
        (file.split("/")[:-1], dataset.class_names[label])
        for dataset in _both(splits)
        for file, label in zip(dataset.files, dataset.labels, strict=True)
    ]
    depths = range(MAX_DEPTH + 2)
    return next((d for d in depths if all(d < len(folders) and folders[d] == name for folders, name in pairs)), None)


@contextmanager
def _open_source(source: Path, example: str) -> Iterator[Callable[[str], bytes]]:
    """Open the folder, archive or table of pictures, and yield a function that reads a picture by its name as text."""
    if source.is_dir():
        container = list_folder(source)
    else:
        with open_data_file(source) as file:
            is_archive = file.read(len(ZIP_MAGIC)) == ZIP_MAGIC
        container = list_archive(source) if is_archive else Container(source.parent, (), is_archive=False)
        if is_archive and example not in container.names:  # a packed table, whose pictures are beside it
            container = Container(source.parent, (), is_archive=False)
    # The names of files may hold bytes that are no text, which the data set replaced.
    by_text = {name.encode(errors="surrogateescape").decode(errors="replace"): name for name in container.names}
    with container.open() as read:
        yield lambda text: read(by_text.get(text, text))


def _write_npz(path: Path, splits: Splits, labels: Mapping[str, NDArray[np.int64]]) -> None:
    """Write images and labels as an `.npz` file, block by block, since the images may be larger than memory."""
    with zipfile.ZipFile(path, "x") as archive:
        for dataset in _both(splits):
            of_split = labels[dataset.split]
            is_kept = of_split != DROPPED
            shape = (int(is_kept.sum()), *dataset.image_shape)
            _write_array(archive, f"x_{dataset.split}", shape, np.dtype(np.uint8), _take_kept(dataset, is_kept))
            kept_labels = of_split[is_kept]
            _write_array(archive, f"y_{dataset.split}", kept_labels.shape, kept_labels.dtype, [kept_labels])
        names = np.array(splits.class_names)
        _write_array(archive, "class_names", names.shape, names.dtype, [names])


def _take_kept(dataset: Dataset, is_kept: NDArray[np.bool_]) -> Iterator[NDArray[np.uint8]]:
    start = 0
    for block in blocks(dataset.images):
        yield block[is_kept[start : start + len(block)]]
        start += len(block)


def _write_array(archive: zipfile.ZipFile, name: str, shape: tuple[int, ...], dtype: np.dtype[Any], parts: Any) -> None:
    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
        header = {"descr": npy_format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        npy_format.write_array_header_1_0(member, header)
        for part in parts:
            member.write(np.ascontiguousarray(part).tobytes())


def _both(splits: Splits) -> tuple[Dataset, Dataset]:
    return splits.train, splits.test
