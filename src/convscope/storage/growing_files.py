"""Files that grow at their end: arrays in .npy files by rows, and JSON objects by lines.

An array is mapped into memory instead of read. `numpy.load` reads its file at any time: NumPy leaves room in the header
for a larger number of rows, and that number is written after the rows themselves.
"""

import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import DTypeLike, NDArray

from convscope.base.errors import RunError
from convscope.base.files import inside, open_file, read_bytes, write_error
from convscope.base.plain import parse_json


def write_rows(folder: Path, name: str, first: int, rows: NDArray[Any]) -> None:
    """Write `rows` (n, ...) as those from number `first` on, over what may be there; the file is made if `first` is 0.

    Raises:
        ConvscopeError: if the disk is full or the file cannot be written.
    """
    path, rows = inside(folder, name), np.ascontiguousarray(rows)
    header = _header(rows.dtype, (first + len(rows), *rows.shape[1:]))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("r+b" if path.exists() else "xb") as file:
            file.seek(len(header) + first * _row_bytes(rows.dtype, rows.shape[1:]))
            file.write(rows.tobytes())
            file.flush()  # the header after it
            file.seek(0)
            file.write(header)
    except OSError as error:
        raise write_error(path, error) from error


def map_rows(folder: Path, name: str, dtype: DTypeLike, num_rows: int, row_shape: tuple[int, ...] = ()) -> NDArray[Any]:
    """Return the first `num_rows` rows of a file, `(num_rows, *row_shape)`, mapped and not to be written to.

    Raises:
        RunError: if it is missing, is no such array or has fewer rows.
    """
    path, dtype = inside(folder, name), np.dtype(dtype)
    if _whole_rows(path, dtype, row_shape)[1] < num_rows:
        raise RunError(f"{path}: damaged (fewer than {num_rows:,} rows); use another copy of the runs")
    if num_rows * _row_bytes(dtype, row_shape) == 0:
        return np.empty((num_rows, *row_shape), dtype)
    start = len(_header(dtype, (num_rows, *row_shape)))
    mapped = np.memmap(path, dtype, "r", start, (num_rows, *row_shape))
    return mapped.view(np.ndarray)  # of which rows are taken faster


def count_rows(folder: Path, name: str, dtype: DTypeLike, row_shape: tuple[int, ...] = ()) -> int:
    """Return how many rows the header of a file counts; 0 if there is no file.

    Raises:
        RunError: if it is no such array as `write_rows` writes, or has fewer rows.
    """
    path = inside(folder, name)
    if not path.exists():
        return 0
    count, whole = _whole_rows(path, np.dtype(dtype), row_shape)
    if whole < count:
        raise RunError(f"{path}: damaged (fewer than {count:,} rows); use another copy of the runs")
    return count


def _whole_rows(path: Path, dtype: np.dtype[Any], row_shape: tuple[int, ...]) -> tuple[int, int]:
    """Return how many rows the header counts, and how many of those are there."""
    try:
        with open_file(path) as file:
            found = file.read(len(_header(dtype, (0, *row_shape))))
            size = file.seek(0, io.SEEK_END) - len(found)
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror}); use another copy of the runs") from error
    shape = re.search(rb"'shape': \((\d{1,12}),", found)
    count = int(shape[1]) if shape else 0
    if shape is None or found != _header(dtype, (count, *row_shape)):
        raise RunError(f"{path}: damaged (an array of another kind); use another copy of the runs")
    return count, min(count, size // max(_row_bytes(dtype, row_shape), 1))


def _row_bytes(dtype: np.dtype[Any], row_shape: tuple[int, ...]) -> int:
    return int(dtype.itemsize * np.prod(row_shape, dtype=np.int64))


def _header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    buffer = io.BytesIO()
    described = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    npy.write_array_header_1_0(buffer, described)
    return buffer.getvalue()


class GrowingLines:
    """A file of JSON objects, one a line, which grows; what a killed process left of a last line is no part of it."""

    def __init__(self, folder: Path, name: str) -> None:
        self._path = inside(folder, name)
        self.values, self._size = list[dict[str, Any]](), 0
        if not self._path.exists():
            return
        try:
            content = read_bytes(self._path)
            self._size = content.rfind(b"\n") + 1
            self.values = parse_json(b"[" + b",".join(content[: self._size].splitlines()) + b"]")
            if not all(isinstance(value, dict) for value in self.values):
                raise ValueError("a line is not a JSON object")
        except (OSError, ValueError) as error:
            raise RunError(f"{self._path}: damaged ({error}); use another copy of the runs") from error

    def number_of(self, value: Mapping[str, Any]) -> int:
        """Return the number of the line with `value`, which is added if there is none."""
        if value not in self.values:
            self.append(value)
        return self.values.index(dict(value))

    def append(self, value: Mapping[str, Any]) -> None:
        """Add a line; raises `ConvscopeError` if the disk is full or the file cannot be written."""
        line = (json.dumps(value, allow_nan=False) + "\n").encode()
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("r+b" if self._path.exists() else "xb") as file:
                file.seek(self._size)
                file.truncate()
                file.write(line)
        except OSError as error:
            raise write_error(self._path, error) from error
        self.values.append(json.loads(line))
        self._size += len(line)
