"""Read the graph of an ONNX file as plain values."""

from typing import Any

from convscope.interchange.onnx_files.tensors import read_tensor
from convscope.interchange.onnx_files.versions import READ_OPSETS
from convscope.interchange.refusal import ModelFileError, list_names
from convscope.interchange.translation.nodes import Graph, ImageInput, Node, Sizes

_TYPES = {1: "float32", 2: "uint8", 10: "float16", 11: "float64"}  # by the numbers of TensorProto.DataType
_FLOAT, _INT, _STRING, _TENSOR, _FLOATS, _INTS = 1, 2, 3, 4, 6, 7  # the numbers of AttributeProto.AttributeType
_FIELDS = {_FLOAT: "f", _INT: "i", _STRING: "s", _TENSOR: "t", _FLOATS: "floats", _INTS: "ints"}
_DEFAULT_DOMAINS = ("", "ai.onnx")


def read_graph(proto: Any) -> Graph:
    """Read the graph of a `ModelProto`.

    Raises:
        ModelFileError: if it redefines operators, has an unsupported opset, or not one input.
    """
    if any(function.domain in _DEFAULT_DOMAINS for function in proto.functions):
        raise ModelFileError("it defines its own ONNX operators; export it again without functions")
    graph = proto.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    return Graph(
        tuple(_read_node(node, number) for number, node in enumerate(graph.node)),
        _read_image(graph, set(weights)),
        {output.name: _read_sizes(output.type.tensor_type) for output in graph.output},
        frozenset(weights),
        lambda name: read_tensor(weights[name]),
        _read_opset(proto),
        constants_advice="; simplify the file (onnxsim) and try again",
    )


def _read_opset(proto: Any) -> int:
    """Read the version of ONNX's own operators."""
    versions = [opset.version for opset in proto.opset_import if opset.domain in _DEFAULT_DOMAINS]
    if len(versions) != 1 or versions[0] not in READ_OPSETS:
        raise ModelFileError(
            f"its opset is {versions}; one from {READ_OPSETS[0]} to {READ_OPSETS[-1]} is needed: export it again, or "
            "convert it by `onnx.version_converter.convert_version(onnx.load(FILE), 17)` and `onnx.save`"
        )
    return int(versions[0])


def _read_image(graph: Any, weights: set[str]) -> ImageInput:
    """Read the one input of a graph; raises `ModelFileError` if there are several or none."""
    inputs = [value for value in graph.input if value.name not in weights]  # before IR version 4, weights were inputs
    if len(inputs) != 1:
        names = list_names(value.name for value in inputs)
        raise ModelFileError(f"it has {len(inputs)} inputs ({names}); it must have one, the images")
    tensor = inputs[0].type.tensor_type
    if tensor.elem_type not in _TYPES:
        raise ModelFileError(
            f"input {inputs[0].name!r:.60} is of type {tensor.elem_type}; floating-point numbers or bytes are needed"
        )
    return ImageInput(inputs[0].name, _read_sizes(tensor) or (), _TYPES[tensor.elem_type] == "uint8")


def _read_sizes(tensor: Any) -> Sizes | None:
    if not tensor.HasField("shape"):
        return None
    return tuple(dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else None for dim in tensor.shape.dim)


def _read_node(proto: Any, number: int) -> Node:
    """Read a `NodeProto`."""
    # An attribute that cannot be read becomes None: most are never used, and a converter that needs one refuses None.
    attributes: dict[str, Any] = {}
    for attribute in proto.attribute:
        if attribute.type == _TENSOR:
            try:
                attributes[attribute.name] = read_tensor(attribute.t)
            except ValueError:
                attributes[attribute.name] = None
        elif attribute.type in _FIELDS:
            value = getattr(attribute, _FIELDS[attribute.type])
            attributes[attribute.name] = list(value) if attribute.type in (_FLOATS, _INTS) else value
        else:
            attributes[attribute.name] = None
    name = f"{proto.name!r:.60}" if proto.name else f"number {number}"
    operator = proto.op_type if proto.op_type.isidentifier() else repr(proto.op_type)
    label = f"{name} ({operator:.40})"
    domain = "" if proto.domain in _DEFAULT_DOMAINS else proto.domain
    return Node(proto.op_type, proto.name, label, tuple(proto.input), tuple(proto.output), attributes, domain)
