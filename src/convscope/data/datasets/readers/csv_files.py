"""Read data sets from CSV or TSV tables of pixels, or of names of picture files; one table, or one for each split."""

import re
from collections.abc import Sequence
from pathlib import Path

from convscope.base.errors import DatasetError
from convscope.data.datasets.halves import Parts
from convscope.data.datasets.readers.csv_pixels import read_csv_pixels
from convscope.data.datasets.readers.csv_text import CsvText
from convscope.data.datasets.readers.places import SPLIT_WORDS, FilePlace
from convscope.data.datasets.readers.rows import layout_of
from convscope.data.datasets.readers.table import find_table_columns, names_files, read_table
from convscope.data.datasets.readers.unpack import open_stream

CSV_SUFFIXES = frozenset({".csv", ".tsv", ".tab"})


def read_csv_file(path: Path, image_size: tuple[int, int] | None, *, skip_damaged: bool = False) -> Parts:
    """Read the data set in a table; raises `DatasetError` if the table is damaged or has no images."""
    folder = FilePlace(path.parent, (), is_archive=False, skip_damaged=skip_damaged)
    return _read_table(folder, path.name, image_size)


def read_csv(
    source: FilePlace, names: Sequence[str], image_size: tuple[int, int] | None, is_required: bool
) -> Parts | None:
    """Read the data set in the tables `names` of a folder or archive; None if no table has images.

    A word in a table's name tells its split, as in `mnist_train.csv`. The test images are in a table of their own, or
    a column of the table tells which they are.

    Args:
        is_required: whether an error says what is wrong with the tables if none has images, because there is nothing
            else in the folder.

    Raises:
        DatasetError: if a table is damaged, or there are several for a split.
    """
    splits: dict[str, list[str]] = {}
    for name in names:
        words = re.split(r"[^a-z]+", name.rpartition("/")[2].lower())
        split = next((SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS), "")
        splits.setdefault(split, []).append(name)
    usable = {split: [name for name in tables if _has_images(source, name)] for split, tables in splits.items()}
    # A table that is alone is read whatever split its name tells.
    train = usable.get("train") or usable.get("") or usable.get("test") or []
    test = usable.get("test", [])
    for tables in (train, test):
        if len(tables) > 1:
            shown = ", ".join(repr(name)[:60] for name in tables[:6])
            raise DatasetError(f"{source.path}: holds several tables ({shown}); name one of them")
    if not train:
        if is_required and names:
            # Reading a table without images raises the error that says what it lacks.
            _read_table(source, (splits.get("train") or splits.get("") or list(names))[0], image_size)
        return None
    parts = _read_table(source, train[0], image_size)
    if not test or test == train:
        return parts
    if parts.test is not None:
        raise DatasetError(f"{source.describe(train[0])}: has a column with a test split already; name one table")
    return Parts(parts.train, _read_table(source, test[0], image_size).train)


def _has_images(source: FilePlace, name: str) -> bool:
    """Return True if a table has images and labels: a test set without labels measures nothing."""
    try:
        with open_stream(*source.locate(name)) as stream:
            text = CsvText(stream)
            if names_files(text):
                find_table_columns(text)
                return True
            return not text.has_header or layout_of(text.first).label is not None
    except DatasetError:
        return False


def _read_table(place: FilePlace, name: str, image_size: tuple[int, int] | None) -> Parts:
    path, member = place.locate(name)
    with open_stream(path, member) as stream:
        text = CsvText(stream)
        if names_files(text):
            return read_table(text, place, name, image_size)
        source = path if member is None else Path(name)
        return Parts(read_csv_pixels(text, source, place.describe(name), image_size))
