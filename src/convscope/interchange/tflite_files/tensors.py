"""Read the tensors of a TensorFlow Lite model, and the constants as floating-point numbers.

Fields and types have the numbers of tensorflow/compiler/mlir/lite/schema/schema.fbs.
"""

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.interchange.tflite_files.flatbuffer import Table
from convscope.interchange.translation.nodes import Sizes

# The numbers of types in the schema.
FLOAT32, UINT8, INT16, INT8 = 0, 3, 7, 9
_DTYPES = {FLOAT32: "<f4", 1: "<f2", 2: "<i4", UINT8: "u1", 4: "<i8", INT16: "<i2", INT8: "i1", 10: "<f8"}
WHOLE = (2, 4)
"""int32 and int64, the types of sizes and axes."""


@dataclass(frozen=True, eq=False)
class Quantization:
    """The meaning of whole numbers: `(number - zero) * scale`, with one scale, or one for each index along an axis."""

    scales: NDArray[np.float64]
    zeros: NDArray[np.float64]
    axis: int

    def dequantize(self, numbers: NDArray[Any]) -> NDArray[np.float32]:
        """Convert whole numbers to the numbers that they stand for."""
        # So that NumPy broadcasts them: the F scales along axis 0 of a kernel (F, U, V, C) become (F, 1, 1, 1).
        shape = [-1 if axis == self.axis else 1 for axis in range(numbers.ndim)] if len(self.scales) > 1 else [1]
        scales, zeros = self.scales.reshape(shape), self.zeros.reshape(shape if len(self.zeros) > 1 else [1])
        return ((numbers.astype(np.float64) - zeros) * scales).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor.

    Attributes:
        shape: its shape, with 1 for an open number of images.
        sizes: the same with None for an open number of images.
        data: the bytes of a constant; None for other tensors.
    """

    name: str
    type: int
    shape: tuple[int, ...]
    sizes: Sizes
    data: NDArray[np.uint8] | None
    quantization: Quantization | None
    is_sparse: bool

    @property
    def num_bytes(self) -> int:
        """The size of a constant of its shape and type; 0 for a type that is not read."""
        return prod(self.shape) * np.dtype(_DTYPES[self.type]).itemsize if self.type in _DTYPES else 0

    def array(self) -> NDArray[Any]:
        """Read a constant as floating-point numbers; sizes stay whole.

        Raises:
            ValueError: if it is no constant, sparse, of another type, or has other bytes than its shape needs.
        """
        if self.data is None:
            raise ValueError("it is no constant")
        if self.is_sparse:
            raise ValueError("it is sparse; convert the model without sparsity")
        if self.type not in _DTYPES:
            raise ValueError(f"its type has number {self.type}, which is not a type of weights")
        if len(self.data) != self.num_bytes:
            raise ValueError(f"it has {len(self.data)} bytes, but its shape {self.shape} needs {self.num_bytes}")
        numbers = self.data.view(_DTYPES[self.type]).reshape(self.shape)
        if self.quantization is not None:
            return self.quantization.dequantize(numbers)
        return numbers if self.type in WHOLE else numbers.astype(np.float32)


def read_tensors(graph: Table, buffers: list[Table]) -> list[Tensor]:
    """Read the tensors of a subgraph; raises `ValueError` if one is damaged."""
    # Fields: 0 shape, 1 type, 2 buffer, 3 name, 4 quantization, 6 sparsity, 7 shape with open sizes.
    tensors = []
    for table in graph.tables(0):
        shape = tuple(int(size) for size in table.numbers(0, "<i4"))
        if any(size < 0 for size in shape) or len(shape) > 8:
            raise ValueError(f"a tensor has the shape {shape!r:.60}")
        # Field 7 has -1 for an open size. Older files lack it, and give 1 for an open number of images.
        signature = [int(size) for size in table.numbers(7, "<i4")] or shape
        sizes = tuple(None if size < 0 else size for size in signature)
        number = table.whole(2, "I")
        if number >= len(buffers):
            raise ValueError(f"a tensor is in buffer {number} of {len(buffers)}")
        data = buffers[number].numbers(0, "u1") if number else None  # buffer 0 is empty: of tensors without constants
        tensors.append(
            Tensor(
                table.text(3)[:200],
                table.whole(1, "b"),
                shape,
                sizes if len(sizes) == len(shape) else shape,
                None if data is None or not len(data) else data.view(np.uint8),
                _read_quantization(table.table(4), shape),
                table.table(6) is not None,
            )
        )
    return tensors


def _read_quantization(table: Table | None, shape: tuple[int, ...]) -> Quantization | None:
    """Read how a tensor is quantised; None if it is not. Fields: 2 scales, 3 zero points, 6 axis."""
    scales = np.zeros(0) if table is None else table.numbers(2, "<f4").astype(np.float64)
    if table is None or not len(scales):
        return None
    zeros = table.numbers(3, "<i8").astype(np.float64)
    zeros = zeros if len(zeros) else np.zeros(1)
    axis = table.whole(6)
    if len(scales) > 1 and not (0 <= axis < len(shape) and shape[axis] == len(scales)):
        raise ValueError(f"a tensor of shape {shape} has {len(scales)} scales along axis {axis}")
    if len(zeros) not in (1, len(scales)) or not np.isfinite(scales).all():
        raise ValueError(f"a tensor has {len(scales)} scales and {len(zeros)} zero points")
    return Quantization(scales, zeros, axis)
