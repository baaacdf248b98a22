"""Read one of EMNIST's six sets, from the published archive or from its four files alone.

The files hold each image column by column, so it lies on its side, mirrored: rows and columns are swapped here. The
labels of `letters` count from 1, and are made to count from 0.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convscope.base.errors import DatasetError
from convscope.data.datasets.data_file import sealed
from convscope.data.datasets.halves import Half
from convscope.data.datasets.named.caches import DataFolder
from convscope.data.datasets.named.entries import CatalogueEntry, OnProgress
from convscope.data.datasets.named.sources import (
    check_published,
    check_structure,
    emnist_member,
    first_good,
    loose_files,
)
from convscope.data.datasets.readers.idx import idx_sha256, read_idx
from convscope.data.datasets.records import SourceFile

_FIRST_LABEL = {"emnist-letters": 1}
Halves = tuple[Half, Half]


def read_emnist(entry: CatalogueEntry, on_progress: OnProgress | None) -> Halves:
    """Return (train, test): images (N, 28, 28) upright, labels (N,) from 0.

    Raises:
        DatasetError: if there is no good copy, or a file of it is damaged.
    """

    def from_archive(path: Path, _: DataFolder) -> Halves:
        check_published(path, entry.files[0])
        return _read(entry, lambda name: read_idx(path, member=f"gzip/{name}"), lambda name: f"{path}: {name}", False)

    def from_files() -> Halves | None:
        paths = loose_files(entry)
        if paths is None:
            return None
        return _read(entry, lambda name: read_idx(paths[name]), lambda name: str(paths[name]), True)

    return first_good(entry, entry.files[0], from_archive, on_progress, from_files)


def _read(
    entry: CatalogueEntry,
    read: Callable[[str], NDArray[np.uint8]],
    place: Callable[[str], str],
    check: bool,
) -> Halves:
    train, test = (_read_half(entry, split, read, place, check) for split in ("train", "test"))
    return train, test


def _read_half(
    entry: CatalogueEntry,
    split: str,
    read: Callable[[str], NDArray[np.uint8]],
    place: Callable[[str], str],
    check: bool,
) -> Half:
    """Read a split by the published names of its files; `place` says where one lies, for errors."""
    names = emnist_member(entry, split, "images"), emnist_member(entry, split, "labels")
    images, labels = (read(name) for name in names)
    source = tuple(
        SourceFile(name.removesuffix(".gz"), idx_sha256(array))
        for name, array in zip(names, (images, labels), strict=True)
    )
    if images.ndim != 3:
        raise DatasetError(f"{place(names[0])}: has the shape {images.shape}; images must be (N, H, W)")
    first = _FIRST_LABEL.get(entry.name, 0)
    if labels.min() < first:
        raise DatasetError(
            f"{place(names[1])}: has labels from {labels.min()}; those of {entry.name} count from {first}"
        )
    upright = sealed(np.ascontiguousarray(images.swapaxes(1, 2)))
    labels = sealed(labels - np.uint8(first))
    if check:
        check_structure(entry, split, upright, labels, place(names[0]), place(names[1]))
    return Half(upright, labels, place(names[0]), place(names[1]), source)
