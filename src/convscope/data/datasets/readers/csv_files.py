"""Data sets in CSV or TSV files: of pixels, or of the names of picture files; one file, or one for each split.

A path, or a place and the names of tables in it, to `Parts`.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from convscope.base.errors import DatasetError
from convscope.data.datasets.halves import Parts
from convscope.data.datasets.readers.csv_pixels import read_csv_pixels
from convscope.data.datasets.readers.csv_text import CsvText
from convscope.data.datasets.readers.places import FilePlace
from convscope.data.datasets.readers.rows import layout_of
from convscope.data.datasets.readers.table import find_table_columns, names_files, read_table
from convscope.data.datasets.readers.unpack import open_stream

CSV_SUFFIXES = frozenset({".csv", ".tsv", ".tab"})
_SPLITS = {"train": "train", "training": "train", "test": "test", "testing": "test"} | dict.fromkeys(
    ("validation", "valid", "val", "dev"), "validation"
)


def read_csv_file(path: Path, image_size: tuple[int, int] | None, *, skip_damaged: bool = False) -> Parts:
    """Return the data set of one table; raises `DatasetError` if it is damaged or none."""
    return _read(FilePlace(path.parent, (), is_archive=False, skip_damaged=skip_damaged), path.name, image_size)


def read_csv(
    source: FilePlace, names: Sequence[str], image_size: tuple[int, int] | None, must_be: bool
) -> Parts | None:
    """Return the data set of the tables `names` of a place; None if none of them is of images.

    Args:
        must_be: there is nothing else in the place: then say what is wrong with the table.

    Raises:
        DatasetError: if a table is damaged, or it is not clear which one is meant.
    """
    splits: dict[str, list[str]] = {}
    for name in names:
        words = re.split(r"[^a-z]+", name.rpartition("/")[2].lower())
        splits.setdefault(next((_SPLITS[word] for word in words if word in _SPLITS), ""), []).append(name)
    usable = {split: [name for name in held if _has_images(source, name)] for split, held in splits.items()}
    train = usable.get("train") or usable.get("") or usable.get("test") or []
    if len(train) > 1 or len(usable.get("test", [])) > 1:
        several = train if len(train) > 1 else usable["test"]
        raise DatasetError(
            f"{source.path}: holds several tables ({', '.join(repr(name)[:60] for name in several[:6])}); name one of "
            "them"
        )
    if not train:
        if must_be and names:
            _read(source, (splits.get("train") or splits.get("") or list(names))[0], image_size)  # says what is wrong
        return None
    parts = _read(source, train[0], image_size)
    test = usable.get("test", [])
    if not test or test == train:
        return parts
    if parts.test is not None:
        raise DatasetError(f"{source.called(train[0])}: has a column with a test split already; name one table")
    return Parts(parts.train, _read(source, test[0], image_size).train)


def _has_images(source: FilePlace, name: str) -> bool:
    """Return whether a table has images and labels: a test set without labels tells nothing."""
    try:
        with open_stream(*source.located(name)) as stream:
            text = CsvText(stream)
            if names_files(text):
                find_table_columns(text)
                return True
            return not text.has_header or layout_of(text.first).label is not None
    except DatasetError:
        return False


def _read(place: FilePlace, name: str, image_size: tuple[int, int] | None) -> Parts:
    """Read a table."""
    path, member = place.located(name)
    with open_stream(path, member) as stream:
        text = CsvText(stream)
        if names_files(text):
            return read_table(text, place, name, image_size)
        source = path if member is None else Path(name)
        return Parts(read_csv_pixels(text, source, place.called(name), image_size))
