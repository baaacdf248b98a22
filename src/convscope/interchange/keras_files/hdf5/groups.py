"""Groups: from a symbol table to names and addresses. Sections III.A.1, III.B to III.D of the specification."""

import struct

from convscope.interchange.keras_files.hdf5.source import Source, damaged, unusual

_SOFT_LINK = 2  # the cache type of a symbol table entry that is no object
_MOST_LEVELS = 8
_MOST_NAME_BYTES = 256


def read_links(source: Source, btree: int, heap: int) -> dict[str, int]:
    """Return the address of the object header of each member of a group, by name.

    Raises:
        RefusedError: if the structure is damaged, or a link is no hard link.
    """
    names_at, names_size = _local_heap(source, heap)
    links: dict[str, int] = {}
    pending: list[tuple[int, int | None]] = [(btree, None)]
    while pending:
        node, parent_level = pending.pop()
        level, children = _btree_node(source, node)
        if level > _MOST_LEVELS if parent_level is None else level != parent_level - 1:
            raise damaged("group tree")  # levels go down by one, so no node is above itself
        if level > 0:
            pending.extend((child, level) for child in children)
            continue
        for child in children:
            for name_offset, address in _symbols(source, child):
                name = _name(source, names_at, names_size, name_offset)
                if name in links:
                    raise damaged(f"group (two members are called {name[:40]!r})")
                links[name] = address
    return links


def _local_heap(source: Source, address: int) -> tuple[int, int]:
    signature, size, _, data = struct.unpack("<4s4xQQQ", source.structure(address, 32))
    if signature != b"HEAP":
        raise damaged("local heap")
    source.check(data, size)
    return data, size


def _btree_node(source: Source, address: int) -> tuple[int, tuple[int, ...]]:
    signature, kind, level, used = struct.unpack("<4sBBH", source.structure(address, 8))
    if signature != b"TREE" or kind != 0:
        raise damaged("group tree")
    content = source.structure(address + 24, used * 16)  # a key, a child, a key, a child, ...
    return level, struct.unpack(f"<{2 * used}Q", content)[1::2]


def _symbols(source: Source, address: int) -> list[tuple[int, int]]:
    signature, version, used = struct.unpack("<4sBxH", source.structure(address, 8))
    if signature != b"SNOD" or version != 1:
        raise damaged("symbol table")
    symbols = []
    for name, header, cache_type in struct.iter_unpack("<QQI20x", source.structure(address + 8, used * 40)):
        if cache_type == _SOFT_LINK:
            raise unusual("a soft link")
        symbols.append((name, header))
    return symbols


def _name(source: Source, at: int, size: int, offset: int) -> str:
    if offset >= size:
        raise damaged("local heap")
    text, end, _ = source.structure(at + offset, min(_MOST_NAME_BYTES, size - offset)).partition(b"\0")
    try:
        name = text.decode()
    except UnicodeDecodeError as error:
        raise damaged("name") from error
    if not end or not name or "/" in name or name in (".", ".."):
        raise damaged(f"name ({name[:40]!r})")
    return name
