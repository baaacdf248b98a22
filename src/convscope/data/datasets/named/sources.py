"""Find a data set's files on this machine, or fetch them; what is found is used where it lies.

A copy is taken only if it is what was published: its digest is right, or that of its unpacked bytes. Where nobody
publishes a digest for the form it lies in, it must lie in a folder of the data set's own, and the caller holds what is
in it against the published counts.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from convscope.base.errors import DatasetError
from convscope.base.files import file_digest
from convscope.data.datasets.named.caches import DataFolder, cache_folder, places
from convscope.data.datasets.named.entries import DATASETS, CatalogueEntry, OnProgress, PublishedFile, url_folder
from convscope.data.datasets.readers.idx import idx_sha256

Read = TypeVar("Read")


def offline() -> bool:
    """Return whether the user forbids to fetch anything, by $CONVSCOPE_OFFLINE."""
    return os.environ.get("CONVSCOPE_OFFLINE", "").lower() not in ("", "0", "false", "no")


def first_good(
    entry: CatalogueEntry,
    file: PublishedFile,
    read: Callable[[Path, DataFolder], Read],
    on_progress: OnProgress | None,
    instead: Callable[[], Read | None] = lambda: None,
) -> Read:
    """Return the first copy of a file that `read` accepts; fetch one if there is none.

    Args:
        read: takes a path and the place it lies in; raises DatasetError if that is not the file.
        instead: asked before anything is fetched: the same in another form, or None.

    Raises:
        DatasetError: if there is no good copy and none can be fetched, saying what to put where.
    """
    refused = []
    for path, place in candidates(entry, file):
        try:
            return read(path, place)
        except DatasetError as error:
            refused.append(str(error))
    if (found := instead()) is not None:
        return found
    cache = cache_folder()
    if cache is None:
        raise _missing(entry, ["there is no folder to keep it in, because you have no home folder"], refused)
    if offline():
        raise _missing(entry, ["CONVSCOPE_OFFLINE forbids downloads"], refused)
    from convscope.data.datasets.named.download import download  # takes time to import, and few calls fetch

    place = DataFolder(cache / entry.folder)
    try:
        path = download(file, place.folder / file.name, on_progress)
    except DatasetError as error:
        raise _missing(entry, [str(error)], refused) from error
    return read(path, place)


def candidates(entry: CatalogueEntry, file: PublishedFile) -> Iterator[tuple[Path, DataFolder]]:
    """Yield the files that may be a copy of `file`, with the place that each lies in."""
    for place in places(entry):
        for name in file.names:
            path = place.folder / name
            with suppress(OSError):  # a folder that may not be entered
                if path.is_file():
                    yield path, place


def is_published(path: Path, file: PublishedFile) -> bool:
    """Return whether a copy has the published size and digests, as it is.

    Raises:
        DatasetError: if it cannot be read.
    """
    try:
        if file.size_bytes is not None and path.stat().st_size != file.size_bytes:
            return False
        # SHA-256 alone is enough where it is known, and the faster of the two.
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
    """Return the name of a file in EMNIST's archive; `split` is train or test, `kind` images or labels.

    >>> emnist_member(DATASETS["emnist-letters"], "train", "images")
    'emnist-letters-train-images-idx3-ubyte.gz'
    """
    return f"{entry.name}-{split}-{kind}-idx{3 if kind == 'images' else 1}-ubyte.gz"


def loose_files(entry: CatalogueEntry) -> dict[str, Path] | None:
    """Return where the files of an EMNIST set lie outside the archive, by their published names; None if not all do."""
    names = [emnist_member(entry, split, kind) for split in ("train", "test") for kind in ("images", "labels")]
    for place in places(entry):
        if not place.own:  # no digest is published for them
            continue
        found = {}
        for name in names:
            with suppress(OSError):
                for path in (place.folder / name, place.folder / name.removesuffix(".gz")):
                    if path.is_file():
                        found[name] = path
                        break
        if len(found) == len(names):
            return found
    return None


def located(entry: CatalogueEntry) -> str | None:
    """Return where an entry's files are, by their names alone; None if any would have to be fetched."""
    if entry.form == "embedded":
        return "part of the package"
    paths = []
    for file in entry.files:
        for path, _ in candidates(entry, file):
            paths.append(path)
            break
    if len(paths) < len(entry.files) and entry.form == "emnist":
        loose = loose_files(entry)
        return str(next(iter(loose.values())).parent) if loose else None
    if len(paths) < len(entry.files):
        return None
    return str(paths[0] if len(paths) == 1 else paths[0].parent)


def _missing(entry: CatalogueEntry, reasons: list[str], refused: list[str]) -> DatasetError:
    """Return the error that says which files to put where."""
    absent = [file for file in entry.files if next(candidates(entry, file), None) is None] or list(entry.files)
    names = ", ".join(file.name for file in absent)
    # Each host once, and the names after it: four URLs that differ in the name alone are no help to anybody.
    hosts = dict.fromkeys(url_folder(url) if len(absent) > 1 else url for file in absent for url in file.urls)
    cache = cache_folder()
    where = f"{cache / entry.folder}, or " if cache else ""
    folder = entry.name.rpartition(":")[2]
    passed_over = f"; ignored: {'; '.join(refused)}" if refused else ""
    return DatasetError(
        f"{entry.name}: {'; '.join(reasons)}. Put {names} into {where}a folder {folder} inside a folder that "
        f"CONVSCOPE_DATA names; download from {' or '.join(hosts)}{passed_over}"
    )


# These come under the same file names and have the same shapes: KMNIST's class counts are Fashion-MNIST's too.
_KNOWN = {
    file.content_sha256: entry.name
    for entry in (DATASETS["mnist"], DATASETS["fashion-mnist"])
    for file in entry.files
    if file.content_sha256 is not None
}


def check_structure(
    entry: CatalogueEntry,
    split: str,
    images: NDArray[np.uint8],
    labels: NDArray[Any],
    images_from: str,
    labels_from: str,
) -> None:
    """Raise `DatasetError` if images (N, H, W) or labels (N,) cannot be the `split` "train" or "test" of `entry`."""
    place = 0 if split == "train" else 1
    count = (entry.num_train, entry.num_test)[place]
    shape = (count, *entry.image_shape[:2])
    advice = f"it does not belong to {entry.name}; remove it, or put the published file there"
    if images.shape != shape:
        raise DatasetError(f"{images_from}: holds images of shape {images.shape}, not {shape}: {advice}")
    if labels.shape != (count,):
        raise DatasetError(f"{labels_from}: holds labels of shape {labels.shape}, not {(count,)}: {advice}")
    lowest, highest = int(labels.min()), int(labels.max())
    if lowest < 0 or highest >= len(entry.class_names):
        raise DatasetError(
            f"{labels_from}: has classes {lowest} to {highest}, counted from 0, but there are "
            f"{len(entry.class_names)}: {advice}"
        )
    counts = entry.class_counts[place]
    if counts is not None and (found := tuple(np.bincount(labels, minlength=len(counts)).tolist())) != counts:
        raise DatasetError(f"{labels_from}: its classes have {found} images, not {counts}: {advice}")
    if (other := _KNOWN.get(idx_sha256(images))) is not None:
        raise DatasetError(f"{images_from}: holds the images of {other}: {advice}")
