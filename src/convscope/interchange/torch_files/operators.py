"""Each operator of PyTorch that is read, in ONNX's terms: one function an operator.

Sources: native_functions.yaml of PyTorch for the arguments and their defaults, ONNX's Operators.md for the other side.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.interchange.torch_files.calls import FLOAT_TYPES, Call, Tensor
from convscope.interchange.translation.nodes import Node
from convscope.interchange.translation.state import BATCH

Constants = dict[str, NDArray[Any]]
_ONNX_TYPES: Mapping[int, int] = {1: 2, 6: 10, 7: 1, 8: 11, 13: 16}
"""By PyTorch's number of a type, that of ONNX; whatever is missing is a whole number."""
_WHOLE = 7
_ON_WHOLE_NUMBERS = "Arithmetic of whole numbers"


def translated(call: Call) -> tuple[list[Node], Constants]:
    """Return the nodes that compute what a call does, and the constants that they read."""
    constants: Constants = {}
    function = _OPERATORS.get(call.operator) if not call.library else None
    if function is None:
        operator = _UNREAD.get(call.operator, call.operator)
        given = [value.name for value in call.arguments.values() if isinstance(value, Tensor)]
        return [_node(call, operator, given, domain=call.library)], constants
    return function(call, constants), constants


def _node(
    call: Call, operator: str, inputs: list[str], *, domain: str = "", output: str = "", **attributes: Any
) -> Node:
    outputs = (output,) if output else tuple(name or f"{call.outputs[0]}/{i}" for i, name in enumerate(call.outputs))
    while inputs and not inputs[-1]:
        inputs = inputs[:-1]
    return Node(operator, "", call.label, tuple(inputs), outputs, attributes, domain)


def _constant(call: Call, constants: Constants, what: str, array: Any) -> str:
    name = f"{call.outputs[0]}/{what}"
    constants[name] = np.asarray(array)
    return name


def _plain(operator: str, **names: str) -> Callable[[Call, Constants], list[Node]]:
    """Return what says an operator of one input; `names`: the attributes, and what PyTorch calls them."""

    def say(call: Call, _: Constants) -> list[Node]:
        attributes = {ours: call.get(theirs) for ours, theirs in names.items() if call.get(theirs) is not None}
        return [_node(call, operator, [call.first.name], **attributes)]

    return say


def _convolution(call: Call, _: Constants) -> list[Node]:
    if call.get("transposed", False):
        return [_node(call, "ConvTranspose", [call.first.name])]
    padding = call.get("padding", 0)
    attributes: dict[str, Any] = {"auto_pad": "SAME_UPPER" if padding == "same" else "NOTSET"}
    if not isinstance(padding, str):
        attributes["pads"] = call.pair("padding", 0) * 2
    attributes |= {"strides": call.pair("stride", 1), "dilations": call.pair("dilation", 1)}
    inputs = [call.first.name, call.name("weight"), call.name("bias")]
    return [_node(call, "Conv", inputs, group=call.get("groups", 1), **attributes)]


def _batch_norm(call: Call, constants: Constants) -> list[Node]:
    mean = call.arguments.get("running_mean")
    inputs = [call.first.name]
    for name, number in (("weight", 1), ("bias", 0)):
        given = call.name(name)
        if not given and isinstance(mean, Tensor):
            # One number seen as many: the file alone says how many.
            many = np.broadcast_to(np.float32(number), [size or 0 for size in mean.value.sizes])
            given = _constant(call, constants, name, many)
        inputs.append(given)
    inputs += [call.name("running_mean"), call.name("running_var")]
    is_training = bool(call.get("training", False))
    momentum = 1 - float(call.get("momentum", 0.1))  # PyTorch counts the share of the new, ONNX that of the old
    epsilon = float(call.get("eps", 1e-5))
    return [_node(call, "BatchNormalization", inputs, training_mode=is_training, epsilon=epsilon, momentum=momentum)]


def _clip(**defaults: float | None) -> Callable[[Call, Constants], list[Node]]:
    """Return what says a Clip; `defaults`: what PyTorch calls the lower and the upper bound, and what they are."""

    def say(call: Call, constants: Constants) -> list[Node]:
        inputs = [call.first.name]
        for name, default in defaults.items():
            bound = call.get(name, default)
            is_number = bound is not None and not isinstance(bound, Tensor)
            inputs.append(_constant(call, constants, name, np.float32(bound)) if is_number else call.name(name))
        return [_node(call, "Clip", inputs)]

    return say


def _elu(call: Call, _: Constants) -> list[Node]:
    if call.get("scale", 1) != 1 or call.get("input_scale", 1) != 1:
        return [_node(call, "Selu", [call.first.name])]
    return [_node(call, "Elu", [call.first.name], alpha=float(call.get("alpha", 1)))]


