"""The activation functions of layers."""

from typing import Literal

__all__ = ["ActivationName"]

ActivationName = Literal[
    "linear", "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "hard_silu", "tanh", "sigmoid",
    "hard_sigmoid", "softmax",
]  # fmt: skip
"""As Keras computes them by default: leaky_relu with slope 0.2 below zero, elu with alpha 1, gelu by the error
function. The layer `Activation` may have another slope."""
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772  # λ and α of Klambauer and others 2017
