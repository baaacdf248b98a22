"""Read images from a CSV file with a pixel a column, as Kaggle gives them out.

Path to images and labels. The header says which column is the label's; without one it is the first or the last, as
what stands in them shows.
"""

from collections.abc import Sequence
from itertools import compress
from pathlib import Path

import numpy as np

from convscope.data.datasets.data_file import DataFileError, sealed
from convscope.data.datasets.halves import Half, file_name
from convscope.data.datasets.readers.csv_text import CsvText, is_number
from convscope.data.datasets.readers.labels import TextLabels, clean_name
from convscope.data.datasets.readers.rows import layout_of, row_shape
from convscope.data.datasets.records import SourceFile

_PIXELS = {str(pixel): pixel for pixel in range(256)}  # looked up in half the time that int() takes
MANY_MORE = 4  # times as many different pixels as labels: ten digits against the greys of a photo's corner


def read_csv_pixels(text: CsvText, path: Path, called: str, image_size: tuple[int, int] | None) -> Half:
    """Return the images and labels of an opened CSV file.

    Args:
        text: the file, of which no row was read.
        path: for the name of the source.
        called: for errors.
        image_size: (H, W), where the images are not square.

    Raises:
        DataFileError: if the columns or a line are not what they must be; memory stays bounded by what is in the file.
    """
    last = len(text.first) - 1
    columns: Sequence[int] = range(1, last)
    ends: tuple[int, ...] = (0, last)
    if text.has_header:
        layout = layout_of(text.first)
        if layout.label is None:
            raise DataFileError("has no label column; name it label")
        columns, ends = layout.pixels, (layout.label,)
    shape = row_shape(len(columns) + len(ends) - 1, image_size)
    pixels, texts = bytearray(), [list[str]() for _ in ends]
    inner = set(columns)
    is_inner = [i in inner for i in range(last + 1)]
    known: dict[str, str] = {}  # one object for each different text
    for number, cells in text.rows():
        pixels += _read_pixels(list(compress(cells, is_inner)), columns, f"line {number:,}, column")
        for column, end in zip(texts, ends, strict=True):
            column.append(known.setdefault(cells[end], cells[end]))
    if not texts[0]:
        raise DataFileError("has no line with an image; download it again")
    images, labels = np.frombuffer(pixels, np.uint8).reshape(len(texts[0]), len(columns)), texts[0]
    if not text.has_header:
        which = _label_column(texts)
        labels, outer = texts[which], f"column {1 + ends[1 - which]:,} of image"
        last_column = np.frombuffer(_read_pixels(texts[1 - which], range(len(labels)), outer), np.uint8)[:, np.newaxis]
        images = np.concatenate([images, last_column] if which == 0 else [last_column, images], axis=1)
    text_labels = TextLabels()
    text_labels.extend(labels, "image")
    source = (SourceFile(file_name(path), text.sha256()),)
    return Half(
        sealed(images.reshape(-1, *shape)), sealed(text_labels.labels), called, called, source, text_labels.names
    )


def _read_pixels(cells: Sequence[str], numbers: Sequence[int], called: str) -> bytes:
    """Return cells as bytes; raises `DataFileError` with the number of the first that is no pixel."""
    try:
        return bytes(map(_PIXELS.__getitem__, cells))
    except KeyError:  # 007 and 7.0 are pixels too
        return bytes(_read_pixel(cell, f"{called} {number + 1:,}") for cell, number in zip(cells, numbers, strict=True))


def _read_pixel(cell: str, called: str) -> int:
    if not _is_pixel(cell):
        hint = "; multiply fractions of 1 by 255 and round them" if is_number(cell) and 0 < float(cell) < 1 else ""
        raise DataFileError(f"{called} is {cell[:40]!r}; pixels must be whole numbers from 0 to 255{hint}")
    return int(float(cell))


def _is_pixel(cell: str) -> bool:
    return is_number(cell) and 0 <= float(cell) <= 255 and float(cell).is_integer()


def _label_column(ends: list[list[str]]) -> int:
    """Choose the outer column, 0 or 1, that has the labels of a file without header.

    Labels vary, and are text or all the numbers of a range, of which there are few; pixels in a corner mostly are 0.

    Raises:
        DataFileError: if both columns could be, or neither.
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
            return could_be[0]
    raise DataFileError(
        "has no header, and it is not clear whether its first or its last column holds the labels; add a first line "
        "such as label,pixel0,pixel1,..."
    )


def _is_range(names: set[str]) -> bool:
    numbers = sorted(int(name) for name in names if name.isascii() and name.isdigit() and len(name) < 9)
    return len(numbers) == len(names) and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
