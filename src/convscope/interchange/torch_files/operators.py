"""Translate each operator of PyTorch to those of ONNX, one function for each kind.

Arguments for which ONNX has no operator become a node whose operator does not exist, such as "Sub of a multiple": the
shared translation refuses it by that name, together with all other unsupported nodes.

Sources: native_functions.yaml of PyTorch for the arguments and their defaults, ONNX's Operators.md for the other side.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from convscope.interchange.activations import ACTIVATION_FORMS, ONNX_ACTIVATIONS
from convscope.interchange.torch_files.calls import FLOAT_TYPES, Call, Tensor
from convscope.interchange.translation.state import BATCH

_ONNX_TYPES: Mapping[int, int] = {1: 2, 6: 10, 7: 1, 8: 11, 13: 16}
"""PyTorch's numbers of types and ONNX's; all other types are whole numbers."""
_WHOLE = 7  # int64 in ONNX
_ON_WHOLE_NUMBERS = "Arithmetic of whole numbers"


def translate(call: Call) -> None:
    """Add the nodes that compute a call, and their constants, to the call."""
    function = _OPERATORS.get(call.operator) if not call.library else None
    if function is not None:
        function(call)
        return
    inputs = [value.name for value in call.arguments.values() if isinstance(value, Tensor)]
    call.end(call.operator, inputs, call.library)


def _plain(operator: str, call: Call, **names: str) -> None:
    """Translate an operator with one input; `names` maps its attributes to PyTorch's arguments."""
    attributes = {name: call.get(argument) for name, argument in names.items() if call.get(argument) is not None}
    call.end(operator, [call.first.name], **attributes)


def _convolution(call: Call) -> None:
    if call.get("transposed", False):
        call.end("ConvTranspose", [call.first.name])
        return
    padding = call.get("padding", 0)
    attributes: dict[str, Any] = {"auto_pad": "SAME_UPPER" if padding == "same" else "NOTSET"}
    if not isinstance(padding, str):
        attributes["pads"] = call.pair("padding", 0) * 2  # the same before and after
    attributes |= {"strides": call.pair("stride", 1), "dilations": call.pair("dilation", 1)}
    inputs = [call.first.name, call.name("weight"), call.name("bias")]
    call.end("Conv", inputs, group=call.get("groups", 1), **attributes)


def _batch_norm(call: Call) -> None:
    mean = call.arguments.get("running_mean")
    inputs = [call.first.name]
    for name, number in (("weight", 1), ("bias", 0)):
        weight = call.name(name)
        if not weight and isinstance(mean, Tensor):
            # Without affine=True. A view takes no memory, however many channels a hostile file claims.
            numbers = np.broadcast_to(np.float32(number), [size or 0 for size in mean.meta.sizes])
            weight = call.constant(name, numbers)
        inputs.append(weight)
    inputs += [call.name("running_mean"), call.name("running_var")]
    is_training = bool(call.get("training", False))
    momentum = 1 - float(call.get("momentum", 0.1))  # PyTorch weighs the new statistics by it, ONNX the old
    epsilon = float(call.get("eps", 1e-5))
    call.end("BatchNormalization", inputs, training_mode=is_training, epsilon=epsilon, momentum=momentum)


def _normalize(operator: str, call: Call) -> None:
    if call.operator == "instance_norm" and not call.get("use_input_stats", True):
        _batch_norm(call)  # by running statistics, in evaluation
        return
    attributes: dict[str, Any] = {"epsilon": float(call.get("eps", 1e-5))}
    weights = [call.name("weight"), call.name("bias")]
    if operator == "LayerNormalization":
        attributes["axis"] = -len(call.get("normalized_shape", [1]))
    else:
        channels = call.first.meta.sizes[1] or 0
        attributes["num_groups"] = call.get("num_groups", call.get("group", channels))
        defaults = (("ones", 1), ("zeros", 0))  # without affine=True
        weights = [
            weight or call.constant(what, np.broadcast_to(np.float32(number), channels))
            for weight, (what, number) in zip(weights, defaults, strict=True)
        ]
    call.end(operator, [call.first.name, *weights], **attributes)


def _clip(call: Call, **defaults: float | None) -> None:
    """Translate a Clip; `defaults` are the names and defaults of PyTorch's two bounds."""
    inputs = [call.first.name]
    for name, default in defaults.items():
        bound = call.get(name, default)
        is_number = bound is not None and not isinstance(bound, Tensor)
        inputs.append(call.constant(name, np.float32(bound)) if is_number else call.name(name))
    call.end("Clip", inputs)


