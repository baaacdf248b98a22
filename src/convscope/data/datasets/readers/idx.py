"""Read IDX files, the format of MNIST: a header with type and shape, then the numbers.

    0 0 | type | number of dimensions D | D sizes of 4 bytes, big-endian | the numbers, row by row

So the bytes of a `header` are two zeros, header[2] the type, header[3] the number of dimensions, and the sizes.

The header is checked against what the file can hold before memory is allocated, so a damaged or hostile file costs an
error and not the memory that it claims.

Source: Yann LeCun and Corinna Cortes, the format as described with the MNIST files.
"""

import hashlib
import math
import os
import struct
from io import BufferedReader
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from convscope.data.datasets.data_file import DataFileError, fill, open_data_file, seal
from convscope.data.datasets.readers.unpack import GZIP_MAGIC, ZIP_MAGIC, ByteStream, open_stream

UNSIGNED_BYTE = 0x08
MAX_DIMENSIONS = 4  # (N, H, W, C)
# The types of numbers, big-endian, by the third byte of the header.
TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
WHOLE_NUMBERS = (0x08, 0x09, 0x0B, 0x0C)
PACKED = (GZIP_MAGIC, ZIP_MAGIC)


@overload
def read_idx(
    path: str | os.PathLike[str], *, member: str | None = None, whole_numbers: Literal[False] = False
) -> NDArray[np.uint8]: ...
@overload
def read_idx(
    path: str | os.PathLike[str], *, member: str | None = None, whole_numbers: Literal[True]
) -> NDArray[np.uint8] | NDArray[np.int64]: ...
def read_idx(path: str | os.PathLike[str], *, member: str | None = None, whole_numbers: bool = False) -> NDArray[Any]:
    """Read the array of an IDX file: plain, gzip or alone in a zip archive, whichever its first bytes say.

    Args:
        path: the file.
        member: the name of a file in the zip archive at `path`, itself plain or packed.
        whole_numbers: also read int8, int16 and int32, as int64.

    Returns:
        the array, uint8 (or int64) of 1 to 4 dimensions, read-only.

    Raises:
        DatasetError: if the file is missing, unreadable or no IDX file of unsigned bytes (or whole numbers), if a
            dimension is zero, or if its length is not exactly what the header promises; memory stays bounded by what
            the file can hold.

    Example:
        >>> from convscope.data.datasets.named.catalogue import DATA_FOLDER
        >>> read_idx(DATA_FOLDER / "mnist" / "t10k-labels-idx1-ubyte.gz")[:5]
        array([7, 2, 1, 0, 4], dtype=uint8)
    """
    return read_idx_and_sha256(path, member=member, whole_numbers=whole_numbers)[0]


def read_idx_and_sha256(
    path: str | os.PathLike[str], *, member: str | None = None, whole_numbers: bool = False
) -> tuple[NDArray[Any], str]:
    """Read as `read_idx` does; return the SHA-256 of the uncompressed file, too."""
    path = Path(path)
    type_codes = WHOLE_NUMBERS if whole_numbers else (UNSIGNED_BYTE,)
    if member is None:
        with open_data_file(path) as file:
            if not file.peek(max(map(len, PACKED))).startswith(PACKED):
                return _finish(*_read_plain(file, type_codes))
    with open_stream(path, member) as stream:
        return _finish(*_read_stream(stream, type_codes))


def idx_header(shape: tuple[int, ...]) -> bytes:
    """Make the header of an IDX file of unsigned bytes of this shape."""
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, UNSIGNED_BYTE, len(shape), *shape)


def _finish(header: bytes, content: NDArray[np.uint8]) -> tuple[NDArray[Any], str]:
    """Convert the bytes to an array of the header's type and shape; return also the SHA-256 of the file."""
    shape = _shape(header)
    array: NDArray[Any] = content
    if header[2] != UNSIGNED_BYTE:
        array = content.view(TYPES[header[2]]).astype(np.int64)
    digest = hashlib.sha256(header)
    digest.update(content.data)
    return seal(array).reshape(shape), digest.hexdigest()


