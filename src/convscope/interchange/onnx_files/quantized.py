"""Rewrite the nodes of a quantised ONNX file as those of the float network that it stands for.

Three forms are common: float operators between `QuantizeLinear` and `DequantizeLinear`; operators on 8-bit numbers, as
`QLinearConv`; and weights in 8 bits whose inputs are quantised on the way, by `DynamicQuantizeLinear`. In all of them
an 8-bit number q stands for (q - zero) · scale. Weights become the numbers that they stand for; between layers nothing
is rounded, so a quantised number is there the number that it stands for.

Quantisers leave out a ReLU where rounding does its work: if the smallest 8-bit number stands for 0, what is below 0
becomes 0. There a ReLU is put back, unless the numbers cannot be below 0 anyway.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.interchange.translation.nodes import Graph, Node, NodeBuilder
from convscope.interchange.translation.steps import NotTranslated

_MAX_NUMBERS = 1 << 26  # of all dequantised weights; a small hostile file could dequantise one of them many times
_KEEPING = ("MaxPool", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Identity")
"""Operators whose output stands for numbers by the same scale and zero as their input."""
_POSITIVE = ("Relu", "Sigmoid", "HardSigmoid", "Softmax")
_STAY_POSITIVE = (
    *_KEEPING, "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "ReduceMean", "ReduceMax", "Add", "Mul", "Concat",
    "Pad", "Gather",
)  # fmt: skip


def dequantize(graph: Graph) -> Graph | None:
    """Rewrite a quantised graph; None if it is not quantised.

    A node that does not have the inputs of its kind is left as it is, and refused by its name later.
    """
    if not any(node.operator in _QUANTIZED for node in graph.nodes):
        return None
    return _Dequantizer(graph).run()


class _Dequantizer:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._made: dict[str, NDArray[Any]] = {
            node.outputs[0]: value
            for node in graph.nodes
            if node.operator == "Constant" and isinstance(value := node.attributes.get("value"), np.ndarray)
        }
        self._quantized = set[str]()  # 8-bit numbers in the file, here the numbers that they stand for
        # Numbers that are not below 0. For an image the question is left open, since no ReLU comes before it.
        self._positive = {graph.image.name}
        self._repeated = dict[str, tuple[int, int]]()  # the numbers of channels, with repetitions and without
        self._remaining = _MAX_NUMBERS

    def run(self) -> Graph:
        nodes = list[Node]()
        for node in self._graph.nodes:
            builder = NodeBuilder(node.label, node.outputs)
            try:
                rewrite = _REWRITES.get(node.operator)
                if rewrite is None:
                    if node.operator in _KEEPING and self._quantized & set(node.inputs[:1]):
                        self._quantized |= set(node.outputs)
                    self._note_sign(node)
                    nodes.append(node)
                    continue
                rewrite(self, node, builder)
            except (NotTranslated, ValueError, TypeError, LookupError):
                nodes.append(node)
                continue
            for made in builder.nodes:
                self._note_sign(made)
            nodes += builder.nodes
            self._made |= builder.constants
        weights = self._graph.weights | {name for name in self._made if not self._is_output(name, nodes)}
        return replace(self._graph, nodes=tuple(nodes), weights=frozenset(weights), weight=self._read)

    def _is_output(self, name: str, nodes: list[Node]) -> bool:
        return any(name in node.outputs for node in nodes)

    def _is_constant(self, name: str) -> bool:
        return name in self._made or name in self._graph.weights

    def _read(self, name: str) -> NDArray[Any]:
        return self._made[name] if name in self._made else self._graph.weight(name)

    def _dequantize(self, name: str, scale: str, zero: str = "", axis: int = 0) -> NDArray[np.float32]:
        """Compute the numbers that the 8-bit numbers of a constant stand for."""
        numbers, scales = self._read(name), self._read(scale).astype(np.float64)
        zeros = self._read(zero).astype(np.float64) if zero else np.zeros(())
        self._remaining -= numbers.size
        if self._remaining < 0:
            raise ValueError("it dequantises its weights again and again")
        shapes = [[1] * numbers.ndim for _ in range(2)]
        for array, shape in zip((scales, zeros), shapes, strict=True):
            if array.size > 1:
                shape[axis] = array.size
        scales, zeros = scales.reshape(shapes[0]), zeros.reshape(shapes[1])
        return np.asarray((numbers.astype(np.float64) - zeros) * scales, np.float32)

    def _value(self, builder: NodeBuilder, name: str, scale: str, zero: str, axis: int = 0) -> str:
        """Name the numbers that an input stands for: a weight, the output of another node, or the bytes of an image."""
        if self._is_constant(name):
            return builder.constant(f"input {name}", self._dequantize(name, scale, zero, axis))
        if name in self._quantized:
            return name
        shifted = builder.step("Sub", [name, builder.constant("zero", np.float32(self._read(zero)))]) if zero else name
        return builder.step("Mul", [shifted, builder.constant("scale", np.float32(self._read(scale)))])

    def _note_sign(self, node: Node) -> None:
        """Note if the output of a float node cannot be below 0, and pass on the number of its channels."""
        if node.operator == "Identity" and node.inputs[0] in self._repeated:
            self._repeated[node.outputs[0]] = self._repeated[node.inputs[0]]
        inputs = node.inputs if node.operator in ("Add", "Mul", "Concat") else node.inputs[:1]
        if node.operator in _POSITIVE or (
            node.operator in _STAY_POSITIVE and inputs and all(name in self._positive for name in inputs)
        ):
            self._positive |= set(node.outputs[:1])

    def _end(self, builder: NodeBuilder, scale: str, zero: str, operator: str, inputs: list[str], **extra: Any) -> None:
        """Add the last node of a quantised operator, and the ReLU that its rounding stands for."""
        zeros = self._read(zero) if zero else np.zeros((), np.uint8)
        lowest, highest = np.iinfo(zeros.dtype).min, np.iinfo(zeros.dtype).max
        self._quantized |= set(builder.results)
        is_positive = operator in _STAY_POSITIVE and self._positive.issuperset(inputs)
        if (zeros != lowest).any() or is_positive or operator in _POSITIVE:
            builder.end(operator, inputs, **extra)
            return
        value = inputs[0] if operator == "Identity" else builder.step(operator, inputs, **extra)
        top = (highest - float(lowest)) * float(self._read(scale).max())
        if abs(top - 6) < 1e-4:  # and what is above 6 becomes 6
            limits = [builder.constant(what, np.float32(limit)) for what, limit in (("low", 0), ("high", 6))]
            builder.end("Clip", [value, *limits])
        else:
            builder.end("Relu", [value])
        self._positive |= set(builder.results)

    def quantize_linear(self, node: Node, builder: NodeBuilder) -> None:
        name, scale, zero = (*node.inputs, "")[:3]
        if not self._is_constant(name):
            self._end(builder, scale, zero, "Identity", [name])
            return
        # A weight that the file rounds itself.
        numbers, scales = self._read(name), self._read(scale)
        zeros = self._read(zero) if zero else np.zeros((), np.uint8)
        shape = [1] * numbers.ndim
        if scales.size > 1:
            shape[node.int("axis", 1)] = scales.size
        rounded = np.rint(numbers / scales.reshape(shape)) + zeros.astype(np.float32).reshape(shape)
        limits = np.iinfo(zeros.dtype)
        self._made[node.outputs[0]] = np.clip(rounded, limits.min, limits.max).astype(zeros.dtype)

    def dequantize_linear(self, node: Node, builder: NodeBuilder) -> None:
        name, scale, zero = (*node.inputs, "")[:3]
        if node.int("block_size", 0):
            raise NotTranslated("has blocks")
        if self._is_constant(name):
            self._made[node.outputs[0]] = self._dequantize(name, scale, zero, node.int("axis", 1))
        else:
            builder.end("Identity", [self._value(builder, name, scale, zero)])

    def dynamic_quantize(self, node: Node, builder: NodeBuilder) -> None:
        # The numbers stay what they are, so what multiplies by the scale later must multiply by 1.
        builder.results = node.outputs[:1]
        builder.end("Identity", [node.inputs[0]])
        self._quantized.add(node.outputs[0])
        self._made |= {node.outputs[1]: np.ones((), np.float32), node.outputs[2]: np.zeros((), np.uint8)}

    def integer(self, node: Node, builder: NodeBuilder) -> None:
        """ConvInteger and MatMulInteger: whole numbers minus their zeros; a scale is multiplied in a later node."""
        unit = builder.constant("unit", np.ones((), np.float32))
        self._made[unit] = builder.constants[unit]
        axis = 0 if node.operator == "ConvInteger" else -1
        name, weight, *zeros = (*node.inputs, "", "")[:4]
        inputs = [self._value(builder, name, unit, zeros[0]), self._value(builder, weight, unit, zeros[1], axis)]
        builder.end(node.operator.removesuffix("Integer"), inputs, **node.attributes)

    def conv(self, node: Node, builder: NodeBuilder) -> None:
        x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, *bias = node.inputs
        inputs = [self._value(builder, x, x_scale, x_zero), self._value(builder, w, w_scale, w_zero)]
        inputs += [self._bias(builder, name, x_scale, w_scale) for name in bias if name]
        self._end(builder, y_scale, y_zero, "Conv", inputs, **node.attributes)

    def _bias(self, builder: NodeBuilder, name: str, x_scale: str, w_scale: str) -> str:
        scale = self._read(x_scale).astype(np.float64) * self._read(w_scale).astype(np.float64)
        return builder.constant("bias", (self._read(name).ravel() * scale.ravel()).astype(np.float32))

    def matmul(self, node: Node, builder: NodeBuilder) -> None:
        a, a_scale, a_zero, b, b_scale, b_zero, scale, zero = node.inputs
        inputs = [self._value(builder, a, a_scale, a_zero), self._value(builder, b, b_scale, b_zero, -1)]
        self._end(builder, scale, zero, "MatMul", inputs)

    def gemm(self, node: Node, builder: NodeBuilder) -> None:
        a, a_scale, a_zero, b, b_scale, b_zero, *rest = node.inputs
        axis = 0 if node.int("transB", 0) else 1
        inputs = [self._value(builder, a, a_scale, a_zero), self._value(builder, b, b_scale, b_zero, axis)]
        inputs += [self._bias(builder, name, a_scale, b_scale) for name in rest[:1] if name]
        if len(rest) > 2:
            self._end(builder, rest[1], rest[2], "Gemm", inputs, **node.attributes)
        else:  # without a scale, its output is in floats
            builder.end("Gemm", inputs, **node.attributes)

    def gather(self, node: Node, builder: NodeBuilder) -> None:
        """Leave out a Gather that repeats channels for a depthwise convolution, as `export.onnx` writes it."""
        name, indices = node.inputs[0], self._read(node.inputs[1])
        channels = int(indices.max()) + 1
        if node.int("axis", 0) != 1 or (indices != np.repeat(np.arange(channels), len(indices) // channels)).any():
            raise NotTranslated("does not repeat channels")
        builder.end("Identity", [name])
        self._repeated[node.outputs[0]] = (len(indices), channels)
        self._quantized |= self._quantized & {name} and set(node.outputs)

    def float_conv(self, node: Node, builder: NodeBuilder) -> None:
        groups, channels = self._repeated[node.inputs[0]]
        if node.int("group", 1) != groups:
            raise NotTranslated("reads repeated channels")
        builder.end("Conv", list(node.inputs), **{**node.attributes, "group": channels})

    def elementwise(self, node: Node, builder: NodeBuilder) -> None:
        """Operators whose inputs are followed by a scale and a zero each, and then those of the output."""
        is_join = node.operator == "QLinearConcat"  # begins with those of the output
        names, (scale, zero) = (node.inputs[2:], node.inputs[:2]) if is_join else (node.inputs[:-2], node.inputs[-2:])
        inputs = [self._value(builder, *triple) for triple in zip(names[::3], names[1::3], names[2::3], strict=True)]
        operator = node.operator.removeprefix("QLinear")
        if node.int("channels_last", 0):
            raise NotTranslated("has its channels last")
        attributes = {name: value for name, value in node.attributes.items() if name not in ("channels_last", "opset")}
        self._end(builder, scale, zero, operator, inputs, **attributes)


_Rewrite = Callable[[_Dequantizer, Node, NodeBuilder], None]
_QUANTIZED: Mapping[str, _Rewrite] = {
    "QuantizeLinear": _Dequantizer.quantize_linear,
    "DequantizeLinear": _Dequantizer.dequantize_linear,
    "DynamicQuantizeLinear": _Dequantizer.dynamic_quantize,
    "ConvInteger": _Dequantizer.integer,
    "MatMulInteger": _Dequantizer.integer,
    "QLinearConv": _Dequantizer.conv,
    "QLinearMatMul": _Dequantizer.matmul,
    "QGemm": _Dequantizer.gemm,
    **dict.fromkeys(
        (
            "QLinearAdd", "QLinearMul", "QLinearConcat", "QLinearAveragePool", "QLinearGlobalAveragePool",
            "QLinearLeakyRelu", "QLinearSigmoid", "QLinearSoftmax",
        ),
        _Dequantizer.elementwise,
    ),
}  # fmt: skip
_REWRITES = {**_QUANTIZED, "Gather": _Dequantizer.gather, "Conv": _Dequantizer.float_conv}
