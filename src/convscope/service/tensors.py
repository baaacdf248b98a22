"""Read and write tensors of the Open Inference Protocol."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.service.refusal import RequestRefusedError

_OUTPUT_TYPES = {"bool": "BOOL", "int64": "INT64", "float32": "FP32"}  # the protocol's names for NumPy's


def read_images(
    shape: Sequence[int], data: Sequence[Any], image_shape: tuple[int, ...], max_images: int
) -> NDArray[np.uint8]:
    """Convert JSON numbers, flat or nested, to images (N, H, W, C) uint8.

    Args:
        image_shape: (H, W, C) that the model reads.
        max_images: the largest N.

    Raises:
        RequestRefusedError: unless the shape is (N, H, W, C) and the data has that many values, whole numbers
            from 0 to 255.
    """
    expected = f"(N, {', '.join(map(str, image_shape))})"
    if len(shape) != 4 or tuple(shape[1:]) != image_shape:
        raise RequestRefusedError(400, f"shape of images is {_format_shape(shape)}; this model needs {expected}")
    if not 1 <= shape[0] <= max_images:
        raise RequestRefusedError(
            413 if shape[0] > max_images else 400, f"there are {shape[0]} images; a request may have 1 to {max_images}"
        )
    count = int(np.prod(shape))
    values = _flatten(data, shape, count)
    with np.errstate(invalid="ignore"):
        images = values.astype(np.uint8)
    # Anything but a whole number from 0 to 255, also NaN, differs from its conversion to uint8.
    if (wrong := np.flatnonzero(images != values)).size:
        index, value = int(wrong[0]), values[wrong[0]]
        raise RequestRefusedError(400, f"value {index} of images is {value}; pixels are whole numbers from 0 to 255")
    return images.reshape(tuple(shape))


def _flatten(data: Sequence[Any], shape: Sequence[int], count: int) -> NDArray[np.float64]:
    """Convert a flat list of `count` numbers, or nested lists of `shape`, to an array (count,)."""
    values = np.array(data, object)  # lists of unequal lengths stay lists, and fail the check of the shape
    if values.shape not in ((count,), tuple(shape)):
        raise RequestRefusedError(
            400,
            f"data of images has the shape {_format_shape(values.shape)}; nest it as its shape {_format_shape(shape)} "
            f"says, or send a flat list of {count:,} values",
        )
    flat = values.ravel().tolist()
    # By exact types: to `isinstance`, true and false would be whole numbers.
    if unknown := set(map(type, flat)) - {int, float}:
        names = ", ".join(sorted(kind.__name__ for kind in unknown))
        raise RequestRefusedError(400, f"data of images holds {names}; pixels are whole numbers from 0 to 255")
    try:
        return np.array(flat, np.float64)
    except OverflowError:  # JSON's whole numbers have no limit
        raise RequestRefusedError(
            400, "data of images holds a number that is far too large; pixels are 0 to 255"
        ) from None


def write_tensor(name: str, array: NDArray[Any]) -> dict[str, Any]:
    """Write an output as the protocol does, with its values in a flat list."""
    datatype = _OUTPUT_TYPES[array.dtype.name]
    return {"name": name, "shape": list(array.shape), "datatype": datatype, "data": array.reshape(-1).tolist()}


def _format_shape(shape: Sequence[int]) -> str:
    return f"({', '.join(map(str, shape[:8]))}{', …' if len(shape) > 8 else ''})"
