"""Read the numbers of an ONNX tensor, checked against its type and shape."""

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.interchange.onnx_files.versions import require

_MAX_AXES = 8
# float32, uint8, int8, int32, int64, bool, float16, float64, bfloat16
_ITEM_BYTES = {1: 4, 2: 1, 3: 1, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 16: 2}
"""The size of a number of each type that is read, by the type's number in `TensorProto.DataType`."""
_BFLOAT16 = 16


def count_bytes(tensor: Any) -> int:
    """Compute the bytes of a `TensorProto` by its type and shape; raises as `read_tensor`."""
    if tensor.data_type not in _ITEM_BYTES:
        raise ValueError(f"its type has number {tensor.data_type}, which is not a type of weights")
    shape = tuple(tensor.dims)
    if len(shape) > _MAX_AXES or any(size < 0 for size in shape):
        raise ValueError(f"its shape is {shape!r:.60}")
    return int(prod(shape) * _ITEM_BYTES[tensor.data_type])


def read_tensor(tensor: Any) -> NDArray[Any]:
    """Read the numbers of a `TensorProto`; bfloat16 becomes float32.

    Raises ValueError for other types, and if the number of bytes does not fit the shape.
    """
    expected = count_bytes(tensor)
    # Numbers that are not in raw_data are in a list, whose length `to_array` compares with the shape.
    if tensor.HasField("raw_data") and len(tensor.raw_data) != expected:
        raise ValueError(f"it holds {len(tensor.raw_data)} bytes, but its type and shape need {expected}")
    array: NDArray[Any] = require("onnx.numpy_helper").to_array(tensor)
    return array.astype(np.float32) if tensor.data_type == _BFLOAT16 else array
