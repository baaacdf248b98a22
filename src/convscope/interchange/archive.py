"""Read a zip archive, such as a `.keras` file or a file of PyTorch, member by member; nothing is unpacked to disk."""

import os
import stat
import struct
import zipfile
from io import BytesIO
from typing import BinaryIO

from convscope.data.datasets.readers.unpack import ZIP_DAMAGE
from convscope.interchange.refusal import ModelFileError, list_names, quote

ZIP_MAGIC = b"PK\x03\x04"
MAX_WEIGHT_BYTES = 1 << 30
"""The limit for unpacked weights: ten times the largest network that an engine here holds, with optimizer state."""
_MAX_UNPACKED_BYTES = MAX_WEIGHT_BYTES + (1 << 26)  # limit for all members together, also those that are never read
_MAX_MEMBERS = 4000  # Keras writes three, PyTorch one for each weight
_DEFLATE_RATIO = 1032  # deflate writes at most 258 bytes for 2 bits, so a member that promises more is forged
_WEIGHT_RATIO = 4  # trained weights shrink to nine tenths; a file that unpacks to far more hides something else
_MAX_RATIO = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: _DEFLATE_RATIO}  # unpacked to packed bytes, by method
_ENCRYPTED = 0x1  # bit 0 of a member's flags
# The bytes of an archive: members, table of members (the "directory"), and the end, which states the table's size:
#
#     members | table | PK 6 6, the zip64 end: 56 bytes | PK 6 7, its locator: 20 bytes | PK 5 6, the end: 22 bytes
#
# The two parts of zip64 state sizes of 64 bits; a small archive may lack them. Source: PKWARE's APPNOTE, 4.3.14 to
# 4.3.16, which also gives the offsets below.
_LARGE_END_BYTES, _LOCATOR_BYTES, _END_BYTES = 56, 20, 22
_TABLE_END_BYTES = _LARGE_END_BYTES + _LOCATOR_BYTES + _END_BYTES
_MAX_DIRECTORY_BYTES = 1 << 20  # 262 for each of `_MAX_MEMBERS`: 46, the name and extra fields
_CHUNK_BYTES = 1 << 18  # unpacked at a time


class Archive:
    """An open archive with a checked table of members.

    Args:
        kind: how errors call it, such as ".keras archive".

    Raises:
        ModelFileError: if it is damaged, has too many or too large members, or one that is a link, has a path out of
            the folder, or the name of another.
    """

    def __init__(self, file: BinaryIO, kind: str) -> None:
        self._file_bytes = file.seek(0, os.SEEK_END)
        self._remaining_bytes = _MAX_UNPACKED_BYTES  # bytes that `read` may still unpack, over all calls
        _check_directory(file, self._file_bytes, kind)
        try:
            self._zip = zipfile.ZipFile(file)
        except ZIP_DAMAGE as error:
            raise ModelFileError(f"is not a complete {kind} ({_reason(error)}); download it again") from error
        _check_members(self._zip.infolist(), kind)

    @property
    def names(self) -> list[str]:
        """The names of its members."""
        return list(self._zip.NameToInfo)

    def has(self, name: str) -> bool:
        """True if there is a member of that name."""
        return name in self._zip.NameToInfo

    def read_weights(self, name: str, needed_bytes: int) -> bytes:
        """Read a member of which the network needs `needed_bytes`; raises `ModelFileError` as `read` does."""
        # The member may also hold arrays that are not needed. But a gigabyte of zeros takes a megabyte in the file, so
        # beyond the needed bytes it may only unpack to a few times the file's size.
        return self.read(name, min(max(needed_bytes, _WEIGHT_RATIO * self._file_bytes), MAX_WEIGHT_BYTES))

    def read(self, name: str, max_bytes: int) -> bytes:
        """Read a member of at most `max_bytes`; raises `ModelFileError` if it is missing, damaged or too large."""
        if not self.has(name):
            members = list_names(self._zip.namelist())
            raise ModelFileError(f"has no {name} (it holds {members}); save the model again")
        info = self._zip.getinfo(name)
        if info.flag_bits & _ENCRYPTED or info.compress_type not in _MAX_RATIO:
            raise ModelFileError(f"{name} is encrypted or packed by method {info.compress_type}; save the model again")
        if info.file_size > max_bytes:
            raise ModelFileError(f"{name} claims {info.file_size:,} bytes; at most {max_bytes:,} are read")
        if (
            info.compress_size > self._file_bytes
            or info.file_size > _MAX_RATIO[info.compress_type] * info.compress_size
        ):
            raise ModelFileError(
                f"{name} claims to be {info.file_size:,} bytes packed into {info.compress_size:,}, which a file of "
                f"{self._file_bytes:,} bytes cannot hold; it is damaged or malicious"
            )
        # Members can share bytes of the file, and a member can be read again, so each reading counts.
        self._remaining_bytes -= info.file_size
        if self._remaining_bytes < 0:
            raise ModelFileError("its archive unpacks to more than a network of this size; it is damaged or malicious")
        content = BytesIO()  # its `getvalue` makes no copy
        try:
            with self._zip.open(info) as member:
                # zipfile reads no more than the table promises, and compares the checksum at the end.
                while piece := member.read(_CHUNK_BYTES):
                    content.write(piece)
        except ZIP_DAMAGE as error:
            raise ModelFileError(f"{name} is damaged ({_reason(error)}); download the file again") from error
        if content.tell() != info.file_size:
            raise ModelFileError(f"{name} is incomplete; download the file again")
        return content.getvalue()


