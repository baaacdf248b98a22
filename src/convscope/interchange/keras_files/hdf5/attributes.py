"""Attributes that are texts. Sections III.E and IV.A.2.m of the specification."""

import struct
from math import prod

from convscope.interchange.keras_files.hdf5.arrays import dataspace_shape
from convscope.interchange.keras_files.hdf5.objects import unpacked
from convscope.interchange.keras_files.hdf5.source import Source, damaged, unusual

_TEXT, _VARIABLE_LENGTH = 3, 9
_MOST_TEXTS = 10_000
_MOST_HEAP_OBJECTS = 1 << 16  # their numbers have 16 bits


class Texts:
    """Reads the texts of attributes; of variable length, they lie in heaps that several share."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._heaps: dict[int, dict[int, tuple[int, int]]] = {}

    def read(self, messages: list[bytes], name: str) -> list[str] | None:
        """Return the texts of the attribute called `name`, one or many; None if there is none, or it is no text.

        Raises:
            RefusedError: if it is damaged or no UTF-8.
        """
        for content in messages:
            found, data_type, shape, values = _parts(content)
            if found == name:
                try:
                    texts = self._texts(data_type, prod(shape), values)
                    return None if texts is None else [text.decode() for text in texts]
                except UnicodeDecodeError as error:
                    raise damaged(f"attribute {name}") from error
        return None

    def _texts(self, data_type: bytes, count: int, values: bytes) -> list[bytes] | None:
        class_and_version, bits, size = unpacked("<BB2xI", data_type, 0, "attribute")
        number = class_and_version & 0x0F
        if number not in (_TEXT, _VARIABLE_LENGTH) or (number == _VARIABLE_LENGTH and bits & 0x0F != 1):
            return None
        if count > _MOST_TEXTS or count * size > len(values):
            raise damaged("attribute")
        pieces = [values[at : at + size] for at in range(0, count * size, size)] if size else [b""] * count
        if number == _TEXT:
            return [piece.partition(b"\0")[0] for piece in pieces]
        if size != 16:
            raise damaged("attribute")
        return [self._heap_text(*struct.unpack("<IQI", piece)) for piece in pieces]

    def _heap_text(self, length: int, heap: int, index: int) -> bytes:
        if length == 0:
            return b""
        if heap not in self._heaps:
            self._heaps[heap] = self._heap_objects(heap)
        offset, size = self._heaps[heap].get(index, (0, 0))
        if length > size:
            raise damaged("global heap")
        return self._source.structure(offset, length)

    def _heap_objects(self, address: int) -> dict[int, tuple[int, int]]:
        signature, version, size = struct.unpack("<4sB3xQ", self._source.structure(address, 16))
        if signature != b"GCOL" or version != 1:
            raise damaged("global heap")
        self._source.check(address, size)
        objects: dict[int, tuple[int, int]] = {}
        at, end = address + 16, address + size
        while at + 16 <= end and len(objects) < _MOST_HEAP_OBJECTS:
            index, length = struct.unpack("<H6xQ", self._source.structure(at, 16))
            if index == 0:  # the free space, the last of all
                break
            if at + 16 + length > end:
                raise damaged("global heap")
            objects[index] = (at + 16, length)
            at += 16 + -(-length // 8) * 8
        return objects


def _parts(content: bytes) -> tuple[str, bytes, tuple[int, ...], bytes]:
    """Return name, type, shape and values of an attribute message."""
    version, flags, *sizes = unpacked("<BB3H", content, 0, "attribute")
    if version not in (1, 2, 3):
        raise damaged("attribute")
    if version > 1 and flags:
        raise unusual("an attribute of a shared type")
    at = 9 if version == 3 else 8
    parts = []
    for size in sizes:
        parts.append(content[at : at + size])
        at += -(-size // 8) * 8 if version == 1 else size
    name, data_type, space = parts
    return name.partition(b"\0")[0].decode(errors="replace"), data_type, dataspace_shape(space), content[at:]
