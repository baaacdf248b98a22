"""The bytes of an HDF5 file: none from outside the file, nor more pieces than an honest one has."""

import os
from typing import BinaryIO

from convscope.interchange.keras_files.refusal import RefusedError

UNDEFINED = 0xFFFF_FFFF_FFFF_FFFF
"""The address of what is not there."""
_MOST_PIECES = 400_000  # of structure; 10,000 layers have about ten each
_MOST_PIECE_BYTES = 1 << 22  # a configuration in an attribute is the largest
_MOST_STRUCTURE_BYTES = 1 << 26  # of all pieces; 10,000 layers take about 20 MB


class Source:
    """An open file that is read piece by piece."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._pieces = 0
        self._structure_bytes = 0
        self.size = file.seek(0, os.SEEK_END)

    def structure(self, offset: int, size: int) -> bytes:
        """Return `size` bytes of the file's own structure; raises `RefusedError` as `check` does, or for too many."""
        self.step()
        self._structure_bytes += size
        if size > _MOST_PIECE_BYTES or self._structure_bytes > _MOST_STRUCTURE_BYTES:
            raise RefusedError("its HDF5 structure is larger than any model's; it is damaged or made to harm")
        return self.data(offset, size)

    def data(self, offset: int, size: int) -> bytes:
        """Return `size` bytes; raises `RefusedError` as `check` does."""
        self.check(offset, size)
        self._file.seek(offset)
        return self._file.read(size)

    def check(self, offset: int, size: int) -> None:
        """Raise `RefusedError` unless the file has `size` bytes from `offset` on."""
        if offset + size > self.size:
            raise RefusedError(
                f"its HDF5 structure points to bytes {offset:,} to {offset + size:,}, but it has {self.size:,}; "
                "the file is cut short or damaged, fetch it again"
            )

    def step(self) -> None:
        """Count one step through the structure; raises `RefusedError` where there are more than honest files take."""
        self._pieces += 1
        if self._pieces > _MOST_PIECES:
            raise RefusedError("its HDF5 structure has more pieces than any model; it is damaged or made to harm")


def damaged(what: str) -> RefusedError:
    """Return the error for a structure that is not what it should be."""
    return RefusedError(f"its HDF5 {what} is damaged; fetch the file again")


def unusual(what: str) -> RefusedError:
    """Return the error for what HDF5 has but Keras does not write."""
    return RefusedError(
        f"it holds {what}, which Keras does not write and this reader does not follow; save the model with Keras again"
    )
