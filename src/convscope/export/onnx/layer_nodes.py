"""Write the ONNX operators of each layer. Maps are (N, C, H, W) in the graph, vectors (N, units).

A map may be flattened as it is, so that no Transpose is needed. Its numbers then stand in another order than ours, the
`order` of a `NodeOutput`. Layers of single numbers pass it on, and put their own numbers in that order. The next dense
layer ends it: it puts the rows of its kernel in that order, and its output has ours.

Two pixels of two channels are a0 b0 | a1 b1 in our order, and a0 a1 | b0 b1 as (N, C, H, W): the order is 0 2 1 3, and
the dense layer's kernel is written as its rows 0 2 1 3.
"""

from dataclasses import dataclass, field
from math import prod, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Shape
from convscope.base.errors import InterchangeError
from convscope.interchange.activations import ACTIVATION_FORMS
from convscope.interchange.onnx_files.versions import require
from convscope.training.folding import FoldedStage, compute_scale_and_shift, read_padding


@dataclass(eq=False)
class OnnxGraph:
    """The nodes of a graph in their order, and their constants; `dtype` is float32 or float16."""

    dtype: np.dtype[Any]
    opset: int
    nodes: list[Any] = field(default_factory=list)
    initializers: dict[str, NDArray[Any]] = field(default_factory=dict)

    def add_node(self, operator: str, inputs: list[str], name: str, output: str, **attributes: Any) -> str:
        """Add a node and return the name of its output."""
        helper = require("onnx.helper")
        self.nodes.append(helper.make_node(operator, inputs, [output], name=name, **attributes))
        return output

    def add_weight(self, name: str, array: NDArray[Any]) -> str:
        """Add a constant in the graph's type and return its name; raises `InterchangeError` beyond its range."""
        with np.errstate(over="ignore"):
            rounded = array.astype(self.dtype)
        if not np.isfinite(rounded).all():
            raise InterchangeError(
                f"{name} holds {np.abs(array).max():.4g}, which exceeds the range of {self.dtype}; write float32"
            )
        return self.add_constant(name, rounded)

    def add_constant(self, name: str, array: NDArray[Any]) -> str:
        """Add a constant as it is and return its name."""
        self.initializers[name] = array
        return name


@dataclass(frozen=True, eq=False)
class NodeOutput:
    """The output of a node: its name in the graph, its shape in our layout, and the order of a vector's numbers.

    Attributes:
        order: (n,), the positions of the vector's numbers in our order; None if the orders are equal.
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
    """Add the nodes of a stage, without a softmax, and return its output.

    Args:
        second: the earlier output that an `Add`, a `Multiply`, a `Concatenate` or a `Branch` reads.
        order: the order in which a `Flatten` may leave its numbers; None for ours.
        output: the name of the stage's output.
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
    value = _add_without_activation(graph, stage, source, second, order, linear)
    return _add_activation(graph, stage, value, output) if has_activation else value


