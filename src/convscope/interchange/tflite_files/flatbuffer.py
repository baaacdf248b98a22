"""Read tables of a FlatBuffer in place, with every offset checked against the file.

A table begins with its distance from its vtable, and the vtable lists the offset of each field in the table:

    vtable: u16 bytes of the vtable | u16 bytes of the table | u16 offset of field 0 | u16 offset of field 1 | ...
    table:  i32 table - vtable      | fields

With the vtable 8, 12, 4, 0 the table has 12 bytes and two fields: field 0 begins at its byte 4, and field 1, whose
offset is 0, is left out. A vector or another table is not in the field itself: there is the distance to it.

Source: flatbuffers.dev/internals.
"""

import struct

import numpy as np
from numpy.typing import NDArray


class Table:
    """A table in a FlatBuffer; a field has its number in the schema, and its default value if it is left out.

    Raises:
        ValueError: if the table, or a field that is read, does not lie within the file.
    """

    def __init__(self, content: bytes, offset: int) -> None:
        self._content, self._offset = content, offset
        self._vtable = offset - self._at(offset, "<i")  # several tables may share a vtable
        self._vtable_bytes = self._at(self._vtable, "<H")

    def number(self, field: int, kind: str, default: int | float = 0) -> int | float:
        """Read a number; `kind` is its letter in `struct`."""
        offset = self._field(field)
        return default if offset is None else self._at(offset, f"<{kind}")

    def whole(self, field: int, kind: str = "i", default: int = 0) -> int:
        """Read a whole number."""
        return int(self.number(field, kind, default))

    def numbers(self, field: int, dtype: str) -> NDArray[np.generic]:
        """Read a vector of numbers as a view of the file."""
        offset, count = self._vector(field)
        kind = np.dtype(dtype)
        if offset + count * kind.itemsize > len(self._content):
            raise ValueError("a list of numbers extends beyond the end of the file")
        return np.frombuffer(self._content, kind, count, offset)

    def text(self, field: int) -> str:
        """Read a text."""
        return self.numbers(field, "u1").tobytes().decode(errors="replace")

    def table(self, field: int) -> "Table | None":
        """Read a table within this one."""
        offset = self._field(field)
        return None if offset is None else Table(self._content, offset + self._at(offset, "<I"))

    def tables(self, field: int) -> list["Table"]:
        """Read a vector of tables."""
        offsets = self.numbers(field, "<u4")
        start = self._vector(field)[0]
        # Each item of 4 bytes is the distance from itself to its table.
        return [Table(self._content, start + 4 * i + int(offset)) for i, offset in enumerate(offsets)]

    def _field(self, number: int) -> int | None:
        """Find the offset of a field; None if it is left out."""
        entry = 4 + 2 * number  # after the two sizes
        # A file of an older schema has a shorter vtable. An offset of 0 stands for a field with its default.
        offset = self._at(self._vtable + entry, "<H") if entry < self._vtable_bytes else 0
        return self._offset + offset if offset else None

    def _vector(self, field: int) -> tuple[int, int]:
        """Find the offset of a vector's first item, and the number of items."""
        offset = self._field(field)
        if offset is None:
            return 0, 0
        start = offset + self._at(offset, "<I")
        return start + 4, self._at(start, "<I")  # a vector begins with the number of its items

    def _at(self, offset: int, kind: str) -> int:
        """Read the number at an offset."""
        # Negative offsets are refused too: Python would count them from the end.
        if not 0 <= offset <= len(self._content) - struct.calcsize(kind):
            raise ValueError("a table points beyond the end of the file")
        number: int = struct.unpack_from(kind, self._content, offset)[0]
        return number


def read_root(content: bytes) -> Table:
    """Read the root table of a FlatBuffer; raises `ValueError` if it does not lie within the file."""
    if len(content) < 8:
        raise ValueError("it is shorter than a FlatBuffer")
    return Table(content, struct.unpack_from("<I", content)[0])
