"""Read IDX files, the format MNIST came in: a header that says the shape, then the bytes.

Path to array. Nothing is believed before it is checked: the header is read first and held against the size of the file,
so a damaged or hostile file costs an error and not the memory it asks for. What the numbers mean (images, labels) is
the catalogue's business.

Source: Yann LeCun and Corinna Cortes, the format as described with the MNIST files.
"""

import hashlib
import math
import os
import struct
import zlib
from io import BufferedReader
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convscope.datasets.data_file import CHUNK_BYTES, DEFLATE_RATIO, RefusedError, open_data_file, sealed

UNSIGNED_BYTE = 0x08
MAX_DIMENSIONS = 4  # (N, H, W, C)
# The third byte of the header; only the first of these is read.
DTYPES = {0x08: "uint8", 0x09: "int8", 0x0B: "int16", 0x0C: "int32", 0x0D: "float32", 0x0E: "float64"}
GZIP_MAGIC = b"\x1f\x8b"


def read_idx(path: str | os.PathLike[str]) -> NDArray[np.uint8]:
    """Read the array of an IDX file, plain or gzip, whichever its first bytes say.

    Returns:
        the array, uint8 of 1 to 4 dimensions, read-only.

    Raises:
        DatasetError: if the file is missing, unreadable or no IDX file of unsigned bytes, if a dimension is zero, or if
            its length is not exactly what the header promises; memory stays bounded by what the file can hold.

    Example:
        >>> from convscope.datasets.catalogue import DATA_FOLDER
        >>> read_idx(DATA_FOLDER / "mnist" / "t10k-labels-idx1-ubyte.gz")[:5]
        array([7, 2, 1, 0, 4], dtype=uint8)
    """
    with open_data_file(Path(path)) as file:
        compressed = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
        file.seek(0)
        return _read_compressed(file) if compressed else _read_plain(file)


def idx_header(shape: tuple[int, ...]) -> bytes:
    """Return the header of an IDX file that holds unsigned bytes of this shape."""
    return struct.pack(f">BBBB{len(shape)}I", 0, 0, UNSIGNED_BYTE, len(shape), *shape)


def idx_sha256(array: NDArray[np.uint8]) -> str:
    """Return the SHA-256 of the uncompressed IDX file that holds `array` (any shape)."""
    digest = hashlib.sha256(idx_header(array.shape))
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _read_plain(file: BufferedReader) -> NDArray[np.uint8]:
    size = os.fstat(file.fileno()).st_size
    start = file.read(4)
    shape = _shape(start + file.read(4 * _num_dimensions(start)))
    promised, held = math.prod(shape), size - file.tell()
    if held < promised:
        raise RefusedError(f"{_promise(shape)}, but only {held:,} follow; the file is cut short, fetch it again")
    if held > promised:
        raise RefusedError(f"{_promise(shape)}, but {held:,} follow; the file is damaged or of another format")
    array = np.empty(promised, dtype=np.uint8)
    # A file may shrink while it is read.
    if file.readinto(array.data) != promised:
        raise RefusedError("changed while it was read; try again")
    return sealed(array).reshape(shape)


def _read_compressed(file: BufferedReader) -> NDArray[np.uint8]:
    compressed_bytes = os.fstat(file.fileno()).st_size
    stream = _GzipStream(file)
    start = stream.read(4)
    shape = _shape(start + stream.read(4 * _num_dimensions(start)))
    promised = math.prod(shape)
    if promised > DEFLATE_RATIO * compressed_bytes:
        raise RefusedError(
            f"{_promise(shape)}, more than its {compressed_bytes:,} compressed bytes can hold; "
            "the file is cut short or damaged, fetch it again"
        )
    array = np.empty(promised, dtype=np.uint8)
    filled = 0
    while filled < promised:
        piece = stream.read_some(min(CHUNK_BYTES, promised - filled))
        if not piece:
            raise RefusedError(f"{_promise(shape)}, but only {filled:,} follow; the file is cut short, fetch it again")
        array[filled : filled + len(piece)] = np.frombuffer(piece, dtype=np.uint8)
        filled += len(piece)
    # Reading on to the end also makes zlib compare the checksum.
    if stream.read_some(1):
        raise RefusedError(f"{_promise(shape)}, but more follow; the file is damaged or of another format")
    return sealed(array).reshape(shape)


class _GzipStream:
    """The uncompressed bytes of a gzip file, never more of them at once than asked for.

    The standard library's gzip reads in pieces too small to be fast on this scale, and passes over bytes after the end.
    """

    def __init__(self, file: BufferedReader) -> None:
        self._file = file
        self._pending = b""
        self._inflate = zlib.decompressobj(wbits=31)  # 31: gzip, checksum and length compared at the end

    def read(self, size: int) -> bytes:
        """Return `size` bytes, or fewer at the end of the file."""
        content = b""
        while len(content) < size and (piece := self.read_some(size - len(content))):
            content += piece
        return content

    def read_some(self, limit: int) -> bytes:
        """Return 1 to `limit` bytes, or none at the end of the file."""
        while True:
            compressed = self._pending or self._file.read(CHUNK_BYTES)
            if self._inflate.eof:
                if not compressed:
                    return b""
                self._inflate = zlib.decompressobj(wbits=31)  # gzip files may be joined end to end
            try:
                piece = self._inflate.decompress(compressed, limit)
            except zlib.error as error:
                raise RefusedError(f"its gzip stream is damaged ({error}); fetch it again") from error
            self._pending = self._inflate.unconsumed_tail or self._inflate.unused_data
            if piece:
                return piece
            if not compressed and not self._inflate.eof:
                raise RefusedError("its gzip stream ends too early; the file is cut short, fetch it again")


def _num_dimensions(start: bytes) -> int:
    if not start:
        raise RefusedError("is empty; fetch it again")
    if len(start) < 4 or start[:2] != b"\0\0":
        raise RefusedError(f"starts with the bytes {start.hex(' ')}, not with those of an IDX file; name an IDX file")
    if start[2] != UNSIGNED_BYTE:
        kind = DTYPES.get(start[2])
        what = f"numbers of type {kind}" if kind else "an unknown type of number"
        raise RefusedError(f"holds {what} (0x{start[2]:02x}); save it as unsigned bytes (0x08)")
    if not 1 <= start[3] <= MAX_DIMENSIONS:
        raise RefusedError(
            f"says it has {start[3]} dimensions; an IDX file of images or labels has 1 to {MAX_DIMENSIONS}"
        )
    return start[3]


def _shape(header: bytes) -> tuple[int, ...]:
    num_dimensions = header[3]
    if len(header) < 4 + 4 * num_dimensions:
        raise RefusedError("ends within its header; the file is cut short, fetch it again")
    shape = struct.unpack(f">{num_dimensions}I", header[4:])
    if 0 in shape:
        raise RefusedError(f"says its shape is {shape}; every dimension must be at least 1")
    return shape


def _promise(shape: tuple[int, ...]) -> str:
    return f"promises {' × '.join(map(str, shape))} = {math.prod(shape):,} bytes"
