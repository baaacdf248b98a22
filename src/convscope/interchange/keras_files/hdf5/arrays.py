"""Read the shape, type and position of a data set, and attributes with texts.

Sections III.E and IV.A.2.b, d, i and m of the specification.
"""

import struct
from dataclasses import dataclass
from math import prod

import numpy as np

from convscope.interchange.keras_files.hdf5.objects import (
    DATASPACE,
    DATATYPE,
    LAYOUT,
    UNDEFINED,
    Hdf5Bytes,
    Messages,
    damage_error,
    feature_error,
    unpack,
)

# HDF5's description of a float: bits, lowest bit and size of the exponent, the same of the mantissa, exponent's bias.
_FLOATS: dict[tuple[int, ...], str] = {
    (16, 10, 5, 0, 10, 15): "f2",
    (32, 23, 8, 0, 23, 127): "f4",
    (64, 52, 11, 0, 52, 1023): "f8",
    (16, 7, 8, 0, 7, 127): "u2",  # bfloat16, as its bits
}
# The classes of types by their number (IV.A.2.d); 8 to 10 are enumerations, variable length and arrays.
_CLASSES = ("whole numbers", "floats", "times", "text", "bit fields", "opaque values", "records", "references")
_FLOAT, _OPAQUE, _REFERENCE = 1, 5, 7
_MAX_DIMENSIONS = 8


@dataclass(frozen=True)
class StoredArray:
    """An array of the file that is not read yet.

    Attributes:
        dtype: the type of its elements, uint16 for bfloat16; None if they are not floats.
        kind: the type of its elements in words.
        content: its bytes if they are in the object header itself; otherwise None.
        offset: where its bytes begin in the file otherwise.
    """

    path: str
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic] | None
    kind: str
    content: bytes | None
    offset: int
    num_bytes: int


def read_stored_array(source: Hdf5Bytes, path: str, messages: Messages) -> StoredArray:
    """Read the description of an array from a data set's messages, and check it against the file.

    Raises:
        ModelFileError: if they are damaged, promise more than the file has, or store it in another file or in chunks.
    """
    shape = read_shape(messages.only(DATASPACE, "shape"))
    dtype, kind, item_bytes = _read_data_type(messages.only(DATATYPE, "type"))
    content, offset, stored_bytes = _read_layout(messages.only(LAYOUT, "layout"))
    num_bytes = prod(shape) * item_bytes
    if offset == UNDEFINED:
        raise damage_error(f"array {path[:80]} (without bytes)")
    if num_bytes > stored_bytes:  # a file may reserve more bytes than the array needs
        raise damage_error(
            f"array {path[:80]} (shape {shape}, {num_bytes:,} bytes, of which {stored_bytes:,} are there)"
        )
    if content is None:
        source.check_range(offset, num_bytes)
    return StoredArray(path, shape, dtype, kind, content, offset, num_bytes)


def read_shape(content: bytes) -> tuple[int, ...]:
    """Read the shape from a dataspace message; () for a single value."""
    version, rank, _, space = unpack("<4B", content, 0, "shape")  # the third byte: flags, for limits of growth
    if version not in (1, 2) or rank > _MAX_DIMENSIONS:
        raise damage_error("shape")
    if version == 2 and space == 2:
        raise feature_error("an array without any shape (a null dataspace)")
    return unpack(f"<{rank}Q", content, 8 if version == 1 else 4, "shape")  # version 1 has four reserved bytes before


def _read_data_type(content: bytes) -> tuple[np.dtype[np.generic] | None, str, int]:
    """Read the dtype of elements (None if not floats), their kind in words, and their size in bytes."""
    # Class and version, three bytes of flags (the second tells where the sign of a float is), and the element's size.
    class_and_version, bits, sign, _, size = unpack("<4BI", content, 0, "type")
    type_class = class_and_version & 0x0F  # the upper four bits are the version
    if type_class == _REFERENCE:
        raise feature_error("references to other objects")
    kind = _CLASSES[type_class] if type_class < len(_CLASSES) else "values of another type"
    if type_class == _OPAQUE and size == 2:
        return np.dtype("<u2"), "bfloat16", size  # opaque to h5py; Keras names it in an attribute
    if type_class != _FLOAT:
        return None, kind, size
    first_bit, *form = unpack("<HH4BI", content, 8, "type")  # the first used bit, then as in `_FLOATS`
    name, precision = _FLOATS.get(tuple(form)), form[0]
    # The sign is the highest bit, and no bits are unused. 0x40 is the byte order of a VAX.
    if name is None or first_bit != 0 or size * 8 != precision or sign != precision - 1 or bits & 0x40:
        return None, "floats of an unusual form", size
    return np.dtype((">" if bits & 1 else "<") + name), kind, size


