"""Read images from Parquet files: a picture file in each row, as on Hugging Face, or a list of numbers.

Rows are read a few at a time, and no more pixels are kept than the file could hold by the bound of the other readers.
pyarrow, which is an extra, is imported here and only when a file is read.
"""

import os
from collections.abc import Iterator, Sequence
from io import BufferedReader
from pathlib import Path
from typing import Any

import numpy as np

from convscope.base.averaging import average
from convscope.base.errors import DatasetError, ImageFileError
from convscope.base.files import file_digest
from convscope.base.versions import install_command
from convscope.data.datasets.data_file import DEFLATE_RATIO, DataFileError, Images, open_data_file, reason, seal
from convscope.data.datasets.raw_splits import RawSplit, file_name
from convscope.data.datasets.readers.labels import TextLabels
from convscope.data.datasets.readers.parquet_columns import Columns, find_columns, numbers_of
from convscope.data.datasets.readers.rows import row_shape
from convscope.data.datasets.records import SourceFile
from convscope.data.image_files import MAX_FILE_BYTES, read_picture

# How many rows are read at once:
MAX_ROWS = 1024
MIN_ROWS = 4  # at least so many, however large they may be
LIST_ROWS = 64  # for columns of lists, whose lengths no header tells
MAX_BYTES = 1 << 28  # limit for the rows together, by the sizes in the file's metadata


