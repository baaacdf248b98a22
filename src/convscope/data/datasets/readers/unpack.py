"""Unpack a data file as a stream: plain, or gzip in up to three layers; the outermost may be a zip.

So t10k-labels.gz in an archive.zip is read as the archive's member, then through gzip.

An upper bound for the unpacked bytes is known before the first is read, so that a reader can check the size in a header
before it allocates memory.
"""

import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from convscope.data.datasets.data_file import CHUNK_BYTES, DEFLATE_RATIO, DataFileError, open_data_file, reason

# Packed data may not become larger than this; larger data can be read uncompressed, from disk.
MAX_UNPACKED_BYTES = 1 << 32
MAX_LAYERS = 3  # gzip in gzip in a zip is someone's mistake; more is an attack
# Zip tools write these two. Others have no useful bound: bzip2 packs zeros by more than a million to one.
MAX_RATIO = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: DEFLATE_RATIO}
ENCRYPTED = 0x1  # the bit of an encrypted member's flags
GZIP_MAGIC, ZIP_MAGIC = b"\x1f\x8b", b"PK\x03\x04"
# Errors of zipfile and zlib for damaged bytes.
ZIP_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    ValueError,
)


class ByteStream:
    """Bytes that are read in pieces.

    Args:
        pull: returns the next 1 to `limit` bytes, or none at the end.

    Attributes:
        max_bytes: an upper bound for their number.
    """

    def __init__(self, pull: Callable[[int], bytes], max_bytes: int) -> None:
        self._pull = pull
        self._seen = b""  # bytes that `peek` pulled, and that are still to be read
        self.max_bytes = max_bytes

    def read_some(self, limit: int) -> bytes:
        """Read 1 to `limit` bytes, or none at the end."""
        if self._seen:
            piece, self._seen = self._seen[:limit], self._seen[limit:]
            return piece
        return self._pull(limit)

    def read(self, size: int) -> bytes:
        """Read `size` bytes, or fewer at the end."""
        pieces = []
        while size > 0 and (piece := self.read_some(min(size, CHUNK_BYTES))):
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def peek(self, size: int) -> bytes:
        """Look at the next `size` bytes, or fewer at the end; they are still to be read."""
        while len(self._seen) < size and (piece := self._pull(size - len(self._seen))):
            self._seen += piece
        return self._seen[:size]


@contextmanager
def open_stream(path: Path, member: str | None = None) -> Iterator[ByteStream]:
    """Open the unpacked bytes of `path`, or of one file of a zip archive.

    Raises:
        DatasetError: as `open_data_file`, which makes it of each `DataFileError`; if a packed stream is damaged or cut
            short; if an archive is damaged, lacks the member, holds other than one file when none is named, or claims
            sizes that it cannot hold.
    """
    with open_data_file(path) as file:
        try:
            with _open_unpacked(file, os.fstat(file.fileno()).st_size, member, MAX_LAYERS) as stream:
                yield stream
        except DataFileError as error:
            raise DataFileError(f"{member}: {error}" if member else str(error)) from error


def zip_names(path: Path) -> tuple[str, ...]:
    """List the files in a zip archive, without folders and hidden files.

    Raises:
        DatasetError: if it cannot be read or is no zip archive.
    """
    with open_data_file(path) as file, open_zip(file) as archive:
        return _file_names(archive)


def zip_entry(archive: zipfile.ZipFile, name: str, shown_name: str | None = None) -> zipfile.ZipInfo:
    """Find a member in an archive's table, and check that its sizes are possible.

    Args:
        shown_name: the name in errors, by default `name`.

    Raises:
        DataFileError: if it is encrypted, packed by another method than deflate, or larger than it can be.
        KeyError: if there is none of that name.
    """
    info = archive.getinfo(name)
    shown_name = shown_name or name
    if info.flag_bits & ENCRYPTED:
        raise DataFileError(f"{shown_name} is encrypted; save the archive without a password")
    if info.compress_type not in MAX_RATIO:
        raise DataFileError(
            f"{shown_name} is compressed by method {info.compress_type}; save the archive with deflate, as "
            "numpy.savez_compressed and zip do"
        )
    assert archive.fp is not None, "the archive is open"
    size = archive.fp.seek(0, os.SEEK_END)
    if info.compress_size > size or info.file_size > MAX_RATIO[info.compress_type] * info.compress_size:
        raise DataFileError(
            f"{shown_name} should contain {info.file_size:,} bytes packed into {info.compress_size:,}, which a file of "
            f"{size:,} bytes cannot hold; the archive is damaged, download it again"
        )
    if info.compress_type != zipfile.ZIP_STORED and info.file_size > MAX_UNPACKED_BYTES:
        raise DataFileError(
            f"{shown_name} has {info.file_size:,} bytes when it is unpacked, and the limit is {MAX_UNPACKED_BYTES:,}; "
            "unpack the archive, or save it without compression"
        )
    return info


