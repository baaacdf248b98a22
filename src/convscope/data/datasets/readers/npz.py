"""Read NumPy archives that hold a data set under the names that Keras, MedMNIST, scikit-learn and others use.

Before memory is allocated, the zip's table is checked against the size of the file, then each member's header against
its size in the table. Nothing is ever unpickled.
"""

import math
import os
import sys
import tokenize
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from convscope.base.files import file_digest
from convscope.data.datasets.data_file import DataFileError, Images, Labels, fill, open_data_file, reason, seal
from convscope.data.datasets.readers.labels import TextLabels
from convscope.data.datasets.readers.npz_names import ArrayNames, choose_arrays
from convscope.data.datasets.readers.unpack import ZIP_DAMAGE, zip_entry

_LARGEST_INT64 = 2**63 - 1
MAX_HEADER_BYTES = 10_000  # NumPy's own limit; an array of numbers takes 128
# Errors of zipfile, zlib and NumPy's header reader for damaged bytes; a RuntimeError also for deep nesting.
DAMAGE = (*ZIP_DAMAGE, tokenize.TokenError, SyntaxError, TypeError)
# Takes an array's name, shape and type from its header, and raises DataFileError if it is not what the caller wants.
Check = Callable[[str, tuple[int, ...], np.dtype[Any]], None]


@dataclass(frozen=True, eq=False)
class NpzPair:
    """The images and labels of a split, with their names in the archive.

    Attributes:
        images: uint8 (N, H, W), (N, H, W, C) or (N, pixels); None if they stay in the file.
        labels: uint8 or int64 (N,); indices in `names` if that is not None.
        names: the names of labels that are text.
    """

    images: Images | None
    labels: Labels
    images_name: str
    labels_name: str
    names: tuple[str, ...] | None = None


@dataclass(frozen=True, eq=False)
class NpzArrays:
    """The arrays of an archive, and its SHA-256.

    Attributes:
        train, test: None if it has one split only; without splits, all of it is `train`.
        class_names: in the order of the labels, if the archive has them.
    """

    train: NpzPair | None
    test: NpzPair | None
    class_names: tuple[str, ...] | None
    sha256: str


def read_npz(path: str | os.PathLike[str], stays_on_disk: Callable[[str], bool] | None = None) -> NpzArrays:
    """Read a data set from an `.npz` archive.

    Args:
        path: the file.
        stays_on_disk: takes the name of an array of images, and returns True if it is not to be read.

    Returns:
        the arrays, read-only; labels of another type than uint8 as int64, labels (N, 1) as (N,). Whether there is
        a label for each image is not checked here.

    Raises:
        DatasetError: if the file is missing, unreadable or no zip archive, if it lacks an array, or if an array holds
            objects, is of another type or shape, or is not exactly as long as its header promises; memory stays
            bounded by what the file can hold.
    """
    with open_data_file(Path(path)) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                names = choose_arrays(_names(archive))
                return NpzArrays(
                    train=names.train and _read_pair(archive, names.train, stays_on_disk),
                    test=names.test and _read_pair(archive, names.test, stays_on_disk),
                    class_names=_read_class_names(archive, names),
                    sha256=file_digest(file),
                )
        except DAMAGE as error:
            raise DataFileError(
                f"is not a complete .npz archive ({reason(error)}); download it again, or name a folder with four IDX "
                "files"
            ) from error


def read_npy(path: str | os.PathLike[str], check: Check) -> NDArray[Any]:
    """Read the array of an `.npy` file, read-only, after `check` has accepted its name, shape and type.

    Raises:
        DatasetError: if the file is missing, unreadable or no `.npy` file, holds objects, or is not exactly as long as
            its header promises; and for what `check` raises DataFileError.
    """
    with open_data_file(Path(path)) as file:
        return _read_open_npy(file.read, os.fstat(file.fileno()).st_size, "it", check)


def read_member(archive: zipfile.ZipFile, name: str, check: Check) -> NDArray[Any]:
    """Read an array of an archive, read-only, after `check` has accepted its name, shape and type.

    Nothing is allocated before the header is checked against the size of the member.

    Raises:
        DataFileError: if it is missing, damaged, cut short or longer than it says; and what `check` raises.
    """
    try:
        info = zip_entry(archive, f"{name}.npy", name)
    except KeyError:
        held = ", ".join(repr(name)[:40] for name in _names(archive)[:8]) or "nothing"
        raise DataFileError(f"has no array {name} (it holds {held})") from None
    with archive.open(info) as member:
        return _read_open_npy(member.read, info.file_size, name, check)


def _read_open_npy(read: Callable[[int], bytes], size: int, name: str, check: Check) -> NDArray[Any]:
    """Read an `.npy` file of `size` bytes, see `read_npy`; errors call the array `name`."""
    # Not `np.load`: a header states its own length, and a damaged one may claim gigabytes.
    header = BytesIO(read(min(MAX_HEADER_BYTES, size)))
    shape, fortran_order, dtype = read_header(header, name)
    check(name, shape, dtype)
    if 0 in shape or min(shape, default=0) < 0:
        raise DataFileError(f"{name} has the shape {shape}; every dimension must be at least 1")
    promised, held = math.prod(shape) * dtype.itemsize, size - header.tell()
    if promised != held:
        raise DataFileError(
            f"{name} should contain {dtype} of shape {shape}, {promised:,} bytes, but {held:,} follow; the file is "
            "damaged, download it again"
        )
    if promised == 0:
        raise DataFileError(f"{name} holds {dtype}, which has no bytes; save it again")
    flat = np.empty(promised, dtype=np.uint8)
    start = header.read()  # the first read went on beyond the header, into the array
    flat[: len(start)] = np.frombuffer(start, dtype=np.uint8)
    if fill(flat, read, len(start)) != promised:
        raise DataFileError(f"{name} is incomplete; download the file again")
    if read(1):  # one read more than is needed: at its end zipfile compares the checksum
        raise DataFileError(f"{name} is longer than the archive's table says; it is damaged, download it again")
    array = flat.view(dtype).reshape(shape, order="F" if fortran_order else "C")
    return seal(np.ascontiguousarray(array))


