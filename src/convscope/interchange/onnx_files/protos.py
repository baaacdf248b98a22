"""Parse an ONNX file of bounded size into a protobuf message.

No file that it names is opened, except one in the same folder with its weights (`external`).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from convscope.interchange.onnx_files.external import read_external_data
from convscope.interchange.onnx_files.versions import require
from convscope.interchange.onnx_files.wire import check_wire
from convscope.interchange.refusal import ModelFileError, open_model_file

MAX_BYTES = 1 << 28
"""The limit for a file: a thousand times the size of a typical network of this package."""


def read_proto(path: Path) -> tuple[Any, Path | None]:
    """Read the `onnx.ModelProto` at `path`, and the path of a second file with its weights, if it has one.

    Raises:
        InterchangeError: if a file is missing, too large, damaged, or in another folder.
        ConvscopeError: if `onnx` is not installed.
    """
    onnx = require("onnx")
    with open_model_file(path) as file:
        content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ModelFileError(f"larger than {MAX_BYTES >> 20} MiB; only small networks are read")
        try:
            # An empty message takes two bytes in the file and a hundred in memory, so they are counted before parsing.
            check_wire(content, onnx.ModelProto.DESCRIPTOR)
            proto = onnx.load_model_from_string(content)
        except ValueError as error:
            raise ModelFileError(f"damaged or not an ONNX file ({error}); use another copy") from error
        except Exception as error:
            if type(error).__name__ != "DecodeError":  # a class of protobuf, which is only installed with onnx
                raise
            raise ModelFileError("damaged or not an ONNX file (not a message); use another copy") from error
        if not proto.HasField("graph") or not proto.graph.node:
            raise ModelFileError("holds no network; use another copy")
        external = [tensor for tensor in proto.graph.initializer if tensor.data_location == onnx.TensorProto.EXTERNAL]
        weights_file = read_external_data(path, external, MAX_BYTES) if external else None
        # Tensors in attributes and in nested graphs are not weights. None may name a file, which `onnx` would open.
        for tensor in _iterate_tensors(proto.graph):
            if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
                raise ModelFileError(
                    f"the data of {tensor.name!r:.80} are in another file, though it is no weight of the network; "
                    "save the model with all data in one file"
                )
    return proto, weights_file


def _iterate_tensors(graph: Any) -> Iterator[Any]:
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
