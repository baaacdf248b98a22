"""The data sets that can be asked for by name.

Name to `Splits`. MNIST itself is part of the package. Its uncompressed copy is kept in the user's cache, since
unpacking takes longer than a short training run; a copy is used only if its digest is right, and where none can be kept
the data set is unpacked each time.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.datasets.dataset import SourceFile, Splits
from convscope.datasets.halves import Half, make_splits
from convscope.datasets.idx import idx_header, idx_sha256, read_idx
from convscope.errors import ConvscopeError, DatasetError
from convscope.files import write_bytes

DATA_FOLDER = Path(__file__).parent / "data"


@dataclass(frozen=True)
class CatalogueEntry:
    """A data set with a name: what it is, who may use it, and the digests its files must have.

    Attributes:
        files: (name, SHA-256 of the uncompressed bytes) of train images, train labels, test images, test labels.
    """

    name: str
    title: str
    licence: str
    source: str
    class_names: tuple[str, ...]
    files: tuple[SourceFile, SourceFile, SourceFile, SourceFile]

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "title": self.title,
            "licence": self.licence,
            "source": self.source,
            "class_names": list(self.class_names),
            "files": [file.to_dict() for file in self.files],
        }


_MNIST = CatalogueEntry(
    name="mnist",
    title="MNIST, handwritten digits: 60,000 for training and 10,000 for test, 28 × 28 grey",
    licence="Copyright Yann LeCun and Corinna Cortes; Creative Commons Attribution-Share Alike 3.0",
    source="Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, Proceedings of the IEEE 86(11), 1998; part of this package",
    class_names=tuple("0123456789"),
    files=(
        SourceFile("train-images-idx3-ubyte", "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
        SourceFile("train-labels-idx1-ubyte", "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
        SourceFile("t10k-images-idx3-ubyte", "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
        SourceFile("t10k-labels-idx1-ubyte", "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
    ),
)

# Every data set that has a name. One that must be fetched will say here from where; `read_entry` is its place.
DATASETS: Mapping[str, CatalogueEntry] = MappingProxyType({entry.name: entry for entry in (_MNIST,)})


def cache_folder() -> Path | None:
    """Return where copies that can be made again are kept: $CONVSCOPE_CACHE, else a folder in the user's cache.

    None where there is no such place, as for a user without a home.
    """
    if own := os.environ.get("CONVSCOPE_CACHE"):
        return Path(own)
    shared = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if shared.is_absolute():  # the XDG specification says to pass over a relative one
        return shared / "convscope"
    try:
        return Path.home() / ".cache" / "convscope"
    except RuntimeError:
        return None


def read_entry(entry: CatalogueEntry) -> Splits:
    """Return the data set of an entry; raises `DatasetError` if a file of it is damaged."""
    halves = []
    for files in (entry.files[:2], entry.files[2:]):
        images, labels = (_read_embedded(entry, file) for file in files)
        halves.append(Half(images, labels, files[0].name, files[1].name, files))
    return make_splits(entry.name, halves[0], halves[1], entry.class_names)


def _read_embedded(entry: CatalogueEntry, file: SourceFile) -> NDArray[np.uint8]:
    """Read one file of the package, from its uncompressed copy if that is good, and leave such a copy if not."""
    folder = cache_folder()
    copy = folder / entry.name / file.name if folder else None
    if copy:
        with suppress(DatasetError):  # none yet, or damaged: it is written anew
            array = read_idx(copy)
            if idx_sha256(array) == file.sha256:
                return array
    packed = DATA_FOLDER / entry.name / f"{file.name}.gz"
    array = read_idx(packed)
    if (found := idx_sha256(array)) != file.sha256:
        raise DatasetError(f"{packed}: its SHA-256 is {found}, not {file.sha256}; install convscope again")
    if copy:
        with suppress(ConvscopeError):  # a read-only home or a full disk costs time, not the data set
            write_bytes(copy, b"".join((idx_header(array.shape), array.data)))
    return array