def read_header(header: BytesIO, name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Read (shape, fortran_order, dtype) from an .npy header, and leave `header` at its end.

    Raises:
        DataFileError: if it is no readable header, calling it `name`.
    """
    try:
        with warnings.catch_warnings():
            # NumPy warns of headers by Python 2 and of odd escapes, which are read or refused.
            warnings.simplefilter("ignore")
            version = npy_format.read_magic(header)
            if version == (1, 0):
                return npy_format.read_array_header_1_0(header, max_header_size=MAX_HEADER_BYTES)
            if version == (2, 0):
                return npy_format.read_array_header_2_0(header, max_header_size=MAX_HEADER_BYTES)
    except (*DAMAGE, MemoryError) as error:  # MemoryError: the parser's stack, too
        raise DataFileError(f"{name} has no readable .npy header ({reason(error)}); download the file again") from error
    raise DataFileError(f"{name} is of .npy version {version[0]}.{version[1]}; save it with NumPy again")


def check_image_array(name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Refuse arrays other than uint8 (N, H, W), (N, H, W, C) or (N, pixels)."""
    if dtype != np.uint8:
        raise DataFileError(f"{name} is {_kind(dtype)}; save images as uint8, 0 to 255")
    if len(shape) not in (2, 3, 4):
        raise DataFileError(f"{name} has the shape {shape}; images must be (N, H, W) or (N, H, W, C)")


def check_label_array(name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Refuse arrays other than whole numbers or text (N,) or (N, 1)."""
    if dtype.kind not in "iuUS":
        raise DataFileError(f"{name} is {_kind(dtype)}; save labels as whole numbers, counted from 0")
    if len(shape) != 1 and (len(shape) != 2 or shape[1] != 1):
        raise DataFileError(f"{name} has the shape {shape}; labels must be (N,), one number or name per image")


def as_labels(array: NDArray[Any], name: str) -> tuple[Labels, tuple[str, ...] | None]:
    """Convert labels that `check_label_array` accepted to numbers (N,), and return the names of labels that are text.

    Raises:
        DataFileError: as `TextLabels.extend` does; for text that is not Unicode and numbers beyond 64 bits with a sign.
    """
    array = array.reshape(-1)
    if array.dtype.kind in "US":
        texts = TextLabels()
        texts.extend(_texts(array, name), f"{name}: image")
        return seal(texts.labels), texts.names
    if array.dtype.kind == "u" and array.max() > _LARGEST_INT64:
        raise DataFileError(f"{name} has the label {array.max()}; save labels as whole numbers, counted from 0")
    return (array if array.dtype == np.uint8 else seal(array.astype(np.int64))), None


def _read_pair(
    archive: zipfile.ZipFile, names: tuple[str, str], stays_on_disk: Callable[[str], bool] | None
) -> NpzPair:
    is_on_disk = stays_on_disk is not None and stays_on_disk(names[0])
    images = None if is_on_disk else read_member(archive, names[0], check_image_array)
    labels, texts = as_labels(read_member(archive, names[1], check_label_array), names[1])
    return NpzPair(images, labels, *names, texts)


def _read_class_names(archive: zipfile.ZipFile, names: ArrayNames) -> tuple[str, ...] | None:
    if names.class_names is None:
        return None
    array = read_member(archive, names.class_names, _check_texts)
    return tuple(text.strip() or f"({label})" for label, text in enumerate(_texts(array, names.class_names)))


def _check_texts(name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if dtype.kind not in "US" or len(shape) != 1:
        raise DataFileError(f"{name} is {_kind(dtype)} of shape {shape}; save the class names as text (K,), or omit it")


def _texts(array: NDArray[Any], name: str) -> list[str]:
    try:
        if array.dtype.kind == "S":
            return [text.decode() for text in array.tolist()]
        # NumPy stores text as four bytes a character, the code point.
        codes = array.view(np.dtype(np.uint32).newbyteorder(array.dtype.byteorder))
        if codes.max() > sys.maxunicode:  # NumPy would make an invalid string of it, which ends in a SystemError
            raise ValueError(f"the character {codes.max():#x} is beyond the last one, {sys.maxunicode:#x}")
        return [text.encode(errors="replace").decode() for text in array.tolist()]
    except ValueError as error:
        raise DataFileError(f"{name} holds text that cannot be read ({reason(error)}); save it as Unicode") from error


def _kind(dtype: np.dtype[Any]) -> str:
    return "an array of Python objects, which are never read" if dtype.hasobject else str(dtype)[:80]


def _names(archive: zipfile.ZipFile) -> list[str]:
    return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
