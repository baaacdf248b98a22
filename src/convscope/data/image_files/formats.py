"""The picture formats that are read: a row here, and a decoder in Pillow, make a new one."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Format:
    """A picture format.

    Attributes:
        name: as users write it.
        signature: matches the first bytes of a file.
        suffixes: those of file names, in lower case.
    """

    name: str
    signature: bytes
    suffixes: tuple[str, ...]


FORMATS = {
    "PNG": Format("PNG", rb"\x89PNG\r\n\x1a\n", (".png",)),
    "JPEG": Format("JPEG", rb"\xff\xd8\xff", (".jpg", ".jpeg", ".jpe", ".jfif")),
    "WEBP": Format("WebP", rb"RIFF.{4}WEBP", (".webp",)),
    "BMP": Format("BMP", rb"BM", (".bmp", ".dib")),
    "TIFF": Format("TIFF", rb"II\*\0|MM\0\*", (".tif", ".tiff")),
    "GIF": Format("GIF", rb"GIF8[79]a", (".gif",)),
}
"""By Pillow's name, which is also that of the media type, such as image/webp."""

SUFFIXES = frozenset(suffix for row in FORMATS.values() for suffix in row.suffixes)
"""Suffixes of the files that are read, in lower case; the format itself is recognised by the first bytes."""

MEDIA_TYPES = tuple(f"image/{name.lower()}" for name in FORMATS)

*_FIRST, _LAST = (row.name for row in FORMATS.values())
FORMAT_NAMES = f"{', '.join(_FIRST)} or {_LAST}"
"""For messages and help: "PNG, JPEG, ... or GIF"."""


def find_format(content: bytes) -> str | None:
    """Find the name of a format in `FORMATS` by the first bytes of a file, or None."""
    matches = (name for name, row in FORMATS.items() if re.match(row.signature, content, re.DOTALL))
    return next(matches, None)
