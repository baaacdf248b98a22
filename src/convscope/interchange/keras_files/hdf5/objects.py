"""Read the structure of an HDF5 file: bytes within bounds, object headers, and groups as names and addresses.

An object header holds messages that describe a group or a data set. A group's message names the two parts that list its
members: a B-tree, down to the symbol tables, and a heap of names, to which the symbols point:

    header ─┬─ TREE (level 1) ─┬─ TREE (level 0) ─┬─ SNOD: (offset of a name, address of an object header), ...
            │                  │                  └─ SNOD
            │                  └─ TREE (level 0) ─── SNOD
            └─ HEAP: "conv2d" 0 "dense" 0 ...

Sections III.A.1, III.B to III.D and IV.A of the specification.
"""

import os
import struct
from dataclasses import dataclass
from typing import BinaryIO

from convscope.interchange.refusal import ModelFileError

UNDEFINED = 0xFFFF_FFFF_FFFF_FFFF
"""The address of a part that was never written."""
_MAX_PIECES = 400_000  # pieces of structure; a layer has about ten
_MAX_PIECE_BYTES = 1 << 22  # a configuration in an attribute is the largest
_MAX_STRUCTURE_BYTES = 1 << 26  # all pieces together; 10,000 layers take about 20 MB


class Hdf5Bytes:
    """An open file that is read piece by piece.

    A small file can point to the same structure many times, so the pieces and bytes of structure are counted.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._pieces = 0
        self._structure_bytes = 0
        self.size = file.seek(0, os.SEEK_END)

    def read_structure(self, offset: int, size: int) -> bytes:
        """Read `size` bytes of HDF5's structure; raises `ModelFileError` as `check_range` does, or for too many."""
        self.count_piece()
        self._structure_bytes += size
        if size > _MAX_PIECE_BYTES or self._structure_bytes > _MAX_STRUCTURE_BYTES:
            raise ModelFileError("its HDF5 structure is larger than any model's; it is damaged or malicious")
        return self.read(offset, size)

    def read(self, offset: int, size: int) -> bytes:
        """Read `size` bytes; raises `ModelFileError` as `check_range` does."""
        self.check_range(offset, size)
        self._file.seek(offset)
        return self._file.read(size)

    def check_range(self, offset: int, size: int) -> None:
        """Raise `ModelFileError` if the file ends before `offset + size`."""
        if offset + size > self.size:
            raise ModelFileError(
                f"its HDF5 structure points to bytes {offset:,} to {offset + size:,}, but it has {self.size:,}; the "
                "file is incomplete or damaged, download it again"
            )

    def count_piece(self) -> None:
        """Count a piece of the structure; raises `ModelFileError` if there are more than any real file needs."""
        self._pieces += 1
        if self._pieces > _MAX_PIECES:
            raise ModelFileError("its HDF5 structure has more pieces than any model; it is damaged or malicious")


def damage_error(what: str) -> ModelFileError:
    """Make the error for a damaged part."""
    return ModelFileError(f"its HDF5 {what} is damaged; download the file again")


def feature_error(what: str) -> ModelFileError:
    """Make the error for a feature of HDF5 that Keras does not use."""
    return ModelFileError(
        f"it holds {what}, which Keras does not write and this reader does not support; save the model with Keras again"
    )


# The types of messages (IV.A.2).
DATASPACE, LINK_INFO, DATATYPE, LINK, EXTERNAL_FILES = 0x01, 0x02, 0x03, 0x06, 0x07
LAYOUT, FILTERS, ATTRIBUTE, CONTINUATION, SYMBOL_TABLE, ATTRIBUTE_INFO = 0x08, 0x0B, 0x0C, 0x10, 0x11, 0x15
_SHARED = 0x02  # a message's flag: its content is in another object
_READ = {DATASPACE, DATATYPE, LAYOUT, ATTRIBUTE, SYMBOL_TABLE}  # all others but `_REFUSED` change no value
_REFUSED = {
    LINK_INFO: "links in the newer format (libver='latest')",
    LINK: "links in the newer format (libver='latest')",
    EXTERNAL_FILES: "an array stored in another file (external storage)",
    FILTERS: "a compressed or filtered array",
    ATTRIBUTE_INFO: "attributes in the newer format (libver='latest')",
}


@dataclass(frozen=True)
class Messages:
    """The messages of an object that are read, by their type, in their order."""

    by_type: dict[int, list[bytes]]

    def only(self, kind: int, what: str) -> bytes:
        """Return the only message of a type; raises `ModelFileError` if there is none or several."""
        messages = self.by_type.get(kind, [])
        if len(messages) != 1:
            raise damage_error(f"object header ({len(messages)} messages of {what})")
        return messages[0]


