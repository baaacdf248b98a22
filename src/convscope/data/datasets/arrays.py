"""Convert users' arrays of any shape, number type and kind of label to the bytes and labels of a `Dataset`.

Nothing is guessed: if the meaning of an array is not clear, the error names the argument that states it.
"""

from collections.abc import Sequence
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.arguments import describe
from convscope.base.arrays import freeze_array
from convscope.data.datasets.image_rows import as_rows, parse_shape
from convscope.data.datasets.pixel_range import PixelRange, usual_range


def image_bytes(
    images: Any, image_shape: Any = None, value_range: tuple[float, float] | None = None
) -> NDArray[np.uint8]:
    """Convert images to uint8 (N, H, W, C); arguments and errors are those of `Dataset.from_arrays`."""
    array = _to_number_array(images)
    if array.ndim not in (2, 3, 4) or 0 in array.shape:
        raise ValueError(
            f"images have shape {array.shape}; they must be (N, H, W), (N, H, W, C), or rows (N, D) with image_shape, "
            "and not empty"
        )
    rows, shown = as_rows(array)
    if shown is None and image_shape is None:
        # If the number of pixels is a square, as 784, the error's example probably fits as it is.
        side = isqrt(rows.shape[1])
        example = f"({side}, {side})" if side * side == rows.shape[1] else "(H, W) or (H, W, C)"
        raise ValueError(f"images are rows of {rows.shape[1]} numbers; state their size, such as image_shape={example}")
    shape = shown if image_shape is None else parse_shape(image_shape, rows.shape[1], shown)
    assert shape is not None
    return _to_bytes(rows, value_range).reshape(-1, *shape)


def class_indices(labels: Any, class_names: Sequence[str] | None = None) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Convert labels (N,) to indices of class names, and return both; errors are those of `Dataset.from_arrays`."""
    try:
        array = np.asarray(labels)
    except ValueError as error:
        raise ValueError(f"labels are a list of unequal parts ({error}); give one label for each image") from error
    if array.ndim != 1 or not len(array):
        raise ValueError(f"labels have shape {array.shape}; they must be (N,), one label for each image")
    try:
        values, indices = np.unique(array, return_inverse=True)
    except TypeError as error:
        raise TypeError("labels hold values of several types; give numbers only or text only") from error
    names = [class_name(value) for value in values.tolist()]
    if class_names is None:
        return indices.astype(np.int64), tuple(names)
    known = {name: index for index, name in enumerate(class_names)}
    # Labels are names before they are indices: with classes called "1" to "9", the label 1 is the class "1" and not the
    # second class.
    if all(name in known for name in names):
        return np.array([known[name] for name in names], np.int64)[indices], tuple(class_names)
    if array.dtype.kind in "iu":
        return array.astype(np.int64), tuple(class_names)  # indices already; `Dataset` checks that each has a name
    unknown = next(name for name in names if name not in known)
    raise ValueError(
        f"labels hold {describe(unknown)}; they must be class names ({', '.join(class_names)}), or their indices"
    )


def class_name(label: Any) -> str:
    """Name the class with this label: text as it is, 3.0 as "3".

    Raises:
        TypeError, ValueError: if it is neither text nor a whole number.
    """
    if isinstance(label, float):
        if not label.is_integer():
            raise ValueError(f"labels hold {label!r}; a class is text or a whole number")
        label = int(label)
    if not isinstance(label, str | int):
        raise TypeError(f"labels hold {describe(label)}; a class is text or a whole number")
    return str(label)


def _to_number_array(images: Any) -> NDArray[Any]:
    try:
        array = np.asarray(images)
    except ValueError as error:
        raise ValueError(f"images are of unequal sizes ({error}); resize them to one size") from error
    if array.dtype.kind not in "biuf":
        raise TypeError(f"images are {describe(images)} of {array.dtype}; they must be numbers")
    return array


def _to_bytes(rows: NDArray[Any], value_range: tuple[float, float] | None) -> NDArray[np.uint8]:
    """Convert rows (N, F) to bytes: uint8 as they are, other numbers by the stated or the usual range."""
    if rows.dtype == np.uint8 and value_range is None:
        return freeze_array(rows)
    low, high = float(rows.min()), float(rows.max())
    if not np.isfinite(low) or not np.isfinite(high):
        raise ValueError("images hold a value that is not finite; replace or remove such images")
    if value_range is None:
        # False is black and True is white.
        value_range = (0.0, 1.0) if rows.dtype.kind == "b" else usual_range(low, high)
    if value_range is None:
        raise ValueError(
            f"images are {rows.dtype} from {low:g} to {high:g}, which is not clearly 0 to 255, 0 to 1 or -1 to 1; give "
            "the values of black and white, such as value_range=(0, 16)"
        )
    lowest, highest = value_range
    if not lowest < highest:
        raise ValueError(f"value_range is {value_range!r}; the first number must be below the second")
    if low < lowest or high > highest:
        raise ValueError(
            f"images run from {low:g} to {high:g}, outside of value_range {value_range!r}; give a larger range"
        )
    features = rows.shape[1]
    # The same range for all pixels, though a `PixelRange` may have one for each column, as for a table.
    return PixelRange(np.full(features, float(lowest)), np.full(features, float(highest))).to_bytes(rows)
