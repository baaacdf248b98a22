"""What a data set is: its shape, its type and where its bytes are. Sections IV.A.2.b, d and i of the specification."""

from dataclasses import dataclass
from math import prod

import numpy as np

from convscope.interchange.keras_files.hdf5.objects import DATASPACE, DATATYPE, LAYOUT, Messages, unpacked
from convscope.interchange.keras_files.hdf5.source import UNDEFINED, Source, damaged, unusual

# A float type as HDF5 describes it: bits, exponent's place and size, mantissa's place and size, exponent's bias.
_FLOATS: dict[tuple[int, ...], str] = {
    (16, 10, 5, 0, 10, 15): "f2",
    (32, 23, 8, 0, 23, 127): "f4",
    (64, 52, 11, 0, 52, 1023): "f8",
    (16, 7, 8, 0, 7, 127): "u2",  # bfloat16, as its bits
}
_CLASSES = ("whole numbers", "floats", "times", "text", "bit fields", "opaque values", "records", "references")
_OPAQUE, _REFERENCE = 5, 7
_MOST_DIMENSIONS = 8


@dataclass(frozen=True)
class StoredArray:
    """An array of the file that is not read yet.

    Attributes:
        dtype: of its elements, float or uint16 for bfloat16; None if they are no floats, which `kind` then names.
        content: its bytes, where they stand in the object header itself.
        offset: where they start in the file otherwise.
    """

    path: str
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic] | None
    kind: str
    content: bytes | None
    offset: int
    num_bytes: int


def stored_array(source: Source, path: str, messages: Messages) -> StoredArray:
    """Return what a data set's messages say, held against the file.

    Raises:
        RefusedError: if they are damaged, promise more than the file has, or store the array elsewhere or in chunks.
    """
    shape = dataspace_shape(messages.only(DATASPACE, "shape"))
    dtype, kind, item_bytes = _data_type(messages.only(DATATYPE, "type"))
    content, offset, held = _layout(messages.only(LAYOUT, "layout"))
    num_bytes = prod(shape) * item_bytes
    if offset == UNDEFINED:
        raise damaged(f"array {path[:80]} has no bytes and")
    # A file may reserve more than the array needs, never less.
    if num_bytes > held:
        raise damaged(f"array {path[:80]} (shape {shape}, {num_bytes:,} bytes, of which {held:,} are there)")
    if content is None:
        source.check(offset, num_bytes)
    return StoredArray(path, shape, dtype, kind, content, offset, num_bytes)


def dataspace_shape(content: bytes) -> tuple[int, ...]:
    """Return the shape that a dataspace message says; () for a single value."""
    version, rank, _, space = unpacked("<4B", content, 0, "shape")
    if version not in (1, 2) or rank > _MOST_DIMENSIONS:
        raise damaged("shape")
    if version == 2 and space == 2:
        raise unusual("an array without any shape (a null dataspace)")
    return unpacked(f"<{rank}Q", content, 8 if version == 1 else 4, "shape")


def _data_type(content: bytes) -> tuple[np.dtype[np.generic] | None, str, int]:
    class_and_version, bits, sign, _, size = unpacked("<4BI", content, 0, "type")
    number = class_and_version & 0x0F
    if number == _REFERENCE:
        raise unusual("references to other objects")
    kind = _CLASSES[number] if number < len(_CLASSES) else "values of another type"
    if number == _OPAQUE and size == 2:
        return np.dtype("<u2"), "bfloat16", size  # h5py's form of it, which Keras names by an attribute
    if number != 1:
        return None, kind, size
    shift, *form = unpacked("<HH4BI", content, 8, "type")
    name, precision = _FLOATS.get(tuple(form)), form[0]
    if name is None or shift != 0 or size * 8 != precision or sign != precision - 1 or bits & 0x40:
        return None, "floats of an unusual form", size
    return np.dtype((">" if bits & 1 else "<") + name), kind, size


def _layout(content: bytes) -> tuple[bytes | None, int, int]:
    version, kind = unpacked("<BB", content, 0, "layout")
    if version not in (3, 4):
        raise unusual(f"an array of layout version {version}")
    if kind == 0:
        (size,) = unpacked("<H", content, 2, "layout")
        return content[4 : 4 + size], 0, len(content[4 : 4 + size])
    if kind == 1:
        offset, size = unpacked("<QQ", content, 2, "layout")
        return None, offset, size
    raise unusual({2: "an array stored in chunks", 3: "a virtual array"}.get(kind, "an array of unknown layout"))