def _read_layout(content: bytes) -> tuple[bytes | None, int, int]:
    """Read where an array is: its bytes (None if outside the message), their offset in the file, and their number."""
    version, kind = unpack("<BB", content, 0, "layout")
    if version not in (3, 4):
        raise feature_error(f"an array of layout version {version}")
    if kind == 0:  # compact: in this message, after its size
        (size,) = unpack("<H", content, 2, "layout")
        return content[4 : 4 + size], 0, len(content[4 : 4 + size])
    if kind == 1:  # contiguous
        offset, size = unpack("<QQ", content, 2, "layout")
        return None, offset, size
    raise feature_error({2: "an array stored in chunks", 3: "a virtual array"}.get(kind, "an array of unknown layout"))


_TEXT, _VARIABLE_LENGTH = 3, 9
_MAX_TEXTS = 10_000
_MAX_HEAP_OBJECTS = 1 << 16  # their numbers have 16 bits


class Texts:
    """Reads the texts of attributes; those of variable length are in heaps that several attributes share."""

    def __init__(self, source: Hdf5Bytes) -> None:
        self._source = source
        self._heaps: dict[int, dict[int, tuple[int, int]]] = {}

    def read(self, messages: list[bytes], name: str) -> list[str] | None:
        """Read the texts of the attribute called `name`; None if there is none, or it is not text.

        Raises:
            ModelFileError: if it is damaged or not UTF-8.
        """
        for content in messages:
            attribute, data_type, shape, values = _read_attribute(content)
            if attribute == name:
                try:
                    texts = self._read_values(data_type, prod(shape), values)
                    return None if texts is None else [text.decode() for text in texts]
                except UnicodeDecodeError as error:
                    raise damage_error(f"attribute {name}") from error
        return None

    def _read_values(self, data_type: bytes, count: int, values: bytes) -> list[bytes] | None:
        """Read `count` texts of fixed or variable length; None if the type is not text."""
        class_and_version, bits, size = unpack("<BB2xI", data_type, 0, "attribute")
        type_class = class_and_version & 0x0F
        # Of variable length are texts (1 in the lowest bits) and sequences of other types (0).
        if type_class not in (_TEXT, _VARIABLE_LENGTH) or (type_class == _VARIABLE_LENGTH and bits & 0x0F != 1):
            return None
        if count > _MAX_TEXTS or count * size > len(values):
            raise damage_error("attribute")
        pieces = [values[at : at + size] for at in range(0, count * size, size)] if size else [b""] * count
        if type_class == _TEXT:
            return [piece.partition(b"\0")[0] for piece in pieces]
        if size != 16:  # length 4, address of the heap 8, index of the object in the heap 4
            raise damage_error("attribute")
        return [self._read_heap_text(*struct.unpack("<IQI", piece)) for piece in pieces]

    def _read_heap_text(self, length: int, heap: int, index: int) -> bytes:
        """Read the text of `length` bytes that is object `index` of the heap at the address `heap`."""
        if length == 0:
            return b""
        if heap not in self._heaps:
            self._heaps[heap] = self._list_heap_objects(heap)
        offset, size = self._heaps[heap].get(index, (0, 0))
        if length > size:
            raise damage_error("global heap")
        return self._source.read_structure(offset, length)

    def _list_heap_objects(self, address: int) -> dict[int, tuple[int, int]]:
        """List the objects of a global heap, (offset, size) by their index (III.E)."""
        # "GCOL", version 1, reserved 3, size 8. Then the objects: index 2, references 2, reserved 4, size 8, data.
        signature, version, size = struct.unpack("<4sB3xQ", self._source.read_structure(address, 16))
        if signature != b"GCOL" or version != 1:
            raise damage_error("global heap")
        self._source.check_range(address, size)
        objects: dict[int, tuple[int, int]] = {}
        offset, end = address + 16, address + size
        while offset + 16 <= end and len(objects) < _MAX_HEAP_OBJECTS:
            index, length = struct.unpack("<H6xQ", self._source.read_structure(offset, 16))
            if index == 0:  # the free space, the last of all
                break
            if offset + 16 + length > end:
                raise damage_error("global heap")
            objects[index] = (offset + 16, length)
            offset += 16 + -(-length // 8) * 8  # objects are aligned to 8 bytes: ⌈length / 8⌉ · 8
        return objects


def _read_attribute(content: bytes) -> tuple[str, bytes, tuple[int, ...], bytes]:
    """Split an attribute message into name, type, shape and values."""
    # Version, flags (reserved in version 1), and the sizes of name, type and shape; then these three, and the values.
    version, flags, *sizes = unpack("<BB3H", content, 0, "attribute")
    if version not in (1, 2, 3):
        raise damage_error("attribute")
    if version > 1 and flags:
        raise feature_error("an attribute of a shared type")
    offset = 9 if version == 3 else 8  # version 3 adds the encoding of the name
    parts = []
    for size in sizes:
        parts.append(content[offset : offset + size])
        offset += -(-size // 8) * 8 if version == 1 else size  # version 1 pads each part to 8 bytes
    name, data_type, space = parts
    return name.partition(b"\0")[0].decode(errors="replace"), data_type, read_shape(space), content[offset:]