def _prelu(call: Call, constants: Constants) -> list[Node]:
    shape = np.array([-1] + [1] * (len(call.first.value.sizes) - 2), np.int64)  # behind the batch
    slopes = f"{call.outputs[0]}/slopes"
    return [
        _node(call, "Reshape", [call.name("weight"), _constant(call, constants, "shape", shape)], output=slopes),
        _node(call, "PRelu", [call.first.name, slopes]),
    ]


def _greater(call: Call, constants: Constants) -> list[Node]:
    bound = call.name("other") or _constant(call, constants, "other", np.float32(call.get("other")))
    return [_node(call, "Greater", [call.first.name, bound])]


def _where(call: Call, _: Constants) -> list[Node]:
    return [_node(call, "Where", [call.name(name) for name in ("condition", "self", "other")])]


def _hard_sigmoid(call: Call, _: Constants) -> list[Node]:
    return [_node(call, "HardSigmoid", [call.first.name], alpha=1 / 6, beta=0.5)]


def _pool(operator: str) -> Callable[[Call, Constants], list[Node]]:
    def say(call: Call, _: Constants) -> list[Node]:
        if call.get("divisor_override") is not None:
            return [_node(call, "AveragePool with another divisor", [call.first.name])]
        size = call.pair("kernel_size", 1)
        attributes: dict[str, Any] = {
            "kernel_shape": size,
            "strides": call.pair("stride", size),
            "pads": call.pair("padding", 0) * 2,
            "dilations": call.pair("dilation", 1),
            "ceil_mode": int(call.get("ceil_mode", False)),
        }
        if operator == "AveragePool":
            attributes["count_include_pad"] = int(call.get("count_include_pad", True))
        return [_node(call, operator, [call.first.name], **attributes)]

    return say


