"""Translate a graph to steps: the operators that are read, and the walk from the image to the output."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.errors import ArchitectureError
from convscope.interchange.activations import ONNX_ACTIVATIONS
from convscope.interchange.refusal import ModelFileError
from convscope.interchange.translation import activations, constants, elementwise, normalizations, shapes, windows
from convscope.interchange.translation.formulas import BENDS, LONGEST, match_formula
from convscope.interchange.translation.image import Size, open_image
from convscope.interchange.translation.nodes import Graph, Node
from convscope.interchange.translation.outputs import find_class_scores
from convscope.interchange.translation.state import State
from convscope.interchange.translation.steps import FileTensor, NotTranslated

Converter = Callable[[State, Node], FileTensor | NDArray[Any]]
OPERATORS: Mapping[str, Converter] = {
    **dict.fromkeys(("LeakyRelu", *ONNX_ACTIVATIONS), activations.activation),
    **dict.fromkeys(("Add", "Div", "Mul", "Sub"), elementwise.arithmetic),
    "AveragePool": windows.average_pool,
    "BatchNormalization": normalizations.batch_normalization,
    "Cast": elementwise.cast,
    "CastLike": elementwise.cast_like,
    "Concat": elementwise.concatenation,
    "Constant": constants.constant,
    "Conv": windows.conv,
    **dict.fromkeys(("Dropout", "Identity"), elementwise.pass_through),
    "Flatten": shapes.flatten,
    "Gelu": activations.gelu,
    "Gemm": shapes.gemm,
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool"), windows.global_pool),
    "GroupNormalization": normalizations.group_normalization,
    "HardSigmoid": activations.hard_sigmoid,
    "InstanceNormalization": normalizations.instance_normalization,
    "LayerNormalization": normalizations.layer_normalization,
    "Log": activations.log,
    **dict.fromkeys(("LogSoftmax", "Softmax"), activations.softmax),
    "MatMul": shapes.matmul,
    "MaxPool": windows.max_pool,
    "Neg": elementwise.negative,
    "PRelu": elementwise.prelu,
    "Pad": windows.pad,
    **dict.fromkeys(("ReduceMax", "ReduceMean"), windows.reduce_maps),
    "Reshape": shapes.reshape,
    "Shape": constants.shape_of,
    "Squeeze": shapes.squeeze,
    "Transpose": shapes.transpose,
    "Unsqueeze": shapes.unsqueeze,
}
"""The operators that are read, and their converters."""
_ON_CONSTANTS = ("ConstantOfShape", "Expand", "Gather", "Greater", "Pow", "Reciprocal", "Slice", "Sqrt", *BENDS)
"""Further operators that are read if all inputs are constant, some of them in formulas too."""
# What a node with an unsupported operator needs, for the error.
_QUANTIZED = "its 8-bit numbers are not those of a quantiser; import the float model it was made from"
_NEEDED: Mapping[str, str] = {
    **dict.fromkeys(("QuantizeLinear", "DequantizeLinear", "QLinearConv", "ConvInteger", "MatMulInteger"), _QUANTIZED),
    **dict.fromkeys(
        (*BENDS, "Greater"), "computes an activation that convscope does not have; docs/architecture.md lists them"
    ),
    **dict.fromkeys(("If", "Loop", "Scan"), "nested graphs are not supported; export the network for inference"),
}
_UNKNOWN = "no layer does that; docs/architecture.md lists the layers"
_MAX_LISTED_PROBLEMS = 10


def translate(graph: Graph, image_shape: Size | None, output: str | None) -> tuple[State, FileTensor]:
    """Translate a graph; return the final state and the tensor at the end.

    Raises:
        ModelFileError: for an unusable input or output, or naming every node that has no layer, with what it needs.
    """
    notes: list[str] = []
    nodes = _sort_nodes(graph)
    end = find_class_scores(graph, output, notes)
    used = _find_needed_nodes(nodes, end)
    # A file of Keras has a converter of its own, which has looked for unsupported layers already.
    if graph.convert is None and (faults := _describe_unsupported(used)):
        raise ModelFileError(list_problems(faults))
    readers = Counter(name for node in used for name in node.inputs)
    readers[end] += 1  # the file's user: a later layer must not change this value
    arrays = _read_constants(graph, readers)
    state = State(graph.opset, readers, arrays, notes=notes, constants_advice=graph.constants_advice)
    if len(used) < len(nodes):
        notes.append(f"{len(nodes) - len(used)} nodes do not lead to {end!r:.60} and were left out")
    state.values[graph.image.name] = open_image(state, graph.image, used, image_shape)
    with np.errstate(all="ignore"):  # `build_network` refuses weights that are not finite
        faults = _walk(state, used, graph.convert or _translate_node)
    if faults:
        raise ModelFileError(list_problems(faults))
    if end not in state.values:
        raise ModelFileError(f"output {end!r:.60} does not depend on the images")
    return state, state.values[end]


def _sort_nodes(graph: Graph) -> Sequence[Node]:
    """Sort nodes so that each reads what earlier ones give; raises `ModelFileError` if that is impossible.

    Two nodes that give the same value are refused too.
    """
    makers: dict[str, Node] = {}
    known = {graph.image.name, *graph.weights, ""}
    for node in graph.nodes:
        outputs = [name for name in node.outputs if name]
        has_first = bool(node.outputs and node.outputs[0])
        if not has_first or (known | makers.keys()) & {*outputs} or len({*outputs}) < len(outputs):
            raise ModelFileError(f"{node.label} has no output, or one that another node already has")
        makers |= dict.fromkeys(outputs, node)
    for node in graph.nodes:
        if unknown := [name for name in node.inputs if name not in known and name not in makers]:
            raise ModelFileError(f"{node.label} needs {unknown[0]!r:.60}, which no node provides")
    read = {node: [makers[name] for name in node.inputs if name in makers] for node in graph.nodes}
    position = {node: number for number, node in enumerate(graph.nodes)}
    if all(position[maker] < position[node] for node, makers_read in read.items() for maker in makers_read):
        return graph.nodes
    try:
        return tuple(TopologicalSorter(read).static_order())  # in another order than ONNX demands, but some have it
    except CycleError as error:
        raise ModelFileError("its nodes read each other in a circle") from error


def _walk(state: State, nodes: Sequence[Node], convert: Converter) -> list[str]:
    """Translate the nodes in their order; return a sentence for each that has no layer."""
    faults: list[str] = []
    failed: set[str] = set()
    done: dict[Node, FileTensor | NDArray[Any] | None] = {}  # the nodes of formulas; the last of each has its value
    for position, node in enumerate(nodes):
        if failed & set(node.inputs):  # the fault is in an earlier node, which is in the list
            failed |= set(node.outputs)
            continue
        is_new = node not in done and convert is _translate_node
        if is_new and (match := match_formula(state, nodes[position : position + LONGEST])) is not None:
            value, part = match
            done |= {**dict.fromkeys(part), part[-1]: value}
        result = done.get(node)
        if result is None and node in done:
            continue
        try:
            result = convert(state, node) if result is None else result
        except NotTranslated as error:
            faults.append(f"{node.label} {error}")
        except ArchitectureError as error:
            faults.append(f"{node.label} has no layer: {error}")
        except (ValueError, TypeError, LookupError, ArithmeticError) as error:
            faults.append(f"{node.label} has attributes or inputs that do not fit each other ({error!r:.80})")
        else:
            if isinstance(result, FileTensor):
                # All readers of a plain value read the step's output, so they are its users. Those of 2 · x are not
                # counted here: until the factor is applied, it is open what they read. `State.value` counts them.
                users = max(result.users, state.readers[node.outputs[0]] if result.is_plain else 0)
                state.values[node.outputs[0]] = replace(result, users=users)
            else:
                state.constants[node.outputs[0]] = result
            continue
        failed |= set(node.outputs)
    return faults


def _translate_node(state: State, node: Node) -> FileTensor | NDArray[Any]:
    """Compute a node on constants, or convert one that depends on the images."""
    inputs = [name for name in node.inputs if name]
    if node.operator == "Constant" or (inputs and all(name in state.constants for name in inputs)):
        return constants.constant(state, node) if not inputs else constants.evaluate(state, node)
    if node.operator in _ON_CONSTANTS:
        raise NotTranslated(_NEEDED.get(node.operator, "its input depends on the images; no layer does that"))
    return OPERATORS[node.operator](state, node)


def _read_constants(graph: Graph, readers: Mapping[str, int]) -> dict[str, NDArray[Any]]:
    """Read the constants that needed nodes read."""
    arrays = {}
    for name in sorted(graph.weights):
        if readers.get(name):
            try:
                arrays[name] = graph.weight(name)
            except ValueError as error:
                raise ModelFileError(f"weight {name!r:.60} is damaged: {error}") from error
    return arrays


def _find_needed_nodes(nodes: Sequence[Node], end: str) -> list[Node]:
    """List the nodes that lead to the output called `end`, in their order."""
    needed, used = {end}, []
    for node in reversed(nodes):  # the readers of an output stand after its node, so they are known by then
        if needed & set(node.outputs):
            used.append(node)
            needed |= set(node.inputs)
    return used[::-1]


def _describe_unsupported(nodes: Sequence[Node]) -> list[str]:
    """Describe the nodes with unsupported operators."""
    faults = []
    for node in nodes:
        if node.operator == "edgetpu-custom-op":
            faults.append(f"{node.label} is compiled for an Edge TPU; import the file that it was compiled from")
        elif node.domain:
            faults.append(f"{node.label} is an operator of {node.domain!r:.60}; only standard operators are supported")
        elif node.operator not in OPERATORS and node.operator not in _ON_CONSTANTS:
            faults.append(f"{node.label} is not supported: {_NEEDED.get(node.operator, _UNKNOWN)}")
    return faults


def list_problems(faults: Sequence[str], parts: str = "nodes") -> str:
    """Write the error message that lists the unsupported parts of a network."""
    listed, more = faults[:_MAX_LISTED_PROBLEMS], len(faults) - _MAX_LISTED_PROBLEMS
    end = f"; and {more} more" if more > 0 else ""
    return f"{len(faults)} of its {parts} are not supported: " + "; ".join(listed) + end
