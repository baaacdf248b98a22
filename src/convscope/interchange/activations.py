"""The name of each activation in other programs, a row for each activation.

Nothing is imported here: TensorFlow's functions take the module as their first argument.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from convscope.architecture.layers.activations import SELU_ALPHA, SELU_SCALE


@dataclass(frozen=True)
class ActivationForms:
    """An activation in other programs.

    Attributes:
        torch: the class in `torch.nn`.
        tensorflow: computes it, given the module TensorFlow and a tensor.
        onnx: the operator that is written; "" if `onnx_files.layer_nodes` has a case for it.
        attributes: the attributes of that operator.
        is_factor: True if the operator computes the factor of x, and not the result.
        onnx_read: another operator that is read as the activation.
        aten: PyTorch's operator in a program, if its name differs from ours.
        tflite: number and name of TensorFlow Lite's operator (`BuiltinOperator` in its schema.fbs), if it has one.
        other_names: further names in Keras.
    """

    torch: str
    tensorflow: Callable[[Any, Any], Any]
    onnx: str = ""
    attributes: Mapping[str, float] = field(default_factory=dict)
    is_factor: bool = False
    onnx_read: str = ""
    aten: str = ""
    tflite: tuple[int, str] | None = None
    other_names: tuple[str, ...] = ()


ACTIVATION_FORMS: Mapping[str, ActivationForms] = {
    "relu": ActivationForms("ReLU", lambda tf, x: tf.nn.relu(x), "Relu", tflite=(19, "RELU")),
    "relu6": ActivationForms("ReLU6", lambda tf, x: tf.nn.relu6(x)),  # in ONNX a Clip with two constants
    "elu": ActivationForms("ELU", lambda tf, x: tf.nn.elu(x), "Elu", tflite=(111, "ELU")),
    # TensorFlow's own is written with exp(x), whose range for x > 0 would leave 8-bit numbers below 0 no digits.
    "selu": ActivationForms(
        "SELU",
        lambda tf, x: SELU_SCALE * SELU_ALPHA * tf.nn.elu(x) + SELU_SCALE * (1 - SELU_ALPHA) * tf.nn.relu(x),
        "Selu",
    ),
    # In ONNX, an operator of its own from opset 20 on, and five operators before.
    "gelu": ActivationForms("GELU", lambda tf, x: tf.nn.gelu(x, approximate=False)),
    "silu": ActivationForms(
        "SiLU",
        lambda tf, x: tf.nn.silu(x),
        "Sigmoid",  # x · sigmoid(x): every opset can write that, and Swish only exists from 24 on
        is_factor=True,
        onnx_read="Swish",
        other_names=("swish",),
    ),
    "hard_silu": ActivationForms(
        "Hardswish",
        lambda tf, x: x * tf.nn.relu6(x + 3) * (1 / 6),  # TensorFlow has no hard_silu
        "HardSigmoid",
        {"alpha": 1 / 6, "beta": 0.5},
        is_factor=True,
        onnx_read="HardSwish",
        aten="hardswish",
        tflite=(117, "HARD_SWISH"),
        other_names=("hard_swish",),
    ),
    "tanh": ActivationForms("Tanh", lambda tf, x: tf.tanh(x), "Tanh", tflite=(28, "TANH")),
    "sigmoid": ActivationForms("Sigmoid", lambda tf, x: tf.sigmoid(x), "Sigmoid", tflite=(14, "LOGISTIC")),
    "hard_sigmoid": ActivationForms(
        "Hardsigmoid",
        lambda tf, x: tf.nn.relu6(x + 3) * (1 / 6),
        "HardSigmoid",
        {"alpha": 1 / 6, "beta": 0.5},
        aten="hardsigmoid",
    ),
}
"""All activations except `linear`, `softmax`, and `leaky_relu`, which has a slope."""
# "Elu" is read as elu, "Swish" as silu. "Sigmoid" stands in the row of silu too, but there it is only a factor.
ONNX_ACTIVATIONS: Mapping[str, str] = {
    operator: name
    for name, forms in ACTIVATION_FORMS.items()
    if (operator := forms.onnx_read or ("" if forms.is_factor else forms.onnx))
}
"""ONNX's operators and the activations that they are read as."""
