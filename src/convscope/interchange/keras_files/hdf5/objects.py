"""Object headers: the messages that say what a group or a data set is. Section IV.A of the specification."""

import struct
from dataclasses import dataclass

from convscope.interchange.keras_files.hdf5.source import Source, damaged, unusual

DATASPACE, LINK_INFO, DATATYPE, LINK, EXTERNAL_FILES = 0x01, 0x02, 0x03, 0x06, 0x07
LAYOUT, FILTERS, ATTRIBUTE, CONTINUATION, SYMBOL_TABLE, ATTRIBUTE_INFO = 0x08, 0x0B, 0x0C, 0x10, 0x11, 0x15
_SHARED = 0x02  # in a message's flags: its content is elsewhere
_READ = {DATASPACE, DATATYPE, LAYOUT, ATTRIBUTE, SYMBOL_TABLE}
_REFUSED = {
    LINK_INFO: "links in the newer format (libver='latest')",
    LINK: "links in the newer format (libver='latest')",
    EXTERNAL_FILES: "an array stored in another file (external storage)",
    FILTERS: "a compressed or filtered array",
    ATTRIBUTE_INFO: "attributes in the newer format (libver='latest')",
}


@dataclass(frozen=True)
class Messages:
    """The content of an object's messages that are read, by their type, in their order."""

    by_type: dict[int, list[bytes]]

    def only(self, kind: int, what: str) -> bytes:
        """Return the one message of that type; raises `RefusedError` if there is none or several."""
        found = self.by_type.get(kind, [])
        if len(found) != 1:
            raise damaged(f"object header ({len(found)} messages of {what})")
        return found[0]


def read_messages(source: Source, address: int) -> Messages:
    """Return the messages of the object whose header is at `address`.

    Raises:
        RefusedError: if the header is damaged, of the newer version, or holds what is refused by name.
    """
    version, _, count, _, size = struct.unpack("<BBHII", source.structure(address, 12))
    if version != 1:
        raise (
            unusual("an object in the newer format (libver='latest')")
            if version == ord("O")
            else damaged("object header")
        )
    found: dict[int, list[bytes]] = {}
    blocks = [(address + 16, size)]
    while blocks:
        block = source.structure(*blocks.pop(0))
        at = 0
        while at + 8 <= len(block) and count > 0:
            source.step()
            kind, length, flags = struct.unpack_from("<HHB", block, at)
            content = block[at + 8 : at + 8 + length]
            if len(content) != length:
                raise damaged("object header")
            at, count = at + 8 + length, count - 1
            if kind in _REFUSED:
                raise unusual(_REFUSED[kind])
            if kind == CONTINUATION:
                blocks.append(unpacked("<QQ", content, 0, "object header"))  # type: ignore[arg-type]  # two of them
            elif kind in _READ:
                if flags & _SHARED:
                    raise unusual("a shared type (a named data type)")
                found.setdefault(kind, []).append(content)
    return Messages(found)


def unpacked(form: str, content: bytes, at: int, what: str) -> tuple[int, ...]:
    """Return the numbers at a place of a message; raises `RefusedError` if it is too short."""
    try:
        return struct.unpack_from(form, content, at)
    except struct.error as error:
        raise damaged(what) from error
