"""Open an HDF5 file: every array by its path, and the texts in attributes."""

import struct
from collections.abc import Mapping
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from convscope.interchange.keras_files.hdf5.arrays import StoredArray, Texts, read_stored_array
from convscope.interchange.keras_files.hdf5.objects import (
    ATTRIBUTE,
    DATATYPE,
    LAYOUT,
    SYMBOL_TABLE,
    UNDEFINED,
    Hdf5Bytes,
    damage_error,
    feature_error,
    read_links,
    read_messages,
    unpack,
)
from convscope.interchange.refusal import ModelFileError

MAGIC = b"\x89HDF\r\n\x1a\n"
_MAX_DEPTH = 64


class Hdf5File:
    """The arrays and texts of an open HDF5 file. The structure is read once, an array when it is needed.

    Attributes:
        arrays: every array by its path, such as `layers/conv2d/vars/0`.
        groups: the paths of all groups; the root is "".

    Raises:
        ModelFileError: if it is no HDF5 file, is damaged, or uses an unsupported feature, which is named.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._source = Hdf5Bytes(file)
        self._texts = Texts(self._source)
        self._attributes: dict[str, list[bytes]] = {}  # the attribute messages of each object, by its path
        arrays: dict[str, StoredArray] = {}
        seen: set[int] = set()
        pending = [("", _read_root_address(self._source))]
        while pending:
            path, address = pending.pop()
            if address in seen:  # hard links could form a circle, or unpack a small file to many arrays
                raise feature_error(f"one object under two names (the second is {path[:80]!r})")
            if path in self._attributes:
                raise feature_error(f"two objects under one name ({path[:80]!r})")
            seen.add(address)
            messages = read_messages(self._source, address)
            self._attributes[path] = messages.by_type.get(ATTRIBUTE, [])
            if SYMBOL_TABLE in messages.by_type:
                if path.count("/") >= _MAX_DEPTH:
                    raise damage_error("tree of groups (too deep)")
                btree, heap = unpack("<QQ", messages.only(SYMBOL_TABLE, "members"), 0, "group")
                for name, child in read_links(self._source, btree, heap).items():
                    name = name.replace("\\", "/")  # Keras on Windows writes `layers\conv2d` as one name
                    pending.append((f"{path}/{name}" if path else name, child))
            elif LAYOUT in messages.by_type:
                arrays[path] = read_stored_array(self._source, path, messages)
            else:
                is_type = DATATYPE in messages.by_type
                raise feature_error("a named data type") if is_type else damage_error(f"object {path[:80]!r}")
        self.arrays: Mapping[str, StoredArray] = arrays
        self.groups = self._attributes.keys() - arrays.keys()

    def read_texts(self, path: str, name: str) -> list[str] | None:
        """Read the texts of an attribute; None if there is no such group or attribute, or it is not text."""
        return self._texts.read(self._attributes.get(path, []), name)

    def read(self, array: StoredArray) -> NDArray[np.generic]:
        """Read an array in the machine's byte order, bfloat16 as its bits in uint16; raises if it holds no floats."""
        if array.dtype is None or (array.kind == "bfloat16" and self.read_texts(array.path, "dtype") != ["bfloat16"]):
            raise ModelFileError(f"{array.path} holds {array.kind}, not floats; save the model again")
        content = self._source.read(array.offset, array.num_bytes) if array.content is None else array.content
        numbers = np.frombuffer(content[: array.num_bytes], array.dtype).reshape(array.shape)
        return numbers.astype(array.dtype.newbyteorder("="), copy=False)


def _read_root_address(source: Hdf5Bytes) -> int:
    """Read the address of the root group's header from the superblock.

    byte 0 signature | 8 version | 13 bytes of an offset | 14 bytes of a length | 24 (28 in version 1): base address,
    free space, end of file, driver, 8 bytes each | then the root's entry: offset of its name 8, address of its header 8
    """
    if source.size < 96 or source.read(0, 8) != MAGIC:  # 24 + 32 + 40 bytes
        raise ModelFileError("is not a complete HDF5 file; download it again")
    version, offset_bytes, length_bytes = struct.unpack("<B4xBB", source.read(8, 7))
    if version not in (0, 1):
        is_newer = version in (2, 3)
        raise feature_error("HDF5 in the newer format (libver='latest')") if is_newer else damage_error("superblock")
    if (offset_bytes, length_bytes) != (8, 8):
        raise feature_error(f"addresses of {offset_bytes} bytes")
    start = 24 if version == 0 else 28
    base, _, end, driver = struct.unpack("<4Q", source.read(start, 32))
    if base != 0 or driver != UNDEFINED:
        raise feature_error("a file within a file, or one of several files")
    source.check_range(0, end)
    (root,) = struct.unpack("<Q", source.read(start + 40, 8))
    return int(root)
