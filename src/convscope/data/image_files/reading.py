"""Read a picture in one of `FORMATS` as (h, w, 1) or (h, w, 3) uint8.

Pictures are rotated by their Exif data, transparent parts become white, 16 bits are scaled to 8, and palettes, CMYK,
YCbCr and Lab become RGB. A colour profile (ICC) is not applied, and a file of several pages is refused.
A file's size in bytes and in pixels is checked before anything is decoded. One picture is decoded at a time, whatever
the number of threads: it takes up to 12 bytes a pixel, and three more if it is not averaged down.
"""

import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from numpy.typing import NDArray

from convscope.base.arguments import checked
from convscope.base.averaging import average_rows, fit
from convscope.base.deadline import DeadlineError, check_deadline, hold
from convscope.base.errors import ImageFileError
from convscope.data.image_files.headers import Header, UnreadableError, exif_orientation, read_header, white_of

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 50_000_000
"""Limit for a picture; telephones' largest cameras take fewer pixels by default."""

Picture = NDArray[np.uint8]
"""(H, W, C), as it is in a file."""

MAX_FILE_BYTES = 64 << 20  # 64 MiB

_BAND = 256  # rows that are converted at once
_MAX_SIDE = 65_535  # pixels; the longest side that JPEG knows
_one_at_a_time = Lock()  # also because warnings are filtered for the whole process


@checked
def read_picture(source: Path | str | bytes, name: str | None = None) -> Picture:
    """Read a picture file, or its bytes, as (h, w, 1) in grey or (h, w, 3) in colours, uint8.

    Args:
        source: a path, or the bytes of a file.
        name: the picture's name in errors; by default the path, or "picture" for bytes.

    Raises:
        ImageFileError: if there is no such file, or it is no picture in a known format, damaged, cut off, larger than
            `MAX_FILE_BYTES` or `MAX_PIXELS`, of several pages, or of 32 bits a channel, for which white is undefined.
    """
    return read_reduced(source, name)[0]


def read_reduced(
    source: Path | str | bytes, name: str | None = None, longest: int | None = None
) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """Read a picture as `read_picture` does, and return it with its size (h, w) in the file.

    Args:
        longest: pixels of the longest side to which a larger picture is averaged down while it is read; see
            `convscope.base.averaging`. In full size it is then only in the decoder's memory.

    Raises:
        ImageFileError: as `read_picture` does.
    """
    with _open_image(source, name) as (image, header):
        if getattr(image, "is_animated", False):
            raise UnreadableError("holds several pictures; save the right one as a file of its own")
        image.load()
        width, height = image.size

        def rows(start: int, stop: int) -> NDArray[np.uint8]:
            check_deadline()
            return _to_opaque(image.crop((0, start, width, stop)), header)

        if longest is not None and max(height, width) > longest:
            pixels = average_rows(rows, (height, width), *fit(height, width, longest, longest))
        else:
            pixels = np.empty((height, width, rows(0, 1).shape[2]), np.uint8)
            for start in range(0, height, _BAND):
                stop = min(start + _BAND, height)
                pixels[start:stop] = rows(start, stop)
        orientation = _orientation(image, header)
        # Orientations 5 to 8 exchange height and width.
        return _turn_upright(pixels, orientation), (width, height) if orientation >= 5 else (height, width)


def picture_size(source: Path | str | bytes, name: str | None = None) -> tuple[int, int]:
    """Read the size (h, w) of a picture from the file's header, without decoding it.

    Raises:
        ImageFileError: as `read_picture` does, except for damage that only decoding can find.
    """
    with _open_image(source, name) as (image, header):
        width, height = image.size
        return (width, height) if _orientation(image, header) >= 5 else (height, width)


class _Stoppable(BytesIO):
    """Bytes that a decoder reads in pieces; the deadline is checked before each."""

    def read(self, size: int | None = -1, /) -> bytes:
        check_deadline()
        return super().read(size)


