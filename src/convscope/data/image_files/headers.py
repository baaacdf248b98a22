"""Read a picture's format and orientation before anything decodes it, and remove metadata that decoders must not see.

Decoders read metadata of any size: a TIFF file may point thousands of tags at the same megabytes, and a JPEG file may
have a second picture. So unneeded metadata are cut off here, and files that claim more than they can hold are refused.
"""

import struct
from dataclasses import dataclass, field

from convscope.data.image_files.formats import FORMAT_NAMES, find_format

# Formats that are not read, but named in the error.
_OTHERS = (
    (b"%PDF", "PDF"),
    (b"II+\0", "BigTIFF"),
    (b"MM\0+", "BigTIFF"),
    (b"\0\0\x01\0", "ICO"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"8BPS", "Photoshop"),
    (b"<svg", "SVG"),
    (b"<?xml", "XML"),
    (b"P5", "PGM"),
    (b"P6", "PPM"),
)
_MAX_SCANS = 200  # scans of a JPEG file; progressive ones have about ten, and each is a pass over all pixels
# Tags of a TIFF directory, of which Exif data are one.
_ORIENTATION, _BITS, _PHOTOMETRIC = 0x0112, 0x0102, 0x0106
_TILE_WIDTH, _TILE_HEIGHT = 0x0142, 0x0143
_DIRECTORIES = (0x8769, 0x8825, 0xA005)  # Exif, GPS and interoperability: tags that point to a further directory
# Bytes of a number by its TIFF type, such as 1 byte, 2 text, 3 short, 4 long and 5 rational.
_TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}


class UnreadableError(Exception):
    """A problem of a picture and the next step, without the picture's name."""


@dataclass(frozen=True)
class Header:
    """The content of a picture's first bytes.

    Attributes:
        format: Pillow's name of the format.
        content: the bytes to decode, for a JPEG file without its metadata.
        orientation: that of a JPEG file, 1 to 8 as in Exif; 1 is upright. 1 for all other formats: that of PNG and WebP
            files is read after decoding, and Pillow turns TIFF files itself.
        tags: the small whole numbers of a TIFF file's first directory.
    """

    format: str
    content: bytes = field(repr=False)
    orientation: int = 1
    tags: dict[int, int] = field(default_factory=dict)


def read_header(content: bytes, max_pixels: int) -> Header:
    """Read format and size from the bytes of a picture, and refuse headers that no picture needs.

    Raises:
        UnreadableError: for an unknown format, and for directories or tiles larger than the file can hold.
    """
    if not content:
        raise UnreadableError("is empty; save the picture again")
    name = _recognise_format(content)
    if name == "JPEG":
        return _read_jpeg(content)
    if name == "TIFF":
        tags = _read_tags(content)
        if max(tags.get(_TILE_WIDTH, 1), 1) * max(tags.get(_TILE_HEIGHT, 1), 1) > max_pixels:
            raise UnreadableError(f"has tiles of more than {max_pixels:,} pixels; save it again without tiles")
        return Header("TIFF", content, tags=tags)
    return Header(name, content)


def exif_orientation(exif: bytes) -> int:
    """Read the orientation, 1 to 8, from a block of Exif data; 1 if it is missing or cannot be read."""
    block = exif.removeprefix(b"Exif\0\0")
    try:
        orientation = _read_tags(block).get(_ORIENTATION, 1)
    except UnreadableError:  # the picture is whole without it
        return 1
    return orientation if 1 <= orientation <= 8 else 1


def white_of(header: Header) -> tuple[int, bool]:
    """Read the largest value of a 16-bit grey picture, and whether it means black, as a scanner's may."""
    bits = header.tags.get(_BITS, 16)
    return (1 << bits) - 1 if 8 < bits <= 16 else 65_535, header.tags.get(_PHOTOMETRIC) == 0


def _recognise_format(content: bytes) -> str:
    if name := find_format(content):
        return name
    advice = f"save it as {FORMAT_NAMES}"
    if content[4:8] == b"ftyp":
        raise UnreadableError(f"is a HEIF, AVIF or video file; {advice}")
    for signature, name in _OTHERS:
        if content.startswith(signature):
            raise UnreadableError(f"is a {name} file; {advice}")
    raise UnreadableError(f"is not a picture in a known format; {advice}")


