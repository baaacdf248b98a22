"""Translate each operator of TensorFlow Lite to those of ONNX, one function for each kind.

Maps have their channels last here and first in ONNX, so an operator on maps goes between two Transposes. An option for
which ONNX has no operator becomes a node whose operator does not exist, such as "Softmax with beta 2": the shared
translation refuses it by that name, together with all other unsupported nodes.

Operators and their options have the numbers of tensorflow/compiler/mlir/lite/schema/schema.fbs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from convscope.interchange.activations import ACTIVATION_FORMS, ONNX_ACTIVATIONS
from convscope.interchange.tflite_files.flatbuffer import Table
from convscope.interchange.tflite_files.tensors import WHOLE, Tensor
from convscope.interchange.translation.nodes import NodeBuilder
from convscope.interchange.translation.state import BATCH

_TO_CHANNELS_FIRST, _TO_CHANNELS_LAST = [0, 3, 1, 2], [0, 2, 3, 1]  # (N, H, W, C) to (N, C, H, W), and back
_FUSED = {1: "Relu", 2: "Clip", 3: "Clip", 4: "Tanh", 5: "Sign"}  # by the number of an ActivationFunctionType
_LIMITS = {2: (-1.0, 1.0), 3: (0.0, 6.0)}  # RELU_N1_TO_1 and RELU6
_PADDING = {0: "SAME_UPPER", 1: "VALID"}
_MAX_INTEGERS = 60  # integers of a constant; shapes, axes and paddings have far fewer


@dataclass(eq=False)
class Call(NodeBuilder):
    """An operator with its input and output tensors.

    Attributes:
        options: the operator's table of options in the schema; None if all have their defaults.
        names: the unique names of all tensors.
    """

    name: str
    inputs: list[int]
    outputs: list[int]
    options: Table | None
    tensors: list[Tensor]
    names: list[str]

    def tensor(self, position: int) -> Tensor:
        return self.tensors[self.inputs[position]]

    def input_name(self, position: int) -> str:
        """Look up the name of an input; "" if it is left out."""
        left_out = position >= len(self.inputs) or self.inputs[position] < 0
        return "" if left_out else self.names[self.inputs[position]]

    def whole(self, option: int, kind: str = "i", default: int = 0) -> int:
        return default if self.options is None else self.options.whole(option, kind, default)

    def activate(self, value: str, activation: int) -> None:
        """Apply the fused activation to a value, and make this the operator's result."""
        # The two limits of a Clip; other activations have none, and so no attributes.
        attributes: dict[str, Any] = dict(zip(("min", "max"), _LIMITS.get(activation, ()), strict=False))
        operator = "Identity" if activation == 0 else _FUSED.get(activation, f"Activation {activation}")
        self.end(operator, [value], **attributes)

    def compute_on_maps(self, operator: str, weights: list[str], activation: int, **attributes: Any) -> None:
        """Add an operator on maps, with the channels first."""
        maps = self.step("Transpose", [self.input_name(0)], perm=_TO_CHANNELS_FIRST)
        maps = self.step(operator, [maps, *weights], **attributes)
        self.activate(self.step("Transpose", [maps], perm=_TO_CHANNELS_LAST), activation)

    def shape(self, sizes: Any) -> str:
        """Add a constant shape and return its name; the first open size is that of the batch, another follows."""
        numbers = [(-1 if axis else BATCH) if size is None else size for axis, size in enumerate(sizes)]
        return self.constant("shape", np.array(numbers, np.int64))

    def integers(self, position: int) -> list[int]:
        """Read an input that must be constant whole numbers."""
        return [int(number) for number in self.tensor(position).array().ravel()[:_MAX_INTEGERS]]


def _window(call: Call, **options: int) -> dict[str, Any]:
    """Read padding and strides, and further pairs (rows, columns) by the number of their option for rows.

    The schema lists the width before the height: strides are options 1 (columns) and 2 (rows), and `dilations=5` are
    options 4 and 5.
    """
    window: dict[str, Any] = {"auto_pad": _PADDING.get(call.whole(0, "b"), "unknown")}
    window["strides"] = [call.whole(2), call.whole(1)]
    return window | {
        name: [call.whole(rows, default=1), call.whole(rows - 1, default=1)] for name, rows in options.items()
    }


