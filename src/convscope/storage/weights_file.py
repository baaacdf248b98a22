"""Weights of many networks in a .npy file that grows by rows: each row is one network, and the file can be mapped.

`numpy.load` reads the file at any time: NumPy leaves room in the header for a larger number of rows, and that number is
written after the row itself. How many rows count, the database of the runs says.
"""

import io
import os
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from convscope.base.errors import RunError
from convscope.base.files import inside, open_file, write_error

_FLOAT = np.dtype("<f4")


def write_row(folder: Path, name: str, index: int, row: NDArray[np.float32]) -> None:
    """Write row `index` (P,) of a file, over whatever is there, and wait until the disk has it.

    Raises:
        ConvscopeError: if the disk is full or the file cannot be written.
    """
    path = inside(folder, name)
    header, is_new = _header(index + 1, len(row)), not path.exists()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb" if is_new else "r+b") as file:
            file.seek(len(header) + index * _FLOAT.itemsize * len(row))
            file.write(np.ascontiguousarray(row, _FLOAT).tobytes())
            file.flush()  # the header after it
            file.seek(0)
            file.write(header)
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            for changed in (path.parent, folder):
                sync_folder(changed)
    except OSError as error:
        raise write_error(path, error) from error


def sync_folder(folder: Path) -> None:
    """Wait until the disk has the names of the files in `folder`; Windows does not open folders."""
    if sys.platform != "win32":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def count_rows(folder: Path, name: str, width: int) -> int:
    """Count the rows of a file, committed or not; 0 if there is no file."""
    path = inside(folder, name)
    size = path.stat().st_size - len(_header(0, width)) if path.exists() else 0
    return max(size, 0) // (_FLOAT.itemsize * width)


def map_rows(folder: Path, name: str, num_rows: int, width: int) -> NDArray[np.float32]:
    """Return the first rows of a file, (num_rows, width), mapped and not to be written to.

    Raises:
        RunError: if it is missing, is no such array or has fewer rows.
    """
    path = inside(folder, name)
    try:
        with open_file(path) as file:
            header = file.read(len(_header(0, width)))
            size = file.seek(0, io.SEEK_END) - len(header)
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror}); use another copy of the runs") from error
    shape = re.search(rb"'shape': \((\d{1,12}),", header)
    if shape is None or header != _header(int(shape[1]), width):
        raise RunError(f"{path}: damaged (an array of another kind); use another copy of the runs")
    if size < num_rows * width * _FLOAT.itemsize:
        raise RunError(f"{path}: damaged (fewer than {num_rows:,} rows); use another copy of the runs")
    if num_rows * width == 0:
        return np.empty((num_rows, width), _FLOAT)
    mapped: NDArray[Any] = np.memmap(path, _FLOAT, "r", len(header), (num_rows, width))
    return mapped.view(np.ndarray)  # whose rows are read faster


def _header(num_rows: int, width: int) -> bytes:
    buffer = io.BytesIO()
    described = {"descr": npy.dtype_to_descr(_FLOAT), "fortran_order": False, "shape": (num_rows, width)}
    npy.write_array_header_1_0(buffer, described)
    return buffer.getvalue()
