"""Read the form in which scikit-learn's `fetch_openml` keeps an MNIST-like set: an ARFF file, packed by gzip.

Path to pixels and labels. After a header that ends with `@DATA`, a line is an image: its pixels row by row and its
label, whole numbers with commas between. No more is read than such a file can hold: so many lines, each of so many
numbers from 0 to 255. Whether it is the data set, with the training images first, is told by the digests of the arrays.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convscope.data.datasets.data_file import CHUNK_BYTES, DataFileError, Images, sealed
from convscope.data.datasets.readers.unpack import ByteStream, open_stream

MAX_HEADER_BYTES = 1 << 20  # 785 attributes of some 30 bytes, and a description


def read_openml(path: Path, count: int, num_pixels: int) -> tuple[Images, NDArray[np.uint8]]:
    """Read the rows of such a file.

    Returns:
        pixels (count, num_pixels) uint8 and labels (count,) uint8, read-only.

    Raises:
        DatasetError: if the file is missing or damaged, or does not hold `count` lines of `num_pixels` and a label.
    """
    pixels = np.empty((count, num_pixels), dtype=np.uint8)
    labels = np.empty(count, dtype=np.uint8)
    filled = 0
    with open_stream(path) as stream:
        for text in _whole_lines(stream, most_bytes=4 * (num_pixels + 1) + 8):
            rows = _numbers(text, num_pixels + 1)
            if filled + len(rows) > count:
                raise DataFileError(f"has more than {count:,} rows")
            pixels[filled : filled + len(rows)] = rows[:, :-1]
            labels[filled : filled + len(rows)] = rows[:, -1]
            filled += len(rows)
        if filled != count:
            raise DataFileError(f"has {filled:,} rows, not {count:,}")
    return sealed(pixels), sealed(labels)


def _numbers(text: bytes, num_columns: int) -> NDArray[np.uint16]:
    """Return (rows, num_columns) of whole lines of numbers of one to three digits, all at once: text is slow."""
    data = np.frombuffer(text + b"\n", dtype=np.uint8)
    is_newline = data == ord("\n")
    is_end = is_newline | (data == ord(","))
    digits = data - np.uint8(ord("0"))  # what is below 0 wraps to far above 9
    if (digits[~is_end] > 9).any():
        raise DataFileError("has something other than whole numbers, commas and line feeds")
    ends = np.flatnonzero(is_end)
    lengths = np.diff(ends, prepend=-1) - 1
    if lengths.min() < 1 or lengths.max() > 3:
        raise DataFileError("has numbers with no digit, or with more than three; pixels are 0 to 255")
    expected = np.zeros(len(ends), dtype=bool)
    expected[num_columns - 1 :: num_columns] = True
    if len(ends) % num_columns or (is_newline[ends] != expected).any():
        raise DataFileError(f"has rows that do not have {num_columns} columns")
    values = digits[ends - 1].astype(np.uint16)
    for place, weight in ((2, 10), (3, 100)):
        values += np.where(lengths >= place, digits[ends - place], 0).astype(np.uint16) * np.uint16(weight)
    if values.max() > 255:
        raise DataFileError(f"has numbers up to {values.max()}; pixels are 0 to 255")
    return values.reshape(-1, num_columns)


def _whole_lines(stream: ByteStream, most_bytes: int) -> Iterator[bytes]:
    """Yield the data as runs of whole lines, without the last line feed; no line may be longer than `most_bytes`."""
    rest = _after_header(stream)
    while piece := stream.read_some(CHUNK_BYTES):
        whole, newline, rest = (rest + piece.replace(b"\r", b"")).rpartition(b"\n")
        if newline and whole.strip():
            yield whole.strip(b"\n")
        if len(rest) > most_bytes:
            raise DataFileError(f"has a line of more than {most_bytes:,} bytes")
    if rest.strip():
        yield rest.strip(b"\n")


def _after_header(stream: ByteStream) -> bytes:
    """Read up to the line `@DATA`; return what was read after it."""
    text = b""
    while len(text) <= MAX_HEADER_BYTES and (piece := stream.read_some(CHUNK_BYTES)):
        text += piece
        place = text.lower().find(b"\n@data")
        if place >= 0 and (end := text.find(b"\n", place + 1)) >= 0:
            return text[end + 1 :].replace(b"\r", b"")
    raise DataFileError("has no @DATA line, which an ARFF file needs")
