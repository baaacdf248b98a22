"""Each activation in the words of other programs: one row holds all formats.

Nothing is imported here: a function of TensorFlow is given TensorFlow.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class ActivationForms:
    """An activation in other programs.

    Attributes:
        torch: the class in `torch.nn`.
        tensorflow: computes it from TensorFlow and a tensor.
        onnx: the operator that is written; "" where `onnx_files.layer_nodes` has a case.
        attributes: of that operator.
        is_factor: whether that operator computes what x is multiplied by, instead of the result.
        onnx_read: an operator that is read as the activation, besides a written one.
        aten: PyTorch's operator in a program, where its name is another.
        tflite: the number and the name of TensorFlow Lite's operator, where there is one.
        other_names: in Keras.
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
    "relu6": ActivationForms("ReLU6", lambda tf, x: tf.nn.relu6(x)),
    "elu": ActivationForms("ELU", lambda tf, x: tf.nn.elu(x), "Elu", tflite=(111, "ELU")),
    "gelu": ActivationForms("GELU", lambda tf, x: tf.nn.gelu(x, approximate=False)),
    "silu": ActivationForms(
        "SiLU",
        lambda tf, x: tf.nn.silu(x),
        "Sigmoid",  # as products, which every opset has; Swish is an operator from 24 on
        is_factor=True,
        onnx_read="Swish",
        other_names=("swish",),
    ),
    "hard_silu": ActivationForms(
        "Hardswish",
        lambda tf, x: x * tf.nn.relu6(x + 3) * (1 / 6),
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
}
"""All but `linear`, `softmax`, and `leaky_relu`, which has a slope."""
ONNX_ACTIVATIONS: Mapping[str, str] = {
    operator: name
    for name, forms in ACTIVATION_FORMS.items()
    if (operator := forms.onnx_read or ("" if forms.is_factor else forms.onnx))
}
"""By the operator of ONNX, the activation that it is read as."""
