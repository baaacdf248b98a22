"""Read data sets by their names into `Splits`.

MNIST itself is part of the package. An uncompressed copy is kept in the user's cache, because unpacking takes longer
than a short training run. A copy is used only if its digest is right; without a cache the data set is unpacked each
time. Other data sets are searched on this machine or downloaded, see `sources.py`.
"""

import os
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.errors import ConvscopeError, DatasetError
from convscope.base.files import write_bytes
from convscope.base.spelling import did_you_mean
from convscope.data.datasets.data_file import Labels, seal
from convscope.data.datasets.dataset import Splits
from convscope.data.datasets.named.caches import cache_folder
from convscope.data.datasets.named.emnist import read_emnist
from convscope.data.datasets.named.entries import DATASETS, REFUSED, CatalogueEntry, OnProgress, PublishedFile
from convscope.data.datasets.named.sources import check_published, read_good_copy
from convscope.data.datasets.raw_splits import RawSplit, make_splits
from convscope.data.datasets.readers.idx import idx_header, read_idx_and_sha256
from convscope.data.datasets.readers.npz import read_npz
from convscope.data.datasets.records import LoadOptions, SourceFile

DATA_FOLDER = Path(__file__).parents[1] / "embedded"

_PREFIX = "medmnist:"


def find_entry(name: str | os.PathLike[str]) -> CatalogueEntry | None:
    """Find the entry of a name; None if it is no name but perhaps a path.

    Raises:
        DatasetError: if it is the name of a data set that is not read, with the reason.
    """
    if not isinstance(name, str):
        return None
    if name in DATASETS:
        return DATASETS[name]
    if not name.startswith(_PREFIX):
        return None
    wanted = name.removeprefix(_PREFIX)
    if reason := REFUSED.get(wanted):
        raise DatasetError(f"{name}: is not supported: {reason}; `convscope data list` names the supported data sets")
    known = [dataset.removeprefix(_PREFIX) for dataset in DATASETS if dataset.startswith(_PREFIX)]
    # The first quote of "did you mean 'pathmnist'" opens the name, which gets its prefix there.
    hint = did_you_mean(wanted, known).replace("'", f"'{_PREFIX}", 1) or f"; MedMNIST has {', '.join(known)}"
    raise DatasetError(f"{name[:200]!r} is not a data set of MedMNIST{hint}")


def read_entry(
    entry: CatalogueEntry, options: LoadOptions | None = None, *, on_progress: OnProgress | None = None
) -> Splits:
    """Read the data set of an entry, from this machine or after a download.

    Args:
        options: such as another image size.
        on_progress: called as `on_progress(file, bytes_so_far, bytes_in_all_or_None)` while something is fetched.

    Raises:
        DatasetError: if there is no good copy of a file and none can be fetched, saying which file to put into which
            folder; or if a file of the package is damaged.
    """
    by_split = (entry.files[:2], entry.files[2:])  # images and labels of each split, where these are separate files
    if entry.form == "embedded":
        train, test = (_read_embedded_split(entry, files) for files in by_split)
    elif entry.form == "idx":
        train, test = (_read_idx(entry, files, on_progress) for files in by_split)
    else:
        read = partial(read_emnist if entry.form == "emnist" else _read_medmnist, entry)
        train, test = read_good_copy(entry, entry.files[0], read, on_progress)
    return make_splits(entry.name, train, test, entry.class_names, options)


def _read_embedded_split(entry: CatalogueEntry, files: tuple[PublishedFile, ...]) -> RawSplit:
    images, labels = (_read_embedded(entry, file) for file in files)
    source = tuple(SourceFile(file.name, file.content_sha256 or "") for file in files)
    return RawSplit(images, labels, files[0].name, files[1].name, source)


def _read_embedded(entry: CatalogueEntry, file: PublishedFile) -> NDArray[np.uint8]:
    """Read a file of the package from its uncompressed copy; write the copy if there is no good one."""
    folder = cache_folder()
    copy = folder / entry.name / file.name if folder else None
    if copy:
        with suppress(DatasetError):  # none yet, or damaged: it is written again
            array, sha256 = read_idx_and_sha256(copy)
            if sha256 == file.content_sha256:
                return array
    packed = DATA_FOLDER / entry.name / f"{file.name}.gz"
    array, sha256 = read_idx_and_sha256(packed)
    if sha256 != file.content_sha256:
        raise DatasetError(f"{packed}: its SHA-256 is {sha256}, not {file.content_sha256}; reinstall convscope")
    if copy:
        with suppress(ConvscopeError):  # a read-only home or a full disk costs time, not the data set
            write_bytes(copy, b"".join((idx_header(array.shape), array.data)))
    return array


def _read_idx(entry: CatalogueEntry, files: tuple[PublishedFile, ...], on_progress: OnProgress | None) -> RawSplit:
    (images, images_path, images_source), (classes, labels_path, labels_source) = (
        read_good_copy(entry, file, partial(_read_array, file=file), on_progress) for file in files
    )
    labels: Labels = classes
    if classes.ndim == 2:  # QMNIST has eight numbers for each image: first its class, then its writer and origin
        labels = seal(classes[:, 0].astype(np.uint8))
    return RawSplit(images, labels, str(images_path), str(labels_path), (images_source, labels_source))


def _read_array(path: Path, file: PublishedFile) -> tuple[NDArray[Any], Path, SourceFile]:
    """Read a copy of an IDX file, and check it by the digest of its content if that is known, else of the file."""
    if file.content_sha256 is None:
        check_published(path, file)
    array, sha256 = read_idx_and_sha256(path, whole_numbers=True)
    if file.content_sha256 not in (None, sha256):
        raise DatasetError(f"{path}: is not {file.name} as published (the SHA-256 of its content is {sha256})")
    return array, path, SourceFile(file.name.removesuffix(".gz"), sha256)


def _read_medmnist(entry: CatalogueEntry, path: Path) -> tuple[RawSplit, RawSplit]:
    """Read the training and the test images of MedMNIST, without its validation images."""
    check_published(path, entry.files[0])
    archive = read_npz(path)
    source = (SourceFile(path.name, archive.sha256),)
    raw_splits = []
    for pair in (archive.train, archive.test):
        if pair is None or pair.images is None:
            raise DatasetError(f"{path}: has no test images; download it again")
        names = f"{path}: {pair.images_name}", f"{path}: {pair.labels_name}"
        raw_splits.append(RawSplit(pair.images, pair.labels, *names, source))
    return raw_splits[0], raw_splits[1]