def _check_directory(file: BinaryIO, size: int, kind: str) -> None:
    """Refuse an archive with a table that is too large to parse, or with bytes after its end."""
    # zipfile parses the whole table at once, so its size, as the ends state it, is checked before.
    file.seek(max(size - _TABLE_END_BYTES, 0))
    ending = file.read(_TABLE_END_BYTES)  # all three parts, or, without zip64, other bytes and the end
    end = ending[-_END_BYTES:]
    # The last two bytes are the length of a comment after the end. Neither Keras nor PyTorch writes one.
    if len(end) < _END_BYTES or not end.startswith(b"PK\x05\x06") or not end.endswith(b"\0\0"):
        raise ModelFileError(f"is not a complete {kind} (its end is missing); download it again")
    (directory_bytes,) = struct.unpack_from("<I", end, 12)  # 4.3.16: bytes 12 to 15 of the end
    # With a locator, as PyTorch writes it, a reader may take either size, so the larger one is checked.
    if ending[_LARGE_END_BYTES:].startswith(b"PK\x06\x07"):
        if not ending.startswith(b"PK\x06\x06") or len(ending) < _TABLE_END_BYTES:
            raise ModelFileError(f"is not a complete {kind} (its table is damaged); download it again")
        directory_bytes = max(directory_bytes, *struct.unpack_from("<Q", ending, 40))  # 4.3.14: bytes 40 to 47
    if directory_bytes > _MAX_DIRECTORY_BYTES:
        raise ModelFileError(f"the table of its archive has {directory_bytes:,} bytes; a {kind} has fewer")


def _check_members(infos: list[zipfile.ZipInfo], kind: str) -> None:
    """Refuse a table with too many members, with unsafe or equal names, or with members that are too large together."""
    if len(infos) > _MAX_MEMBERS:
        raise ModelFileError(f"is an archive of {len(infos):,} members; a {kind} of a small network has fewer")
    for info in infos:
        _check_name(info)
    largest = max(infos, key=lambda info: info.file_size, default=None)
    if largest is not None and (unpacked := sum(info.file_size for info in infos)) > _MAX_UNPACKED_BYTES:
        raise ModelFileError(
            f"its archive would unpack to {unpacked:,} bytes, most of them {quote(largest.orig_filename)}; it is "
            "malicious, or not a network of this size"
        )
    names = [info.filename for info in infos]
    if len(set(names)) < len(names):
        # Programs differ in which of the two they read, so it would not be the file that Keras or PyTorch opens.
        duplicate = next(name for name in names if names.count(name) > 1)
        raise ModelFileError(f"its archive has two members called {quote(duplicate)}; save the model again")


def _check_name(info: zipfile.ZipInfo) -> None:
    # The name as the file has it: `filename` has slashes for backslashes and ends at the first NUL.
    name = info.orig_filename
    parts = name.replace("\\", "/").split("/")
    if ".." in parts or name.startswith(("/", "\\")) or ":" in parts[0] or "\0" in name:  # C: is a drive of Windows
        raise ModelFileError(
            f"its archive has the member {quote(name)}, whose path leaves the archive; do not use this file"
        )
    if stat.S_ISLNK(info.external_attr >> 16):  # where Unix keeps a file's mode
        raise ModelFileError(f"its archive has the member {quote(name)}, a symbolic link; do not use this file")


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:100] or type(error).__name__