def _adaptive_pool(kind: str) -> Callable[[Call, Constants], list[Node]]:
    def say(call: Call, _: Constants) -> list[Node]:
        wanted, given = call.pair("output_size", 1), call.first.value.sizes[-2:]
        if wanted == [1, 1]:
            return [_node(call, f"Global{kind}Pool", [call.first.name])]
        if any(not size or size % number for size, number in zip(given, wanted, strict=True)):
            return [_node(call, f"Pooling of {given} to {wanted}", [call.first.name])]
        size = [(size or 1) // number for size, number in zip(given, wanted, strict=True)]
        return [_node(call, f"{kind}Pool", [call.first.name], kernel_shape=size, strides=size)]

    return say


def _reduce(operator: str) -> Callable[[Call, Constants], list[Node]]:
    def say(call: Call, _: Constants) -> list[Node]:
        axes = call.get("dim", [])
        axes = axes if isinstance(axes, list) else [axes]
        return [_node(call, operator, [call.first.name], axes=axes, keepdims=int(call.get("keepdim", False)))]

    return say


def _concatenation(call: Call, _: Constants) -> list[Node]:
    tensors = call.get("tensors", [])
    if not tensors or not all(isinstance(tensor, Tensor) for tensor in tensors):
        raise ValueError(f"{call.label} has no list of inputs")
    return [_node(call, "Concat", [tensor.name for tensor in tensors], axis=call.get("dim", 0))]


def _linear(call: Call, _: Constants) -> list[Node]:
    return [_node(call, "Gemm", [call.first.name, call.name("weight"), call.name("bias")], transB=1)]


def _addmm(call: Call, _: Constants) -> list[Node]:
    inputs = [call.name("mat1"), call.name("mat2"), call.name("self")]
    return [_node(call, "Gemm", inputs, alpha=float(call.get("alpha", 1)), beta=float(call.get("beta", 1)))]


def _matmul(call: Call, _: Constants) -> list[Node]:
    return [_node(call, "MatMul", [call.first.name, call.name("mat2") or call.name("other")])]


def _reshape(call: Call, constants: Constants) -> list[Node]:
    sizes = call.result.sizes
    shape = [(BATCH if axis == 0 else -1) if size is None else size for axis, size in enumerate(sizes)]
    return [_node(call, "Reshape", [call.first.name, _constant(call, constants, "shape", np.array(shape, np.int64))])]


def _permute(call: Call, _: Constants) -> list[Node]:
    rank = len(call.first.value.sizes)
    axes = list(range(rank))
    if call.operator == "permute":
        axes = [axis % rank for axis in call.get("dims")]
    elif rank > 1:
        first, second = (call.get(name, default) % rank for name, default in (("dim0", 0), ("dim1", 1)))
        axes[first], axes[second] = axes[second], axes[first]
    return [_node(call, "Transpose", [call.first.name], perm=axes)]


def _cast(call: Call, _: Constants) -> list[Node]:
    return [_node(call, "Cast", [call.first.name], to=_ONNX_TYPES.get(call.result.type, _WHOLE))]


def _arithmetic(operator: str) -> Callable[[Call, Constants], list[Node]]:
    def say(call: Call, constants: Constants) -> list[Node]:
        if call.result.type not in FLOAT_TYPES or call.get("rounding_mode") is not None:
            return [_node(call, _ON_WHOLE_NUMBERS, [call.first.name])]
        other, nodes = call.get("other"), []
        name = call.name("other") or _constant(call, constants, "other", np.float32(other))
        alpha = call.get("alpha", 1)
        if alpha != 1 and call.operator == "rsub":
            return [_node(call, "Sub of a multiple", [call.first.name])]
        if alpha != 1:
            share = f"{call.outputs[0]}/share"
            nodes.append(
                _node(call, "Mul", [name, _constant(call, constants, "alpha", np.float32(alpha))], output=share)
            )
            name = share
        inputs = [name, call.first.name] if call.operator == "rsub" else [call.first.name, name]
        return [*nodes, _node(call, operator, inputs)]

    return say


def _pad(call: Call, _: Constants) -> list[Node]:
    rank, given = len(call.first.value.sizes), call.get("pad")
    before, after = [0] * rank, [0] * rank
    for place in range(len(given) // 2):  # the last axis first
        before[rank - 1 - place], after[rank - 1 - place] = given[2 * place], given[2 * place + 1]
    attributes = {"pads": before + after, "value": float(call.get("value", 0)), "mode": call.get("mode", "constant")}
    return [_node(call, "Pad", [call.first.name], **attributes)]


def _select(call: Call, constants: Constants) -> list[Node]:
    index = _constant(call, constants, "index", np.array(call.get("index"), np.int64))
    return [_node(call, "Gather", [call.first.name, index], axis=call.get("dim"))]


def _softmax(operator: str) -> Callable[[Call, Constants], list[Node]]:
    return _plain(operator, axis="dim")


_SHAPES = ("view", "_unsafe_view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze")
_DROPOUTS = ("dropout", "feature_dropout", "native_dropout", "alpha_dropout", "feature_alpha_dropout")
VIEWS = frozenset(
    (*_SHAPES, *_DROPOUTS, "permute", "transpose", "t", "alias", "detach", "contiguous", "to", "select", "expand")
)
"""What may give other names to the same numbers."""
_OPERATORS: Mapping[str, Callable[[Call, Constants], list[Node]]] = {
    **dict.fromkeys(("conv2d", "convolution"), _convolution),
    **dict.fromkeys(
        ("batch_norm", "_native_batch_norm_legit_no_training", "_native_batch_norm_legit", "native_batch_norm"),
        _batch_norm,
    ),
    **dict.fromkeys(("max_pool2d", "max_pool2d_with_indices"), _pool("MaxPool")),
    "avg_pool2d": _pool("AveragePool"),
    **dict.fromkeys(("adaptive_avg_pool2d", "_adaptive_avg_pool2d"), _adaptive_pool("Average")),
    "adaptive_max_pool2d": _adaptive_pool("Max"),
    "mean": _reduce("ReduceMean"),
    "amax": _reduce("ReduceMax"),
    "linear": _linear,
    "addmm": _addmm,
    **dict.fromkeys(("mm", "matmul"), _matmul),
    **dict.fromkeys(_SHAPES, _reshape),
    **dict.fromkeys(("permute", "transpose", "t", "numpy_T"), _permute),
    **dict.fromkeys(("to", "_to_copy", "type_as"), _cast),
    **dict.fromkeys(
        ("clone", "contiguous", "detach", "alias", "lift_fresh_copy", *_DROPOUTS),
        _plain("Identity"),
    ),
    **dict.fromkeys(("cat", "concat", "concatenate"), _concatenation),
    "add": _arithmetic("Add"),
    "sub": _arithmetic("Sub"),
    "rsub": _arithmetic("Sub"),
    "mul": _arithmetic("Mul"),
    "div": _arithmetic("Div"),
    "neg": _plain("Neg"),
    "erf": _plain("Erf"),
    "log": _plain("Log"),
    "sqrt": _plain("Sqrt"),
    "relu": _plain("Relu"),
    "leaky_relu": _plain("LeakyRelu", alpha="negative_slope"),
    **dict.fromkeys(("clamp", "clamp_min", "clamp_max"), _clip(min=None, max=None)),
    "hardtanh": _clip(min_val=-1, max_val=1),
    "relu6": _clip(min_val=0, max_val=6),
    "elu": _elu,
    "prelu": _prelu,
    "gt": _greater,
    "where": _where,
    "silu": _plain("Swish"),
    "hardswish": _plain("HardSwish"),
    "hardsigmoid": _hard_sigmoid,
    "gelu": _plain("Gelu", approximate="approximate"),
    "tanh": _plain("Tanh"),
    "sigmoid": _plain("Sigmoid"),
    **dict.fromkeys(("softmax", "_softmax"), _softmax("Softmax")),
    **dict.fromkeys(("log_softmax", "_log_softmax"), _softmax("LogSoftmax")),
    "argmax": _plain("ArgMax", axis="dim"),
    **dict.fromkeys(("pad", "constant_pad_nd"), _pad),
    "select": _select,
}
_UNREAD: Mapping[str, str] = {
    "selu": "Selu",
    "mish": "Mish",
}
"""What ONNX calls operators that are not read, for what is said of them."""
