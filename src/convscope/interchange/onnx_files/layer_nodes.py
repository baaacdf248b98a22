"""A graph that is being written, and the operators of one layer in it.

Maps stand as (N, C, H, W) in the graph, vectors as (N, units).
"""

from dataclasses import dataclass, field
from math import prod, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Shape
from convscope.base.errors import InterchangeError
from convscope.interchange.activations import ACTIVATION_FORMS
from convscope.interchange.onnx_files.folding import FoldedStage, pads, scale_and_shift
from convscope.interchange.onnx_files.versions import require


@dataclass(eq=False)
class OnnxGraph:
    """Nodes in the order in which they compute, and the constants that they read.

    Attributes:
        dtype: of weights and arithmetic, float32 or float16.
    """

    dtype: np.dtype[Any]
    opset: int
    nodes: list[Any] = field(default_factory=list)
    initializers: dict[str, NDArray[Any]] = field(default_factory=dict)

    def add(self, operator: str, inputs: list[str], name: str, output: str, **attributes: Any) -> str:
        """Add a node and return the name of its output."""
        helper = require("onnx.helper")
        self.nodes.append(helper.make_node(operator, inputs, [output], name=name, **attributes))
        return output

    def weight(self, name: str, array: NDArray[Any]) -> str:
        """Add a constant in the graph's type and return its name; raises `InterchangeError` beyond its range."""
        with np.errstate(over="ignore"):
            rounded = array.astype(self.dtype)
        if not np.isfinite(rounded).all():
            raise InterchangeError(
                f"{name} holds {np.abs(array).max():.4g}, which exceeds the range of {self.dtype}; write float32"
            )
        return self.constant(name, rounded)

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """Add a constant as it is and return its name."""
        self.initializers[name] = array
        return name


@dataclass(frozen=True, eq=False)
class NodeOutput:
    """The output of a node: its name in the graph, its shape in our layout, and the order of a vector's numbers.

    Attributes:
        order: (n,), which of our numbers stands where; None where they stand in our order.
    """

    name: str
    shape: Shape
    order: NDArray[np.int64] | None = None


def add_layer(
    graph: OnnxGraph,
    stage: FoldedStage,
    source: NodeOutput,
    second: NodeOutput | None,
    order: NDArray[np.int64] | None,
    output: str,
) -> NodeOutput:
    """Add the nodes of one stage and return what it gives, before a softmax.

    Args:
        other: the earlier output that an `Add` or a `Concatenate` reads too, and a `Branch` alone.
        order: in which a `Flatten` may leave the numbers of its maps; None: in ours.
        output: how the value that the stage gives is called.
    """
    if stage.kind == "Branch":
        assert second is not None
        return second
    if stage.kind == "Dropout" or (stage.kind == "Flatten" and len(source.shape) == 1):
        return source
    has_activation = stage.activation not in ("linear", "softmax")
    if stage.kind == "Activation":
        return _add_activation(graph, stage, source, output) if has_activation else source
    linear = f"{stage.name}/linear" if has_activation else output
    value = _linear(graph, stage, source, second, order, linear)
    return _add_activation(graph, stage, value, output) if has_activation else value


