"""Read NumPy archives that hold a data set under the names Keras uses: x_train, y_train, x_test, y_test.

Path to four arrays. An archive is checked in layers before memory is taken: the zip's own table against the size of the
file, then each member's header against the size that the table gives it. Nothing is ever unpickled.
"""

import hashlib
import math
import os
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from convscope.datasets.data_file import (
    CHUNK_BYTES,
    DEFLATE_RATIO,
    Images,
    Labels,
    RefusedError,
    open_data_file,
    sealed,
)

# NumPy writes these two; what bzip2 and LZMA can blow up to has no useful bound.
MOST_RATIO = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: DEFLATE_RATIO}
ENCRYPTED = 0x1  # in a member's flags
MAX_HEADER_BYTES = 10_000  # NumPy's own limit; an array of numbers takes 128
# What zipfile, zlib and NumPy's header reader raise on damaged bytes (RuntimeError: deep nesting too).
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    tokenize.TokenError,
    EOFError,
    NotImplementedError,
    OverflowError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True, eq=False)
class NpzArrays:
    """The arrays of an archive, and the SHA-256 of the archive as it is.

    Attributes:
        x_train, x_test: images, uint8 (N, H, W) or (N, H, W, C).
        y_train, y_test: labels, uint8 or int64 (N,).
    """

    x_train: Images
    y_train: Labels
    x_test: Images
    y_test: Labels
    sha256: str


def read_npz(path: str | os.PathLike[str]) -> NpzArrays:
    """Read a data set from an `.npz` archive, in whatever order its members come.

    Returns:
        the four arrays, read-only; labels of another type than uint8 as int64. That counts agree is not checked here.

    Raises:
        DatasetError: if the file is missing, unreadable or no zip archive, if it lacks one of the four arrays, or if an
            array holds objects, is of another type or shape, or is not exactly as long as its header promises; memory
            stays bounded by what the file can hold.
    """
    with open_data_file(Path(path)) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                return NpzArrays(
                    x_train=read_member(archive, "x_train", _check_images),
                    y_train=_as_labels(read_member(archive, "y_train", _check_labels)),
                    x_test=read_member(archive, "x_test", _check_images),
                    y_test=_as_labels(read_member(archive, "y_test", _check_labels)),
                    sha256=_sha256(file),
                )
        except DAMAGE as error:
            raise RefusedError(
                f"is no whole .npz archive ({_reason(error)}); fetch it again, or name a folder with four IDX files"
            ) from error


def read_member(
    archive: zipfile.ZipFile, name: str, check: Callable[[str, tuple[int, ...], np.dtype[Any]], None]
) -> NDArray[Any]:
    """Return one array of an archive, read-only, after `check` has seen its name, shape and type and refused none.

    Nothing is allocated before the header is held against the bytes that are there.

    Raises:
        RefusedError: if it is missing, damaged, cut short or longer than it says; and what `check` raises.
    """
    info = _info(archive, name)
    with archive.open(info) as member:
        # A header of a few bytes may ask for megabytes of itself: no more of it is read than an honest one has.
        header = BytesIO(member.read(min(MAX_HEADER_BYTES, info.file_size)))
        shape, fortran_order, dtype = _read_header(header, name)
        check(name, shape, dtype)
        if 0 in shape or min(shape) < 0:
            raise RefusedError(f"{name} has the shape {shape}; every dimension must be at least 1")
        promised, held = math.prod(shape) * dtype.itemsize, info.file_size - header.tell()
        if promised != held:
            raise RefusedError(
                f"{name} promises {dtype} of shape {shape}, {promised:,} bytes, but {held:,} follow; "
                "the archive is damaged, fetch it again"
            )
        flat = np.empty(promised, dtype=np.uint8)
        start = header.read()
        flat[: len(start)] = np.frombuffer(start, dtype=np.uint8)
        filled = len(start)
        # One read more than is needed: at its end zipfile compares the checksum.
        while piece := member.read(min(CHUNK_BYTES, promised - filled) or 1):
            if filled + len(piece) > promised:
                raise RefusedError(f"{name} is longer than the archive's table says; it is damaged, fetch it again")
            flat[filled : filled + len(piece)] = np.frombuffer(piece, dtype=np.uint8)
            filled += len(piece)
    if filled != promised:
        raise RefusedError(f"{name} is cut short; fetch the archive again")
    array = flat.view(dtype).reshape(shape, order="F" if fortran_order else "C")
    return sealed(np.ascontiguousarray(array))


def _info(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    """Return a member's line in the archive's table, if it can be true."""
    try:
        info = archive.getinfo(f"{name}.npy")
    except KeyError:
        held = ", ".join(repr(other.removesuffix(".npy"))[:40] for other in archive.namelist()[:8]) or "nothing"
        raise RefusedError(f"has no array {name} (it holds {held}); save x_train, y_train, x_test and y_test") from None
    if info.flag_bits & ENCRYPTED:
        raise RefusedError(f"{name} is encrypted; save the archive without a password")
    if info.compress_type not in MOST_RATIO:
        raise RefusedError(f"{name} is compressed by method {info.compress_type}; save it with numpy.savez_compressed")
    assert archive.fp is not None, "the archive is open"
    size = os.fstat(archive.fp.fileno()).st_size
    if info.compress_size > size or info.file_size > MOST_RATIO[info.compress_type] * info.compress_size:
        raise RefusedError(
            f"{name} claims to be {info.file_size:,} bytes packed into {info.compress_size:,}, which no such file of "
            f"{size:,} bytes can hold; the archive is damaged, fetch it again"
        )
    return info


def _read_header(header: BytesIO, name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return (shape, fortran_order, dtype) as an .npy header says, and leave `header` at its end."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on headers of Python 2 and odd escapes: they are read, or refused
            version = npy_format.read_magic(header)
            if version == (1, 0):
                return npy_format.read_array_header_1_0(header, max_header_size=MAX_HEADER_BYTES)
            if version == (2, 0):
                return npy_format.read_array_header_2_0(header, max_header_size=MAX_HEADER_BYTES)
    except (*DAMAGE, MemoryError) as error:  # MemoryError: the parser's stack, too
        raise RefusedError(f"{name} has no readable .npy header ({_reason(error)}); fetch the archive again") from error
    raise RefusedError(f"{name} is of .npy version {version[0]}.{version[1]}; save it with numpy.savez_compressed")


def _check_images(name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if dtype != np.uint8:
        raise RefusedError(f"{name} is {_kind(dtype)}; save images as uint8, 0 to 255")
    if len(shape) not in (3, 4):
        raise RefusedError(f"{name} has the shape {shape}; images must be (N, H, W) or (N, H, W, C)")


def _check_labels(name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if dtype.kind not in "iu":
        raise RefusedError(f"{name} is {_kind(dtype)}; save labels as whole numbers, counted from 0")
    if len(shape) != 1:
        raise RefusedError(f"{name} has the shape {shape}; labels must be (N,), one number an image")


def _kind(dtype: np.dtype[Any]) -> str:
    return "an array of Python objects, which are never read" if dtype.hasobject else str(dtype)[:80]


def _as_labels(labels: NDArray[Any]) -> Labels:
    return labels if labels.dtype == np.uint8 else sealed(labels.astype(np.int64))


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:100] or type(error).__name__


def _sha256(file: BufferedReader) -> str:
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()