@contextmanager
def _open_image(source: Path | str | bytes, name: str | None) -> "Iterator[tuple[Image.Image, Header]]":
    """Open a picture whose size is within bounds; every error until it is closed becomes an `ImageFileError`."""
    from PIL import Image

    called = name or ("picture" if isinstance(source, bytes) else str(source))
    try:
        content = source if isinstance(source, bytes) else _read_content(Path(source))
        if len(content) > MAX_FILE_BYTES:
            raise UnreadableError(f"has more than {MAX_FILE_BYTES >> 20} MiB; save a smaller version")
        header = read_header(content, MAX_PIXELS)
        with hold(_one_at_a_time), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                with Image.open(_Stoppable(header.content), formats=[header.format]) as image:
                    _check_size(image.size)
                    yield image, header
            except (UnreadableError, DeadlineError):
                raise
            except Image.DecompressionBombError:
                _refuse_size()
            except MemoryError:
                raise UnreadableError("does not fit into memory; make it smaller") from None
            except Exception as error:  # decoders raise errors of any class for hostile bytes
                reason = " ".join(str(error).split())[:100] if isinstance(error, OSError) else ""
                if not reason or "object at" in reason:  # a message with the address of a Python object
                    reason = f"its {header.format} data cannot be decoded"
                raise UnreadableError(f"is damaged ({reason}); copy or save it again") from error
    except UnreadableError as error:
        raise ImageFileError(f"{called}: {error}") from error.__cause__


def _read_content(path: Path) -> bytes:
    """Read a regular file, at most a byte more than allowed; other files are not opened, since that may block."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise UnreadableError("is a folder; name a picture in it")
        if not stat.S_ISREG(mode):
            raise UnreadableError("is not a regular file; save the picture as a file first")
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise UnreadableError("no such file; check the path") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise UnreadableError(f"cannot be read ({reason}); check the path and its permissions") from error


def _check_size(size: tuple[int, int]) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise UnreadableError("has no pixels; save it again")
    if width * height > MAX_PIXELS or max(size) > _MAX_SIDE:
        _refuse_size(f"{height:,} × {width:,} pixels (height × width); ")


def _orientation(image: "Image.Image", header: Header) -> int:
    if header.format in ("PNG", "WEBP") and isinstance(exif := image.info.get("exif"), bytes):
        return exif_orientation(exif)
    return header.orientation


def _refuse_size(size: str = "") -> NoReturn:
    raise UnreadableError(
        f"is too large ({size}the limits are {MAX_PIXELS:,} pixels and {_MAX_SIDE:,} per side); make it smaller"
    )


def _to_opaque(image: "Image.Image", header: Header) -> NDArray[np.uint8]:
    """Convert a decoded picture to (h, w, 1) or (h, w, 3), opaque."""
    from PIL import Image

    if image.mode.startswith("I;16"):
        return _from_16_bits(image, header)
    if image.mode in ("I", "F"):
        raise UnreadableError("has 32 bits per channel, where white is undefined; save it with 8 or 16")
    is_grey = image.mode in ("1", "L", "LA", "La")
    if "transparency" in image.info or image.mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        opaque = Image.new("L" if is_grey else "RGB", image.size, "white")
        if image.mode in ("La", "RGBa"):  # colours that were multiplied by their alpha
            image = image.convert("LA" if is_grey else "RGBA")
        image = image if image.mode in ("LA", "RGBA") else image.convert("RGBA")
        opaque.paste(image, mask=image)
        image = opaque
    elif image.mode not in ("L", "RGB"):
        image = image.convert("L" if is_grey else "RGB")
    pixels = np.array(image)
    return pixels[..., np.newaxis] if is_grey else pixels


def _from_16_bits(image: "Image.Image", header: Header) -> NDArray[np.uint8]:
    """Convert 16-bit grey to bytes, rounded; for 12 bits the largest value is white, too."""
    values = np.array(image)
    white, inverted = white_of(header)
    grey = np.empty(values.shape, np.uint8)
    # By rows: the wider numbers of the whole picture would take four times its memory.
    for row, grey_row in zip(values, grey, strict=True):
        grey_row[:] = np.minimum((row.astype(np.uint32) * 255 + white // 2) // white, 255)
    if inverted:
        grey = 255 - grey
    if isinstance(transparent := image.info.get("transparency"), int):
        grey[values == transparent] = 255
    return grey[..., np.newaxis]


def _turn_upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Rotate and mirror a picture by its Exif orientation.

    1   not at all                     5   rows become columns
    2   mirrored left to right         6   as 5, then as 2: a quarter turn clockwise
    3   as 2 and 4: half a turn        7   as 5, then as 3
    4   mirrored top to bottom         8   as 5, then as 4: a quarter turn anticlockwise
    """
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
