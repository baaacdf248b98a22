"""Read an ONNX file of any program as layers."""

from dataclasses import replace
from pathlib import Path

from convscope.interchange.imported import ROUNDS, Imported
from convscope.interchange.onnx_files.graph import read_graph
from convscope.interchange.onnx_files.protos import read_proto
from convscope.interchange.onnx_files.quantized import dequantize
from convscope.interchange.refusal import parse_class_names, prefix_errors
from convscope.interchange.translation.image import Size
from convscope.interchange.translation.network import build_network


def read_onnx(path: Path | str, *, image_shape: Size | None = None, output: str | None = None) -> Imported:
    """Read the network in an ONNX file; arguments and errors as of `read_network`.

    No other file is opened, except one in the same folder with the weights. docs/onnx.md lists the operators that are
    read. Raises ConvscopeError if `onnx` is not installed.
    """
    path = Path(path)
    proto, weights_file = read_proto(path)
    with prefix_errors(str(path)):
        graph = read_graph(proto)
        floats = dequantize(graph)
        network = build_network(floats or graph, image_shape, output)
    if floats is not None:
        network = replace(network, notes=(*network.notes, ROUNDS))
    properties = {prop.key: prop.value for prop in proto.metadata_props}
    writer = " ".join(filter(None, (proto.producer_name, proto.producer_version)))
    names = parse_class_names(properties.get("class_names", ""), network.architecture.num_classes)
    program = f"{writer[:40]} (ONNX)" if writer else "ONNX"
    return replace(network, class_names=names, program=program, weights_file=weights_file)
