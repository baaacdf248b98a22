"""The layers as data: what each one is called, what shape it gives, what weights it has, what it costs.

A layer is a frozen dataclass with the names and arguments that Keras gives it. It computes nothing: the engines do.
Shapes are without the batch: (H, W, C) for maps, (units,) for vectors.
"""

from dataclasses import dataclass
from math import prod
from typing import ClassVar, Literal, get_args

from convscope.architecture.arguments import (
    check_choice,
    check_count,
    check_flag,
    check_fraction,
    check_name,
    check_positive,
    label,
    set_pair,
)
from convscope.errors import ArchitectureError

Shape = tuple[int, ...]
Pair = tuple[int, int]
Activation = Literal["linear", "relu", "leaky_relu", "gelu", "tanh", "sigmoid", "softmax"]
"""As Keras computes them by default: leaky_relu with slope 0.2 below zero, gelu by the error function."""
Padding = Literal["valid", "same"]
NON_TRAINABLE_WEIGHTS = ("moving_mean", "moving_variance")
"""Names, within a layer, of the weights that no gradient changes: what `BatchNormalization` remembers of batches."""


@dataclass(frozen=True)
class Window:
    """How the outputs of a layer read a map: a kernel of `size` (rows, columns) moved by `strides`."""

    size: Pair
    strides: Pair
    padding: Padding


@dataclass(frozen=True)
class Conv2D:
    """A convolution (cross-correlation, as in every such library) with bias, stride and activation.

    Weights: `kernel` (kernel rows, kernel columns, C, filters) and, unless `use_bias` is false, `bias` (filters,).
    """

    filters: int
    kernel_size: Pair = (3, 3)
    strides: Pair = (1, 1)
    padding: Padding = "valid"
    activation: Activation = "linear"
    use_bias: bool = True
    name: str = ""
    kind: ClassVar[str] = "Conv2D"

    def __post_init__(self) -> None:
        check_count(self, "filters")
        set_pair(self, "kernel_size")
        set_pair(self, "strides")
        check_choice(self, "padding", get_args(Padding))
        check_choice(self, "activation", get_args(Activation))
        check_flag(self, "use_bias")

    @property
    def window(self) -> Window:
        return Window(self.kernel_size, self.strides, self.padding)

    def output_shape(self, input_shape: Shape) -> Shape:
        return (*_map_size(self, input_shape, self.window), self.filters)

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
    activation: Activation = "linear"
    use_bias: bool = True
    name: str = ""
    kind: ClassVar[str] = "DepthwiseConv2D"

    def __post_init__(self) -> None:
        set_pair(self, "kernel_size")
        set_pair(self, "strides")
        check_choice(self, "padding", get_args(Padding))
        check_count(self, "depth_multiplier")
        check_choice(self, "activation", get_args(Activation))
        check_flag(self, "use_bias")

    @property
    def window(self) -> Window:
        return Window(self.kernel_size, self.strides, self.padding)

    def output_shape(self, input_shape: Shape) -> Shape:
        return (*_map_size(self, input_shape, self.window), input_shape[2] * self.depth_multiplier)

    def weight_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        channels = input_shape[2]
        kernel = (*self.kernel_size, channels, self.depth_multiplier)
        return _with_bias(self, kernel, channels * self.depth_multiplier)

    def macs(self, input_shape: Shape) -> int:
        return prod(self.output_shape(input_shape)) * prod(self.kernel_size)


@dataclass(frozen=True)
class _Pooling:
    """What the poolings by windows share. `valid` drops rows and columns that fill no whole window; `same` keeps them.

    Pixels of padding do not exist: they are never the largest, and no mean counts them.
    """

    pool_size: Pair = (2, 2)
    strides: Pair | None = None
    padding: Padding = "valid"
    name: str = ""
    kind: ClassVar[str] = ""

    def __post_init__(self) -> None:
        set_pair(self, "pool_size")
        if self.strides is None:
            object.__setattr__(self, "strides", self.pool_size)
        set_pair(self, "strides")
        check_choice(self, "padding", get_args(Padding))

    @property
    def window(self) -> Window:
        assert self.strides is not None
        return Window(self.pool_size, self.strides, self.padding)

    def output_shape(self, input_shape: Shape) -> Shape:
        return (*_map_size(self, input_shape, self.window), input_shape[2])

    def weight_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        return {}

    def macs(self, input_shape: Shape) -> int:
        return 0


@dataclass(frozen=True)
class MaxPooling2D(_Pooling):
    """The largest value of each window, map by map; it moves by its own size unless `strides` says otherwise."""

    kind: ClassVar[str] = "MaxPooling2D"


@dataclass(frozen=True)
class AveragePooling2D(_Pooling):
    """The mean of each window, map by map; it moves by its own size unless `strides` says otherwise."""

    kind: ClassVar[str] = "AveragePooling2D"


@dataclass(frozen=True)
class _GlobalPooling:
    """What the poolings of whole maps share: one number a map, so (H, W, C) becomes (C,)."""

    name: str = ""
    kind: ClassVar[str] = ""

    def output_shape(self, input_shape: Shape) -> Shape:
        return (_maps(self, input_shape)[2],)

    def weight_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        return {}

    def macs(self, input_shape: Shape) -> int:
        return 0


@dataclass(frozen=True)
class GlobalMaxPooling2D(_GlobalPooling):
    """The largest value of each map."""

    kind: ClassVar[str] = "GlobalMaxPooling2D"


@dataclass(frozen=True)
class GlobalAveragePooling2D(_GlobalPooling):
    """The mean of each map."""

    kind: ClassVar[str] = "GlobalAveragePooling2D"


