"""The activation functions of layers."""

from typing import Literal

__all__ = ["ActivationName"]

ActivationName = Literal[
    "linear", "relu", "relu6", "leaky_relu", "elu", "gelu", "silu", "hard_silu", "tanh", "sigmoid", "softmax"
]
"""As Keras computes them by default: leaky_relu with slope 0.2 below zero, elu with alpha 1, gelu by the error
function. The layer `Activation` may have another slope."""
