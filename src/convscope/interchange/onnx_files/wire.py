"""Bound the size of a protobuf message before it is parsed.

An empty message of two bytes becomes an object of a hundred and more, so a small file could fill the memory. Walking
over the bytes takes none. A field is a varint (number · 8 + kind) and its value:

    08 96 01       08 = 1 · 8 + 0: field 1, a varint; 96 01 are 0x16 + (0x01 << 7) = 150
    12 02 68 69    12 = 2 · 8 + 2: field 2, of a stated length; 2 bytes follow, "hi"

Source: Protocol Buffers, "Encoding".
"""

from typing import Any

MAX_FIELDS = 100_000
"""The limit in a file; a node with its attributes has about twenty."""
MAX_DEPTH = 16
"""The limit of nested messages; a tensor in an attribute in a node in a graph in a model is 5 deep."""
MAX_PACKED_BYTES = 1 << 24
"""The limit of varints in lists, each byte of which can take eight in memory; weights are written as plain bytes."""
MAX_TEXT_BYTES = 1 << 22

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_FIXED_TYPES = (1, 2, 6, 7, 15, 16)  # double, float, fixed64, fixed32, sfixed32, sfixed64, as a descriptor numbers them
_MESSAGE, _TEXT, _BYTES = 11, 9, 12


def check_wire(content: bytes, descriptor: Any) -> None:
    """Raise `ValueError` unless `content` is a message of the described type within the bounds of this module."""
    fields = packed = 0
    view = memoryview(content)
    messages = [(0, len(view), descriptor, 1)]  # a stack instead of recursion, whose depth a file could choose
    while messages:
        position, end, descriptor, depth = messages.pop()
        if depth > MAX_DEPTH:
            raise ValueError(f"messages lie more than {MAX_DEPTH} deep in each other")
        while position < end:
            fields += 1
            if fields > MAX_FIELDS:
                raise ValueError(f"more than {MAX_FIELDS} fields; only small networks are read")
            tag, position = _read_varint(view, position, end)
            number, kind = tag >> 3, tag & 7  # the lowest three bits are the kind
            if kind == _VARINT:
                _, position = _read_varint(view, position, end)
                continue
            size = {_FIXED64: 8, _FIXED32: 4}.get(kind, 0)
            if kind == _LENGTH:
                size, position = _read_varint(view, position, end)
            elif not size:
                raise ValueError(f"byte {position} begins a field of kind {kind}, which is none")
            if size > end - position:
                raise ValueError(f"a field at byte {position} asks for {size} bytes, but {end - position} are left")
            if kind == _LENGTH:
                field = descriptor.fields_by_number.get(number)
                if field is not None and field.type == _MESSAGE:
                    messages.append((position, position + size, field.message_type, depth + 1))
                elif field is not None and field.type == _TEXT:
                    _check_text(view[position : position + size])
                elif field is not None and field.type not in (*_FIXED_TYPES, _BYTES):  # a packed list of varints
                    packed += size
                    if packed > MAX_PACKED_BYTES:
                        raise ValueError(f"more than {MAX_PACKED_BYTES} bytes of numbers of variable length")
            position += size


def _check_text(text: memoryview) -> None:
    """Refuse text that is not UTF-8: protobuf would return bytes instead of a string."""
    if len(text) > MAX_TEXT_BYTES:
        raise ValueError(f"a text of {len(text)} bytes; at most {MAX_TEXT_BYTES} are read")
    try:
        str(text, "utf-8")
    except UnicodeDecodeError as error:
        raise ValueError("a name that is not text") from error


def _read_varint(view: memoryview, position: int, end: int) -> tuple[int, int]:
    """Read the varint at `position`: 7 bits in each byte, the lowest first. Return it with the position after it."""
    number = 0
    for shift in range(0, 70, 7):  # 64 bits take at most ten bytes
        if position >= end:
            raise ValueError("it ends within a number")
        byte = view[position]
        position += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, position
    raise ValueError(f"a number at byte {position} does not end")
