"""Each operator of PyTorch that is read, in ONNX's terms: one function an operator.

Sources: native_functions.yaml of PyTorch for the arguments and their defaults, ONNX's Operators.md for the other side.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from convscope.interchange.activations import ACTIVATION_FORMS, ONNX_ACTIVATIONS
from convscope.interchange.torch_files.calls import FLOAT_TYPES, Call, Tensor
from convscope.interchange.translation.state import BATCH

_ONNX_TYPES: Mapping[int, int] = {1: 2, 6: 10, 7: 1, 8: 11, 13: 16}
"""By PyTorch's number of a type, that of ONNX; whatever is missing is a whole number."""
_WHOLE = 7
_ON_WHOLE_NUMBERS = "Arithmetic of whole numbers"


def translate(call: Call) -> None:
    """Put the nodes that compute what a call does, and the constants that they read, into it."""
    function = _OPERATORS.get(call.operator) if not call.library else None
    if function is not None:
        function(call)
        return
    inputs = [value.name for value in call.arguments.values() if isinstance(value, Tensor)]
    call.end(call.operator, inputs, call.library)


def _plain(operator: str, **names: str) -> Callable[[Call], None]:
    """Make the converter of an operator with one input; `names` maps its attributes to PyTorch's."""

    def say(call: Call) -> None:
        attributes = {ours: call.get(theirs) for ours, theirs in names.items() if call.get(theirs) is not None}
        call.end(operator, [call.first.name], **attributes)

    return say


def _convolution(call: Call) -> None:
    if call.get("transposed", False):
        call.end("ConvTranspose", [call.first.name])
        return
    padding = call.get("padding", 0)
    attributes: dict[str, Any] = {"auto_pad": "SAME_UPPER" if padding == "same" else "NOTSET"}
    if not isinstance(padding, str):
        attributes["pads"] = call.pair("padding", 0) * 2
    attributes |= {"strides": call.pair("stride", 1), "dilations": call.pair("dilation", 1)}
    inputs = [call.first.name, call.name("weight"), call.name("bias")]
    call.end("Conv", inputs, group=call.get("groups", 1), **attributes)


def _batch_norm(call: Call) -> None:
    mean = call.arguments.get("running_mean")
    inputs = [call.first.name]
    for name, number in (("weight", 1), ("bias", 0)):
        given = call.name(name)
        if not given and isinstance(mean, Tensor):
            # One number seen as many: the file alone says how many.
            many = np.broadcast_to(np.float32(number), [size or 0 for size in mean.value.sizes])
            given = call.constant(name, many)
        inputs.append(given)
    inputs += [call.name("running_mean"), call.name("running_var")]
    is_training = bool(call.get("training", False))
    momentum = 1 - float(call.get("momentum", 0.1))  # PyTorch counts the share of the new, ONNX that of the old
    epsilon = float(call.get("eps", 1e-5))
    call.end("BatchNormalization", inputs, training_mode=is_training, epsilon=epsilon, momentum=momentum)


def _clip(**defaults: float | None) -> Callable[[Call], None]:
    """Make the converter of a Clip; `defaults` are PyTorch's names and values of the two bounds."""

    def say(call: Call) -> None:
        inputs = [call.first.name]
        for name, default in defaults.items():
            bound = call.get(name, default)
            is_number = bound is not None and not isinstance(bound, Tensor)
            inputs.append(call.constant(name, np.float32(bound)) if is_number else call.name(name))
        call.end("Clip", inputs)

    return say


def _elu(call: Call) -> None:
    if call.get("scale", 1) != 1 or call.get("input_scale", 1) != 1:
        call.end("Selu", [call.first.name])
        return
    call.end("Elu", [call.first.name], alpha=float(call.get("alpha", 1)))


def _prelu(call: Call) -> None:
    shape = np.array([-1] + [1] * (len(call.first.value.sizes) - 2), np.int64)  # behind the batch
    slopes = call.step("Reshape", [call.name("weight"), call.constant("shape", shape)])
    call.end("PRelu", [call.first.name, slopes])


def _hard_sigmoid(call: Call) -> None:
    call.end("HardSigmoid", [call.first.name], alpha=1 / 6, beta=0.5)


def _pool(operator: str) -> Callable[[Call], None]:
    def say(call: Call) -> None:
        if call.get("divisor_override") is not None:
            call.end("AveragePool with another divisor", [call.first.name])
            return
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
        call.end(operator, [call.first.name], **attributes)

    return say


