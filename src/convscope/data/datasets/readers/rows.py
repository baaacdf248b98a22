"""Images that lie in a file as rows of pixels: how many columns make an image, in which order and of which size.

Names of columns to a shape (H, W, C). Where neither the names nor the caller say it, an image is taken to be square.
"""

import math
import re
from dataclasses import dataclass

from convscope.data.datasets.data_file import DataFileError

# Names under which tables keep the label, in lower case; of several that are there, the first of these.
LABEL_NAMES = (
    "label",
    "labels",
    "class",
    "class_name",
    "classname",
    "category",
    "target",
    "digit",
    "character",
    "letter",
    "y",
    "class_id",
    "label_id",
    "emotion",
)
PASSED_OVER = ("", "id", "index", "unnamed: 0", "__index_level_0__")  # numbers of rows

_PLACE = re.compile(r"(?:[a-z]+[ _.-]?)?([0-9]{1,5})[x_, ]([0-9]{1,5})(?:[x_, ]([0-9]{1,2}))?", re.IGNORECASE)
_NUMBERED = re.compile(r"[a-z]*[ _.-]?[0-9]{1,7}", re.IGNORECASE)


@dataclass(frozen=True)
class RowLayout:
    """Which columns of a table are what.

    Attributes:
        label: the column of the label; None if there is none.
        pixels: the columns of the pixels, in the order (H, W, C).
        shape: (H, W, C), or None where it has to be found from their number.
    """

    label: int | None
    pixels: tuple[int, ...]
    shape: tuple[int, int, int] | None = None


def is_pixel_name(name: str) -> bool:
    """Return whether a column of this name holds a pixel: pixel12, px_3, x0, 7, 1x28, pixel3x4."""
    return bool(_NUMBERED.fullmatch(name) or _PLACE.fullmatch(name))


def layout_of(names: tuple[str, ...]) -> RowLayout:
    """Return the layout that a table's column names tell.

    Raises:
        DataFileError: if it is not clear which column holds the label or which hold pixels.
    """
    lower = [name.strip().lower() for name in names]
    label = next((lower.index(name) for name in LABEL_NAMES if name in lower), None)
    others = [i for i, name in enumerate(lower) if i != label and name not in PASSED_OVER]
    pixels = [i for i in others if is_pixel_name(lower[i])]
    odd = [i for i in others if not is_pixel_name(lower[i])]
    if label is None and len(odd) == 1:
        label, odd = odd[0], []
    if odd or not pixels:
        shown = ", ".join(repr(names[i][:40]) for i in (odd or range(len(names)))[:5])
        what = "columns that are neither label nor pixel" if odd else "no pixel columns"
        raise DataFileError(f"has {what} ({shown}); name the columns label, pixel0, pixel1, ...")
    places = [_PLACE.fullmatch(lower[i]) for i in pixels]
    found = [place for place in places if place]
    if len(found) < len(places):
        return RowLayout(label, tuple(pixels))
    return _placed(label, pixels, [tuple(int(part or 0) for part in place.groups()) for place in found])


def _placed(label: int | None, pixels: list[int], places: list[tuple[int, ...]]) -> RowLayout:
    """Return the layout where each name says row, column and perhaps channel, counted from 0 or from 1."""
    sides = [len({place[axis] for place in places}) for axis in range(3)]
    order = sorted(range(len(places)), key=places.__getitem__)
    if math.prod(sides) != len(places) or len(set(places)) != len(places):
        raise DataFileError(
            f"has {len(places):,} columns named by row and column, of {sides[0]} rows and {sides[1]} columns; each "
            "pixel must occur once"
        )
    return RowLayout(label, tuple(pixels[i] for i in order), (sides[0], sides[1], sides[2]))


def row_shape(num_pixels: int, image_size: tuple[int, int] | None) -> tuple[int, int, int]:
    """Return (H, W, C) of images that are rows of so many numbers: of `image_size`, else square, in grey or colours.

    Raises:
        DataFileError: naming the number and the ways to say the size.
    """
    if image_size is not None:
        channels, rest = divmod(num_pixels, math.prod(image_size))
        if rest or channels not in (1, 2, 3, 4):
            raise DataFileError(
                f"has {num_pixels:,} pixels per image, which is not {image_size[0]} × {image_size[1]} with 1 to 4 "
                "channels; check the image size"
            )
        return (*image_size, channels)
    for channels in (1, 3):
        side = math.isqrt(num_pixels // channels)
        if side * side * channels == num_pixels > 0:
            return side, side, channels
    raise DataFileError(
        f"has {num_pixels:,} pixels per image, which is not a square in grey or colour; give the image size (height "
        "and width), or name the columns by row and column: pixel0x0, pixel0x1, ..."
    )
