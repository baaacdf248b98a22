"""Read a set of EMNIST from the published archive, with upright images and labels from 0."""

from pathlib import Path

import numpy as np

from convscope.base.errors import DatasetError
from convscope.data.datasets.data_file import seal
from convscope.data.datasets.named.entries import CatalogueEntry
from convscope.data.datasets.named.sources import check_published, emnist_member
from convscope.data.datasets.raw_splits import RawSplit
from convscope.data.datasets.readers.idx import read_idx_and_sha256
from convscope.data.datasets.records import SourceFile

_FIRST_LABEL = {"emnist-letters": 1}  # the other five sets count from 0


def read_emnist(entry: CatalogueEntry, path: Path) -> tuple[RawSplit, RawSplit]:
    """Read (train, test) from EMNIST's archive: images (N, 28, 28) upright, labels (N,) from 0.

    Raises:
        DatasetError: if it is another archive, or a file of it is damaged.
    """
    check_published(path, entry.files[0])
    return _read_split(entry, "train", path), _read_split(entry, "test", path)


def _read_split(entry: CatalogueEntry, split: str, path: Path) -> RawSplit:
    """Read a split from the archive at `path`, turn its images upright and count its labels from 0."""
    names = emnist_member(entry, split, "images"), emnist_member(entry, split, "labels")
    # The archive has all files in a folder called gzip.
    (images, labels), digests = zip(*(read_idx_and_sha256(path, member=f"gzip/{name}") for name in names), strict=True)
    source = tuple(SourceFile(name.removesuffix(".gz"), sha256) for name, sha256 in zip(names, digests, strict=True))
    if images.ndim != 3:
        raise DatasetError(f"{path}: {names[0]}: has the shape {images.shape}; images must be (N, H, W)")
    first = _FIRST_LABEL.get(entry.name, 0)
    if labels.min() < first:
        raise DatasetError(
            f"{path}: {names[1]}: has labels from {labels.min()}; those of {entry.name} count from {first}"
        )
    # The files hold each image column by column.
    upright = seal(np.ascontiguousarray(images.swapaxes(1, 2)))
    labels = seal(labels - np.uint8(first))
    return RawSplit(upright, labels, f"{path}: {names[0]}", f"{path}: {names[1]}", source)
