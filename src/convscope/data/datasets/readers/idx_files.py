"""Find the IDX files of a data set in a folder or archive by their names, and read them.

Names are such as train-images-idx3-ubyte, t10k-labels.idx1-ubyte.gz or emnist-letters-test-images-idx3-ubyte.zip. The
part before the split is the set's own name, and a folder may hold several sets.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from convscope.base.errors import DatasetError
from convscope.data.datasets.data_file import Images, seal
from convscope.data.datasets.disk.files import file_sha256, open_idx
from convscope.data.datasets.raw_splits import RawSplit, RawSplits, file_name
from convscope.data.datasets.readers.containers import Container
from convscope.data.datasets.readers.idx import read_idx_and_sha256
from convscope.data.datasets.records import SourceFile

_NAME = re.compile(
    r"(?P<set>.*?)(?P<split>train|t10k|test)[-_.](?P<kind>images|labels)[-_.]idx(?P<dimensions>[1-4])"
    r"([-_.](ubyte|byte|short|int))?(?P<packing>\.gz|\.zip)?",
    re.IGNORECASE,
)
_PACKINGS = ("", ".gz", ".zip")  # in order of preference, if a file is there in several packings
_KINDS = (("train", "images"), ("train", "labels"), ("test", "images"), ("test", "labels"))
_USUAL = {
    ("train", "images"): "train-images-idx3-ubyte",
    ("train", "labels"): "train-labels-idx1-ubyte",
    ("test", "images"): "t10k-images-idx3-ubyte",
    ("test", "labels"): "t10k-labels-idx1-ubyte",
}


IdxFiles = dict[tuple[str, str], str]
"""The names of a set's files by (split, kind)."""


def is_idx_name(name: str) -> bool:
    """True if a file has the name of an IDX file."""
    return _match(name) is not None


def find_idx(names: Iterable[str]) -> dict[str, IdxFiles]:
    """Group the files by the name of their set, which stands before the split.

    For `letters-train-images-idx3-ubyte.gz` and `letters-t10k-labels-idx1-ubyte`, the result is
    {"letters-": {("train", "images"): the first name, ("test", "labels"): the second}}. Of a file in several packings,
    the first of `_PACKINGS` is chosen.
    """
    # For each set and each (split, kind), the best file so far: (index of its packing, name).
    files_by_set: dict[str, dict[tuple[str, str], tuple[int, str]]] = {}
    for name in names:
        match = _match(name)
        if match is None:
            continue
        split = "train" if match["split"].lower() == "train" else "test"
        rank = _PACKINGS.index((match["packing"] or "").lower())
        files = files_by_set.setdefault(name[: name.rfind("/") + 1] + match["set"], {})
        key = split, match["kind"].lower()
        if key not in files or rank < files[key][0]:
            files[key] = rank, name
    return {name: {key: file for key, (_, file) in files.items()} for name, files in files_by_set.items()}


def read_idx_files(container: Container, only: str | None = None) -> RawSplits:
    """Read the set in a folder or archive; of several, the set to which the file `only` belongs.

    Raises:
        DatasetError: if there are several sets, one of the files is missing, or one is damaged.
    """
    sets = find_idx(container.names)
    if only is not None:
        sets = {name: files for name, files in sets.items() if only in files.values()}
    files = next(iter(sets.values()))
    if len(sets) > 1:
        raise DatasetError(
            f"{container.path}: holds IDX files of several data sets ({', '.join(repr(name)[:40] for name in sets)}); "
            f"name one file of the set to load, such as {container.path / next(iter(files.values()))}"
        )
    for key in _KINDS:  # a split may be missing as a whole, but not one of its two files
        is_split_there = any(split == key[0] for split, _ in files)
        if is_split_there and key not in files:
            raise DatasetError(
                f"{container.path}: has no {_USUAL[key]}, plain, .gz or .zip; put the four IDX files into one folder"
            )
    train, test = (
        _read_split(container, files[split, "images"], files[split, "labels"]) if (split, "images") in files else None
        for split in ("train", "test")
    )
    return RawSplits(train, test)


def _match(name: str) -> re.Match[str] | None:
    return _NAME.fullmatch(name.rpartition("/")[2])


def _read_split(container: Container, images_name: str, labels_name: str) -> RawSplit:
    images, images_sha256 = _read_images(container, images_name)
    path, member = container.locate(labels_name)
    labels, labels_sha256 = read_idx_and_sha256(path, member=member, whole_numbers=True)
    if labels.ndim == 2 and "idx2" in labels_name.lower():
        labels = seal(labels[:, 0].copy())  # QMNIST: the class, then its writer and origin
    files = (
        SourceFile(file_name(Path(images_name)), images_sha256),
        SourceFile(file_name(Path(labels_name)), labels_sha256),
    )
    return RawSplit(images, labels, container.describe(images_name), container.describe(labels_name), files)


def _read_images(container: Container, name: str) -> tuple[Images, str]:
    path, member = container.locate(name)
    # A plain file too large for memory stays on the disk; for any other file `open_idx` returns None.
    if member is None and (images := open_idx(path)) is not None:
        return images, file_sha256(images)
    return read_idx_and_sha256(path, member=member)
