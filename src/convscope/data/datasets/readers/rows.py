"""Find the label and the pixels among the columns of a table, and the shape of images that are rows of pixels."""

import math
import re
from dataclasses import dataclass

from convscope.data.datasets.data_file import DataFileError

# Names of label columns, in lower case and in order of preference.
LABEL_NAMES = (
    *("label", "labels", "class", "class_name", "classname", "category", "target"),
    *("digit", "character", "letter", "y", "class_id", "label_id", "emotion"),
)
IGNORED_NAMES = ("", "id", "index", "unnamed: 0", "__index_level_0__")  # row numbers; the last two are by pandas

_PIXEL = re.compile(r"[a-z]*[ _.-]?[0-9]{1,7}([x_, ][0-9]{1,5}){0,2}", re.IGNORECASE)


@dataclass(frozen=True)
class RowLayout:
    """The columns of a table.

    Attributes:
        label: index of the label's column; None if there is none.
        pixels: indices of the pixels' columns, in the order of the file.
    """

    label: int | None
    pixels: tuple[int, ...]


def is_pixel_name(name: str) -> bool:
    """True if a column of this name holds a pixel: pixel12, px_3, x0, 7, 1x28, pixel3x4."""
    return bool(_PIXEL.fullmatch(name))


def layout_of(names: tuple[str, ...]) -> RowLayout:
    """Find the label and the pixels among a table's columns by their names.

    Raises:
        DataFileError: if it is not clear which column holds the label or which hold pixels.
    """
    lower = [name.strip().lower() for name in names]
    label = next((lower.index(name) for name in LABEL_NAMES if name in lower), None)
    others = [i for i, name in enumerate(lower) if i != label and name not in IGNORED_NAMES]
    pixels = [i for i in others if is_pixel_name(lower[i])]
    unknown = sorted(set(others).difference(pixels))
    if label is None and len(unknown) == 1:  # whatever its name, nothing else can be the label
        label = unknown.pop()
    if unknown or not pixels:
        shown = ", ".join(repr(names[i][:40]) for i in (unknown or range(len(names)))[:5])
        what = "columns that are neither label nor pixel" if unknown else "no pixel columns"
        raise DataFileError(f"has {what} ({shown}); name the columns label, pixel0, pixel1, ...")
    return RowLayout(label, tuple(pixels))


def row_shape(num_pixels: int, image_size: tuple[int, int] | None) -> tuple[int, int, int]:
    """Compute (H, W, C) of images that are rows of pixels: of `image_size`, else square, in grey or colours.

    Raises:
        DataFileError: if the number of pixels does not fit.
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
        "and width)"
    )
