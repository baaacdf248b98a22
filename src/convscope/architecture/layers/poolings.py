"""Poolings by windows and of whole maps."""

from dataclasses import dataclass
from typing import ClassVar, get_args

from convscope.architecture.arguments import check_choice, set_pair
from convscope.architecture.layers.types import Padding, Pair, Shape
from convscope.architecture.layers.windows import Window, WithoutWeights, check_maps, map_size

__all__ = ["AveragePooling2D", "GlobalAveragePooling2D", "GlobalMaxPooling2D", "MaxPooling2D", "PoolingLayer"]


@dataclass(frozen=True)
class _Pooling(WithoutWeights):
    """A pooling by windows. `valid` ignores rows and columns that fill no whole window; `same` keeps them.

    A pixel of padding is never the largest value, and means do not count it.
    """

    pool_size: Pair = (2, 2)
    strides: Pair | None = None
    padding: Padding = "valid"
    name: str = ""
    kind: ClassVar[str] = ""

    def __post_init__(self) -> None:
        set_pair(self, "pool_size")
        if self.strides is None:
            # Keras's default: windows side by side.
            object.__setattr__(self, "strides", self.pool_size)
        set_pair(self, "strides")
        check_choice(self, "padding", get_args(Padding))

    @property
    def window(self) -> Window:
        assert self.strides is not None
        return Window(self.pool_size, self.strides, self.padding)

    def output_shape(self, input_shape: Shape) -> Shape:
        return (*map_size(self, input_shape, self.window), input_shape[2])


@dataclass(frozen=True)
class MaxPooling2D(_Pooling):
    """The largest value of each window, map by map; by default `strides` is the size of the window."""

    kind: ClassVar[str] = "MaxPooling2D"


@dataclass(frozen=True)
class AveragePooling2D(_Pooling):
    """The mean of each window, map by map; by default `strides` is the size of the window."""

    kind: ClassVar[str] = "AveragePooling2D"


@dataclass(frozen=True)
class _GlobalPooling(WithoutWeights):
    """A pooling of whole maps: one number a map, so (H, W, C) becomes (C,)."""

    name: str = ""
    kind: ClassVar[str] = ""

    def output_shape(self, input_shape: Shape) -> Shape:
        check_maps(self, input_shape)
        return (input_shape[2],)


@dataclass(frozen=True)
class GlobalMaxPooling2D(_GlobalPooling):
    """The largest value of each map."""

    kind: ClassVar[str] = "GlobalMaxPooling2D"


@dataclass(frozen=True)
class GlobalAveragePooling2D(_GlobalPooling):
    """The mean of each map."""

    kind: ClassVar[str] = "GlobalAveragePooling2D"


PoolingLayer = MaxPooling2D | AveragePooling2D | GlobalMaxPooling2D | GlobalAveragePooling2D
