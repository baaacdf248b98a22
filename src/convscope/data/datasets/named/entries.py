"""The data sets that have a name, as data_sets.json describes them: their published files, and what must be in them.

Where the files are found is in `sources.py`, how they are read in `catalogue.py`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Literal

import msgspec

from convscope.base.records import Count, Record, Sha256, from_attributes

OnProgress = Callable[[str, int, int | None], None]
"""Called while a file is fetched, with its name, the bytes so far, and how many it will be, None where nobody knows."""

Form = Literal["embedded", "idx", "emnist", "medmnist"]
"""How the files of a data set are to be read."""


class PublishedFile(Record):
    """A file as it is published, and how a copy of it is known to be whole.

    Attributes:
        name: as published; a copy may also lie unpacked, without `.gz`.
        urls: the same bytes at several hosts, in the order in which they are tried.
        md5, sha256: of the file as it is; None where nobody publishes it.
        content_sha256: of the unpacked bytes, which is the same however the file was packed.
        size_bytes: of the file as it is; None where it is not published.
        most_bytes: what no honest copy is larger than, where the size is not known.
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
        plain = self.name.removesuffix(".gz")
        dotted = plain.replace("-idx", ".idx")
        packed = (self.name, f"{dotted}.gz") if self.name != plain else ()
        return tuple(dict.fromkeys((*packed, plain, dotted)))


class DatasetFacts(Record, kw_only=True):
    """The description of a named data set: its content, its licence and its files.

    Attributes:
        files: as published; of IDX files: train images, train labels, test images, test labels.
        num_train, num_test, image_shape: what is in the files.
        accuracy: what others have reached, with the source.
        notes: what else a user should know.
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
        located: where its files lie on this machine; None where they are not there.
    """

    num_classes: Count
    located: str | None


class CatalogueEntry(DatasetFacts, kw_only=True):
    """A data set with a name, and how it is read.

    Attributes:
        form: how the files are read.
        folder: what its folder in a cache is called.
    """

    form: Form
    folder: str

    def to_record(self, located: str | None) -> NamedDataset:
        """Return the entry, with the place of its files on this machine."""
        return from_attributes(NamedDataset, self, num_classes=len(self.class_names), located=located)


def url_folder(url: str) -> str:
    """Return where a file lies, with the slash.

    >>> url_folder("https://example.org/a/b.gz")
    'https://example.org/a/'
    """
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{PurePosixPath(rest).parent}/"


@dataclass(frozen=True)
class _Catalogue:
    """The content of data_sets.json.

    Attributes:
        facts: where the facts about a data set, or a family of data sets, come from.
        refused: data sets of MedMNIST that are not supported, with the reason.
    """

    facts: dict[str, str]
    refused: dict[str, str]
    data_sets: tuple[CatalogueEntry, ...]


_CATALOGUE = msgspec.json.decode((Path(__file__).parent / "data_sets.json").read_bytes(), type=_Catalogue)

DATASETS: Mapping[str, CatalogueEntry] = MappingProxyType({entry.name: entry for entry in _CATALOGUE.data_sets})
"""Every data set that has a name."""

REFUSED: Mapping[str, str] = MappingProxyType(_CATALOGUE.refused)
"""Data sets of MedMNIST that are not supported, with the reason."""
