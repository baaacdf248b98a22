"""Read tensors of PyTorch from the bytes of their storage."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

BFLOAT16 = "bfloat16"  # NumPy has no such type
TYPES: Mapping[int, str] = {
    1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32", 8: "float64", 12: "bool",
    13: BFLOAT16,
}  # fmt: skip
"""The types that are read, by their numbers in a description. Source: ScalarType in torch/_export/serde/schema.py."""
NUMBER_BYTES = 8
"""The size of the largest of these types."""
_MAX_AXES = 8  # weights have at most four


def read_strided_array(
    content: bytes, dtype: str, offset: int, shape: Sequence[int], strides: Sequence[int]
) -> NDArray[Any]:
    """View a tensor in the storage `content`; bfloat16 becomes float32.

    Args:
        offset, strides: in numbers, not bytes.

    Raises:
        ValueError: if the tensor does not lie within the storage.
    """
    if len(shape) != len(strides) or len(shape) > _MAX_AXES or min([offset, *shape, *strides]) < 0:
        raise ValueError(f"its shape is {shape!r:.60} with strides {strides!r:.60} at {offset}")
    if 0 in shape:
        return np.zeros(shape, np.float32 if dtype == BFLOAT16 else dtype)
    numbers = np.frombuffer(content, np.dtype("uint16" if dtype == BFLOAT16 else dtype).newbyteorder("<"))
    # The last number is at offset + Σ (size - 1) · stride. `as_strided` does not check that it is in the storage.
    end = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True)) + 1
    if end > len(numbers):
        raise ValueError(f"it needs {end:,} numbers of {dtype}, but its storage has {len(numbers):,}")
    if dtype == BFLOAT16:  # the upper 16 bits of a float32
        numbers = (numbers.astype(np.uint32) << 16).view(np.float32)
    steps = [stride * numbers.itemsize for stride in strides]
    return as_strided(numbers[offset:], tuple(shape), steps, writeable=False)
