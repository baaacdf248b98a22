"""Read the USPS digits as LIBSVM publishes them: lines of text, packed by bzip2.

Path to images and labels. A line is `label index:value index:value ...` with labels 1 to 10 for the digits 0 to 9, 256
indices from 1, and values from -1 (paper) to 1 (ink); an index that is left out stands for 0, as the format has it.
Memory is bounded: no line and no number of lines beyond what such a file can have.

Source: C.-C. Chang and C.-J. Lin, LIBSVM's README, for the format. Pixels are (value + 1) / 2 * 255 in float32, rounded
down, as torchvision makes them.
"""

import bz2
import hashlib
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convscope.data.datasets.data_file import CHUNK_BYTES, DataFileError, Images, open_data_file, sealed

SIDE = 16
NUM_CLASSES = 10
MAX_LINES = 100_000  # ten times what both files hold
MAX_LINE_BYTES = 1 << 14  # 256 of `256:-0.123456789 ` and some


def read_usps(path: Path) -> tuple[Images, NDArray[np.uint8], str]:
    """Read one of the two files.

    Returns:
        images (N, 16, 16) uint8, labels (N,) uint8 of 0 to 9, both read-only, and the SHA-256 of the unpacked text.

    Raises:
        DatasetError: if the file is missing, unreadable or no such text, naming the line.
    """
    digest = hashlib.sha256()
    images, labels = [], []
    with open_data_file(path) as file:
        for number, line in enumerate(_lines(file), 1):
            digest.update(line)
            if number > MAX_LINES:
                raise DataFileError(f"has more than {MAX_LINES:,} lines; it is not one of the USPS files")
            try:
                label, pixels = _digit(line)
            except ValueError as error:
                raise DataFileError(f"line {number}: {error}; download the file again") from error
            labels.append(label)
            images.append(pixels)
        if not images:
            raise DataFileError("is empty; download it again")
    return sealed(np.stack(images)), sealed(np.array(labels, dtype=np.uint8)), digest.hexdigest()


def _digit(line: bytes) -> tuple[int, NDArray[np.uint8]]:
    """Return (label, pixels (16, 16)) of a line; raise ValueError that says what is wrong with it."""
    label_text, *pairs = line.split()
    label = float(label_text)
    if label not in range(1, NUM_CLASSES + 1):
        raise ValueError(f"the label is {label:g}; it must be 1 to {NUM_CLASSES}")
    values = np.zeros(SIDE * SIDE, dtype=np.float32)
    before = 0
    for pair in pairs:
        index_text, colon, value_text = pair.partition(b":")
        if not colon:
            raise ValueError(f"{pair[:40]!r} is not index:value")
        index, value = int(index_text), float(value_text)
        if not before < index <= SIDE * SIDE:
            raise ValueError(f"the index {index} follows {before}; indices must rise and be at most {SIDE * SIDE}")
        if not -1 <= value <= 1:
            raise ValueError(f"the value is {value:g}; it must be -1 to 1")
        values[index - 1] = value
        before = index
    pixels = ((values + 1) / 2 * 255).astype(np.uint8)
    return int(label) - 1, pixels.reshape(SIDE, SIDE)


def _lines(file: BufferedReader) -> Iterator[bytes]:
    """Yield the unpacked lines with their line feeds, blank ones left out, a line at most in memory beside a chunk."""
    rest = b""
    for piece in _unpacked(file):
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            if line.strip():
                yield line + b"\n"
        if len(rest) > MAX_LINE_BYTES:
            raise DataFileError(f"has a line of more than {MAX_LINE_BYTES:,} bytes; it is not one of the USPS files")
    if rest.strip():
        yield rest


def _unpacked(file: BufferedReader) -> Iterator[bytes]:
    """Yield what bzip2 packed, in pieces of no more than a chunk."""
    unpacker = bz2.BZ2Decompressor()
    try:
        while True:
            packed = b""
            if unpacker.eof:
                packed = unpacker.unused_data or file.read(CHUNK_BYTES)
                if not packed:
                    return
                unpacker = bz2.BZ2Decompressor()  # bzip2 files may be joined end to end
            elif unpacker.needs_input:
                packed = file.read(CHUNK_BYTES)
                if not packed:
                    raise DataFileError("its bzip2 stream ends too early; the file is incomplete, download it again")
            yield unpacker.decompress(packed, CHUNK_BYTES)
    except (OSError, ValueError) as error:  # what bz2 raises on damage
        raise DataFileError(f"its bzip2 stream is damaged ({error}); download it again") from error