def read_plain_shape(file: BufferedReader) -> tuple[int, ...]:
    """Read the shape of an open, plain IDX file of unsigned bytes, and leave it at the first of them.

    Raises:
        DataFileError: if it is another kind of file, or not exactly as long as its header promises.
    """
    return _shape(_read_plain_header(file, (UNSIGNED_BYTE,)))


def _read_plain_header(file: BufferedReader, type_codes: tuple[int, ...]) -> bytes:
    size = os.fstat(file.fileno()).st_size
    start = file.read(4)
    header = start + file.read(4 * _num_dimensions(start, type_codes))
    promised, held = _count_bytes(header), size - file.tell()
    if held < promised:
        raise DataFileError(f"{_promise(header)}, but only {held:,} follow; the file is incomplete, download it again")
    if held > promised:
        raise DataFileError(f"{_promise(header)}, but {held:,} follow; the file is damaged or has another format")
    return header


def _read_plain(file: BufferedReader, type_codes: tuple[int, ...]) -> tuple[bytes, NDArray[np.uint8]]:
    """Read the header and the bytes after it from a plain file, whose length is known before."""
    header = _read_plain_header(file, type_codes)
    content = np.empty(_count_bytes(header), dtype=np.uint8)
    # A file may shrink while it is read.
    if file.readinto(content.data) != len(content):
        raise DataFileError("changed while it was read; try again")
    return header, content


def _read_stream(stream: ByteStream, type_codes: tuple[int, ...]) -> tuple[bytes, NDArray[np.uint8]]:
    """Read the header and the bytes after it from a packed file, for whose length only an upper bound is known."""
    start = stream.read(4)
    header = start + stream.read(4 * _num_dimensions(start, type_codes))
    promised = _count_bytes(header)
    if promised > stream.max_bytes:
        raise DataFileError(
            f"{_promise(header)}, more than its compressed bytes can hold; the file is incomplete or damaged, download "
            "it again"
        )
    content = np.empty(promised, dtype=np.uint8)
    if (filled := fill(content, stream.read_some)) < promised:
        raise DataFileError(
            f"{_promise(header)}, but only {filled:,} follow; the file is incomplete, download it again"
        )
    # The decompressor compares the checksum only when it is read to its end.
    if stream.read_some(1):
        raise DataFileError(f"{_promise(header)}, but more follow; the file is damaged or has another format")
    return header, content


def _num_dimensions(start: bytes, type_codes: tuple[int, ...]) -> int:
    if not start:
        raise DataFileError("is empty; download it again")
    if len(start) < 4 or start[:2] != b"\0\0":
        raise DataFileError(f"starts with the bytes {start.hex(' ')}, not with those of an IDX file; name an IDX file")
    if start[2] not in type_codes:
        number_type = TYPES.get(start[2])
        what = f"numbers of type {np.dtype(number_type).name}" if number_type else "an unknown type of number"
        raise DataFileError(f"holds {what} (0x{start[2]:02x}); save it as unsigned bytes (0x08)")
    if not 1 <= start[3] <= MAX_DIMENSIONS:
        raise DataFileError(f"has {start[3]} dimensions; an IDX file of images or labels has 1 to {MAX_DIMENSIONS}")
    return start[3]


def _shape(header: bytes) -> tuple[int, ...]:
    num_dimensions = header[3]
    if len(header) < 4 + 4 * num_dimensions:
        raise DataFileError("ends within its header; the file is incomplete, download it again")
    shape = struct.unpack(f">{num_dimensions}I", header[4:])
    if 0 in shape:
        raise DataFileError(f"has shape {shape}; every dimension must be at least 1")
    return shape


def _count_bytes(header: bytes) -> int:
    return math.prod(_shape(header)) * np.dtype(TYPES[header[2]]).itemsize


def _promise(header: bytes) -> str:
    """Describe the bytes that the header promises: "should contain 60000 × 28 × 28 = 47,040,000 bytes"."""
    size = np.dtype(TYPES[header[2]]).itemsize
    numbers = "" if size == 1 else f" × {size}"
    return f"should contain {' × '.join(map(str, _shape(header)))}{numbers} = {_count_bytes(header):,} bytes"
