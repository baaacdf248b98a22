"""Read images without labels from a table with a column for each pixel, such as a competition's test.csv."""

from dataclasses import dataclass
from pathlib import Path

from convscope.data.datasets.data_file import DataFileError, Images, seal
from convscope.data.datasets.readers.containers import suffix_of
from convscope.data.datasets.readers.csv_files import CSV_SUFFIXES
from convscope.data.datasets.readers.csv_pixels import read_columns
from convscope.data.datasets.readers.csv_text import CsvText
from convscope.data.datasets.readers.rows import IGNORED_NAMES, LABEL_NAMES, is_pixel_name, row_shape
from convscope.data.datasets.readers.table import names_files
from convscope.data.datasets.readers.unpack import open_stream

_ID_NAMES = ("id", "imageid", "image_id")


@dataclass(frozen=True, eq=False)
class UnlabelledImages:
    """Images of a table.

    Attributes:
        images: (N, H, W, C) uint8.
        ids: (N,) the cells of its column of ids; None if it has none.
    """

    images: Images
    ids: tuple[str, ...] | None


def is_table(path: Path) -> bool:
    """True if a path names a table, perhaps a packed one such as test.csv.zip."""
    return suffix_of(path.name) in CSV_SUFFIXES


def read_unlabelled(path: Path, image_size: tuple[int, int]) -> UnlabelledImages:
    """Read the images of a table.

    Args:
        image_size: (H, W) of the images if their number of pixels fits it; other images must be square.

    Raises:
        DatasetError: if the table is damaged, has labels, or has a column that is no pixel.
    """
    with open_stream(path) as stream:
        text = CsvText(stream)
        if names_files(text):
            raise DataFileError("lists names of files; name the folder of the pictures instead")
        id_column, pixels = _find_columns(text)
        # Images of the network's size need not be square; its channels may differ.
        fits = len(pixels) in [channels * image_size[0] * image_size[1] for channels in (1, 3)]
        try:
            shape = row_shape(len(pixels), image_size if fits else None)
        except DataFileError:
            raise DataFileError(
                f"has {len(pixels):,} pixels per image, which is neither {image_size[0]} × {image_size[1]}, as the "
                "network reads, nor a square; choose a network of these images"
            ) from None
        # The reader wants a column of texts; the first pixels serve if there are no ids.
        images, (ids,) = read_columns(text, pixels, (pixels[0] if id_column is None else id_column,))
    return UnlabelledImages(seal(images.reshape(-1, *shape)), None if id_column is None else tuple(ids))


def _find_columns(text: CsvText) -> tuple[int | None, list[int]]:
    """Find the column of ids, if there is one, and those of pixels."""
    if not text.has_header:
        return None, list(range(len(text.first)))
    lower = [name.lower() for name in text.first]
    if label := next((name for name in LABEL_NAMES if name in lower), None):
        raise DataFileError(
            f"has the labels of its images, in the column {label!r}; measure the network on them with convscope "
            "evaluate RUN --dataset FILE, or remove the column"
        )
    id_column = next((lower.index(name) for name in _ID_NAMES if name in lower), None)
    others = [index for index, name in enumerate(lower) if index != id_column and name not in IGNORED_NAMES]
    pixels = [index for index in others if is_pixel_name(lower[index])]
    if unknown := [text.first[index] for index in others if index not in set(pixels)]:
        raise DataFileError(
            f"has a column that is no pixel ({unknown[0][:40]!r}); name the columns pixel0, pixel1, ..."
        )
    if not pixels:
        raise DataFileError("has no pixel columns; name them pixel0, pixel1, ...")
    return id_column, pixels
