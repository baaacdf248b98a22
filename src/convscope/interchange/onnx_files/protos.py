"""The bytes of an ONNX file as a message, if it is of a bounded size and of what is read or run here; and its numbers.

Nothing that a file names is opened: what would lie in other files is refused.
"""

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.errors import InterchangeError
from convscope.interchange.onnx_files.versions import need
from convscope.interchange.onnx_files.wire import check_wire

MAX_BYTES = 1 << 28
"""Of a file: a thousand times a network of this package."""


def read_proto(path: Path) -> Any:
    """Return the `onnx.ModelProto` in the file at `path`.

    Raises:
        InterchangeError: if the file is missing, too large, damaged, or needs other files.
        ConvscopeError: if `onnx` is not installed.
    """
    onnx = need("onnx")
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InterchangeError(f"{path}: cannot be read ({error.strerror}); give an existing ONNX file") from error
    if len(content) > MAX_BYTES:
        raise InterchangeError(f"{path}: larger than {MAX_BYTES >> 20} MiB; only small networks are read")
    try:
        # A message of a few bytes may take a hundred in memory, so they are counted before they are made.
        check_wire(content, onnx.ModelProto.DESCRIPTOR)
        proto = onnx.load_model_from_string(content)
    except ValueError as error:
        raise InterchangeError(f"{path}: damaged or not an ONNX file ({error}); use another copy") from error
    except Exception as error:
        if type(error).__name__ != "DecodeError":  # of protobuf, which the onnx package brings
            raise
        raise InterchangeError(f"{path}: damaged or not an ONNX file (not a message); use another copy") from error
    if not proto.HasField("graph") or not proto.graph.node:
        raise InterchangeError(f"{path}: holds no network; use another copy")
    for tensor in _tensors(proto.graph):
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            raise InterchangeError(
                f"{path}: the data of {tensor.name!r:.80} are in another file, which is never opened; save the model "
                "with all data in one file"
            )
    return proto


def _tensors(graph: Any) -> Iterator[Any]:
    """Yield every tensor of a graph and of the graphs within it, however deep."""
    graphs = [graph]
    while graphs:
        graph = graphs.pop()
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
        for node in graph.node:
            for attribute in node.attribute:
                yield attribute.t
                yield from attribute.tensors
                for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                    yield from (sparse.values, sparse.indices)
                graphs.extend([attribute.g, *attribute.graphs])


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


def tensor_array(tensor: Any) -> NDArray[Any]:
    """Return the numbers of a `TensorProto`; bfloat16 comes as float32.

    Raises:
        ValueError: if it is of another type, or does not hold as many numbers as its shape says.
    """
    if tensor.data_type not in _TYPES:
        raise ValueError(f"its type has number {tensor.data_type}, which is not a type of weights")
    if tensor.HasField("segment"):
        raise ValueError("it is a part of a tensor")
    dtype, field = _TYPES[tensor.data_type]
    shape = tuple(tensor.dims)
    if len(shape) > _MAX_AXES or any(size < 0 for size in shape):
        raise ValueError(f"its shape is {shape!r:.60}")
    if tensor.HasField("raw_data"):
        raw = tensor.raw_data
        if len(raw) != prod(shape) * np.dtype(dtype).itemsize:
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