@contextmanager
def _open_unpacked(file: BufferedReader, size: int, member: str | None, layers: int) -> Iterator[ByteStream]:
    stream = ByteStream(file.read, size)
    if member is not None or stream.peek(len(ZIP_MAGIC)) == ZIP_MAGIC:
        with open_zip(file) as archive:  # zipfile seeks, so the bytes that `peek` read are not lost
            name = _only_name(archive) if member is None else member
            member_stream, packed = _member_stream(archive, name)
            yield _without_layers(member_stream, packed, layers - 1)
    else:
        yield _without_layers(stream, size, layers)


def _without_layers(stream: ByteStream, size: int, layers: int) -> ByteStream:
    """Unpack up to `layers` layers of gzip from a stream that takes `size` bytes on disk.

    Packing data twice hardly makes them smaller. So all layers together may give at most what one layer could give
    alone. If the ratios were multiplied, a few hundred bytes might become gigabytes: 100 bytes of gzip in gzip may give
    100 · 1032 bytes, and not 100 · 1032².
    """
    max_bytes = stream.max_bytes
    for _ in range(layers):
        if stream.peek(len(GZIP_MAGIC)) != GZIP_MAGIC:
            break
        max_bytes = min(max(max_bytes, DEFLATE_RATIO * size), MAX_UNPACKED_BYTES)
        stream = ByteStream(_Unpacking(stream, max_bytes).pull, max_bytes)
    return stream


@contextmanager
def open_zip(file: BufferedReader) -> Iterator[zipfile.ZipFile]:
    """Open the zip archive in an open file; raises `DataFileError` if it is none, or damaged."""
    try:
        archive = zipfile.ZipFile(file)
    except ZIP_DAMAGE as error:
        raise DataFileError(f"is not a complete zip archive ({reason(error)}); download it again") from error
    with archive:
        yield archive


def _file_names(archive: zipfile.ZipFile) -> tuple[str, ...]:
    names = (name for name in archive.namelist() if not name.endswith("/"))
    return tuple(name for name in names if not any(part.startswith((".", "__MACOSX")) for part in name.split("/")))


def _only_name(archive: zipfile.ZipFile) -> str:
    names = _file_names(archive)
    if len(names) != 1:
        held = ", ".join(repr(name[:60]) for name in names[:6]) or "nothing"
        raise DataFileError(f"is an archive of {len(names):,} files ({held}); unpack it and name one of them")
    return names[0]


def _member_stream(archive: zipfile.ZipFile, name: str) -> tuple[ByteStream, int]:
    """Open a file in an archive, and return its bytes with their number on disk."""
    try:
        info = zip_entry(archive, name)
        member = archive.open(info)
    except KeyError:
        raise DataFileError("is not in the archive; check its name") from None
    except ZIP_DAMAGE as error:
        raise DataFileError(f"the archive is damaged ({reason(error)}); download it again") from error

    def pull(limit: int) -> bytes:
        try:
            return member.read(limit)
        except ZIP_DAMAGE as error:  # the checksum, too, when the end is reached
            raise DataFileError(f"the archive is damaged ({reason(error)}); download it again") from error

    return ByteStream(pull, info.file_size), info.compress_size


class _Unpacking:
    """Unpacks a stream of gzip by zlib; several packed streams may follow each other.

    The module gzip reads small pieces, which is slow, and ignores bytes after the end.
    """

    def __init__(self, packed: ByteStream, max_bytes: int) -> None:
        self._packed, self._max_bytes = packed, max_bytes
        self._num_unpacked = 0
        self._pending = b""
        self._inflate = _start_gzip()

    def pull(self, limit: int) -> bytes:
        """Return 1 to `limit` unpacked bytes, or none at the end of the last packed stream."""
        while True:  # until the decompressor gives something: of a header, for example, it makes no bytes
            packed = self._pending or self._packed.read_some(CHUNK_BYTES)
            if self._inflate.eof:
                if not packed:
                    return b""
                self._inflate = _start_gzip()  # bytes after the end begin another packed stream
            try:
                piece = self._inflate.decompress(packed, limit)
            except zlib.error as error:
                raise DataFileError(f"its gzip stream is damaged ({error}); download it again") from error
            # Of `packed`, what `limit` left for the next call, or what follows the end of the packed stream.
            self._pending = self._inflate.unconsumed_tail or self._inflate.unused_data
            if piece:
                self._num_unpacked += len(piece)
                if self._num_unpacked > self._max_bytes:
                    raise DataFileError(
                        f"its gzip stream gives more than {self._max_bytes:,} bytes, the limit for a file of its size; "
                        "unpack it and name the unpacked file"
                    )
                return piece
            if not packed and not self._inflate.eof:
                raise DataFileError("its gzip stream ends too early; the file is incomplete, download it again")


def _start_gzip() -> "zlib._Decompress":
    return zlib.decompressobj(wbits=31)  # 31: gzip, checksum and length compared at the end
