"""The layers with kernels: two convolutions over maps, and the dense layer over vectors."""

from dataclasses import dataclass
from math import prod
from typing import ClassVar, get_args

from convscope.architecture.arguments import check_choice, check_count, check_flag, label, set_pair
from convscope.architecture.layers.windows import ActivationName, Padding, Pair, Shape, Window, map_size
from convscope.base.errors import ArchitectureError


@dataclass(frozen=True)
class Conv2D:
    """A convolution (cross-correlation, as in every such library) with bias, stride and activation.

    Weights: `kernel` (kernel rows, kernel columns, C, filters) and, unless `use_bias` is false, `bias` (filters,).
    """

    filters: int
    kernel_size: Pair = (3, 3)
    strides: Pair = (1, 1)
    padding: Padding = "valid"
    activation: ActivationName = "linear"
    use_bias: bool = True
    name: str = ""
    kind: ClassVar[str] = "Conv2D"

    def __post_init__(self) -> None:
        check_count(self, "filters")
        set_pair(self, "kernel_size")
        set_pair(self, "strides")
        check_choice(self, "padding", get_args(Padding))
        check_choice(self, "activation", get_args(ActivationName))
        check_flag(self, "use_bias")

    @property
    def window(self) -> Window:
        return Window(self.kernel_size, self.strides, self.padding)

    def output_shape(self, input_shape: Shape) -> Shape:
        return (*map_size(self, input_shape, self.window), self.filters)

    def weight_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        return _with_bias(self, (*self.kernel_size, input_shape[2], self.filters), self.filters)

    def macs(self, input_shape: Shape) -> int:
        return prod(self.output_shape(input_shape)) * prod(self.kernel_size) * input_shape[2]


@dataclass(frozen=True)
class DepthwiseConv2D:
    """A convolution of each channel by itself, `depth_multiplier` filters a channel, with bias.

    Output c · depth_multiplier + m is channel c by its kernel m. Weights: `kernel` (kernel rows, kernel columns, C,
    depth_multiplier) and, unless `use_bias` is false, `bias` (C · depth_multiplier,).
    """

    kernel_size: Pair = (3, 3)
    strides: Pair = (1, 1)
    padding: Padding = "valid"
    depth_multiplier: int = 1
    activation: ActivationName = "linear"
    use_bias: bool = True
    name: str = ""
    kind: ClassVar[str] = "DepthwiseConv2D"

    def __post_init__(self) -> None:
        set_pair(self, "kernel_size")
        set_pair(self, "strides")
        check_choice(self, "padding", get_args(Padding))
        check_count(self, "depth_multiplier")
        check_choice(self, "activation", get_args(ActivationName))
        check_flag(self, "use_bias")

    @property
    def window(self) -> Window:
        return Window(self.kernel_size, self.strides, self.padding)

    def output_shape(self, input_shape: Shape) -> Shape:
        return (*map_size(self, input_shape, self.window), input_shape[2] * self.depth_multiplier)

    def weight_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        channels = input_shape[2]
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


def _with_bias(layer: Conv2D | DepthwiseConv2D | Dense, kernel: Shape, outputs: int) -> dict[str, Shape]:
    return {"kernel": kernel, "bias": (outputs,)} if layer.use_bias else {"kernel": kernel}
