"""Store weights of many networks in a .npy file that grows by rows, one for each network, and can be mapped.

    header   128 bytes: {'descr': '<f4', 'fortran_order': False, 'shape': (3, P), } and spaces
    row 0    P float32 numbers, all weights of a network
    row 1    ...
    row 2    ...

A fourth network appends its row, and then overwrites the 3 by 4 in the header, where the spaces leave room for up to
21 digits. So `numpy.load` can read the file at any time. Only rows that the database of the runs knows count.
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

_FLOAT = np.dtype("<f4")  # little-endian on any machine, so that files can be copied


def write_row(folder: Path, name: str, index: int, row: NDArray[np.float32]) -> None:
    """Write row `index` (P,) of a file, over anything that is there, and wait until the disk has it.

    It begins at byte 128 + index · 4 P, since the header keeps its size.

    Raises:
        ConvscopeError: if the disk is full or the file cannot be written.
    """
    path = inside(folder, name)
    header = _make_header(index + 1, len(row))  # with `index + 1` rows, this one is the last
    is_new = not path.exists()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb" if is_new else "r+b") as file:
            file.seek(len(header) + index * _FLOAT.itemsize * len(row))
            file.write(np.ascontiguousarray(row, _FLOAT).tobytes())
            file.flush()  # the header must not reach the file before the row
            file.seek(0)
            file.write(header)
            file.flush()
            os.fsync(file.fileno())
        if is_new:
            for parent in (path.parent, folder):  # both may have got a new name, which a power failure could lose
                sync_folder(parent)
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
    size = path.stat().st_size - len(_make_header(0, width)) if path.exists() else 0
    return max(size, 0) // (_FLOAT.itemsize * width)


def map_rows(folder: Path, name: str, num_rows: int, width: int) -> NDArray[np.float32]:
    """Map the first rows of a file, (num_rows, width), read-only.

    Raises:
        RunError: if it is missing, is no such array or has fewer rows.
    """
    # The header is compared with the one that we would write, so that NumPy parses nothing from a hostile file.
    path = inside(folder, name)
    try:
        with open_file(path) as file:
            header = file.read(len(_make_header(0, width)))
            size = file.seek(0, io.SEEK_END) - len(header)
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror}); use another copy of the runs") from error
    shape = re.search(rb"'shape': \((\d{1,12}),", header)  # the number of rows; all else must be as we write it
    if shape is None or header != _make_header(int(shape[1]), width):
        raise RunError(f"{path}: damaged (an array of another kind); use another copy of the runs")
    if size < num_rows * width * _FLOAT.itemsize:
        raise RunError(f"{path}: damaged (fewer than {num_rows:,} rows); use another copy of the runs")
    if num_rows * width == 0:
        return np.empty((num_rows, width), _FLOAT)
    mapped: NDArray[Any] = np.memmap(path, _FLOAT, "r", len(header), (num_rows, width))
    return mapped.view(np.ndarray)  # each slice of a memmap runs Python code, of a plain array none


def _make_header(num_rows: int, width: int) -> bytes:
    buffer = io.BytesIO()
    description = {"descr": npy.dtype_to_descr(_FLOAT), "fortran_order": False, "shape": (num_rows, width)}
    npy.write_array_header_1_0(buffer, description)  # NumPy pads it for a larger number of rows
    return buffer.getvalue()