def _adaptive_pool(kind: str) -> Callable[[Call], None]:
    def say(call: Call) -> None:
        wanted, input_size = call.pair("output_size", 1), call.first.value.sizes[-2:]
        if wanted == [1, 1]:
            call.end(f"Global{kind}Pool", [call.first.name])
            return
        if any(not size or size % number for size, number in zip(input_size, wanted, strict=True)):
            call.end(f"Pooling of {input_size} to {wanted}", [call.first.name])
            return
        size = [(size or 1) // number for size, number in zip(input_size, wanted, strict=True)]
        call.end(f"{kind}Pool", [call.first.name], kernel_shape=size, strides=size)

    return say


def _reduce(operator: str) -> Callable[[Call], None]:
    def say(call: Call) -> None:
        axes = call.get("dim", [])
        axes = axes if isinstance(axes, list) else [axes]
        call.end(operator, [call.first.name], axes=axes, keepdims=int(call.get("keepdim", False)))

    return say


def _concatenation(call: Call) -> None:
    tensors = call.get("tensors", [])
    if not tensors or not all(isinstance(tensor, Tensor) for tensor in tensors):
        raise ValueError(f"{call.label} has no list of inputs")
    call.end("Concat", [tensor.name for tensor in tensors], axis=call.get("dim", 0))


def _linear(call: Call) -> None:
    call.end("Gemm", [call.first.name, call.name("weight"), call.name("bias")], transB=1)


def _addmm(call: Call) -> None:
    inputs = [call.name("mat1"), call.name("mat2"), call.name("self")]
    call.end("Gemm", inputs, alpha=float(call.get("alpha", 1)), beta=float(call.get("beta", 1)))


def _matmul(call: Call) -> None:
    call.end("MatMul", [call.first.name, call.name("mat2") or call.name("other")])


def _reshape(call: Call) -> None:
    sizes = call.value.sizes
    shape = [(BATCH if axis == 0 else -1) if size is None else size for axis, size in enumerate(sizes)]
    call.end("Reshape", [call.first.name, call.constant("shape", np.array(shape, np.int64))])


def _permute(call: Call) -> None:
    rank = len(call.first.value.sizes)
    axes = list(range(rank))
    if call.operator == "permute":
        axes = [axis % rank for axis in call.get("dims")]
    elif rank > 1:
        first, second = (call.get(name, default) % rank for name, default in (("dim0", 0), ("dim1", 1)))
        axes[first], axes[second] = axes[second], axes[first]
    call.end("Transpose", [call.first.name], perm=axes)


def _cast(call: Call) -> None:
    call.end("Cast", [call.first.name], to=_ONNX_TYPES.get(call.value.type, _WHOLE))


def _arithmetic(operator: str) -> Callable[[Call], None]:
    def say(call: Call) -> None:
        if call.value.type not in FLOAT_TYPES or call.get("rounding_mode") is not None:
            call.end(_ON_WHOLE_NUMBERS, [call.first.name])
            return
        name = call.name("other") or call.constant("other", np.float32(call.get("other")))
        alpha = call.get("alpha", 1)
        if alpha != 1 and call.operator == "rsub":
            call.end("Sub of a multiple", [call.first.name])
            return
        if alpha != 1:
            name = call.step("Mul", [name, call.constant("alpha", np.float32(alpha))])
        call.end(operator, [name, call.first.name] if call.operator == "rsub" else [call.first.name, name])

    return say


def _pad(call: Call) -> None:
    rank, padding = len(call.first.value.sizes), call.get("pad")
    before, after = [0] * rank, [0] * rank
    for index in range(len(padding) // 2):  # the last axis first
        before[rank - 1 - index], after[rank - 1 - index] = padding[2 * index], padding[2 * index + 1]
    attributes = {"pads": before + after, "value": float(call.get("value", 0)), "mode": call.get("mode", "constant")}
    call.end("Pad", [call.first.name], **attributes)


def _softmax(operator: str) -> Callable[[Call], None]:
    return _plain(operator, axis="dim")


_SHAPES = ("view", "_unsafe_view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze")
_DROPOUTS = ("dropout", "feature_dropout", "native_dropout", "alpha_dropout", "feature_alpha_dropout")
VIEWS = frozenset(
    (*_SHAPES, *_DROPOUTS, "permute", "transpose", "t", "alias", "detach", "contiguous", "to", "select", "expand")
)
"""What may give other names to the same numbers."""
_OPERATORS: Mapping[str, Callable[[Call], None]] = {
    **{ACTIVATION_FORMS[name].aten or name: _plain(operator) for operator, name in ONNX_ACTIVATIONS.items()},
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
    "leaky_relu": _plain("LeakyRelu", alpha="negative_slope"),
    **dict.fromkeys(("clamp", "clamp_min", "clamp_max"), _clip(min=None, max=None)),
    "hardtanh": _clip(min_val=-1, max_val=1),
    "relu6": _clip(min_val=0, max_val=6),
    "elu": _elu,
    "prelu": _prelu,
    "hardsigmoid": _hard_sigmoid,
    "gelu": _plain("Gelu", approximate="approximate"),
    **dict.fromkeys(("softmax", "_softmax"), _softmax("Softmax")),
    **dict.fromkeys(("log_softmax", "_log_softmax"), _softmax("LogSoftmax")),
    "argmax": _plain("ArgMax", axis="dim"),
    **dict.fromkeys(("pad", "constant_pad_nd"), _pad),
}
