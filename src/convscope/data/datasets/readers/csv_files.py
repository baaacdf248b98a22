"""Read data sets from CSV or TSV tables of pixels, or of names of picture files; one table, or one for each split."""

import re
from collections.abc import Sequence
from pathlib import Path

from convscope.base.errors import DatasetError
from convscope.data.datasets.raw_splits import RawSplits
from convscope.data.datasets.readers.containers import SPLIT_WORDS, Container, PictureConverter
from convscope.data.datasets.readers.csv_pixels import read_csv_pixels
from convscope.data.datasets.readers.csv_text import CsvText
from convscope.data.datasets.readers.rows import layout_of
from convscope.data.datasets.readers.table import find_table_columns, names_files, read_table
from convscope.data.datasets.readers.unpack import open_stream

CSV_SUFFIXES = frozenset({".csv", ".tsv", ".tab"})
# Columns of lists about a data set, which may lie beside its images.
_LIST_COLUMNS = frozenset({"new_class", "suggested_class"})


def read_csv_file(
    path: Path,
    image_size: tuple[int, int] | None,
    *,
    skip_damaged: bool = False,
    converter: PictureConverter | None = None,
) -> RawSplits:
    """Read the data set in a table; raises `DatasetError` if the table is damaged or has no images."""
    # Without names, which only serve to search.
    folder = Container(path.parent, (), is_archive=False, skip_damaged=skip_damaged, converter=converter)
    return _read_table(folder, path.name, image_size)


def read_csv(
    container: Container, names: Sequence[str], image_size: tuple[int, int] | None, is_required: bool
) -> RawSplits | None:
    """Read the data set in the tables `names` of a folder or archive; None if no table has images.

    The test images are in a table of their own, as mnist_train.csv and mnist_test.csv, or a column of the table tells
    which they are.

    Args:
        is_required: whether an error says what is wrong with the tables if none has images, because there is nothing
            else in the folder.

    Raises:
        DatasetError: if a table is damaged, or there are several for a split.
    """
    names_by_split = _group_by_split(names)
    usable = {
        split: [name for name in tables if _has_images(container, name)] for split, tables in names_by_split.items()
    }
    # A lone table is read even if its name says "test": it is divided into both splits later.
    train = usable.get("train") or usable.get("") or usable.get("test") or []
    test = usable.get("test", [])
    for tables in (train, test):
        if len(tables) > 1:
            shown = ", ".join(repr(name)[:60] for name in tables[:6])
            raise DatasetError(f"{container.path}: holds several tables ({shown}); name one of them")
    if not train:
        if is_required and names:
            likeliest = names_by_split.get("train") or names_by_split.get("") or names
            # Reading a table without images raises the error that says what it lacks.
            _read_table(container, likeliest[0], image_size)
        return None
    content = _read_table(container, train[0], image_size)
    if not test or test == train:
        return content
    if content.test is not None:
        raise DatasetError(f"{container.describe(train[0])}: has a column with a test split already; name one table")
    return RawSplits(content.train, _read_table(container, test[0], image_size).train)


def _group_by_split(names: Sequence[str]) -> dict[str, list[str]]:
    """Group tables by the split that a word in their names tells, such as "train" for mnist_train.csv, or else ""."""
    names_by_split: dict[str, list[str]] = {}
    for name in names:
        words = re.split(r"[^a-z]+", name.rpartition("/")[2].lower())
        split = next((SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS), "")
        names_by_split.setdefault(split, []).append(name)
    return names_by_split


def _has_images(container: Container, name: str) -> bool:
    """True if a table has images and labels; without labels, as Kaggle's test sets, it measures nothing."""
    try:
        with open_stream(*container.locate(name)) as stream:
            text = CsvText(stream)
            if not _LIST_COLUMNS.isdisjoint(text.first):
                return False
            if names_files(text):
                find_table_columns(text)
                return True
            # Without a header, reading finds the label's column or raises the error that says why it cannot.
            return not text.has_header or layout_of(text.first).label is not None
    except DatasetError:
        return False


def _read_table(container: Container, name: str, image_size: tuple[int, int] | None) -> RawSplits:
    path, member = container.locate(name)
    with open_stream(path, member) as stream:
        text = CsvText(stream)
        if names_files(text):
            return read_table(text, container, name, image_size)
        table_path = path if member is None else Path(name)
        return RawSplits(read_csv_pixels(text, table_path, container.describe(name), image_size))