def read_parquet(paths: Sequence[Path], image_size: tuple[int, int] | None) -> tuple[RawSplit, tuple[str, ...] | None]:
    """Read the images and labels of the files of a split, and the class names if the files have them in order.

    Args:
        paths: the files, in order; all of one kind.
        image_size: (H, W) to average pictures to, or the size of images that are rows of pixels and not square.

    Raises:
        DatasetError: if pyarrow is missing; if a file is missing, damaged, has no column of labels or of images, a
            row lacks one, or the images have several sizes.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise DatasetError(
            f"{paths[0]}: reading Parquet files needs pyarrow; run {install_command('parquet')}"
        ) from error
    kept = _ReadRows(image_size)
    sources = []
    for path in paths:
        with open_data_file(path) as file:
            sources.append(SourceFile(file_name(path), file_digest(file)))
            kept.max_bytes += DEFLATE_RATIO * os.fstat(file.fileno()).st_size
            try:
                _read_file(file, kept)
            except (DataFileError, MemoryError, DatasetError):
                raise
            except Exception as error:  # for damaged bytes pyarrow raises Python's own errors, of whatever kind
                raise DataFileError(f"is not a complete Parquet file ({reason(error)}); download it again") from error
    if not kept.parts:
        raise DatasetError(f"{paths[0]}: has no rows; download it again")
    called = str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
    return kept.to_raw_split(called, tuple(sources)), kept.class_names


class _ReadRows:
    """Collects the images and labels of the rows."""

    def __init__(self, image_size: tuple[int, int] | None) -> None:
        self.image_size = image_size
        self.max_bytes = 0  # bytes of pixels that the files can hold together
        self.bytes = 0  # bytes of pixels so far
        self.rows = 0
        self.parts: list[Images] = []
        self.labels = TextLabels()
        self.numbers: list[int] = []
        self.class_names: tuple[str, ...] | None = None

    def add_images(self, images: Images) -> None:
        """Add images (n, H, W, C) of the size of those before; refuse more bytes than the file can hold."""
        self.bytes += images.nbytes
        if self.bytes > self.max_bytes:
            raise DataFileError(
                f"should contain more than {self.bytes:,} bytes of pixels, which a file of this size cannot hold; "
                "download it again"
            )
        if self.parts and images.shape[1:3] != self.parts[0].shape[1:3]:
            raise DataFileError(
                f"row {self.rows + 1:,} has an image of {images.shape[1]} × {images.shape[2]} pixels, the first one "
                f"{self.parts[0].shape[1]} × {self.parts[0].shape[2]}; give an image size (height and width) to resize "
                "them to"
            )
        self.parts.append(images)
        self.rows += len(images)

    def add_labels(self, values: list[Any], first_row: int) -> None:
        """Add labels of pyarrow: text, or numbers, which are indices of class names if the file has these."""
        for row, value in enumerate(values, first_row):
            if value is None or (self.class_names is not None and value == -1):  # -1 is Hugging Face's missing label
                raise DataFileError(f"row {row:,} has no label; remove splits without labels")
            if self.class_names is not None and not 0 <= value < len(self.class_names):
                raise DataFileError(
                    f"row {row:,} has the label {value}, but there are {len(self.class_names):,} class names; labels "
                    "count through them from 0"
                )
        if self.class_names is not None:
            self.numbers += values
        else:
            texts = (value.decode() if isinstance(value, bytes) else str(value) for value in values)
            self.labels.extend(texts, "row", first_row)

    def to_raw_split(self, called: str, sources: tuple[SourceFile, ...]) -> RawSplit:
        depth = max(part.shape[3] for part in self.parts)  # channels: if a picture has colours, grey ones get them too
        images = np.concatenate([part if part.shape[3] == depth else part.repeat(depth, axis=3) for part in self.parts])
        if self.class_names is not None:
            numbers = np.array(self.numbers, dtype=np.int64)
            return RawSplit(seal(images), seal(numbers), called, called, sources)
        return RawSplit(seal(images), seal(self.labels.labels), called, called, sources, self.labels.names)


def _read_file(file: BufferedReader, kept: _ReadRows) -> None:
    from pyarrow.parquet import ParquetFile

    file.seek(0)
    parquet = ParquetFile(file, pre_buffer=False)
    columns = find_columns(parquet.schema_arrow)
    if kept.parts and columns.class_names != kept.class_names:
        raise DataFileError("has other class names than the file before it; read one data set at a time")
    kept.class_names = columns.class_names
    for batch in _batches(parquet, columns):
        first_row = kept.rows + 1
        if columns.pictures is not None:
            for content in _contents(batch, columns.pictures):
                kept.add_images(_picture(content, kept.rows + 1, kept.image_size)[np.newaxis])
        else:
            pixels = numbers_of(batch, columns, first_row)
            if pixels.ndim == 2:
                pixels = pixels.reshape(len(pixels), *row_shape(pixels.shape[1], kept.image_size))
            kept.add_images(pixels if pixels.ndim == 4 else pixels[..., np.newaxis])
        kept.add_labels(batch.column(columns.label).to_pylist(), first_row)


def _batches(parquet: Any, columns: Columns) -> Iterator[Any]:
    """Yield batches of rows that fit into MAX_BYTES by the sizes in the file's metadata."""
    rows = MAX_ROWS
    if columns.numbers is not None:
        rows = LIST_ROWS  # how long a list is only shows when it is read
    else:
        for group in range(parquet.metadata.num_row_groups):
            # The first value of a group may take all of its bytes, and every row may refer to that same value. So each
            # row counts as large as the whole group, or as a picture file may be: rows · largest <= MAX_BYTES.
            # The metadata of each column would tell more, but pyarrow ends the process if it is damaged.
            largest = max(1, min(parquet.metadata.row_group(group).total_byte_size, MAX_FILE_BYTES))
            rows = min(rows, max(MIN_ROWS, MAX_BYTES // largest))
    return iter(
        parquet.iter_batches(
            batch_size=rows, columns=[columns.pictures or columns.numbers, columns.label], use_threads=False
        )
    )


def _contents(batch: Any, name: str) -> Iterator[bytes | None]:
    """Yield the bytes of each picture: the values of the column, or their field `bytes` in Hugging Face's files."""
    import pyarrow as pa

    column = batch.column(name)
    if pa.types.is_struct(column.type):
        missing = column.is_null().to_pylist()
        values = column.field("bytes")
        for row, is_missing in enumerate(missing):
            yield None if is_missing else values[row].as_py()
    else:
        for value in column:
            yield value.as_py()


def _picture(content: bytes | None, row: int, image_size: tuple[int, int] | None) -> Images:
    if not content:
        raise DataFileError(f"row {row:,} contains no picture; save the pictures within the file")
    try:
        picture = read_picture(content, f"row {row:,}")
    except ImageFileError as error:
        raise DataFileError(str(error)) from error
    return picture if image_size is None else average(picture, *image_size)
