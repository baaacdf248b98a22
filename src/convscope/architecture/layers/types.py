"""Types of the arguments of layers: shapes, paddings and activations."""

from typing import Literal

__all__ = ["NON_TRAINABLE_WEIGHTS", "ActivationName", "Frame", "Padding", "Pair", "Shape"]

Shape = tuple[int, ...]  # (H, W, C) of maps, or (units,)
Pair = tuple[int, int]  # of rows and columns
Frame = tuple[Pair, Pair]
"""Rows (above, below) and columns (left, right) around a map."""
ActivationName = Literal[
    "linear", "relu", "relu6", "leaky_relu", "elu", "gelu", "silu", "hard_silu", "tanh", "sigmoid", "softmax"
]
"""As Keras computes them by default: leaky_relu with slope 0.2 below zero, elu with alpha 1, gelu by the error
function. The layer `Activation` may have another slope."""
Padding = Literal["valid", "same"]
NON_TRAINABLE_WEIGHTS = ("moving_mean", "moving_variance")
"""Names, within a layer, of the weights that no gradient changes: the moving statistics of `BatchNormalization`."""
