"""Tables of a FlatBuffer, read where they lie: no place outside the file is read.

Source: flatbuffers.dev/internals. A table begins with the distance to its vtable, which says where each field lies.
"""

import struct

import numpy as np
from numpy.typing import NDArray


class Table:
    """A table in a FlatBuffer; fields go by their numbers in the schema, and one that is left out has its default.

    Raises:
        ValueError: where it, or a field that is asked for, does not lie within the file.
    """

    def __init__(self, content: bytes, offset: int) -> None:
        self._content, self._place = content, offset
        self._vtable = offset - self._at(offset, "<i")
        self._fields = self._at(self._vtable, "<H")

    def number(self, field: int, kind: str, default: int | float = 0) -> int | float:
        """Return a number; `kind` is its letter in `struct`."""
        offset = self._field(field)
        return default if offset is None else self._at(offset, f"<{kind}")

    def whole(self, field: int, kind: str = "i", default: int = 0) -> int:
        """Return a whole number."""
        return int(self.number(field, kind, default))

    def numbers(self, field: int, dtype: str) -> NDArray[np.generic]:
        """Return a vector of numbers, a view of the file."""
        offset, count = self._vector(field)
        kind = np.dtype(dtype)
        if offset + count * kind.itemsize > len(self._content):
            raise ValueError("a list of numbers extends beyond the end of the file")
        return np.frombuffer(self._content, kind, count, offset)

    def text(self, field: int) -> str:
        """Return a text."""
        return self.numbers(field, "u1").tobytes().decode(errors="replace")

    def table(self, field: int) -> "Table | None":
        """Return a table within this one."""
        offset = self._field(field)
        return None if offset is None else Table(self._content, offset + self._at(offset, "<I"))

    def tables(self, field: int) -> list["Table"]:
        """Return a vector of tables."""
        offsets = self.numbers(field, "<u4")
        start = self._vector(field)[0]
        return [Table(self._content, start + 4 * i + int(offset)) for i, offset in enumerate(offsets)]

    def _field(self, number: int) -> int | None:
        """Return where a field lies; None where it is left out."""
        entry = 4 + 2 * number
        offset = self._at(self._vtable + entry, "<H") if entry < self._fields else 0
        return self._place + offset if offset else None

    def _vector(self, field: int) -> tuple[int, int]:
        """Return where the items of a vector begin, and how many there are."""
        offset = self._field(field)
        if offset is None:
            return 0, 0
        start = offset + self._at(offset, "<I")
        return start + 4, self._at(start, "<I")

    def _at(self, offset: int, kind: str) -> int:
        """Return the number at a place; negative places, which Python counts from the end, are none."""
        if not 0 <= offset <= len(self._content) - struct.calcsize(kind):
            raise ValueError("a table points beyond the end of the file")
        number: int = struct.unpack_from(kind, self._content, offset)[0]
        return number


def root(content: bytes) -> Table:
    """Return the table that a FlatBuffer is; raises `ValueError` if it does not lie within it."""
    if len(content) < 8:
        raise ValueError("it is shorter than a FlatBuffer")
    return Table(content, struct.unpack_from("<I", content)[0])
