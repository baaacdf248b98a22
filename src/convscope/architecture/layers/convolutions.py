"""Layers with kernels: two convolutions over maps, and the dense layer over vectors."""

from dataclasses import dataclass, field
from math import prod
from typing import ClassVar, get_args

from convscope.architecture.arguments import check_choice, check_count, check_dilation, check_flag, label, set_pair
from convscope.architecture.layers.activations import ActivationName
from convscope.architecture.layers.types import Padding, Pair, Shape
from convscope.architecture.layers.windows import Window, map_size
from convscope.base.errors import ArchitectureError

__all__ = ["Conv2D", "Dense", "DepthwiseConv2D", "WeightedLayer"]


@dataclass(frozen=True)
class Conv2D:
    """A convolution (cross-correlation, as in all such libraries) with bias, stride and activation.

    With `groups` above 1, the input channels and the filters are divided into that many groups, and each filter reads
    only the channels of its group. The rows and columns of a kernel read pixels `dilation_rate` apart. Weights:
    `kernel` (kernel rows, kernel columns, C / groups, filters) and, unless `use_bias` is false, `bias` (filters,).
    """

    filters: int
    kernel_size: Pair = (3, 3)
    strides: Pair = (1, 1)
    padding: Padding = "valid"
    activation: ActivationName = "linear"
    use_bias: bool = True
    dilation_rate: Pair = field(default=(1, 1), kw_only=True)
    groups: int = field(default=1, kw_only=True)
    name: str = ""
    kind: ClassVar[str] = "Conv2D"

    def __post_init__(self) -> None:
        check_count(self, "filters")
        set_pair(self, "kernel_size")
        set_pair(self, "strides")
        check_choice(self, "padding", get_args(Padding))
        check_choice(self, "activation", get_args(ActivationName))
        check_flag(self, "use_bias")
        check_dilation(self)
        check_count(self, "groups")

    @property
    def window(self) -> Window:
        return Window(self.kernel_size, self.strides, self.padding, self.dilation_rate)

    def output_shape(self, input_shape: Shape) -> Shape:
        size = map_size(self, input_shape, self.window)
        # Each group of filters reads its own equal part of the channels.
        if input_shape[2] % self.groups or self.filters % self.groups:
            raise ArchitectureError(
                f"{label(self)} has {self.groups} groups, but {input_shape[2]} input channels and {self.filters} "
                "filters; choose groups that divide both"
            )
        return (*size, self.filters)

    def weight_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        # Keras's layout: rows, columns, channels that a filter reads, filters.
        return _with_bias(self, (*self.kernel_size, input_shape[2] // self.groups, self.filters), self.filters)

    def macs(self, input_shape: Shape) -> int:
        # Each output (rows · columns · filters) reads a window of its group's channels.
        return prod(self.output_shape(input_shape)) * prod(self.kernel_size) * (input_shape[2] // self.groups)


@dataclass(frozen=True)
class DepthwiseConv2D:
    """A convolution of each channel by itself, with `depth_multiplier` filters for each channel, and bias.

    Output c · depth_multiplier + m is channel c by its kernel m. Weights: `kernel` (kernel rows, kernel columns, C,
    depth_multiplier) and, unless `use_bias` is false, `bias` (C · depth_multiplier,).
    """

    kernel_size: Pair = (3, 3)
    strides: Pair = (1, 1)
    padding: Padding = "valid"
    depth_multiplier: int = 1
    activation: ActivationName = "linear"
    use_bias: bool = True
    dilation_rate: Pair = field(default=(1, 1), kw_only=True)
    name: str = ""
    kind: ClassVar[str] = "DepthwiseConv2D"

    def __post_init__(self) -> None:
        set_pair(self, "kernel_size")
        set_pair(self, "strides")
        check_choice(self, "padding", get_args(Padding))
        check_count(self, "depth_multiplier")
        check_choice(self, "activation", get_args(ActivationName))
        check_flag(self, "use_bias")
        check_dilation(self)

    @property
    def window(self) -> Window:
        return Window(self.kernel_size, self.strides, self.padding, self.dilation_rate)

    def output_shape(self, input_shape: Shape) -> Shape:
        return (*map_size(self, input_shape, self.window), input_shape[2] * self.depth_multiplier)

    def weight_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        channels = input_shape[2]
        # Keras's layout: filter m of channel c gives output channel c * depth_multiplier + m.
        kernel = (*self.kernel_size, channels, self.depth_multiplier)
        return _with_bias(self, kernel, channels * self.depth_multiplier)

    def macs(self, input_shape: Shape) -> int:
        return prod(self.output_shape(input_shape)) * prod(self.kernel_size)


@dataclass(frozen=True)
class Dense:
    """Every output reads every input. Weights: `kernel` (inputs, units) and, with `use_bias`, `bias` (units,)."""

    units: int
    activation: ActivationName = "linear"
    use_bias: bool = True
    name: str = ""
    kind: ClassVar[str] = "Dense"

    def __post_init__(self) -> None:
        check_count(self, "units")
        check_choice(self, "activation", get_args(ActivationName))
        check_flag(self, "use_bias")

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 1:
            raise ArchitectureError(
                f"{label(self)} needs a vector, but its input is maps of shape {input_shape}; put a Flatten before it"
            )
        return (self.units,)

    def weight_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        return _with_bias(self, (input_shape[0], self.units), self.units)

    def macs(self, input_shape: Shape) -> int:
        return input_shape[0] * self.units


WeightedLayer = Conv2D | DepthwiseConv2D | Dense


def _with_bias(layer: WeightedLayer, kernel: Shape, outputs: int) -> dict[str, Shape]:
    return {"kernel": kernel, "bias": (outputs,)} if layer.use_bias else {"kernel": kernel}