def _linear(
    graph: OnnxGraph,
    stage: FoldedStage,
    source: NodeOutput,
    second: NodeOutput | None,
    order: NDArray[np.int64] | None,
    output: str,
) -> NodeOutput:
    """Add the nodes of a stage without its activation."""
    name, shape = stage.name, stage.output_shape
    match stage.kind:
        case "Conv2D" | "DepthwiseConv2D":
            group = stage.layer.groups if stage.kind == "Conv2D" else stage.input_shape[2]
            inputs = [source.name, *_convolution_weights(graph, stage)]
            graph.add("Conv", inputs, name, output, group=group, **_window(stage))
        case "MaxPooling2D":
            graph.add("MaxPool", [source.name], name, output, **_window(stage))
        case "AveragePooling2D":
            graph.add("AveragePool", [source.name], name, output, count_include_pad=0, **_window(stage))
        case "GlobalMaxPooling2D" | "GlobalAveragePooling2D":
            operator = "GlobalMaxPool" if stage.kind == "GlobalMaxPooling2D" else "GlobalAveragePool"
            pooled = graph.add(operator, [source.name], name, f"{name}/pooled")
            _flatten(graph, pooled, f"{name}/reshape", f"{name}/shape", shape, output)
        case "ZeroPadding2D":
            (top, bottom), (left, right) = stage.layer.padding
            amounts = graph.constant(f"{name}/padding", np.array([0, 0, top, left, 0, 0, bottom, right], np.int64))
            graph.add("Pad", [source.name, amounts], name, output, mode="constant")
        case "Flatten":
            maps = source.name if order is not None else as_rows(graph, source, f"{name}/transpose", f"{name}/nhwc")
            _flatten(graph, maps, name, f"{name}/shape", shape, output)
            return NodeOutput(output, shape, order)
        case "Add":
            assert second is not None
            assert second.order is None
            assert source.order is None
            graph.add("Add", [source.name, second.name], name, output)
        case "Concatenate":
            assert second is not None
            assert second.order is None
            assert source.order is None
            graph.add("Concat", [second.name, source.name], name, output, axis=1)
        case "SoftVoting":
            assert source.order is None
            _soft_voting(graph, stage, source, output)
        case "BatchNormalization":
            _batch_normalization(graph, stage, source, output)
            return NodeOutput(output, shape, source.order)
        case "PReLU":
            alpha = stage.weights["alpha"] if source.order is None else stage.weights["alpha"][source.order]
            slopes = graph.weight(f"{name}/alpha", alpha.reshape(-1, *[1] * (len(shape) - 1)))
            graph.add("PRelu", [source.name, slopes], name, output)
            return NodeOutput(output, shape, source.order)
        case "Dense":
            kernel = stage.weights["kernel"]
            inputs = [graph.weight(f"{name}/kernel", kernel if source.order is None else kernel[source.order])]
            if "bias" in stage.weights:
                inputs.append(graph.weight(f"{name}/bias", stage.weights["bias"]))
            graph.add("Gemm", [source.name, *inputs], name, output)
        case _:
            raise AssertionError(stage.kind)
    return NodeOutput(output, shape)


def as_rows(graph: OnnxGraph, source: NodeOutput, name: str, output: str) -> str:
    """Add what brings the numbers of maps into our order (H, W, C), if they are not, and return its name."""
    if is_one_row(source.shape):
        return source.name
    return graph.add("Transpose", [source.name], name, output, perm=[0, 2, 3, 1])


def _flatten(graph: OnnxGraph, source: str, name: str, constant: str, shape: Shape, output: str) -> None:
    """Add what makes vectors (N, units) of maps; not by `Flatten`, which the quantiser leaves in float32."""
    graph.add("Reshape", [source, graph.constant(constant, np.array([0, *shape], np.int64))], name, output)


def _convolution_weights(graph: OnnxGraph, stage: FoldedStage) -> list[str]:
    """Add kernel (filters, C / group, rows, columns) and bias (filters,), and return their names."""
    kernel = stage.weights["kernel"]
    if stage.kind == "DepthwiseConv2D":
        kernel = kernel.reshape(*kernel.shape[:2], 1, -1)  # output c · M + m stands where ours does
    names = [graph.weight(f"{stage.name}/kernel", kernel.transpose(3, 2, 0, 1))]
    if "bias" in stage.weights:
        names.append(graph.weight(f"{stage.name}/bias", stage.weights["bias"]))
    return names


def _window(stage: FoldedStage) -> dict[str, Any]:
    window = stage.layer.window
    dilations = {} if window.dilation == (1, 1) else {"dilations": list(window.dilation)}
    return {"kernel_shape": list(window.size), "strides": list(window.strides), "pads": list(pads(stage)), **dilations}


def _batch_normalization(graph: OnnxGraph, stage: FoldedStage, source: NodeOutput, output: str) -> None:
    name, weights = stage.name, dict(stage.weights)
    if source.order is not None:
        weights = {key: array[source.order] for key, array in weights.items()}
    epsilon, momentum = stage.layer.epsilon, stage.layer.momentum
    if graph.dtype == np.float16:
        # A small variance is nothing in float16: the root is taken before, and 1 stands for it.
        factor, shift = scale_and_shift(stage)
        if source.order is not None:
            factor, shift = factor[source.order], shift[source.order]
        ones, zeros = np.ones_like(factor), np.zeros_like(factor)
        weights = {"gamma": factor, "beta": shift, "moving_mean": zeros, "moving_variance": ones}
        epsilon = 0.0
    inputs = [
        graph.weight(f"{name}/{key}", weights[key]) for key in ("gamma", "beta", "moving_mean", "moving_variance")
    ]
    graph.add("BatchNormalization", [source.name, *inputs], name, output, epsilon=epsilon, momentum=momentum)


