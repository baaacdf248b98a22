"""The data sets that can be asked for by name, and how a folder or an archive of one's own becomes a data set.

Name or path to `Splits`. MNIST itself is part of the package. Its uncompressed copy is kept in the user's cache, since
unpacking takes longer than a short training run; a copy is used only if its digest is right, and where none can be kept
the data set is unpacked each time.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.datasets.data_file import Images, Labels
from convscope.datasets.dataset import Dataset, SourceFile, Splits
from convscope.datasets.idx import idx_header, idx_sha256, read_idx
from convscope.datasets.npz import read_npz
from convscope.errors import ConvscopeError, DatasetError
from convscope.files import write_bytes

DATA_FOLDER = Path(__file__).parent / "data"
MAX_CLASSES = 4096  # above the 3,832 of Kuzushiji-Kanji; a label beyond is damage, and K × K tables are to come
MAX_CHANNELS = 4


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

# Every data set that has a name. One that must be fetched will say here from where; `_read_entry` is its place.
DATASETS: Mapping[str, CatalogueEntry] = MappingProxyType({entry.name: entry for entry in (_MNIST,)})


def load_dataset(name_or_path: str | os.PathLike[str]) -> Splits:
    """Load a data set, by its name or from a folder or file of one's own.

    Args:
        name_or_path: a name in `DATASETS`; or a folder that holds four IDX files under their usual names
            (`train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-...` or `test-...`, plain or `.gz`); or an
            `.npz` archive with x_train, y_train, x_test and y_test. A name comes first: a folder of that name is
            reached as `./name`.

    Returns:
        both splits: images (N, H, W, C) uint8, labels (N,); read-only. The classes of a path are "0" to the highest
        label.

    Raises:
        DatasetError: if there is no such name or path, a file is missing, damaged or not as its digest says, the counts
            of images and labels differ, the image sizes of the splits differ, or a label is out of range.

    Example:
        >>> data = load_dataset("mnist")
        >>> data.train.images.shape, data.train.class_names[data.train.labels[0]]
        ((60000, 28, 28, 1), '5')
    """
    if name_or_path in DATASETS:
        return _read_entry(DATASETS[str(name_or_path)])
    path = Path(name_or_path)
    is_folder = exists = False
    if str(name_or_path):  # an empty path would mean the current folder
        with suppress(OSError, ValueError):  # a name too long, a folder that may not be entered, a NUL
            is_folder, exists = path.is_dir(), path.exists()
    if is_folder:
        return _read_folder(path)
    if exists:
        return _read_archive(path)
    meant = get_close_matches(str(name_or_path), DATASETS, n=1)
    hint = f"did you mean {meant[0]!r}" if meant else f"the names are {', '.join(DATASETS)}"
    raise DatasetError(
        f"{str(name_or_path)[:200]!r} is neither the name of a data set nor a folder or file that can be read; "
        f"{hint}, or give a path"
    )


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


@dataclass(frozen=True)
class _Half:
    """One split as read: arrays not yet held against each other, and what to call their files in an error."""

    images: NDArray[np.uint8]
    labels: Labels
    images_from: str
    labels_from: str
    source: tuple[SourceFile, ...]


def _read_entry(entry: CatalogueEntry) -> Splits:
    halves = []
    for files in (entry.files[:2], entry.files[2:]):
        images, labels = (_read_embedded(entry, file) for file in files)
        halves.append(_Half(images, labels, files[0].name, files[1].name, files))
    return _splits(entry.name, halves[0], halves[1], entry.class_names)


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


def _read_folder(folder: Path) -> Splits:
    try:
        held = {path.name for path in folder.iterdir()}
    except OSError as error:
        raise DatasetError(f"{folder}: cannot be listed ({error.strerror}); check its permissions") from error
    paths = [
        _find(folder, held, split, kind) for split in (("train",), ("t10k", "test")) for kind in ("images", "labels")
    ]
    train, test = (_read_half(images, labels) for images, labels in (paths[:2], paths[2:]))
    return _splits(_name(folder), train, test)


def _read_half(images_path: Path, labels_path: Path) -> _Half:
    images, labels = read_idx(images_path), read_idx(labels_path)
    source = (
        SourceFile(_name(images_path), idx_sha256(images)),
        SourceFile(_name(labels_path), idx_sha256(labels)),
    )
    return _Half(images, labels, str(images_path), str(labels_path), source)


def _find(folder: Path, held: set[str], splits: tuple[str, ...], kind: str) -> Path:
    dimensions = ("3", "4") if kind == "images" else ("1",)
    names = [
        f"{split}-{kind}{dot}idx{digit}-ubyte{suffix}"
        for split in splits
        for dot in "-."
        for digit in dimensions
        for suffix in ("", ".gz")
    ]
    for name in names:
        if name in held:
            return folder / name
    raise DatasetError(f"{folder}: has no {names[0]}, plain or .gz; put the four IDX files into one folder")


def _read_archive(path: Path) -> Splits:
    archive = read_npz(path)
    source = (SourceFile(_name(path), archive.sha256),)
    train = _Half(archive.x_train, archive.y_train, f"{path}: x_train", f"{path}: y_train", source)
    test = _Half(archive.x_test, archive.y_test, f"{path}: x_test", f"{path}: y_test", source)
    return _splits(_name(path), train, test)


def _splits(name: str, train: _Half, test: _Half, class_names: tuple[str, ...] | None = None) -> Splits:
    """Hold the halves against each other and make them a data set.

    Raises:
        DatasetError: naming the files that do not fit together.
    """
    for half in (train, test):
        _check_half(half)
    train_images, test_images = _with_channels(train), _with_channels(test)
    if train_images.shape[1:] != test_images.shape[1:]:
        raise DatasetError(
            f"{train.images_from} holds images of (H, W, C) = {train_images.shape[1:]}, but {test.images_from} of "
            f"{test_images.shape[1:]}; both splits must have images of one size"
        )
    if class_names is None:
        highest = max(int(train.labels.max()), int(test.labels.max()))
        class_names = tuple(str(label) for label in range(max(highest + 1, 2)))
    return Splits(
        train=Dataset(train_images, train.labels, class_names, name, "train", train.source),
        test=Dataset(test_images, test.labels, class_names, name, "test", test.source),
    )


def _check_half(half: _Half) -> None:
    if half.images.ndim not in (3, 4):
        raise DatasetError(
            f"{half.images_from} has the shape {half.images.shape}; images must be (N, H, W) or (N, H, W, C)"
        )
    if half.labels.ndim != 1:
        raise DatasetError(f"{half.labels_from} has the shape {half.labels.shape}; labels must be (N,)")
    if len(half.images) != len(half.labels):
        raise DatasetError(
            f"{half.images_from} holds {len(half.images):,} images, but {half.labels_from} "
            f"{len(half.labels):,} labels; there must be as many of each: are these files of one data set?"
        )
    if half.images.ndim == 4 and half.images.shape[3] > MAX_CHANNELS:
        raise DatasetError(
            f"{half.images_from} has {half.images.shape[3]} channels by its shape {half.images.shape}; "
            f"save it as (N, H, W, C) with at most {MAX_CHANNELS} channels, which come last"
        )
    lowest, highest = int(half.labels.min()), int(half.labels.max())
    if lowest < 0 or highest >= MAX_CLASSES:
        raise DatasetError(
            f"{half.labels_from} has labels from {lowest} to {highest}; they must lie between 0 and {MAX_CLASSES - 1}, "
            "counted from 0"
        )


def _with_channels(half: _Half) -> Images:
    """Return the images as (N, H, W, C), without a copy."""
    return half.images if half.images.ndim == 4 else half.images[..., np.newaxis]


def _name(path: Path) -> str:
    """Return the last part of a path as text that can be written anywhere, whatever bytes the file system has."""
    name = path.name or path.resolve().name or "custom"
    return os.fsencode(name).decode(errors="replace")
