"""Layers that only move numbers: maps into a vector, and maps into a frame of zeros."""

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from convscope.architecture.arguments import set_frame
from convscope.architecture.layers.types import Frame, Shape
from convscope.architecture.layers.windows import WithoutWeights, check_maps

__all__ = ["Flatten", "ReshapingLayer", "ZeroPadding2D"]


@dataclass(frozen=True)
class Flatten(WithoutWeights):
    """The maps as one vector, in the order row, column, channel."""

    name: str = ""
    kind: ClassVar[str] = "Flatten"

    def output_shape(self, input_shape: Shape) -> Shape:
        return (prod(input_shape),)


@dataclass(frozen=True)
class ZeroPadding2D(WithoutWeights):
    """Each map in a frame of zeros, so that (H, W, C) becomes (above + H + below, left + W + right, C).

    `padding` may be a number for all four sides, a pair (rows, columns), or ((above, below), (left, right)), as in
    Keras; the attribute always has the last form. Before a convolution with `valid` padding, it allows
    other paddings than `same`.
    """

    padding: Frame = ((1, 1), (1, 1))
    name: str = ""
    kind: ClassVar[str] = "ZeroPadding2D"

    def __post_init__(self) -> None:
        set_frame(self, "padding")

    def output_shape(self, input_shape: Shape) -> Shape:
        check_maps(self, input_shape)
        (above, below), (left, right) = self.padding
        return (above + input_shape[0] + below, left + input_shape[1] + right, input_shape[2])


ReshapingLayer = Flatten | ZeroPadding2D