def _soft_voting(graph: OnnxGraph, stage: FoldedStage, source: NodeOutput, output: str) -> None:
    """Add log Σ_i p[i] - log members + the mean of the logits' own log Σ_k exp, of logits (N, members, K)."""
    name, members = stage.name, stage.layer.members
    shape = graph.constant(f"{name}/shape", np.array([0, members, *stage.output_shape], np.int64))
    logits = graph.add("Reshape", [source.name, shape], f"{name}/reshape", f"{name}/logits")
    logarithms = graph.add("LogSoftmax", [logits], f"{name}/log_softmax", f"{name}/logarithms", axis=2)
    sums = graph.add("Sub", [logits, logarithms], f"{name}/sub", f"{name}/sums")  # the same for all classes
    # ReduceMean and ReduceLogSumExp read their axes as an input from opset 18 on, and before that as an attribute.
    reduced = []
    for operator, value, axes in (("ReduceLogSumExp", logarithms, [1]), ("ReduceMean", sums, [1, 2])):
        inputs, attributes = [value], {}
        if graph.opset < 18:
            attributes["axes"] = axes
        else:
            inputs.append(graph.constant(f"{name}/{operator}/axes", np.array(axes, np.int64)))
        keeps = int(operator == "ReduceMean")
        found = graph.add(operator, inputs, f"{name}/{operator}", f"{name}/{operator}/y", keepdims=keeps, **attributes)
        reduced.append(found)
    flat = graph.constant(f"{name}/flat", np.array([0, 1], np.int64))
    mean = graph.add("Reshape", [reduced[1], flat], f"{name}/mean", f"{name}/mean/y")
    votes = graph.add("Add", [reduced[0], mean], f"{name}/add", f"{name}/votes")
    graph.add("Sub", [votes, graph.weight(f"{name}/log_members", np.log([members]))], name, output)


def _add_activation(graph: OnnxGraph, stage: FoldedStage, source: NodeOutput, output: str) -> NodeOutput:
    """Add the nodes of a stage's activation."""
    name = stage.name if stage.kind == "Activation" else f"{stage.name}/{stage.activation}"
    match stage.activation:
        case "leaky_relu":
            graph.add("LeakyRelu", [source.name], name, output, alpha=stage.slope)
        case "relu6":
            bounds = [graph.weight(f"{stage.name}/relu6/{key}", np.array(n)) for key, n in (("least", 0), ("most", 6))]
            graph.add("Clip", [source.name, *bounds], name, output)
        case "gelu" if graph.opset >= 20:
            graph.add("Gelu", [source.name], name, output)
        case "gelu":
            _gelu(graph, source.name, stage.name, name, output)
        case _:
            forms = ACTIVATION_FORMS[stage.activation]
            if forms.is_factor:
                share = f"{stage.name}/{stage.activation}/share"
                graph.add(forms.onnx, [source.name], share, share, **forms.attributes)
                graph.add("Mul", [source.name, share], name, output)
            else:
                graph.add(forms.onnx, [source.name], name, output, **forms.attributes)
    return NodeOutput(output, source.shape, source.order)


def _gelu(graph: OnnxGraph, source: str, layer: str, name: str, output: str) -> None:
    """Add x · (1 + erf(x / √2)) · 1/2 in the order that ONNX Runtime knows and makes one operator of."""
    root, one, half = (
        graph.weight(f"{layer}/gelu/{key}", np.array(number))
        for key, number in (("root", sqrt(2)), ("one", 1.0), ("half", 0.5))
    )
    quotient = graph.add("Div", [source, root], f"{layer}/gelu/div", f"{layer}/gelu/quotient")
    error = graph.add("Erf", [quotient], f"{layer}/gelu/erf", f"{layer}/gelu/error")
    share = graph.add("Add", [error, one], f"{layer}/gelu/add", f"{layer}/gelu/share")
    product = graph.add("Mul", [source, share], f"{layer}/gelu/mul", f"{layer}/gelu/product")
    graph.add("Mul", [product, half], name, output)


def is_one_row(shape: Shape) -> bool:
    """Say whether maps of `shape` hold their numbers in the same order as (C, H, W) and as (H, W, C)."""
    return shape[2] == 1 or prod(shape[:2]) == 1