def read_messages(source: Hdf5Bytes, address: int) -> Messages:
    """Read the messages of the object whose header is at `address`.

    Raises:
        ModelFileError: if the header is damaged, of the newer version, or uses an unsupported feature, which is named.
    """
    # Version, reserved, number of messages, number of links to the object, bytes of messages in the first block.
    version, _, count, _, size = struct.unpack("<BBHII", source.read_structure(address, 12))
    if version != 1:
        if version == ord("O"):  # the newer header begins with "OHDR"
            raise feature_error("an object in the newer format (libver='latest')")
        raise damage_error("object header")
    messages: dict[int, list[bytes]] = {}
    blocks = [(address + 16, size)]  # the 12 bytes above are padded to 16
    while blocks:
        block = source.read_structure(*blocks.pop(0))
        offset = 0
        while offset + 8 <= len(block) and count > 0:  # type 2, length 2, flags 1, reserved 3, then the content
            source.count_piece()
            kind, length, flags = struct.unpack_from("<HHB", block, offset)
            content = block[offset + 8 : offset + 8 + length]
            if len(content) != length:
                raise damage_error("object header")
            offset, count = offset + 8 + length, count - 1
            if kind in _REFUSED:
                raise feature_error(_REFUSED[kind])
            if kind == CONTINUATION:  # offset and size of another block
                blocks.append(unpack("<QQ", content, 0, "object header"))  # type: ignore[arg-type]  # two of them
            elif kind in _READ:
                if flags & _SHARED:
                    raise feature_error("a shared type (a named data type)")
                messages.setdefault(kind, []).append(content)
    return Messages(messages)


def unpack(form: str, content: bytes, offset: int, what: str) -> tuple[int, ...]:
    """Unpack the numbers at an offset of a message; raises `ModelFileError` if it is too short."""
    try:
        return struct.unpack_from(form, content, offset)
    except struct.error as error:
        raise damage_error(what) from error


_SOFT_LINK = 2  # the cache type of a symbol table entry that names a path instead of an object
_MAX_LEVELS = 8
_MAX_NAME_BYTES = 256


def read_links(source: Hdf5Bytes, btree: int, heap: int) -> dict[str, int]:
    """Read the members of a group: the address of each object header by name.

    A group is a B-tree whose leaves are symbol tables of (name, address); the names are in a heap.

    Raises:
        ModelFileError: if the structure is damaged, or a link is no hard link.
    """
    names_offset, names_size = _read_local_heap(source, heap)
    links: dict[str, int] = {}
    pending: list[tuple[int, int | None]] = [(btree, None)]
    while pending:
        node, parent_level = pending.pop()
        level, children = _read_btree_node(source, node)
        # Below the root, levels must fall by one, so that no node can be its own descendant.
        if (parent_level is None and level > _MAX_LEVELS) or (parent_level is not None and level != parent_level - 1):
            raise damage_error("group tree")
        if level > 0:
            pending.extend((child, level) for child in children)
            continue
        for child in children:
            for name_offset, address in _read_symbols(source, child):
                name = _read_name(source, names_offset, names_size, name_offset)
                if name in links:
                    raise damage_error(f"group (two members are called {name[:40]!r})")
                links[name] = address
    return links


def _read_local_heap(source: Hdf5Bytes, address: int) -> tuple[int, int]:
    """Read the offset and the size of a heap's data (III.D)."""
    signature, size, _, data_offset = struct.unpack("<4s4xQQQ", source.read_structure(address, 32))
    if signature != b"HEAP":
        raise damage_error("local heap")
    source.check_range(data_offset, size)
    return data_offset, size


def _read_btree_node(source: Hdf5Bytes, address: int) -> tuple[int, tuple[int, ...]]:
    """Read a node's level, 0 for a leaf, and the addresses of its children (III.A.1)."""
    signature, kind, level, used = struct.unpack("<4sBBH", source.read_structure(address, 8))
    if signature != b"TREE" or kind != 0:  # kind 1 is a tree of chunks
        raise damage_error("group tree")
    content = source.read_structure(address + 24, used * 16)  # pairs of (key, child) after two sibling addresses
    return level, struct.unpack(f"<{2 * used}Q", content)[1::2]


def _read_symbols(source: Hdf5Bytes, address: int) -> list[tuple[int, int]]:
    """Read a symbol table: the offset of each name in the heap, and the address of the object's header (III.B, C)."""
    signature, version, used = struct.unpack("<4sBxH", source.read_structure(address, 8))
    if signature != b"SNOD" or version != 1:
        raise damage_error("symbol table")
    symbols = []
    # An entry has 40 bytes: name 8, header 8, cache type 4, and 20 that only speed up access.
    for name, header, cache_type in struct.iter_unpack("<QQI20x", source.read_structure(address + 8, used * 40)):
        if cache_type == _SOFT_LINK:
            raise feature_error("a soft link")
        symbols.append((name, header))
    return symbols


def _read_name(source: Hdf5Bytes, names_offset: int, size: int, offset: int) -> str:
    """Read the name that begins at `offset` in a heap whose data begin at `names_offset`; it ends at a zero byte."""
    if offset >= size:
        raise damage_error("local heap")
    text, end, _ = source.read_structure(names_offset + offset, min(_MAX_NAME_BYTES, size - offset)).partition(b"\0")
    try:
        name = text.decode()
    except UnicodeDecodeError as error:
        raise damage_error("name") from error
    if not end or not name or "/" in name or name in (".", ".."):
        raise damage_error(f"name ({name[:40]!r})")
    return name
