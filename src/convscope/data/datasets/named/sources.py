"""Find a data set's files on this machine, or download them.

A copy is used only if its digest, or that of its unpacked bytes, is the published one. It stays where it is.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from convscope.base.errors import DatasetError
from convscope.base.files import file_digest
from convscope.data.datasets.named.caches import cache_folder, search_folders
from convscope.data.datasets.named.entries import CatalogueEntry, OnProgress, PublishedFile, url_folder

Read = TypeVar("Read")


def is_offline() -> bool:
    """True if $CONVSCOPE_OFFLINE forbids downloads."""
    return os.environ.get("CONVSCOPE_OFFLINE", "").lower() not in ("", "0", "false", "no")


def read_good_copy(
    entry: CatalogueEntry, file: PublishedFile, read: Callable[[Path], Read], on_progress: OnProgress | None
) -> Read:
    """Read the first copy of a file that `read` accepts; download the file if there is none.

    Args:
        read: takes a path; raises DatasetError if that is not the file.

    Raises:
        DatasetError: if there is no good copy and none can be downloaded; it says which files to put where.
    """
    refused = []
    for path in candidates(entry, file):
        try:
            return read(path)
        except DatasetError as error:
            refused.append(str(error))
    cache = cache_folder()
    if cache is None:
        raise _describe_missing(entry, ["there is no folder to keep it in, because you have no home folder"], refused)
    if is_offline():
        raise _describe_missing(entry, ["CONVSCOPE_OFFLINE forbids downloads"], refused)
    from convscope.data.datasets.named.download import download  # takes time to import, and few calls fetch

    try:
        path = download(file, cache / entry.folder / file.name, on_progress)
    except DatasetError as error:
        raise _describe_missing(entry, [str(error)], refused) from error
    return read(path)


def candidates(entry: CatalogueEntry, file: PublishedFile) -> Iterator[Path]:
    """Yield the files that may be a copy of `file`."""
    for folder in search_folders(entry):
        for name in file.names:
            with suppress(OSError):  # a folder that may not be entered
                if (folder / name).is_file():
                    yield folder / name


def is_published(path: Path, file: PublishedFile) -> bool:
    """True if a copy has the published size and digest.

    Raises:
        DatasetError: if it cannot be read.
    """
    try:
        if file.size_bytes is not None and path.stat().st_size != file.size_bytes:
            return False
        # SHA-256 alone is enough if it is published, and faster than MD5 on processors with instructions for it.
        algorithm = "sha256" if file.sha256 else "md5"
        with path.open("rb") as copy:
            return file_digest(copy, algorithm) == file.digests[algorithm]
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror or error}); check its permissions") from error


def check_published(path: Path, file: PublishedFile) -> None:
    """Raise `DatasetError` if a copy is not what was published."""
    if not is_published(path, file):
        raise DatasetError(
            f"{path}: is not {file.name} as published (its digest differs); remove it, or download it again"
        )


def emnist_member(entry: CatalogueEntry, split: str, kind: str) -> str:
    """Name a file in EMNIST's archive; `split` is train or test, `kind` images or labels.

    >>> from convscope.data.datasets.named.entries import DATASETS
    >>> emnist_member(DATASETS["emnist-letters"], "train", "images")
    'emnist-letters-train-images-idx3-ubyte.gz'
    """
    return f"{entry.name}-{split}-{kind}-idx{3 if kind == 'images' else 1}-ubyte.gz"


def locate(entry: CatalogueEntry) -> str | None:
    """Find the path of an entry's files by their names alone; None if any would have to be downloaded."""
    if entry.form == "embedded":
        return "part of the package"
    paths = [path for file in entry.files if (path := next(candidates(entry, file), None))]
    if len(paths) < len(entry.files):
        return None
    return str(paths[0] if len(paths) == 1 else paths[0].parent)


def _describe_missing(entry: CatalogueEntry, reasons: list[str], refused: list[str]) -> DatasetError:
    """Make the error that says which files to put where."""
    absent = [file for file in entry.files if next(candidates(entry, file), None) is None] or list(entry.files)
    names = ", ".join(file.name for file in absent)
    # If several files are missing, only the folders of their hosts, each once: four URLs that differ in the file's name
    # alone would make the error hard to read.
    hosts = dict.fromkeys(url_folder(url) if len(absent) > 1 else url for file in absent for url in file.urls)
    cache = cache_folder()
    where = f"{cache / entry.folder}, or " if cache else ""
    folder = entry.name.rpartition(":")[2]
    passed_over = f"; ignored: {'; '.join(refused)}" if refused else ""
    return DatasetError(
        f"{entry.name}: {'; '.join(reasons)}. Put {names} into {where}a folder {folder} inside a folder that "
        f"CONVSCOPE_DATA names; download from {' or '.join(hosts)}{passed_over}"
    )