def _conv(call: Call) -> None:  # options: 0 padding, 1 and 2 strides, 3 activation, 4 and 5 dilations
    kernel, channels = call.tensor(1).array(), call.tensor(0).shape[-1]
    # Groups are not stored: the kernel's channels tell how many there are.
    group = channels // kernel.shape[-1] if kernel.shape[-1] else 0
    weights = [call.constant("kernel", kernel.transpose(0, 3, 1, 2)), call.input_name(2)]  # (F, U, V, C) → (F, C, U, V)
    call.compute_on_maps("Conv", weights, call.whole(3, "b"), group=group, **_window(call, dilations=5))


def _depthwise(call: Call) -> None:  # options: as `_conv`, but 3 the multiplier, 4 activation, 5 and 6 dilations
    kernel, channels = call.tensor(1).array(), call.tensor(0).shape[-1]
    # (1, U, V, C · M) → (C · M, 1, U, V): each of the C groups has M filters.
    weights = [call.constant("kernel", kernel.transpose(3, 0, 1, 2)), call.input_name(2)]
    call.compute_on_maps("Conv", weights, call.whole(4, "b"), group=channels, **_window(call, dilations=6))


def _pool(operator: str, call: Call) -> None:  # options: 0 padding, 1 and 2 strides, 3 and 4 window, 5 activation
    call.compute_on_maps(operator, [], call.whole(5, "b"), **_window(call, kernel_shape=4))


def _dense(call: Call) -> None:
    kernel = call.tensor(1)  # (units, inputs), so it is transposed
    vectors = call.step("Reshape", [call.input_name(0), call.shape((None, kernel.shape[-1]))])
    call.activate(call.step("Gemm", [vectors, call.input_name(1), call.input_name(2)], transB=1), call.whole(0, "b"))


def _arithmetic(operator: str, call: Call) -> None:
    call.activate(call.step(operator, [call.input_name(0), call.input_name(1)]), call.whole(0, "b"))


def _plain(operator: str, call: Call, **attributes: Any) -> None:
    """Translate an operator with one input and no options."""
    call.end(operator, [call.input_name(0)], **attributes)


def _leaky_relu(call: Call) -> None:
    slope = 0.0 if call.options is None else float(call.options.number(0, "f"))
    call.end("LeakyRelu", [call.input_name(0)], alpha=slope)


def _gelu(call: Call) -> None:
    call.end("Gelu", [call.input_name(0)], approximate="tanh" if call.whole(0, "b") else "none")


def _softmax(call: Call) -> None:
    beta = 0.0 if call.options is None else float(call.options.number(0, "f"))
    call.end("Softmax" if beta == 1 else f"Softmax with beta {beta:.6g}", [call.input_name(0)], axis=-1)


def _reduce(operator: str, call: Call) -> None:
    call.end(operator, [call.input_name(0)], axes=call.integers(1), keepdims=call.whole(0, "b"))


def _pad(call: Call) -> None:
    pairs = np.array(call.integers(1), np.int64).reshape(-1, 2)  # (before, after) for each axis
    value = ["", call.input_name(2)] if call.name == "PADV2" else []
    # ONNX lists all befores, then all afters.
    call.end("Pad", [call.input_name(0), *value], pads=[int(pad) for pad in pairs.T.ravel()])


def _transpose(call: Call) -> None:
    call.end("Transpose", [call.input_name(0)], perm=call.integers(1))


def _reshape(call: Call) -> None:
    input_sizes, sizes = call.tensor(0).sizes, call.tensors[call.outputs[0]].sizes
    if input_sizes[:1] + sizes[:1] in ((1, 1), (None, 1), (1, None)):  # a file gives 1 for the batch, or leaves it open
        sizes = (None, *sizes[1:])
    call.end("Reshape", [call.input_name(0), call.shape(sizes)])


def _concatenation(call: Call) -> None:
    parts = [call.input_name(position) for position in range(len(call.inputs))]
    call.activate(call.step("Concat", parts, axis=call.whole(0)), call.whole(1, "b"))


def _inputs(operator: str, call: Call) -> None:
    """Translate an operator with several inputs and no options."""
    call.end(operator, [call.input_name(position) for position in range(len(call.inputs))])