@dataclass(frozen=True)
class Flatten:
    """The maps as one vector, in the order row, column, channel."""

    name: str = ""
    kind: ClassVar[str] = "Flatten"

    def output_shape(self, input_shape: Shape) -> Shape:
        return (prod(input_shape),)

    def weight_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        return {}

    def macs(self, input_shape: Shape) -> int:
        return 0


@dataclass(frozen=True)
class Dropout:
    """While training, each number is zero with the chance `rate`, and 1 / (1 - rate) times as large otherwise.

    So the mean stays, and outside training the layer changes nothing. Source: Srivastava and others 2014, section 10.
    """

    rate: float
    name: str = ""
    kind: ClassVar[str] = "Dropout"

    def __post_init__(self) -> None:
        check_fraction(self, "rate")

    @property
    def dropped(self) -> int:
        """How many of 2^24 numbers are dropped: what the rate is to the engines."""
        return int(self.rate * 2**24)

    def output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def weight_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        return {}

    def macs(self, input_shape: Shape) -> int:
        return 0


@dataclass(frozen=True)
class BatchNormalization:
    """Each channel less its mean, divided by its standard deviation, then scaled and shifted by learned numbers.

    While training, mean and variance are those of the batch, over all axes but the last; after training they are the
    moving ones, which each step leaves at `moving · momentum + batch · (1 - momentum)`. A bias just before this layer
    changes nothing; `use_bias=False` leaves it out. Weights, each (C,): `gamma`, `beta`, `moving_mean` and
    `moving_variance`; the last two are not trained by gradients.

    Source: Ioffe and Szegedy 2015, algorithm 1; the moving variance is of the batch as it is, as Keras has it, and not
    enlarged by m / (m - 1) as in their algorithm 2.
    """

    momentum: float = 0.99
    epsilon: float = 1e-3
    activation: Activation = "linear"
    name: str = ""
    kind: ClassVar[str] = "BatchNormalization"

    def __post_init__(self) -> None:
        check_fraction(self, "momentum")
        check_positive(self, "epsilon")
        check_choice(self, "activation", get_args(Activation))

    def output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def weight_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        return dict.fromkeys(("gamma", "beta", "moving_mean", "moving_variance"), input_shape[-1:])

    def macs(self, input_shape: Shape) -> int:
        return 0


@dataclass(frozen=True)
class Add:
    """The sum of what the layer before gives and what the layer called `from_layer` gave, both of one shape.

    It makes a list of layers a residual network: what stands between the two learns the difference from its input.
    Source: He and others 2016, equation 1; `activation` is what they apply after the addition.
    """

    from_layer: str
    activation: Activation = "linear"
    name: str = ""
    kind: ClassVar[str] = "Add"

    def __post_init__(self) -> None:
        check_name(self, "from_layer")
        check_choice(self, "activation", get_args(Activation))

    def output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def weight_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        return {}

    def macs(self, input_shape: Shape) -> int:
        return 0


@dataclass(frozen=True)
class Dense:
    """Every output reads every input. Weights: `kernel` (inputs, units) and, with `use_bias`, `bias` (units,)."""

    units: int
    activation: Activation = "linear"
    use_bias: bool = True
    name: str = ""
    kind: ClassVar[str] = "Dense"

    def __post_init__(self) -> None:
        check_count(self, "units")
        check_choice(self, "activation", get_args(Activation))
        check_flag(self, "use_bias")

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 1:
            raise ArchitectureError(f"{label(self)} reads maps of shape {input_shape}; put a Flatten before it")
        return (self.units,)

    def weight_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        return _with_bias(self, (input_shape[0], self.units), self.units)

    def macs(self, input_shape: Shape) -> int:
        return input_shape[0] * self.units


Layer = (
    Conv2D
    | DepthwiseConv2D
    | MaxPooling2D
    | AveragePooling2D
    | GlobalMaxPooling2D
    | GlobalAveragePooling2D
    | Flatten
    | Dropout
    | BatchNormalization
    | Add
    | Dense
)

_AnyLayer = Layer | _Pooling | _GlobalPooling


def padding_before(size: int, kernel: int, stride: int, padding: Padding) -> int:
    """Return how many zeros stand before the first of `size` pixels; `same` puts an odd one behind, as TensorFlow."""
    if padding == "valid":
        return 0
    return max((-(-size // stride) - 1) * stride + kernel - size, 0) // 2


def _with_bias(layer: Conv2D | DepthwiseConv2D | Dense, kernel: Shape, outputs: int) -> dict[str, Shape]:
    return {"kernel": kernel, "bias": (outputs,)} if layer.use_bias else {"kernel": kernel}


def _maps(layer: _AnyLayer, input_shape: Shape) -> Shape:
    if len(input_shape) != 3:
        raise ArchitectureError(f"{label(layer)} reads maps (H, W, C), but is given a vector of {input_shape[0]}")
    return input_shape


def _map_size(layer: _AnyLayer, input_shape: Shape, window: Window) -> Pair:
    _maps(layer, input_shape)
    rows, columns = (
        -(-size // stride) if window.padding == "same" else (size - kernel) // stride + 1
        for size, kernel, stride in zip(input_shape, window.size, window.strides, strict=False)
    )
    if rows < 1 or columns < 1:
        raise ArchitectureError(
            f"{label(layer)} with a window of {window.size[0]} x {window.size[1]} does not fit a map of "
            f"{input_shape[0]} x {input_shape[1]}; use a smaller window, `same` padding or fewer poolings"
        )
    return rows, columns
