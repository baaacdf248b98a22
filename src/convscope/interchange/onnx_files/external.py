"""Read the weights that an ONNX file keeps in a second file, as PyTorch's exporter writes them by default.

Only a regular file in the same folder is opened, by a plain name. Its size is compared with the tensors before anything
is read.
"""

import os
import re
from pathlib import Path
from typing import Any, BinaryIO

from convscope.base.errors import ConvscopeError
from convscope.base.files import open_file
from convscope.interchange.onnx_files.tensors import count_bytes
from convscope.interchange.refusal import ModelFileError, check_plain_name


def read_external_data(path: Path, tensors: list[Any], max_bytes: int) -> Path:
    """Read the numbers of `tensors` of the ONNX file at `path` into them, and return the file that they were in.

    Raises:
        ModelFileError: if they are in several files or another folder, or the file is missing, too large or too short.
    """
    entries = [{entry.key: entry.value for entry in tensor.external_data} for tensor in tensors]
    names = sorted({entry.get("location", "") for entry in entries})
    if len(names) > 1:
        raise ModelFileError(
            f"its weights are in {len(names)} other files; only one beside it is read: save the model again "
            "with all weights in one file"
        )
    weights_file = path.parent / check_plain_name(names[0])
    if weights_file.is_symlink():
        raise ModelFileError(
            f"its weights are in {names[0]!r}, which is a link and is not followed; copy the file itself"
        )
    try:
        with open_file(weights_file) as file:
            _fill_tensors(file, tensors, entries, max_bytes)
    except FileNotFoundError as error:
        raise ModelFileError(
            f"its weights are in {names[0]!r}, which is not beside it; copy both files into one folder"
        ) from error
    except (OSError, ValueError) as error:
        raise ModelFileError(f"its weights in {names[0]!r} cannot be read ({error}); copy both files again") from error
    except ConvscopeError as error:  # a pipe or a device; the message names it
        raise ModelFileError(f"its weights cannot be read: {error}") from error
    return weights_file


def _fill_tensors(file: BinaryIO, tensors: list[Any], entries: list[dict[str, str]], max_bytes: int) -> None:
    """Compare all sizes with the file, and then read the numbers of each tensor into it."""
    size = os.fstat(file.fileno()).st_size
    if size > max_bytes:
        raise ValueError(f"it is larger than {max_bytes >> 20} MiB; only small networks are read")
    ranges = [
        (_read_number(entry, "offset", 0), count_bytes(tensor)) for entry, tensor in zip(entries, tensors, strict=True)
    ]
    for tensor, entry, (_, length) in zip(tensors, entries, ranges, strict=True):
        if _read_number(entry, "length", length) != length:
            raise ValueError(f"{tensor.name!r:.60} is said to have {entry['length']} bytes, but its shape has {length}")
    end = max(offset + length for offset, length in ranges)
    if end > size:
        raise ValueError(f"it has {size:,} bytes, but the weights end at {end:,}")
    if sum(length for _, length in ranges) > size:  # else a small file could unpack to any number of copies
        raise ValueError("its weights overlap")
    for tensor, (offset, length) in zip(tensors, ranges, strict=True):
        file.seek(offset)
        tensor.raw_data = file.read(length)
        # Without these fields it is a tensor like any other, which `onnx.numpy_helper` reads without opening files.
        tensor.ClearField("external_data")
        tensor.ClearField("data_location")


def _read_number(entry: dict[str, str], key: str, default: int) -> int:
    value = entry.get(key)
    if value is None:
        return default
    if not re.fullmatch("[0-9]{1,15}", value):  # `int` would also read "+1", "1_000" and digits of other scripts
        raise ValueError(f"its {key} is {value!r:.40}")
    return int(value)
