"""Open a data file that may be damaged or hostile. Errors name the file, and memory stays within what it can hold."""

import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from convscope.base.errors import DatasetError
from convscope.base.files import file_digest

# Deflate packs at best 258 bytes into two bits, which is 1032 to 1 (258 · 8 / 2): a header that promises more is false.
DEFLATE_RATIO = 1032
CHUNK_BYTES = 1 << 18  # unpacked bytes that are in memory besides the array

Images = NDArray[np.uint8]
Labels = NDArray[np.uint8] | NDArray[np.int64]
Number = TypeVar("Number", bound=np.generic)


class DataFileError(Exception):
    """A problem of an open file and the next step; `open_data_file` adds the file's name."""


@contextmanager
def naming_errors(path: Path | str) -> Iterator[None]:
    """Raise a `DataFileError` of the block as a `DatasetError` that names `path`."""
    try:
        yield
    except DataFileError as error:
        raise DatasetError(f"{path}: {error}") from error


@contextmanager
def open_data_file(path: Path) -> Iterator[BufferedReader]:
    """Open `path` for reading; a folder, a pipe or a device is refused before it can block.

    Raises:
        DatasetError: if there is no such file, if it cannot be read, or if the reader raises DataFileError.
    """
    try:
        mode = path.stat().st_mode
        # Before it is opened: opening a pipe waits for a writer.
        if stat.S_ISDIR(mode):
            raise DatasetError(f"{path}: is a folder; name a file in it")
        if not stat.S_ISREG(mode):
            raise DatasetError(f"{path}: is not a regular file; save the data as a file first")
        file = path.open("rb")
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: no such file; check the path") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise DatasetError(f"{path}: cannot be opened ({reason}); check the path and its permissions") from error
    with file:
        try:
            with naming_errors(path):
                yield file
        except OSError as error:
            reason = error.strerror or error
            raise DatasetError(f"{path}: cannot be read ({reason}); check the disk or copy the file again") from error
        except MemoryError as error:
            raise DatasetError(
                f"{path}: does not fit into memory; use a smaller data set or a larger machine"
            ) from error


def compute_sha256(path: Path) -> str:
    """Compute the SHA-256 of a file as it is; raises `DatasetError` if it cannot be read."""
    with open_data_file(path) as file:
        return file_digest(file)


def reason(error: Exception) -> str:
    """Shorten another library's error message to one line."""
    return " ".join(str(error).split())[:100] or type(error).__name__


def fill(content: NDArray[np.uint8], read_some: Callable[[int], bytes], start: int = 0) -> int:
    """Fill bytes (n,) from `start` on in pieces that `read_some` returns, and return the index after the last."""
    while start < len(content) and (piece := read_some(min(CHUNK_BYTES, len(content) - start))):
        content[start : start + len(piece)] = np.frombuffer(piece, dtype=np.uint8)
        start += len(piece)
    return start


def seal(array: NDArray[Number]) -> NDArray[Number]:
    """Make `array` read-only, since a data set is shared by all its users."""
    array.flags.writeable = False
    return array
