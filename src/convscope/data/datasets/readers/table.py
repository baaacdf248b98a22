"""Read a CSV or TSV table of file names and labels, perhaps with a column that tells the split.

A name is a path from the table's folder, or from a folder `images`, `train`, `test` or one with the table's name in it.
The suffix may be missing. No name leads out of the table's folder.
"""

import os
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from convscope.data.datasets.data_file import DataFileError, seal
from convscope.data.datasets.raw_splits import RawSplit, RawSplits, file_name
from convscope.data.datasets.readers.containers import Container, suffix_of
from convscope.data.datasets.readers.csv_text import CsvText
from convscope.data.datasets.readers.labels import TextLabels
from convscope.data.datasets.readers.picture_files import read_pictures
from convscope.data.datasets.readers.rows import LABEL_NAMES, is_pixel_name
from convscope.data.datasets.readers.tree import FOLDER_SPLITS
from convscope.data.datasets.records import SourceFile
from convscope.data.image_files import SUFFIXES

FILE_NAMES = (
    *("file", "filename", "file_name", "file name", "filepath", "file_path", "path"),
    *("image", "image_path", "image_name", "image_file", "img", "image_id", "img_name"),
)
SPLIT_NAMES = ("split", "set", "subset", "usage", "partition", "fold")
_ENDINGS = ("", *sorted(SUFFIXES))  # suffixes to try for a name without one


def names_files(text: CsvText) -> bool:
    """True if the table lists names of picture files instead of pixels."""
    if text.has_header:
        lower = [cell.lower() for cell in text.first]
        # `image` or `path` may also be the name of a row among columns of pixels.
        return any(name in lower for name in FILE_NAMES) and sum(map(is_pixel_name, lower)) < 2
    return len(text.first) < 4 and any(suffix_of(cell) in SUFFIXES for cell in text.first)


def read_table(text: CsvText, container: Container, table: str, image_size: tuple[int, int] | None) -> RawSplits:
    """Read the data set of an opened table.

    Args:
        text: the table, of which no row was read.
        container: the folder or archive of the table and its pictures.
        table: its name there.
        image_size: (H, W) to average each picture to.

    Raises:
        DataFileError: if a column is missing, a line has no label or no file, or a file lies elsewhere.
        DatasetError: if a picture cannot be read, or is of another size.
    """
    names, labels = _read_rows(text, container, table)
    all_names, num_train = names["train"] + names["test"], len(names["train"])
    read = read_pictures(container, all_names, image_size, "pictures")
    files, kept = (SourceFile(file_name(Path(table)), text.sha256()), read.source), read.kept
    shown = container.describe(table)
    # `kept` are the indices in `all_names` of the pictures that can be read, rising. With 3 names for training and kept
    # 0 2 | 3 4, the first 2 images are for training and have the training labels 0 and 2, and the other two have the
    # test labels 0 and 1.
    count = int((kept < num_train).sum())
    splits: list[RawSplit | None] = []
    for split, part, first in (("train", slice(0, count), 0), ("test", slice(count, None), num_train)):
        if not len(kept[part]):
            splits.append(None)
            continue
        numbers = seal(labels[split].labels[kept[part] - first])
        raw = RawSplit(read.images[part], numbers, shown, shown, files, labels[split].names, read.files[part])
        splits.append(raw)
    train, test = splits
    return RawSplits(train, test)


def _read_rows(text: CsvText, container: Container, table: str) -> tuple[dict[str, list[str]], dict[str, TextLabels]]:
    """Read the names of the pictures for training and tests, and their labels; those for validation are left out."""
    file_column, label_column, split_column = find_table_columns(text)
    finder = _Finder(container, table)
    names: dict[str, list[str]] = {"train": [], "test": []}
    labels = {"train": TextLabels(), "test": TextLabels()}
    for line, cells in text.rows():
        split = "train" if split_column is None else FOLDER_SPLITS.get(cells[split_column].strip().lower())
        if split is None:
            raise DataFileError(
                f"line {line:,} has the split {cells[split_column or 0][:40]!r}; write train, test or validation"
            )
        if split == "validation":
            continue
        names[split].append(finder.find(cells[file_column], line))
        labels[split].extend([cells[label_column]], "line", line)
    if not names["train"] and not names["test"]:
        raise DataFileError("has no line with a training or test image; add some")
    return names, labels


def find_table_columns(text: CsvText) -> tuple[int, int, int | None]:
    """Find the columns of file, label and split; a table without split has None."""
    if not text.has_header:
        is_file = [suffix_of(cell) in SUFFIXES for cell in text.first]
        if len(text.first) != 2:
            raise DataFileError("has no header; add a first line such as file,label")
        return is_file.index(True), 1 - is_file.index(True), None
    lower = [cell.lower() for cell in text.first]
    file = next(lower.index(name) for name in FILE_NAMES if name in lower)
    split = next((lower.index(name) for name in SPLIT_NAMES if name in lower), None)
    label = next((lower.index(name) for name in LABEL_NAMES if name in lower), None)
    others = [i for i in range(len(lower)) if i not in (file, split) and lower[i] not in ("", "id", "index")]
    if label is None and len(others) == 1:
        label = others[0]
    if label is None:
        raise DataFileError(f"has no label column ({', '.join(map(repr, text.first[:6]))}); name it label")
    return file, label, split


class _Finder:
    """Finds the file that a line of the table names."""

    def __init__(self, container: Container, table: str) -> None:
        self._exists: Callable[[str], bool]
        if container.is_archive:
            self._exists = set(container.names).__contains__
        else:
            self._exists = lambda name: (container.path / name).is_file()
        folder, _, table_name = table.rpartition("/")
        prefix = f"{folder}/" if folder else ""
        stem = table_name.partition(".")[0]
        self._starts = [prefix, f"{prefix}images/", f"{prefix}{stem}/", f"{prefix}train/", f"{prefix}test/"]

    def find(self, text: str, line: int) -> str:
        """Find the file that a cell names; raises `DataFileError` if there is none in the table's folder."""
        name = text.strip().replace("\\", "/")
        path = PurePosixPath(os.path.normpath(name) if name else "")
        if not name or "\0" in name:
            raise DataFileError(f"line {line:,} has no file name; add one")
        # "C:" is a drive of Windows. A table from the internet must not make us read files of this machine.
        if path.is_absolute() or ".." in path.parts or (len(name) > 1 and name[1] == ":"):
            raise DataFileError(
                f"line {line:,} names {text[:60]!r}, which is outside the table's folder; move the file there"
            )
        endings = ("",) if path.suffix.lower() in SUFFIXES else _ENDINGS
        for start in self._starts:
            for ending in endings:
                if self._exists(candidate := f"{start}{path}{ending}"):
                    # Most other files are in the same folder, so it is tried first from now on.
                    self._starts.remove(start)
                    self._starts.insert(0, start)
                    return candidate
        raise DataFileError(
            f"line {line:,} names {text[:60]!r}, but there is no such file in the table's folder; check the name"
        )
