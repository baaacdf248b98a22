"""Read images from a CSV file with a pixel a column, as Kaggle gives them out.

Path to images and labels. The header says which column is the label's; without one it is the first or the last, as
what stands in them shows.
"""

import warnings
from io import StringIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convscope.data.datasets.data_file import DataFileError, Images, sealed
from convscope.data.datasets.halves import Half, file_name
from convscope.data.datasets.readers.csv_text import CsvText, is_number
from convscope.data.datasets.readers.labels import TextLabels, clean_name
from convscope.data.datasets.readers.rows import layout_of, row_shape
from convscope.data.datasets.records import SourceFile

NO_LABEL = "has no label column; name it label"
MANY_MORE = 4  # times as many different pixels as labels: ten digits against the greys of a photo's corner


def read_csv_pixels(
    text: CsvText, path: Path, called: str, image_size: tuple[int, int] | None, label: int | None = None
) -> tuple[Half, int | None]:
    """Return the images and labels of an opened CSV file, and which column has the labels.

    That is 0 for the first, -1 for the last and None for another one.

    Args:
        text: the file, of which no block was read.
        path: for the name of the source.
        called: for errors.
        image_size: (H, W), where the images are not square.
        label: where a file without header has the labels, if it is known: 0 or -1.

    Raises:
        DataFileError: if the columns or a line are not what they must be; memory stays bounded by what is in the file.
    """
    if text.has_header:
        layout = layout_of(text.first)
        if layout.label is None:
            raise DataFileError(NO_LABEL)
        shape = layout.shape or row_shape(len(layout.pixels), image_size)
        images, (labels,) = _read(text, layout.pixels, (layout.label,))
        place = {0: 0, len(text.first) - 1: -1}.get(layout.label)
    else:
        last = len(text.first) - 1
        shape = row_shape(last, image_size)
        images, ends = _read(text, tuple(range(1, last)), (0, last))
        place = _label_column(ends) if label is None else label
        which = abs(place)
        labels, pixels = ends[which], _pixel_column(ends[1 - which], 1 + last * (1 - which))
        images = np.concatenate([images, pixels] if which == 0 else [pixels, images], axis=1)
    found = TextLabels()
    found.extend(labels, "image")
    images = sealed(images.reshape(-1, *shape))
    source = (SourceFile(file_name(path), text.sha256()),)
    return Half(images, sealed(found.labels), called, called, source, found.names), place


def _read(text: CsvText, pixels: tuple[int, ...], others: tuple[int, ...]) -> tuple[Images, list[list[str]]]:
    """Return (N, pixels) of those columns, and the text of the other ones."""
    columns = np.array(pixels, dtype=np.int64)
    parts: list[Images] = []
    cells: list[list[str]] = [[] for _ in others]
    known: dict[str, str] = {}  # one object for each different text
    for start, block in text.blocks():
        try:
            part, found = _parse(block, text, pixels, others)
        except (ValueError, DeprecationWarning):  # the slow way, which finds out what is wrong
            rows = list(text.rows_of(start, block))
            part = np.array([_numbers(row, line, columns) for line, row in rows], dtype=np.uint8)
            part = part.reshape(len(rows), len(columns))
            found = [[row[i] for _, row in rows] for i in others]
        parts.append(part)
        for column, new in zip(cells, found, strict=True):
            column += [known.setdefault(cell, cell) for cell in new]
    if not parts:
        raise DataFileError("has no line with an image; download it again")
    return np.concatenate(parts), cells


def _parse(
    block: bytes, text: CsvText, pixels: tuple[int, ...], others: tuple[int, ...]
) -> tuple[Images, list[list[str]]]:
    """Return what `_read` does of a block, a hundred times as fast as cell by cell.

    Raises:
        ValueError, DeprecationWarning: if a line has another number of cells, or a pixel is not written as a whole
            number from 0 to 255.
    """
    content = block.decode()
    if content.count(text.delimiter) != (len(text.first) - 1) * content.count("\n"):
        raise ValueError("there is another number of cells")
    rows = [line.split(text.delimiter) for line in content[:-1].split("\n")]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of 3.0
        images = np.loadtxt(StringIO(content), np.uint8, None, text.delimiter, usecols=pixels, ndmin=2)
    if len(images) != len(rows) or any(len(row) != len(text.first) for row in rows):
        raise ValueError("there is another number of cells")
    return images, [[_unquoted(row[i]) for row in rows] for i in others]


def _unquoted(cell: str) -> str:
    return cell[1:-1].replace('""', '"') if len(cell) > 1 and cell[0] == cell[-1] == '"' else cell


def _numbers(cells: list[str], line: int, columns: NDArray[np.int64]) -> Images:
    """Return the pixels of one line; raises `DataFileError` naming the first cell that is none."""
    try:
        values = np.array([float(cells[i]) for i in columns])
    except ValueError:
        bad = next((i for i in columns if not is_number(cells[i])), columns[0])
        raise DataFileError(
            f"line {line:,}, column {bad + 1:,} is {cells[bad][:40]!r}; pixels must be whole numbers from 0 to 255"
        ) from None
    bad_places = np.flatnonzero(~((values >= 0) & (values <= 255) & (values == np.floor(values))))
    if len(bad_places):
        bad = columns[bad_places[0]]
        hint = "; multiply fractions of 1 by 255 and round them" if 0 < values[bad_places[0]] < 1 else ""
        raise DataFileError(
            f"line {line:,}, column {bad + 1:,} is {cells[bad][:40]!r}; pixels must be whole numbers from 0 to "
            f"255{hint}"
        )
    return values.astype(np.uint8)


def _pixel_column(cells: list[str], number: int) -> Images:
    """Return (N, 1) the column that turned out to be of pixels."""
    known = {cell: _numbers([cell], 0, np.zeros(1, np.int64))[0] for cell in set(cells) if _is_pixel(cell)}
    try:
        return np.array([known[cell] for cell in cells], dtype=np.uint8)[:, np.newaxis]
    except KeyError as error:
        raise DataFileError(
            f"column {number:,} holds {error.args[0][:40]!r}; pixels must be whole numbers from 0 to 255"
        ) from None


def _is_pixel(cell: str) -> bool:
    return is_number(cell) and 0 <= float(cell) <= 255 and float(cell).is_integer()


def _label_column(ends: list[list[str]]) -> int:
    """Return which of the two outer columns, 0 the first and -1 the last, has the labels of a file without header.

    Labels vary, and are text or all the numbers of a range, of which there are few; pixels in a corner mostly are 0.

    Raises:
        DataFileError: if both columns could be.
    """
    different = [{clean_name(cell) for cell in set(column)} for column in ends]
    counts = [len(names) for names in different]
    for is_label in (
        lambda which: not all(map(_is_pixel, different[which])),
        lambda which: counts[which] > 1,
        lambda which: _is_range(different[which]),
        lambda which: 2 < counts[which] < counts[1 - which] / MANY_MORE,
    ):
        could_be = [which for which in (0, 1) if is_label(which)]
        if len(could_be) == 1:
            return -could_be[0]
    raise DataFileError(
        "has no header, and both its first and its last column could be the labels; add a first line such as "
        "label,pixel0,pixel1,..."
    )


def _is_range(names: set[str]) -> bool:
    numbers = sorted(int(name) for name in names if name.isascii() and name.isdigit() and len(name) < 9)
    return len(numbers) == len(names) and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