def _inverse_root(call: Call) -> None:
    call.end("Reciprocal", [call.step("Sqrt", [call.input_name(0)])])


def _square(call: Call) -> None:
    """Translate SQUARE, and SQUARED_DIFFERENCE, which has two inputs."""
    number = call.input_name(0) if len(call.inputs) == 1 else call.step("Sub", [call.input_name(0), call.input_name(1)])
    call.end("Mul", [number, number])


def _arg_max(call: Call) -> None:
    call.end("ArgMax", [call.input_name(0)], axis=call.integers(1)[0])


DEQUANTIZE = 6
OPERATORS: Mapping[int, tuple[str, Callable[[Call], None]]] = {
    **{
        number: (title, partial(_plain, operator))
        for operator, name in ONNX_ACTIVATIONS.items()
        for number, title in filter(None, [ACTIVATION_FORMS[name].tflite])
    },
    0: ("ADD", partial(_arithmetic, "Add")),
    1: ("AVERAGE_POOL_2D", partial(_pool, "AveragePool")),
    2: ("CONCATENATION", _concatenation),
    3: ("CONV_2D", _conv),
    4: ("DEPTHWISE_CONV_2D", _depthwise),
    DEQUANTIZE: ("DEQUANTIZE", partial(_plain, "Identity")),
    9: ("FULLY_CONNECTED", _dense),
    17: ("MAX_POOL_2D", partial(_pool, "MaxPool")),
    18: ("MUL", partial(_arithmetic, "Mul")),
    21: ("RELU6", partial(_plain, "Clip", min=0.0, max=6.0)),
    22: ("RESHAPE", _reshape),
    25: ("SOFTMAX", _softmax),
    34: ("PAD", _pad),
    39: ("TRANSPOSE", _transpose),
    40: ("MEAN", partial(_reduce, "ReduceMean")),
    41: ("SUB", partial(_arithmetic, "Sub")),
    42: ("DIV", partial(_arithmetic, "Div")),
    43: ("SQUEEZE", _reshape),
    50: ("LOG_SOFTMAX", partial(_plain, "LogSoftmax", axis=-1)),
    47: ("EXP", partial(_plain, "Exp")),
    53: ("CAST", partial(_plain, "Identity")),
    54: ("PRELU", partial(_inputs, "PRelu")),
    56: ("ARG_MAX", _arg_max),
    55: ("MAXIMUM", partial(_inputs, "Max")),
    57: ("MINIMUM", partial(_inputs, "Min")),
    59: ("NEG", partial(_plain, "Neg")),
    60: ("PADV2", _pad),
    61: ("GREATER", partial(_inputs, "Greater")),
    64: ("SELECT", partial(_inputs, "Where")),
    70: ("EXPAND_DIMS", _reshape),
    73: ("LOG", partial(_plain, "Log")),
    75: ("SQRT", partial(_plain, "Sqrt")),
    76: ("RSQRT", _inverse_root),
    82: ("REDUCE_MAX", partial(_reduce, "ReduceMax")),
    92: ("SQUARE", _square),
    98: ("LEAKY_RELU", _leaky_relu),
    99: ("SQUARED_DIFFERENCE", _square),
    114: ("QUANTIZE", partial(_plain, "Identity")),
    123: ("SELECT_V2", partial(_inputs, "Where")),
    150: ("GELU", _gelu),
}
"""(name, function that translates it) of each operator, by the operator's number."""


def translate(call: Call, number: int, custom: str) -> None:
    """Add the nodes that compute a call, and their constants, to the call."""
    if number in OPERATORS:
        OPERATORS[number][1](call)
        return
    inputs = [call.input_name(position) for position in range(len(call.inputs))]
    call.end(custom or f"operator {number}", [name for name in inputs if name], "custom" if custom else "")


def operator_name(number: int, custom: str) -> str:
    """Name an operator as TensorFlow Lite does."""
    return OPERATORS[number][0] if number in OPERATORS else repr(custom)[:40] if custom else f"operator {number}"


def computes_sizes(call: Call) -> bool:
    """True if a call only computes sizes, which the file states for every tensor anyway."""
    return call.name != "ARG_MAX" and all(call.tensors[number].type in WHOLE for number in call.outputs)
