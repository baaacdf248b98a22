"""Read images from a CSV file with a column for each pixel, as Kaggle publishes them.

A header tells the column of the labels. Without one it is the first or the last, which their content must tell:

    7,0,0,84,185     the label 7 and four pixels, or four pixels and the label 185?

The columns between them are pixels in any case. The two at the ends are kept as text until the last line is read; then
`_find_label_column` decides, and the other one joins the pixels.
"""

from collections.abc import Sequence
from itertools import compress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convscope.data.datasets.data_file import DataFileError, seal
from convscope.data.datasets.raw_splits import RawSplit, file_name
from convscope.data.datasets.readers.csv_text import CsvText, is_number
from convscope.data.datasets.readers.labels import TextLabels, clean_name
from convscope.data.datasets.readers.rows import layout_of, row_shape
from convscope.data.datasets.records import SourceFile

_PIXELS = {str(pixel): pixel for pixel in range(256)}  # a look-up takes half the time of int()
# A column with this many times as many different values as the other one has pixels: a label of ten digits against the
# greys of a photo's corner.
MANY_MORE = 4


def read_csv_pixels(text: CsvText, path: Path, called: str, image_size: tuple[int, int] | None) -> RawSplit:
    """Read the images and labels of an opened CSV file.

    Args:
        text: the file, of which no row was read.
        path: its last part names the source.
        called: the file's name in errors.
        image_size: (H, W), if the images are not square.

    Raises:
        DataFileError: if the columns or a line are not what they must be; memory stays bounded by what is in the file.
    """
    last = len(text.first) - 1
    pixel_columns: Sequence[int] = range(1, last)
    label_columns: tuple[int, ...] = (0, last)  # without a header: one of the two has labels, the other pixels
    if text.has_header:
        layout = layout_of(text.first)
        if layout.label is None:
            raise DataFileError("has no label column; name it label")
        pixel_columns, label_columns = layout.pixels, (layout.label,)
    shape = row_shape(len(pixel_columns) + len(label_columns) - 1, image_size)
    images, texts = read_columns(text, pixel_columns, label_columns)
    labels = texts[0]
    if not text.has_header:
        labels, images = _divide_ends(texts, images)
    numbered = TextLabels()
    numbered.extend(labels, "image")
    source = (SourceFile(file_name(path), text.sha256()),)
    return RawSplit(seal(images.reshape(-1, *shape)), seal(numbered.labels), called, called, source, numbered.names)


def _divide_ends(ends: list[list[str]], inner: NDArray[np.uint8]) -> tuple[list[str], NDArray[np.uint8]]:
    """Find the labels in the cells of the first or the last column, and join the other column to the inner pixels."""
    is_label_first = _find_label_column(ends) == 0
    labels, cells = ends if is_label_first else ends[::-1]
    # Cells of the first column come before the inner pixels, those of the last one after them.
    num_inner = inner.shape[1]
    position, column = (num_inner, num_inner + 2) if is_label_first else (0, 1)
    pixels = _read_pixels(cells, range(len(cells)), f"column {column:,} of image")
    return labels, np.insert(inner, position, np.frombuffer(pixels, np.uint8), axis=1)


def read_columns(
    text: CsvText, pixel_columns: Sequence[int], label_columns: Sequence[int]
) -> tuple[NDArray[np.uint8], list[list[str]]]:
    """Read the pixels (N, columns), and for each of `label_columns` its N cells."""
    pixels, texts = bytearray(), [list[str]() for _ in label_columns]
    is_pixel = np.isin(np.arange(len(text.first)), pixel_columns).tolist()
    known: dict[str, str] = {}  # a million labels share one object for each different text
    for number, cells in text.rows():
        pixels += _read_pixels(list(compress(cells, is_pixel)), pixel_columns, f"line {number:,}, column")
        for column, index in zip(texts, label_columns, strict=True):
            column.append(known.setdefault(cells[index], cells[index]))
    if not texts[0]:
        raise DataFileError("has no line with an image; download it again")
    return np.frombuffer(pixels, np.uint8).reshape(len(texts[0]), len(pixel_columns)), texts


def _read_pixels(cells: Sequence[str], numbers: Sequence[int], called: str) -> bytes:
    """Convert cells to bytes; an error names the first cell that is no pixel by `called` and its number from 1."""
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


def _find_label_column(columns: list[list[str]]) -> int:
    """Find which of the first and the last column, 0 or 1, has the labels of a file without header.

    Raises:
        DataFileError: if it could be either, or neither.
    """
    names = [{clean_name(cell) for cell in set(column)} for column in columns]
    counts = [len(different) for different in names]
    # The first rule that fits a single column decides.
    for is_label in (
        [not all(map(_is_pixel, different)) for different in names],  # a text, or a number that no pixel has
        [count > 1 for count in counts],  # a pixel in a corner of drawings may be 0 in all images
        [_is_range(different) for different in names],  # classes are numbered without gaps, greys rarely
        # Three classes or more, and far fewer than the other column has values.
        [2 < count < other_count / MANY_MORE for count, other_count in zip(counts, counts[::-1], strict=True)],
    ):
        if sum(is_label) == 1:
            return is_label.index(True)
    raise DataFileError(
        "has no header, and it is not clear whether its first or its last column holds the labels; add a first line "
        "such as label,pixel0,pixel1,..."
    )


def _is_range(names: set[str]) -> bool:
    """True if the names are the whole numbers of a range without gaps, such as 0 to 9."""
    numbers = sorted(int(name) for name in names if name.isascii() and name.isdigit() and len(name) < 9)
    return len(numbers) == len(names) and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
