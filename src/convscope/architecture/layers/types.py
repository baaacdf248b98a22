"""Types of the arguments of layers: shapes and paddings."""

from typing import Literal

__all__ = ["NON_TRAINABLE_WEIGHTS", "Frame", "Padding", "Pair", "Shape"]

Shape = tuple[int, ...]  # (H, W, C) of maps, or (units,)
Pair = tuple[int, int]  # (rows, columns)
Frame = tuple[Pair, Pair]
"""Rows (above, below) and columns (left, right) around a map."""
Padding = Literal["valid", "same"]
NON_TRAINABLE_WEIGHTS = ("moving_mean", "moving_variance")
"""Names, within a layer, of the weights that no gradient changes: the moving statistics of `BatchNormalization`."""
