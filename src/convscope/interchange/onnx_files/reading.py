"""Read an ONNX file of any program as layers."""

from dataclasses import replace
from pathlib import Path

from convscope.interchange.imported import Imported
from convscope.interchange.onnx_files.graph import read_graph
from convscope.interchange.onnx_files.protos import read_proto
from convscope.interchange.refusal import class_names_in, prefix_errors
from convscope.interchange.translation.network import build_network


def read_onnx(
    path: Path | str, *, image_shape: tuple[int, int, int] | None = None, output: str | None = None
) -> Imported:
    """Return the network in the ONNX file at `path` as layers and weights of ours.

    Nothing in the file is run, and no other file is opened but one beside it that holds its weights. docs/onnx.md lists
    the operators that are read.

    Args:
        image_shape: (H, W, C), where the file leaves the size of its images open or takes them as vectors.
        output: the name of the output that is a number for each class, of a file with several.

    Returns:
        a network that is given what the file is given; these are bytes where the file's input is bytes or it divides by
        so much itself, which a note says.

    Raises:
        InterchangeError: if the file is missing, damaged, too large, or computes what no layers do: every such node is
            named with what would be needed.
        ConvscopeError: if `onnx` is not installed.
    """
    path = Path(path)
    proto, beside = read_proto(path)
    with prefix_errors(str(path)):
        network = build_network(read_graph(proto), image_shape, output)
    properties = {prop.key: prop.value for prop in proto.metadata_props}
    writer = " ".join(filter(None, (proto.producer_name, proto.producer_version)))
    names = class_names_in(properties.get("class_names", ""), network.architecture.num_classes)
    program = f"{writer[:40]} (ONNX)" if writer else "ONNX"
    return replace(network, class_names=names, program=program, weights_file=beside)
