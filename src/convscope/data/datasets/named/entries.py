"""Data sets with a name, as data_sets.json describes them: their published files and contents.

`sources.py` finds the files, and `catalogue.py` reads them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Literal

import msgspec

from convscope.base.records import Count, Record, Sha256, from_attributes

OnProgress = Callable[[str, int, int | None], None]
"""Called during a download with the file's name, the bytes so far and in all; None if the total is unknown."""

Form = Literal["embedded", "idx", "emnist", "medmnist"]
"""Selects the reader of a data set's files."""


class PublishedFile(Record):
    """A published file, with the digests by which a copy of it is checked.

    Attributes:
        name: as published; a copy may also be unpacked, without `.gz`.
        urls: the same bytes at several hosts, in the order in which they are tried.
        md5, sha256: the digests of the file as it is; None if it is not published.
        content_sha256: the digest of the unpacked bytes, however the file was packed.
        size_bytes: the size of the file as it is; None if it is not published.
        most_bytes: an upper bound for the size of a file whose size is not known.
    """

    name: str
    urls: tuple[str, ...] = ()
    md5: str | None = None
    sha256: Sha256 | None = None
    content_sha256: Sha256 | None = None
    size_bytes: Count | None = None
    most_bytes: Count = 0

    @property
    def digests(self) -> dict[str, str]:
        """The published digests of the file: "md5", "sha256" or both."""
        known = {"md5": self.md5, "sha256": self.sha256}
        return {algorithm: digest for algorithm, digest in known.items() if digest}

    @property
    def limit_bytes(self) -> int:
        return self.size_bytes or self.most_bytes

    @property
    def names(self) -> tuple[str, ...]:
        """The possible names of a copy: as published, unpacked, and with a dot before `idx`."""
        # Browsers unpack .gz files, and some mirrors write train-images.idx3-ubyte.
        plain = self.name.removesuffix(".gz")
        dotted = plain.replace("-idx", ".idx")
        packed = (self.name, f"{dotted}.gz") if self.name != plain else ()
        return tuple(dict.fromkeys((*packed, plain, dotted)))


class DatasetFacts(Record, kw_only=True):
    """The description of a named data set: its content, its licence and its files.

    Attributes:
        files: as published; of IDX files: train images, train labels, test images, test labels.
        num_train, num_test, image_shape: the content of the files.
        accuracy: a published accuracy, with its source.
        notes: further facts that a user should know.
    """

    name: str
    title: str
    licence: str
    source: str
    class_names: tuple[str, ...]
    num_train: Count
    num_test: Count
    image_shape: tuple[Count, Count, Count]
    files: tuple[PublishedFile, ...]
    accuracy: str | None = None
    notes: str = ""


class NamedDataset(DatasetFacts, kw_only=True):
    """A data set with a name, as commands list it.

    Attributes:
        located: the path of its files on this machine; None if some are missing.
    """

    num_classes: Count
    located: str | None


class CatalogueEntry(DatasetFacts, kw_only=True):
    """A data set with a name, and how it is read.

    Attributes:
        form: how the files are read.
        folder: the name of its folder in a cache.
    """

    form: Form
    folder: str

    def to_record(self, located: str | None) -> NamedDataset:
        """Build the record of the entry, with the path of its files on this machine."""
        return from_attributes(NamedDataset, self, num_classes=len(self.class_names), located=located)


def url_folder(url: str) -> str:
    """Get the folder of a file, with the slash at its end.

    >>> url_folder("https://example.org/a/b.gz")
    'https://example.org/a/'
    """
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{PurePosixPath(rest).parent}/"


@dataclass(frozen=True)
class _Catalogue:
    """The content of data_sets.json.

    Attributes:
        facts: by the name of a data set or a family of them, the sources of its facts.
        refused: data sets of MedMNIST that are not supported, with the reason.
    """

    facts: dict[str, str]
    refused: dict[str, str]
    data_sets: tuple[CatalogueEntry, ...]


_CATALOGUE = msgspec.json.decode((Path(__file__).parent / "data_sets.json").read_bytes(), type=_Catalogue)

DATASETS: Mapping[str, CatalogueEntry] = MappingProxyType({entry.name: entry for entry in _CATALOGUE.data_sets})
"""All data sets with a name."""

REFUSED: Mapping[str, str] = MappingProxyType(_CATALOGUE.refused)
"""Data sets of MedMNIST that are not supported, with the reason."""
