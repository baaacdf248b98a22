"""The numbers of an ONNX tensor, checked against its type and shape."""

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MAX_AXES = 8
# By the number of the type in `TensorProto.DataType`: the type, and the field that holds it where not `raw_data`.
_TYPES: dict[int, tuple[Any, str]] = {
    1: (np.float32, "float_data"),
    2: (np.uint8, "int32_data"),
    3: (np.int8, "int32_data"),
    6: (np.int32, "int32_data"),
    7: (np.int64, "int64_data"),
    9: (np.bool_, "int32_data"),
    10: (np.float16, "int32_data"),
    11: (np.float64, "double_data"),
    16: (np.uint16, "int32_data"),  # bfloat16: its bits
}
_FLOAT16, _BFLOAT16 = 10, 16


def num_bytes(tensor: Any) -> int:
    """Return how many bytes the numbers of a `TensorProto` take by its type and shape; raises as `tensor_array`."""
    if tensor.data_type not in _TYPES:
        raise ValueError(f"its type has number {tensor.data_type}, which is not a type of weights")
    shape = tuple(tensor.dims)
    if len(shape) > _MAX_AXES or any(size < 0 for size in shape):
        raise ValueError(f"its shape is {shape!r:.60}")
    item_bytes = np.dtype(_TYPES[tensor.data_type][0]).itemsize
    return int(prod(shape) * item_bytes)


def tensor_array(tensor: Any) -> NDArray[Any]:
    """Return the numbers of a `TensorProto`; bfloat16 comes as float32.

    Raises:
        ValueError: if it is of another type, or does not hold as many numbers as its shape says.
    """
    expected = num_bytes(tensor)
    if tensor.HasField("segment"):
        raise ValueError("it is a part of a tensor")
    dtype, field = _TYPES[tensor.data_type]
    shape = tuple(tensor.dims)
    if tensor.HasField("raw_data"):
        raw = tensor.raw_data
        if len(raw) != expected:
            raise ValueError(f"it holds {len(raw)} bytes, but is said to be {np.dtype(dtype)} of shape {shape!r:.60}")
        array = np.frombuffer(raw, np.dtype(dtype).newbyteorder("<"))
    else:
        numbers = getattr(tensor, field)
        if len(numbers) != prod(shape):
            raise ValueError(f"it holds {len(numbers)} numbers, but is said to be of shape {shape!r:.60}")
        if tensor.data_type in (_FLOAT16, _BFLOAT16):  # their bits, in a field of integers
            array = np.array(numbers, np.int64).astype(np.uint16).view(dtype)
        else:
            array = np.array(numbers, np.int64 if field == "int32_data" else dtype).astype(dtype)
    if tensor.data_type == _BFLOAT16:  # the first half of a float32
        array = (array.astype(np.uint32) << 16).view(np.float32)
    return array.reshape(shape)
