"""Read a list of corrections, as the labelling page saves it, and check each line against its data set.

    file,split,index,class,action,new_class
    cat/0004.png,train,3,cat,relabel,dog
    dog/0007.png,test,1,dog,drop,

The file, or the index of an image without a file of its own, and the class tell whether the list belongs to the data.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convscope.base.records import Count, Record
from convscope.base.spelling import did_you_mean
from convscope.base.tables import guard_formula
from convscope.data.datasets import Dataset, Splits
from convscope.data.datasets.data_file import DataFileError, naming_errors
from convscope.data.datasets.readers.containers import read_small
from convscope.data.datasets.readers.csv_text import DELIMITERS

COLUMNS = ("file", "split", "index", "class", "action", "new_class")
"""The columns of a list, in the order in which the page writes them."""
ACTIONS = ("keep", "relabel", "drop")
_MAX_SHOWN = 60  # characters of a cell in an error
DROPPED = -1
"""Stands in place of the label of an image that is dropped."""


class SplitCorrections(Record, kw_only=True):
    """Counts of the corrections of a split.

    Attributes:
        kept, relabelled, dropped: images whose label was confirmed or changed, and images that were removed.
        num_images: the images that remain.
    """

    kept: Count = 0
    relabelled: Count = 0
    dropped: Count = 0
    num_images: Count = 0

    @property
    def num_changed(self) -> int:
        return self.relabelled + self.dropped


@dataclass(frozen=True, eq=False)
class Corrections:
    """The corrected labels of a data set, by split.

    Attributes:
        labels: (N,) int64 for "train" and "test"; `DROPPED` for an image that is dropped.
        content: the bytes of the list.
    """

    labels: Mapping[str, NDArray[np.int64]]
    counts: Mapping[str, SplitCorrections]
    content: bytes = field(repr=False)


@dataclass(frozen=True)
class _Row:
    """A line of the list, by the names of its columns."""

    line: int
    cells: Mapping[str, str]

    def error(self, problem: str) -> DataFileError:
        return DataFileError(f"line {self.line:,}: {problem}")

    def quote(self, column: str) -> str:
        return repr(self.cells[column][:_MAX_SHOWN])


def read_corrections(path: Path, splits: Splits) -> Corrections:
    """Read the list at `path`, which must be about `splits`.

    Raises:
        DatasetError: naming the file and the line, if a line names no image of the data or another class than it has,
            an image comes twice, an action or class is unknown, or a class would lose its last training image.
    """
    content = read_small(path)
    labels = {dataset.split: dataset.labels.astype(np.int64) for dataset in (splits.train, splits.test)}
    counts = {split: dict.fromkeys(ACTIONS, 0) for split in labels}
    lines = dict[tuple[str, int], int]()  # the line of each image
    takers = dict[int, _Row]()  # by label the last line that takes a training image from its class
    with naming_errors(path):
        for row in _read_rows(content):
            dataset, index = _find_image(row, splits)
            if (first := lines.setdefault((dataset.split, index), row.line)) != row.line:
                raise row.error(f"is about the same image as line {first:,}; remove one of them")
            label, new_label = int(dataset.labels[index]), _decide(row, dataset.class_names)
            action = row.cells["action"].strip() if new_label != label else "keep"
            counts[dataset.split][action] += 1
            if new_label is None:  # kept
                continue
            labels[dataset.split][index] = new_label
            if dataset.split == "train":
                takers[label] = row
        # After all lines, since a later one may give a class new images.
        for label, row in takers.items():
            if label not in labels["train"]:
                raise row.error(
                    f"takes the last training image from class {splits.class_names[label]!r}; keep one, or remove the "
                    "class from the data set first"
                )
        if not lines:
            raise DataFileError("has no line with a correction; save the list from the page again")
        if (labels["test"] == DROPPED).all():
            raise DataFileError("drops every test image; keep some")
    return Corrections(
        labels,
        {
            split: SplitCorrections(
                kept=count["keep"],
                relabelled=count["relabel"],
                dropped=count["drop"],
                num_images=int((labels[split] != DROPPED).sum()),
            )
            for split, count in counts.items()
        },
        content,
    )


def _read_rows(content: bytes) -> Iterator[_Row]:
    """Yield the lines of a list; a spreadsheet may have saved it again with semicolons and a byte order mark."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataFileError("is not text in UTF-8; save it as CSV in UTF-8") from error
    delimiter = max(DELIMITERS, key=text.partition("\n")[0].count)
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter)
    try:
        header = [cell.strip().lower() for cell in next(reader, [])]
        if missing := [name for name in COLUMNS if name not in header]:
            raise DataFileError(
                f"has no column {missing[0]!r}; its first line must be {','.join(COLUMNS)}, as the page saves it"
            )
        # A cell may span lines: a row is named by its first one.
        line = reader.line_num + 1
        for cells in reader:
            if any(cell.strip() for cell in cells):
                if len(cells) != len(header):
                    raise DataFileError(f"line {line:,}: has {len(cells)} cells, but the first line {len(header)}")
                yield _Row(line, dict(zip(header, cells, strict=True)))
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataFileError(f"line {reader.line_num:,}: cannot be read ({error}); save the list again") from error


def _find_image(row: _Row, splits: Splits) -> tuple[Dataset, int]:
    """Find the data set and the index of the image that a row is about, and check that its class is the same."""
    split, text = row.cells["split"].strip(), row.cells["index"].strip()
    if split not in ("train", "test"):
        raise row.error(f"the split is {row.quote('split')}; it must be train or test")
    dataset = splits.train if split == "train" else splits.test
    index = int(text) if text.isascii() and text.isdigit() and len(text) < 16 else len(dataset)
    if index >= len(dataset):
        raise row.error(f"the index is {row.quote('index')}; the {split} split has images 0 to {len(dataset) - 1:,}")
    file, cell = dataset.file_of(index) or "", row.cells["file"]
    stale = "; is the list about these data, loaded with the same options?"
    if cell not in (file, guard_formula(file)):
        actual = repr(file) if file else "without a file of its own"
        raise row.error(f"the file is {row.quote('file')}, but {split} image {index} is {actual}{stale}")
    name = dataset.class_names[dataset.labels[index]]
    if row.cells["class"] not in (name, guard_formula(name)):
        raise row.error(f"the class is {row.quote('class')}, but {split} image {index} has class {name!r}{stale}")
    return dataset, index


def _decide(row: _Row, class_names: Sequence[str]) -> int | None:
    """Return the label that a row gives its image: None to keep its own, `DROPPED` to drop it."""
    action, cell = row.cells["action"].strip(), row.cells["new_class"]
    if action not in ACTIONS:
        raise row.error(f"the action is {row.quote('action')}; it must be keep, relabel or drop")
    if action != "relabel":
        return None if action == "keep" else DROPPED
    labels = [label for label, name in enumerate(class_names) if cell in (name, guard_formula(name))]
    if len(labels) != 1:
        shown = f"{', '.join(class_names[:10])}{', ...' if len(class_names) > 10 else ''}"
        hint = did_you_mean(cell, class_names) or f"; the classes are {shown}"
        raise row.error(f"the new class is {row.quote('new_class')}, which the data set does not have{hint}")
    return labels[0]