def _read_jpeg(content: bytes) -> Header:
    """Leave out comments and application segments, except those that define how colours are stored (JFIF and Adobe).

    If a file has several pictures, as from telephones, the first is the photo.
    """
    kept, orientation, offset = [content[:2]], 1, 2
    while True:
        if offset + 4 > len(content):
            raise UnreadableError("is incomplete: it ends before its picture begins; copy or save it again")
        if content[offset] != 0xFF:
            raise UnreadableError("is damaged before its picture begins; copy or save it again")
        marker = content[offset + 1]
        if marker == 0xFF:  # any number of bytes FF may come before a marker
            offset += 1
            continue
        # A segment is FF, its marker, two bytes with the length of all but these first two, and its data.
        length = int.from_bytes(content[offset + 2 : offset + 4], "big")
        segment = content[offset : offset + 2 + length]
        if length < 2:
            raise UnreadableError("is damaged before its picture begins; copy or save it again")
        if marker == 0xE1 and segment[4:10] == b"Exif\0\0" and orientation == 1:
            orientation = exif_orientation(segment[4:])
        # E0 to EF are application segments (E0 JFIF, E1 Exif, EE Adobe), FE comments; DA begins the pixels.
        if marker in (0xE0, 0xEE) or not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            kept.append(segment)
        offset += 2 + length
        if marker == 0xDA:
            break
    if content.count(b"\xff\xda", offset) > _MAX_SCANS:
        raise UnreadableError(f"has more than {_MAX_SCANS} scans; save it again")
    return Header("JPEG", b"".join([*kept, content[offset:]]), orientation)


def _read_tags(content: bytes) -> dict[int, int]:
    """Read the whole numbers of the first directory of a TIFF file, or of Exif data, which are stored as one.

    A file begins with the order of its bytes (II for little-endian, MM for big-endian), the number 42, and the offset
    of the first directory.
    """
    try:
        (start,) = struct.unpack_from("<I" if content[:2] == b"II" else ">I", content, 4)
        return _read_directory(content, start, [len(content)])
    except struct.error:  # a number would lie beyond the end of the file
        raise UnreadableError("is damaged: its size cannot be read; copy or save it again") from None


def _read_directory(content: bytes, start: int, bytes_left: list[int], depth: int = 0) -> dict[int, int]:
    """Read the first value of each tag of the directory at `start` that is a whole number.

        2 bytes            number of entries
        12 bytes an entry  tag (2) | type (2) | number of values (4) | the values, or the offset of longer ones (4)

    Args:
        bytes_left: a list of one number, a counter for all directories: how many bytes tags may still point at. It
            starts with the size of the file, since the values of an honest file do not overlap.
        depth: number of directories that lead to this one. Those below the first are read only to count their bytes.

    Raises:
        UnreadableError: if tags point at more bytes than the file has.
        struct.error: if the directory goes on beyond the end of the file.
    """
    order = "<" if content[:2] == b"II" else ">"
    (count,) = struct.unpack_from(order + "H", content, start)
    if start + 2 + 12 * count > len(content):
        raise struct.error("the directory is cut off")
    tags: dict[int, int] = {}
    for entry in range(start + 2, start + 2 + 12 * count, 12):
        tag, number_type, num_values = struct.unpack_from(order + "HHI", content, entry)
        size = _TYPE_BYTES.get(number_type, 0) * num_values
        bytes_left[0] -= size if size > 4 else 0
        if bytes_left[0] < 0:
            raise UnreadableError("is incomplete; save it again")
        offset = entry + 8 if size <= 4 else struct.unpack_from(order + "I", content, entry + 8)[0]
        if number_type in (1, 3, 4) and num_values and offset + _TYPE_BYTES[number_type] <= len(content):
            (value,) = struct.unpack_from(order + {1: "B", 3: "H", 4: "I"}[number_type], content, offset)
            tags.setdefault(tag, value)
            if tag in _DIRECTORIES and depth < 2:
                _read_directory(content, value, bytes_left, depth + 1)
    return tags
