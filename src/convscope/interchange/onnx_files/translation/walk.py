"""Walk through a graph from the image to the answer, node by node."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.errors import ArchitectureError, InterchangeError
from convscope.interchange.onnx_files.protos import tensor_array
from convscope.interchange.onnx_files.translation import constants, elementwise, shapes, windows
from convscope.interchange.onnx_files.translation.image import Size, image_input, open_image
from convscope.interchange.onnx_files.translation.nodes import Node, read_node
from convscope.interchange.onnx_files.translation.state import State
from convscope.interchange.onnx_files.translation.steps import FileTensor, NotTranslated

OPERATORS: Mapping[str, Callable[[State, Node], FileTensor | NDArray[Any]]] = {
    "Add": elementwise.arithmetic,
    "AveragePool": windows.average_pool,
    "BatchNormalization": elementwise.batch_normalization,
    "Cast": elementwise.cast,
    "CastLike": elementwise.cast_like,
    "Constant": constants.constant,
    "Conv": windows.conv,
    "Div": elementwise.arithmetic,
    "Dropout": elementwise.same,
    "Erf": elementwise.erf,
    "Erfc": elementwise.erf,
    "Flatten": shapes.flatten,
    "Gelu": elementwise.gelu,
    "Gemm": shapes.gemm,
    "GlobalAveragePool": windows.global_pool,
    "GlobalMaxPool": windows.global_pool,
    "Identity": elementwise.same,
    "LeakyRelu": elementwise.activation,
    "LogSoftmax": elementwise.softmax,
    "MatMul": shapes.matmul,
    "MaxPool": windows.max_pool,
    "Mul": elementwise.arithmetic,
    "Neg": elementwise.negative,
    "Pad": windows.pad,
    "ReduceMax": windows.reduce_maps,
    "ReduceMean": windows.reduce_maps,
    "Relu": elementwise.activation,
    "Reshape": shapes.reshape,
    "Shape": constants.shape_of,
    "Sigmoid": elementwise.activation,
    "Softmax": elementwise.softmax,
    "Squeeze": shapes.squeeze,
    "Sub": elementwise.arithmetic,
    "Tanh": elementwise.activation,
    "Transpose": shapes.transpose,
    "Unsqueeze": shapes.unsqueeze,
}
"""What is read, and by what. Of constants alone, also `_ON_CONSTANTS`."""
_ON_CONSTANTS = ("Concat", "Expand", "Gather", "Slice", "Sqrt")
_FLOATS = "8-bit numbers are not supported; import the float model it was made from"
_OTHER_ACTIVATION = "no layer does that; Relu, LeakyRelu, Gelu, Tanh and Sigmoid are"
_NEEDED: Mapping[str, str] = {
    **dict.fromkeys(("QuantizeLinear", "DequantizeLinear", "QLinearConv", "ConvInteger", "MatMulInteger"), _FLOATS),
    **dict.fromkeys(("Clip", "Elu", "Selu", "PRelu", "HardSwish", "HardSigmoid", "Swish", "Mish"), _OTHER_ACTIVATION),
    **dict.fromkeys(("If", "Loop", "Scan"), "nested graphs are not supported; export the network for inference"),
    "Concat": "branches can be added but not concatenated; use Add",
}
_MOST_TOLD = 10
_DEFAULT_DOMAINS = ("", "ai.onnx")


@dataclass(frozen=True, eq=False)
class Translated:
    """What a graph computes: the value at its end, and what was noted on the way."""

    end: FileTensor
    is_bytes: bool
    notes: tuple[str, ...]
    state: State


def translate(proto: Any, opset: int, image_shape: Size | None) -> Translated:
    """Return what the graph of a `ModelProto` computes.

    Raises:
        InterchangeError: naming every node that has no layer, each with what would be needed; or the input or output.
    """
    graph = proto.graph
    nodes = [read_node(each, number) for number, each in enumerate(graph.node)]
    initializers = {each.name: each for each in graph.initializer}
    given = image_input(graph, set(initializers))
    end = _output(graph, nodes)
    used = _needed_nodes(nodes, end, {given.name, *initializers})
    faults = _unknown(used, graph)
    if faults:
        raise InterchangeError(_told(faults))
    readers = Counter(name for node in used for name in node.inputs)
    readers[end] += 1
    state = State(opset, given.batch, readers, _constants(initializers, readers))
    if len(used) < len(nodes):
        state.notes.append(f"{len(nodes) - len(used)} nodes do not lead to {end!r:.60} and were left out")
    state.values[given.name] = open_image(given, used, image_shape, state.work, state.notes)
    with np.errstate(all="ignore"):
        faults = _walk(state, used)
    if faults:
        raise InterchangeError(_told(faults))
    if end not in state.values:
        raise InterchangeError(f"output {end!r:.60} does not depend on the images")
    return Translated(state.values[end], given.is_bytes, tuple(state.notes), state)


def _walk(state: State, nodes: Sequence[Node]) -> list[str]:
    """Translate one node after the other; return what is wrong with those that have no layer."""
    faults: list[str] = []
    failed: set[str] = set()
    for node in nodes:
        if failed & set(node.inputs):  # told already
            failed |= set(node.outputs)
            continue
        try:
            result = _translated(state, node)
        except NotTranslated as error:
            faults.append(f"{node.label} {error}")
        except ArchitectureError as error:
            faults.append(f"{node.label} has no layer: {error}")
        except (ValueError, TypeError, LookupError, ArithmeticError) as error:
            faults.append(f"{node.label} has attributes or inputs that do not fit each other ({error!r:.80})")
        else:
            if isinstance(result, FileTensor):
                state.values[node.outputs[0]] = _read_by(result, state.readers[node.outputs[0]])
            else:
                state.constants[node.outputs[0]] = result
            continue
        failed |= set(node.outputs)
    return faults


def _translated(state: State, node: Node) -> FileTensor | NDArray[Any]:
    inputs = [name for name in node.inputs if name]
    if node.operator == "Constant" or (inputs and all(name in state.constants for name in inputs)):
        return constants.constant(state, node) if not inputs else constants.evaluate(state, node)
    if node.operator in _ON_CONSTANTS:
        raise NotTranslated(_NEEDED.get(node.operator, "its input depends on the images; no layer does that"))
    return OPERATORS[node.operator](state, node)


def _read_by(value: FileTensor, readers: int) -> FileTensor:
    return replace(value, users=max(value.users, readers)) if value.is_plain else value


def _constants(initializers: Mapping[str, Any], readers: Mapping[str, int]) -> dict[str, NDArray[Any]]:
    arrays = {}
    for name, tensor in initializers.items():
        if readers.get(name):
            try:
                arrays[name] = tensor_array(tensor)
            except ValueError as error:
                raise InterchangeError(f"initializer {name!r:.60} is damaged: {error}") from error
    return arrays


def _output(graph: Any, nodes: Sequence[Node]) -> str:
    """Return the name of the output that holds the answer."""
    names = [each.name for each in graph.output]
    softmaxes = [node.outputs[0] for node in nodes if node.operator in ("Softmax", "LogSoftmax") and node.outputs]
    for candidates in (names if len(names) == 1 else [], [name for name in names if name in softmaxes], ["logits"]):
        if len(candidates) == 1 and candidates[0] in names:
            return candidates[0]
    told = ", ".join(f"{name!r:.40}" for name in names[:5]) or "none"
    raise InterchangeError(f"it has {len(names)} outputs ({told}); it must have one, or one called 'logits'")


def _needed_nodes(nodes: Sequence[Node], end: str, known: set[str]) -> list[Node]:
    """Return the nodes that lead to the output called `end`, in their order.

    Raises:
        InterchangeError: if a node reads what no earlier one gives, or two give the same.
    """
    known = {*known, ""}
    for node in nodes:
        for name in node.inputs:
            if name not in known:
                raise InterchangeError(
                    f"{node.label} needs {name!r:.60}, which no earlier node provides: an input is missing, or the "
                    "graph has a cycle"
                )
        outputs = [name for name in node.outputs if name]
        if not node.outputs or not node.outputs[0] or known & set(outputs) or len(set(outputs)) < len(outputs):
            raise InterchangeError(f"{node.label} has no output, or one that another node already has")
        known |= set(outputs)
    if end not in known:
        raise InterchangeError(f"output {end!r:.60} is not provided by any node")
    needed, used = {end}, []
    for node in reversed(nodes):
        if needed & set(node.outputs):
            used.append(node)
            needed |= set(node.inputs)
    return used[::-1]


def _unknown(nodes: Sequence[Node], graph: Any) -> list[str]:
    """Return what is wrong with nodes whose operator is none that is read."""
    domains = {tuple(each.output): each.domain for each in graph.node if each.domain not in _DEFAULT_DOMAINS}
    faults = []
    for node in nodes:
        domain = domains.get(node.outputs)
        if domain is not None:
            faults.append(f"{node.label} is an operator of {domain!r:.60}; only standard ONNX operators are supported")
        elif node.operator not in OPERATORS and node.operator not in _ON_CONSTANTS:
            faults.append(f"{node.label} is not supported: {_NEEDED.get(node.operator, 'no layer does that')}")
    return faults


def _told(faults: Sequence[str]) -> str:
    more = f"; and {len(faults) - _MOST_TOLD} more" if len(faults) > _MOST_TOLD else ""
    return f"{len(faults)} of its nodes are not supported: " + "; ".join(faults[:_MOST_TOLD]) + more