def _elu(call: Call) -> None:
    alpha, scale = float(call.get("alpha", 1)), float(call.get("scale", 1))
    operator = "Elu of a multiple" if call.get("input_scale", 1) != 1 else "Elu" if scale == 1 else "Selu"
    call.end(operator, [call.first.name], alpha=alpha, gamma=scale)


def _prelu(call: Call) -> None:
    # Slopes (C,) become (C, 1, 1) for maps, because ONNX broadcasts from the last axis.
    shape = np.array([-1] + [1] * (len(call.first.meta.sizes) - 2), np.int64)
    slopes = call.step("Reshape", [call.name("weight"), call.constant("shape", shape)])
    call.end("PRelu", [call.first.name, slopes])


def _hard_sigmoid(call: Call) -> None:
    call.end("HardSigmoid", [call.first.name], alpha=1 / 6, beta=0.5)


def _pool(operator: str, call: Call) -> None:
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


def _adaptive_pool(kind: str, call: Call) -> None:
    wanted, input_size = call.pair("output_size", 1), call.first.meta.sizes[-2:]
    if wanted == [1, 1]:
        call.end(f"Global{kind}Pool", [call.first.name])
        return
    if any(not size or size % number for size, number in zip(input_size, wanted, strict=True)):
        call.end(f"Pooling of {input_size} to {wanted}", [call.first.name])
        return
    # PyTorch's windows are even only if the output size divides the input size.
    size = [(size or 1) // number for size, number in zip(input_size, wanted, strict=True)]
    call.end(f"{kind}Pool", [call.first.name], kernel_shape=size, strides=size)


def _reduce(operator: str, call: Call) -> None:
    axes = call.get("dim", [])
    axes = axes if isinstance(axes, list) else [axes]
    call.end(operator, [call.first.name], axes=axes, keepdims=int(call.get("keepdim", False)))


def _concatenation(call: Call) -> None:
    tensors = call.get("tensors", [])
    if not tensors or not all(isinstance(tensor, Tensor) for tensor in tensors):
        raise ValueError(f"{call.label} has no list of inputs")
    call.end("Concat", [tensor.name for tensor in tensors], axis=call.get("dim", 0))


def _slice(call: Call) -> None:
    # x[:, :, None] takes all of each axis.
    is_whole = call.get("start", 0) == 0 and call.get("step", 1) == 1 and call.get("end", 2**31) >= 2**31 - 1
    call.end("Identity" if is_whole else "Slice of a part", [call.first.name])


def _linear(call: Call) -> None:
    call.end("Gemm", [call.first.name, call.name("weight"), call.name("bias")], transB=1)


def _addmm(call: Call) -> None:
    inputs = [call.name("mat1"), call.name("mat2"), call.name("self")]
    call.end("Gemm", inputs, alpha=float(call.get("alpha", 1)), beta=float(call.get("beta", 1)))


def _matmul(call: Call) -> None:
    call.end("MatMul", [call.first.name, call.name("mat2") or call.name("other")])


def _reshape(call: Call) -> None:
    sizes = call.meta.sizes
    # An open first axis is the number of images; another one follows from the others.
    shape = [(BATCH if axis == 0 else -1) if size is None else size for axis, size in enumerate(sizes)]
    call.end("Reshape", [call.first.name, call.constant("shape", np.array(shape, np.int64))])


def _permute(call: Call) -> None:
    rank = len(call.first.meta.sizes)
    axes = list(range(rank))
    if call.operator == "permute":
        axes = [axis % rank for axis in call.get("dims")]
    elif rank > 1:
        first, second = (call.get(name, default) % rank for name, default in (("dim0", 0), ("dim1", 1)))
        axes[first], axes[second] = axes[second], axes[first]
    call.end("Transpose", [call.first.name], perm=axes)


def _cast(call: Call) -> None:
    call.end("Cast", [call.first.name], to=_ONNX_TYPES.get(call.meta.type, _WHOLE))


def _arithmetic(operator: str, call: Call) -> None:
    if call.meta.type not in FLOAT_TYPES or call.get("rounding_mode") is not None:
        call.end(_ON_WHOLE_NUMBERS, [call.first.name])
        return
    name = call.name("other") or call.constant("other", np.float32(call.get("other")))
    alpha = call.get("alpha", 1)
    if alpha != 1 and call.operator == "rsub":
        call.end("Sub of a multiple", [call.first.name])
        return
    if alpha != 1:  # x + alpha · y
        name = call.step("Mul", [name, call.constant("alpha", np.float32(alpha))])
    call.end(operator, [name, call.first.name] if call.operator == "rsub" else [call.first.name, name])


def _power(call: Call, exponent: float | None = None) -> None:
    number = call.get("exponent") if exponent is None else exponent
    name = call.name("exponent") or call.constant("exponent", np.float32(number))
    call.end("Pow", [call.first.name, name])


def _pad(call: Call) -> None:
    rank, padding = len(call.first.meta.sizes), call.get("pad")
    before, after = [0] * rank, [0] * rank
    # PyTorch lists (before, after) from the last axis on; ONNX lists all befores, then all afters.
    for index in range(len(padding) // 2):
        before[rank - 1 - index], after[rank - 1 - index] = padding[2 * index], padding[2 * index + 1]
    attributes = {"pads": before + after, "value": float(call.get("value", 0)), "mode": call.get("mode", "constant")}
    call.end("Pad", [call.first.name], **attributes)


_SHAPES = ("view", "_unsafe_view", "reshape", "flatten", "unflatten", "squeeze", "unsqueeze")
_DROPOUTS = ("dropout", "feature_dropout", "native_dropout", "alpha_dropout", "feature_alpha_dropout")
VIEWS = frozenset(
    (*_SHAPES, *_DROPOUTS, "permute", "transpose", "t", "alias", "detach", "contiguous", "to", "select", "expand")
)
"""Operators whose result may share memory with their input, so that an in-place change shows in both."""
_OPERATORS: Mapping[str, Callable[[Call], None]] = {
    **{ACTIVATION_FORMS[name].aten or name: partial(_plain, operator) for operator, name in ONNX_ACTIVATIONS.items()},
    **dict.fromkeys(("conv2d", "convolution"), _convolution),
    **dict.fromkeys(
        ("batch_norm", "_native_batch_norm_legit_no_training", "_native_batch_norm_legit", "native_batch_norm"),
        _batch_norm,
    ),
    **dict.fromkeys(("group_norm", "native_group_norm", "instance_norm"), partial(_normalize, "GroupNormalization")),
    **dict.fromkeys(("layer_norm", "native_layer_norm"), partial(_normalize, "LayerNormalization")),
    **dict.fromkeys(("max_pool2d", "max_pool2d_with_indices"), partial(_pool, "MaxPool")),
    "avg_pool2d": partial(_pool, "AveragePool"),
    **dict.fromkeys(("adaptive_avg_pool2d", "_adaptive_avg_pool2d"), partial(_adaptive_pool, "Average")),
    "adaptive_max_pool2d": partial(_adaptive_pool, "Max"),
    "mean": partial(_reduce, "ReduceMean"),
    "amax": partial(_reduce, "ReduceMax"),
    "linear": _linear,
    "slice": _slice,
    "addmm": _addmm,
    **dict.fromkeys(("mm", "matmul"), _matmul),
    **dict.fromkeys(_SHAPES, _reshape),
    **dict.fromkeys(("permute", "transpose", "t", "numpy_T"), _permute),
    **dict.fromkeys(("to", "_to_copy", "type_as"), _cast),
    **dict.fromkeys(
        ("clone", "contiguous", "detach", "alias", "lift_fresh_copy", *_DROPOUTS), partial(_plain, "Identity")
    ),
    **dict.fromkeys(("cat", "concat", "concatenate"), _concatenation),
    **{name.lower(): partial(_arithmetic, name) for name in ("Add", "Sub")},
    "rsub": partial(_arithmetic, "Sub"),
    **{name.lower(): partial(_arithmetic, name) for name in ("Mul", "Div")},
    **{name.lower(): partial(_plain, name) for name in ("Neg", "Erf", "Exp", "Log", "Reciprocal", "Sqrt")},
    "pow": _power,
    "rsqrt": partial(_power, exponent=-0.5),
    "leaky_relu": partial(_plain, "LeakyRelu", alpha="negative_slope"),
    **dict.fromkeys(("clamp", "clamp_min", "clamp_max"), partial(_clip, min=None, max=None)),
    "hardtanh": partial(_clip, min_val=-1, max_val=1),
    "relu6": partial(_clip, min_val=0, max_val=6),
    "elu": _elu,
    "prelu": _prelu,
    "hardsigmoid": _hard_sigmoid,
    "gelu": partial(_plain, "Gelu", approximate="approximate"),
    **dict.fromkeys(("softmax", "_softmax"), partial(_plain, "Softmax", axis="dim")),
    **dict.fromkeys(("log_softmax", "_log_softmax"), partial(_plain, "LogSoftmax", axis="dim")),
    "argmax": partial(_plain, "ArgMax", axis="dim"),
    **dict.fromkeys(("pad", "constant_pad_nd"), _pad),
}
