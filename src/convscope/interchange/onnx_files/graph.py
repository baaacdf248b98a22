"""The graph of an ONNX file as plain values."""

from typing import Any

from convscope.interchange.onnx_files.tensors import tensor_array
from convscope.interchange.onnx_files.versions import READ_OPSETS
from convscope.interchange.refusal import ModelFileError
from convscope.interchange.translation.nodes import Graph, ImageInput, Node, Sizes

_TYPES = {1: "float32", 2: "uint8", 10: "float16", 11: "float64"}  # of TensorProto.DataType
_FLOAT, _INT, _STRING, _TENSOR, _FLOATS, _INTS = 1, 2, 3, 4, 6, 7  # as AttributeProto.AttributeType numbers them
_FIELDS = {_FLOAT: "f", _INT: "i", _STRING: "s", _TENSOR: "t", _FLOATS: "floats", _INTS: "ints"}
_DEFAULT_DOMAINS = ("", "ai.onnx")


def read_graph(proto: Any) -> Graph:
    """Return the graph of a `ModelProto`.

    Raises:
        ModelFileError: if it has functions in place of operators, another opset, or another input than one image.
    """
    if any(function.domain in _DEFAULT_DOMAINS for function in proto.functions):
        raise ModelFileError("it defines its own ONNX operators; export it again without functions")
    graph = proto.graph
    weights = {proto_part.name: proto_part for proto_part in graph.initializer}
    return Graph(
        tuple(_node(proto_part, number) for number, proto_part in enumerate(graph.node)),
        _image(graph, set(weights)),
        {proto_part.name: _sizes(proto_part.type.tensor_type) for proto_part in graph.output},
        frozenset(weights),
        lambda name: tensor_array(weights[name]),
        _opset(proto),
    )


def _opset(proto: Any) -> int:
    """Return the version of ONNX's own operators."""
    versions = [opset.version for opset in proto.opset_import if opset.domain in _DEFAULT_DOMAINS]
    if len(versions) != 1 or versions[0] not in READ_OPSETS:
        raise ModelFileError(
            f"its opset is {versions}; one from {READ_OPSETS[0]} to {READ_OPSETS[-1]} is needed: export it again"
        )
    return int(versions[0])


def _image(graph: Any, weights: set[str]) -> ImageInput:
    """Return the one input of a graph; raises `ModelFileError` if there is another number of them."""
    inputs = [value for value in graph.input if value.name not in weights]
    if len(inputs) != 1:
        names = ", ".join(f"{value.name!r:.40}" for value in inputs[:5]) or "none"
        raise ModelFileError(f"it has {len(inputs)} inputs ({names}); it must have one, the images")
    tensor = inputs[0].type.tensor_type
    if tensor.elem_type not in _TYPES:
        raise ModelFileError(
            f"input {inputs[0].name!r:.60} is of type {tensor.elem_type}; floating-point numbers or bytes are needed"
        )
    return ImageInput(inputs[0].name, _sizes(tensor) or (), _TYPES[tensor.elem_type] == "uint8")


def _sizes(tensor: Any) -> Sizes | None:
    if not tensor.HasField("shape"):
        return None
    return tuple(dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else None for dim in tensor.shape.dim)


def _node(proto: Any, number: int) -> Node:
    """Return a `NodeProto` as a node; an attribute that it cannot hold is refused when it is asked for."""
    attributes: dict[str, Any] = {}
    for attribute in proto.attribute:
        if attribute.type == _TENSOR:
            try:
                attributes[attribute.name] = tensor_array(attribute.t)
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
