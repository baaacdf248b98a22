"""Find the columns of a Parquet file that hold images and labels, and convert their numbers to pixels."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from convscope.data.datasets.data_file import DataFileError, Images
from convscope.data.datasets.readers.labels import MAX_CLASSES, clean_name
from convscope.data.datasets.readers.rows import LABEL_NAMES

PICTURES = ("image", "img", "images", "picture", "png", "jpg", "bytes")
PIXELS = ("pixels", "pixel", "x", "data", "features", *PICTURES)


@dataclass(frozen=True)
class Columns:
    """The columns of a file.

    Attributes:
        label: the column of labels.
        class_names: the names of the labels' numbers, from Hugging Face's metadata.
        pictures: the column of picture files; or
        numbers: the column of lists of pixels.
    """

    label: str
    class_names: tuple[str, ...] | None
    pictures: str | None = None
    numbers: str | None = None


def find_columns(schema: Any) -> Columns:
    """Find the columns of images and labels in an Arrow schema.

    Raises:
        DataFileError: if there are none of images or labels.
    """
    types = {field.name: field.type for field in schema}
    if len(types) < len(schema):
        raise DataFileError("has two columns of the same name; give each column its own name")
    lower = {name.strip().lower(): name for name in reversed(list(types))}
    label = next((lower[name] for name in LABEL_NAMES if name in lower), None)
    pictures = [name for name in types if _is_pictures(types[name]) and name != label]
    lists = [name for name in types if _is_list(types[name]) and name != label]
    picture, numbers = _choose_column(pictures, PICTURES, lower), _choose_column(lists, PIXELS, lower)
    image = picture or numbers
    if image is None:
        shown = ", ".join(map(repr, list(types)[:6]))
        raise DataFileError(
            f"has no column of pictures or of lists of pixels ({shown}); add one, or save the table as CSV"
        )
    label = label or _only_other(types, image)
    if _is_any(types[label], "nested"):
        raise DataFileError(f"{label!r} is {types[label]}; the label must be one number or name per image")
    return Columns(label, _class_names(schema, label), picture, None if picture else numbers)


def _choose_column(candidates: list[str], usual_names: tuple[str, ...], lower: dict[str, str]) -> str | None:
    """Choose the candidate with the most usual name, or the only one; `lower` has all columns by lower-case name."""
    usual = [lower[name] for name in usual_names if lower.get(name) in candidates]
    return (usual or candidates)[0] if usual or len(candidates) == 1 else None


def numbers_of(batch: Any, columns: Columns, first_row: int) -> Images:
    """Convert some rows to pixels (n, pixels), or with the dimensions of nested lists (n, H, W) or (n, H, W, C).

    Raises:
        DataFileError: if a row has another number of pixels, lacks some, or one is not a whole number from 0 to 255.
    """
    values, shape = batch.column(columns.numbers), [batch.num_rows]
    called = f"column {str(columns.numbers)[:40]!r} of the rows from {first_row:,} on"
    # Each level of lists is a dimension, whose size must be the same in all rows. The 2 images [[1, 2], [3, 4]] and
    # [[5, 6], [7, 8]] have 2 lists each, then 4 lists of 2 numbers: the shape grows from (2) to (2, 2) and (2, 2, 2).
    while _is_list(values.type):
        values = getattr(values, "storage", values)  # Hugging Face's Array2D is a type around a list
        if values.null_count:
            raise DataFileError(f"{called} has rows without pixels; remove them")
        inner = values.flatten()
        length, rest = divmod(len(inner), len(values)) if len(values) else (0, 0)
        if rest or length == 0 or not _all_of_length(values, length):
            raise DataFileError(f"{called} has images of several sizes; save all images in one size")
        shape.append(length)
        values = inner
    if len(shape) > 4 or not _is_any(values.type, "integer", "floating"):
        raise DataFileError(f"{called} is {batch.column(columns.numbers).type}; images must be (H, W) or (H, W, C)")
    return _as_bytes(values, called).reshape(shape)


def _all_of_length(values: Any, length: int) -> bool:
    if _is_any(values.type, "fixed_size_list"):
        return True
    offsets = values.offsets.to_numpy()  # list i is the values from offsets[i] to offsets[i + 1] - 1
    return bool((np.diff(offsets) == length).all())


def _as_bytes(values: Any, called: str) -> Images:
    if values.null_count:
        raise DataFileError(f"{called} has missing values; give every pixel a number")
    numbers = values.to_numpy(zero_copy_only=False)
    if numbers.dtype == np.uint8:
        return np.asarray(numbers, dtype=np.uint8)
    with np.errstate(invalid="ignore"):
        is_byte = (numbers >= 0) & (numbers <= 255) & (np.floor(numbers) == numbers)
    if not is_byte.all():
        number = numbers[~is_byte][0]
        hint = "; multiply fractions of 1 by 255 and round them" if 0 < number < 1 else ""
        raise DataFileError(f"{called} holds {number}; pixels must be whole numbers from 0 to 255{hint}")
    return np.asarray(numbers.astype(np.uint8))


def _is_pictures(arrow_type: Any) -> bool:
    if _is_any(arrow_type, "struct"):
        return bool(arrow_type.get_field_index("bytes") >= 0)
    return _is_any(arrow_type, "binary", "large_binary")


def _is_list(arrow_type: Any) -> bool:
    return _is_any(getattr(arrow_type, "storage_type", arrow_type), "list", "large_list", "fixed_size_list")


def _is_any(arrow_type: Any, *kinds: str) -> bool:
    """True if a type of Arrow is of one of the kinds, by their names in `pyarrow.types`."""
    from pyarrow import types

    return any(getattr(types, f"is_{kind}")(arrow_type) for kind in kinds)


def _only_other(types: dict[str, Any], image: str) -> str:
    others = [name for name in types if name != image]
    if len(others) != 1:
        shown = ", ".join(repr(name[:40]) for name in others[:6]) or "none"
        raise DataFileError(f"has no label column besides {image!r} (there are {shown}); name it label")
    return others[0]


def _class_names(schema: Any, label: str) -> tuple[str, ...] | None:
    """Read the names of the numbers of a ClassLabel from Hugging Face's metadata."""
    content = (schema.metadata or {}).get(b"huggingface")
    if content is None or not _is_any(schema.field(label).type, "integer"):
        return None
    try:
        names = json.loads(content)["info"]["features"][label]["names"]
        if isinstance(names, dict):  # as in the header of a README
            names = [names[str(index)] for index in range(len(names))]
        named = tuple(clean_name(name) for name in names)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None  # another kind of feature, or a later version of the metadata
    return named if 2 <= len(named) <= MAX_CLASSES else None