def _add_without_activation(
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
            graph.add_node("Conv", inputs, name, output, group=group, **_format_window(stage))
        case "MaxPooling2D":
            # Padding by name: ONNX Runtime 1.21 to 1.30 moves the zeros of an earlier Pad into `pads`, where they no
            # longer take part in the maximum, and refuses the file where they are as many as the kernel.
            window = {key: value for key, value in _format_window(stage).items() if key != "pads"}
            # By numbers where windows miss the last pixels: it would count a negative padding, and refuse that.
            axes = zip(stage.input_shape, shape, stage.layer.window.strides, stage.layer.window.size, strict=False)
            if any((count - 1) * stride + size < pixels for pixels, count, stride, size in axes):
                padding: dict[str, Any] = {"pads": list(read_padding(stage))}
            else:
                padding = {"auto_pad": "SAME_UPPER" if stage.layer.padding == "same" else "VALID"}
            graph.add_node("MaxPool", [source.name], name, output, **padding, **window)
        case "AveragePooling2D":
            graph.add_node("AveragePool", [source.name], name, output, count_include_pad=0, **_format_window(stage))
        case "GlobalMaxPooling2D" | "GlobalAveragePooling2D":
            operator = "GlobalMaxPool" if stage.kind == "GlobalMaxPooling2D" else "GlobalAveragePool"
            pooled = graph.add_node(operator, [source.name], name, f"{name}/pooled")
            _flatten(graph, pooled, f"{name}/reshape", f"{name}/shape", shape, output)
        case "ZeroPadding2D":
            (top, bottom), (left, right) = stage.layer.padding  # ONNX lists the beginnings of N, C, H, W, then the ends
            amounts = graph.add_constant(f"{name}/padding", np.array([0, 0, top, left, 0, 0, bottom, right], np.int64))
            graph.add_node("Pad", [source.name, amounts], name, output, mode="constant")
        case "Flatten":
            maps = source.name
            if order is None:
                maps = move_channels_last(graph, source, f"{name}/transpose", f"{name}/nhwc")
            _flatten(graph, maps, name, f"{name}/shape", shape, output)
            return NodeOutput(output, shape, order)
        case "Add" | "Multiply" | "Concatenate":
            assert second is not None
            # `find_flatten_order` keeps our order where another layer reads a vector.
            assert second.order is None
            assert source.order is None
            if stage.kind == "Multiply" and len(source.shape) < len(shape):  # a number for each channel, (N, C, 1, 1)
                pixel = graph.add_constant(f"{name}/shape", np.array([0, shape[2], 1, 1], np.int64))
                source = NodeOutput(
                    graph.add_node("Reshape", [source.name, pixel], f"{name}/reshape", f"{name}/factors"), shape
                )
            if stage.kind != "Concatenate":
                graph.add_node("Add" if stage.kind == "Add" else "Mul", [second.name, source.name], name, output)
            else:
                graph.add_node("Concat", [second.name, source.name], name, output, axis=1)  # the earlier output first
        case "SoftVoting":
            assert source.order is None
            _soft_voting(graph, stage, source, output)
        case "BatchNormalization":
            _batch_normalization(graph, stage, source, output)
            return NodeOutput(output, shape, source.order)
        case "LayerNormalization" | "GroupNormalization":
            _normalize_sets(graph, stage, source, output)
            return NodeOutput(output, shape, source.order)
        case "PReLU":
            alpha = stage.weights["alpha"] if source.order is None else stage.weights["alpha"][source.order]
            slopes = graph.add_weight(f"{name}/alpha", alpha.reshape(-1, *[1] * (len(shape) - 1)))  # (C, 1, 1) for maps
            graph.add_node("PRelu", [source.name, slopes], name, output)
            return NodeOutput(output, shape, source.order)
        case "Dense":
            kernel = stage.weights["kernel"]
            inputs = [graph.add_weight(f"{name}/kernel", kernel if source.order is None else kernel[source.order])]
            if "bias" in stage.weights:
                inputs.append(graph.add_weight(f"{name}/bias", stage.weights["bias"]))
            graph.add_node("Gemm", [source.name, *inputs], name, output)
        case _:
            raise AssertionError(stage.kind)
    return NodeOutput(output, shape)


def move_channels_last(graph: OnnxGraph, source: NodeOutput, name: str, output: str) -> str:
    """Transpose maps to our order (H, W, C), unless their numbers have it already; return the name."""
    if keeps_number_order(source.shape):
        return source.name
    return graph.add_node("Transpose", [source.name], name, output, perm=[0, 2, 3, 1])


def _flatten(graph: OnnxGraph, source: str, name: str, constant: str, shape: Shape, output: str) -> None:
    """Flatten maps to vectors (N, units)."""
    # By a Reshape, as the quantiser would leave a Flatten in float32. A 0 keeps the number of images.
    graph.add_node("Reshape", [source, graph.add_constant(constant, np.array([0, *shape], np.int64))], name, output)


def _convolution_weights(graph: OnnxGraph, stage: FoldedStage) -> list[str]:
    """Add kernel (filters, C / group, rows, columns) and bias (filters,), and return their names."""
    kernel = stage.weights["kernel"]
    if stage.kind == "DepthwiseConv2D":
        kernel = kernel.reshape(*kernel.shape[:2], 1, -1)  # (U, V, C, M) → (U, V, 1, C · M): output c · M + m
    names = [graph.add_weight(f"{stage.name}/kernel", kernel.transpose(3, 2, 0, 1))]
    if "bias" in stage.weights:
        names.append(graph.add_weight(f"{stage.name}/bias", stage.weights["bias"]))
    return names


def _format_window(stage: FoldedStage) -> dict[str, Any]:
    window = stage.layer.window
    dilations = {} if window.dilation == (1, 1) else {"dilations": list(window.dilation)}
    return {
        "kernel_shape": list(window.size),
        "strides": list(window.strides),
        "pads": list(read_padding(stage)),
        **dilations,
    }


def _batch_normalization(graph: OnnxGraph, stage: FoldedStage, source: NodeOutput, output: str) -> None:
    name, weights = stage.name, dict(stage.weights)
    if source.order is not None:
        weights = {key: array[source.order] for key, array in weights.items()}
    epsilon, momentum = stage.layer.epsilon, stage.layer.momentum
    if graph.dtype == np.float16:
        # A small variance becomes 0 in float16. So gamma is divided by its root here, and the variance becomes 1.
        factor, shift = compute_scale_and_shift(stage)
        if source.order is not None:
            factor, shift = factor[source.order], shift[source.order]
        ones, zeros = np.ones_like(factor), np.zeros_like(factor)
        weights = {"gamma": factor, "beta": shift, "moving_mean": zeros, "moving_variance": ones}
        epsilon = 0.0
    inputs = [
        graph.add_weight(f"{name}/{key}", weights[key]) for key in ("gamma", "beta", "moving_mean", "moving_variance")
    ]
    graph.add_node("BatchNormalization", [source.name, *inputs], name, output, epsilon=epsilon, momentum=momentum)


def _normalize_sets(graph: OnnxGraph, stage: FoldedStage, source: NodeOutput, output: str) -> None:
    """Normalise the sets of numbers (N, sets, numbers of a set), then scale and shift the channels.

    A set is a pixel, or a group of channels. InstanceNormalization normalises each set in every opset;
    LayerNormalization only exists from 17 on, and GroupNormalization from 21.
    """
    name, shape, is_maps = stage.name, stage.input_shape, len(stage.input_shape) == 3
    is_group = stage.kind == "GroupNormalization"
    pixels = prod(shape[:-1])
    sets = stage.layer.groups if is_group else pixels
    maps, moves = source.name, is_maps and not is_group and not keeps_number_order(shape)
    if moves:
        maps = graph.add_node("Transpose", [maps], f"{name}/transpose", f"{name}/nhwc", perm=[0, 2, 3, 1])
    set_shape = graph.add_constant(f"{name}/sets", np.array([0, sets, -1], np.int64))
    value = graph.add_node("Reshape", [maps, set_shape], f"{name}/split", f"{name}/split/y")
    ones, zeros = (graph.add_weight(f"{name}/{key}", np.full(sets, n)) for key, n in (("ones", 1.0), ("zeros", 0.0)))
    value = graph.add_node(
        "InstanceNormalization", [value, ones, zeros], f"{name}/norm", f"{name}/norm/y", epsilon=stage.layer.epsilon
    )
    channels_last = [*shape[:2], shape[2]] if moves else [shape[-1], *shape[:-1]]
    whole = graph.add_constant(f"{name}/shape", np.array([0, *channels_last], np.int64))
    value = graph.add_node("Reshape", [value, whole], f"{name}/join", f"{name}/join/y")
    if moves:
        value = graph.add_node("Transpose", [value], f"{name}/back", f"{name}/nchw", perm=[0, 3, 1, 2])
    for key, operator in (("gamma", "Mul"), ("beta", "Add")):
        weight = stage.weights[key] if source.order is None else stage.weights[key][source.order]
        constant = graph.add_weight(f"{name}/{key}", weight.reshape(-1, *[1] * (len(shape) - 1)))
        end = output if key == "beta" else f"{name}/scaled"
        value = graph.add_node(operator, [value, constant], name if key == "beta" else f"{name}/mul", end)


def _soft_voting(graph: OnnxGraph, stage: FoldedStage, source: NodeOutput, output: str) -> None:
    """Compute log Σ_i p[i] - log members + the mean of log Σ_k exp over the members, of logits (N, members, K).

    The last term, one number for all classes, changes no probability: it makes equal members have their own logits as
    the result (see `convscope.architecture.layers.SoftVoting`).
    """
    name, members = stage.name, stage.layer.members
    shape = graph.add_constant(f"{name}/shape", np.array([0, members, *stage.output_shape], np.int64))
    logits = graph.add_node("Reshape", [source.name, shape], f"{name}/reshape", f"{name}/logits")
    logarithms = graph.add_node("LogSoftmax", [logits], f"{name}/log_softmax", f"{name}/logarithms", axis=2)
    # log Σ_k exp, the same number for all classes.
    sums = graph.add_node("Sub", [logits, logarithms], f"{name}/sub", f"{name}/sums")
    # From opset 18 on, ReduceMean and ReduceLogSumExp read their axes from an input instead of an attribute.
    reduced = []
    for operator, value, axes in (("ReduceLogSumExp", logarithms, [1]), ("ReduceMean", sums, [1, 2])):
        inputs, attributes = [value], {}
        if graph.opset < 18:
            attributes["axes"] = axes
        else:
            inputs.append(graph.add_constant(f"{name}/{operator}/axes", np.array(axes, np.int64)))
        keeps = int(operator == "ReduceMean")
        node_name = f"{name}/{operator}"
        reduced.append(graph.add_node(operator, inputs, node_name, f"{node_name}/y", keepdims=keeps, **attributes))
    flat = graph.add_constant(f"{name}/flat", np.array([0, 1], np.int64))  # the mean (N, 1, 1) becomes (N, 1)
    mean = graph.add_node("Reshape", [reduced[1], flat], f"{name}/mean", f"{name}/mean/y")
    votes = graph.add_node("Add", [reduced[0], mean], f"{name}/add", f"{name}/votes")
    graph.add_node("Sub", [votes, graph.add_weight(f"{name}/log_members", np.log([members]))], name, output)


def _add_activation(graph: OnnxGraph, stage: FoldedStage, source: NodeOutput, output: str) -> NodeOutput:
    """Add the nodes of a stage's activation."""
    name = stage.name if stage.kind == "Activation" else f"{stage.name}/{stage.activation}"
    match stage.activation:
        case "leaky_relu":
            graph.add_node("LeakyRelu", [source.name], name, output, alpha=stage.slope)
        case "relu6":
            prefix = f"{stage.name}/relu6"
            bounds = [graph.add_weight(f"{prefix}/{key}", np.array(n)) for key, n in (("least", 0), ("most", 6))]
            graph.add_node("Clip", [source.name, *bounds], name, output)
        case "gelu" if graph.opset >= 20:
            graph.add_node("Gelu", [source.name], name, output)
        case "gelu":
            _gelu(graph, source.name, stage.name, name, output)
        case _:
            forms = ACTIVATION_FORMS[stage.activation]
            if forms.is_factor:  # x · sigmoid(x), x · hard_sigmoid(x)
                share = f"{stage.name}/{stage.activation}/share"
                graph.add_node(forms.onnx, [source.name], share, share, **forms.attributes)
                graph.add_node("Mul", [source.name, share], name, output)
            else:
                graph.add_node(forms.onnx, [source.name], name, output, **forms.attributes)
    return NodeOutput(output, source.shape, source.order)


def _gelu(graph: OnnxGraph, source: str, layer: str, name: str, output: str) -> None:
    """Compute x · (1 + erf(x / √2)) · 1/2, in the order that ONNX Runtime recognises and fuses."""
    root, unit, half = (
        graph.add_weight(f"{layer}/gelu/{key}", np.array(number))
        for key, number in (("root", sqrt(2)), ("one", 1.0), ("half", 0.5))
    )
    quotient = graph.add_node("Div", [source, root], f"{layer}/gelu/div", f"{layer}/gelu/quotient")
    error = graph.add_node("Erf", [quotient], f"{layer}/gelu/erf", f"{layer}/gelu/error")
    share = graph.add_node("Add", [error, unit], f"{layer}/gelu/add", f"{layer}/gelu/share")
    product = graph.add_node("Mul", [source, share], f"{layer}/gelu/mul", f"{layer}/gelu/product")
    graph.add_node("Mul", [product, half], name, output)


def keeps_number_order(shape: Shape) -> bool:
    """True if maps of `shape` hold their numbers in the same order as (C, H, W) and as (H, W, C)."""
    return shape[2] == 1 or prod(shape[:2]) == 1
