"""The layers as data: what each one is called, what shape it gives, what weights it has, what it costs.

A layer is a frozen dataclass with the names and arguments that Keras gives it. It computes nothing: the engines do.
Shapes are without the batch: (H, W, C) for maps, (units,) for vectors.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import prod
from typing import Any, ClassVar, Literal, get_args

from convscope.errors import ArchitectureError
from convscope.plain import from_plain

Shape = tuple[int, ...]
Pair = tuple[int, int]
Activation = Literal["linear", "relu", "leaky_relu", "gelu", "tanh", "sigmoid", "softmax"]
"""As Keras computes them by default: leaky_relu with slope 0.2 below zero, gelu by the error function."""
Padding = Literal["valid", "same"]


@dataclass(frozen=True)
class Window:
    """How the outputs of a layer read a map: a kernel of `size` (rows, columns) moved by `strides`."""

    size: Pair
    strides: Pair
    padding: Padding


@dataclass(frozen=True)
class Conv2D:
    """A convolution (cross-correlation, as in every such library) with bias, stride and activation.

    Weights: `kernel` (kernel rows, kernel columns, C, filters) and `bias` (filters,).
    """

    filters: int
    kernel_size: Pair = (3, 3)
    strides: Pair = (1, 1)
    padding: Padding = "valid"
    activation: Activation = "linear"
    name: str = ""
    kind: ClassVar[str] = "Conv2D"

    def __post_init__(self) -> None:
        _check_count(self, "filters")
        _set_pair(self, "kernel_size")
        _set_pair(self, "strides")
        _check_choice(self, "padding", get_args(Padding))
        _check_choice(self, "activation", get_args(Activation))

    @property
    def window(self) -> Window:
        return Window(self.kernel_size, self.strides, self.padding)

    def output_shape(self, input_shape: Shape) -> Shape:
        return (*_map_size(self, input_shape, self.window), self.filters)

    def weight_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        return {"kernel": (*self.kernel_size, input_shape[2], self.filters), "bias": (self.filters,)}

    def macs(self, input_shape: Shape) -> int:
        return prod(self.output_shape(input_shape)) * prod(self.kernel_size) * input_shape[2]


@dataclass(frozen=True)
class DepthwiseConv2D:
    """A convolution of each channel by itself, `depth_multiplier` filters a channel, with bias.

    Output c · depth_multiplier + m is channel c by its kernel m. Weights: `kernel` (kernel rows, kernel columns, C,
    depth_multiplier) and `bias` (C · depth_multiplier,).
    """

    kernel_size: Pair = (3, 3)
    strides: Pair = (1, 1)
    padding: Padding = "valid"
    depth_multiplier: int = 1
    activation: Activation = "linear"
    name: str = ""
    kind: ClassVar[str] = "DepthwiseConv2D"

    def __post_init__(self) -> None:
        _set_pair(self, "kernel_size")
        _set_pair(self, "strides")
        _check_choice(self, "padding", get_args(Padding))
        _check_count(self, "depth_multiplier")
        _check_choice(self, "activation", get_args(Activation))

    @property
    def window(self) -> Window:
        return Window(self.kernel_size, self.strides, self.padding)

    def output_shape(self, input_shape: Shape) -> Shape:
        return (*_map_size(self, input_shape, self.window), input_shape[2] * self.depth_multiplier)

    def weight_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        channels = input_shape[2]
        kernel = (*self.kernel_size, channels, self.depth_multiplier)
        return {"kernel": kernel, "bias": (channels * self.depth_multiplier,)}

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
        _set_pair(self, "pool_size")
        if self.strides is None:
            object.__setattr__(self, "strides", self.pool_size)
        _set_pair(self, "strides")
        _check_choice(self, "padding", get_args(Padding))

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
        good = isinstance(self.rate, int | float) and not isinstance(self.rate, bool)
        if not good or not 0 <= self.rate < 1:
            raise ArchitectureError(f"{_label(self)}: rate is {self.rate!r}; it must be a number from 0 to less than 1")

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
class Dense:
    """Every output reads every input. Weights: `kernel` (inputs, units) and `bias` (units,)."""

    units: int
    activation: Activation = "linear"
    name: str = ""
    kind: ClassVar[str] = "Dense"

    def __post_init__(self) -> None:
        _check_count(self, "units")
        _check_choice(self, "activation", get_args(Activation))

    def output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 1:
            raise ArchitectureError(f"{_label(self)} reads maps of shape {input_shape}; put a Flatten before it")
        return (self.units,)

    def weight_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        return {"kernel": (input_shape[0], self.units), "bias": (self.units,)}

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
    | Dense
)

_AnyLayer = Layer | _Pooling | _GlobalPooling

LAYER_KINDS: Mapping[str, type[Layer]] = {kind.kind: kind for kind in get_args(Layer)}


def padding_before(size: int, kernel: int, stride: int, padding: Padding) -> int:
    """Return how many zeros stand before the first of `size` pixels; `same` puts an odd one behind, as TensorFlow."""
    if padding == "valid":
        return 0
    return max((-(-size // stride) - 1) * stride + kernel - size, 0) // 2


def layer_to_dict(layer: Layer) -> dict[str, Any]:
    """Return the layer as plain JSON, `kind` first."""
    values = {field.name: getattr(layer, field.name) for field in fields(layer)}
    name = values.pop("name")
    plain = {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}
    return {"kind": layer.kind, "name": name, **plain}


def layer_from_dict(value: Any) -> Layer:
    """Return the layer that `layer_to_dict` wrote.

    Raises:
        ArchitectureError: for an unknown kind, an unknown or missing argument, or a value out of range.
    """
    if not isinstance(value, Mapping) or "kind" not in value:
        raise ArchitectureError(f"a layer is an object with a `kind`, not {value!r}")
    kind = LAYER_KINDS.get(str(value["kind"]))
    if kind is None:
        raise ArchitectureError(f"unknown layer kind {value['kind']!r}; known are {', '.join(LAYER_KINDS)}")
    arguments = {key: argument for key, argument in value.items() if key != "kind"}
    if not isinstance(arguments.get("name", ""), str):
        raise ArchitectureError(f"{kind.kind}: name is {arguments['name']!r}, not a string")
    return from_plain(kind, arguments, kind.kind, ArchitectureError)


def _label(layer: _AnyLayer) -> str:
    return f"{layer.name} ({layer.kind})" if layer.name else layer.kind


def _maps(layer: _AnyLayer, input_shape: Shape) -> Shape:
    if len(input_shape) != 3:
        raise ArchitectureError(f"{_label(layer)} reads maps (H, W, C), but is given a vector of {input_shape[0]}")
    return input_shape


def _map_size(layer: _AnyLayer, input_shape: Shape, window: Window) -> Pair:
    _maps(layer, input_shape)
    rows, columns = (
        -(-size // stride) if window.padding == "same" else (size - kernel) // stride + 1
        for size, kernel, stride in zip(input_shape, window.size, window.strides, strict=False)
    )
    if rows < 1 or columns < 1:
        raise ArchitectureError(
            f"{_label(layer)} with a window of {window.size[0]} x {window.size[1]} does not fit a map of "
            f"{input_shape[0]} x {input_shape[1]}; use a smaller window, `same` padding or fewer poolings"
        )
    return rows, columns


def _check_count(layer: _AnyLayer, field: str) -> None:
    value = getattr(layer, field)
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 65536:
        raise ArchitectureError(f"{_label(layer)}: {field} is {value!r}; it must be a whole number from 1 to 65536")


def _check_choice(layer: _AnyLayer, field: str, choices: tuple[str, ...]) -> None:
    value = getattr(layer, field)
    if value not in choices:
        raise ArchitectureError(f"{_label(layer)}: {field} is {value!r}; it must be one of {', '.join(choices)}")


def _set_pair(layer: _AnyLayer, field: str) -> None:
    """Make `3`, `[3, 3]` and `(3, 3)` the same pair, and refuse what is none."""
    value = getattr(layer, field)
    pair = (value, value) if isinstance(value, int) else value
    good = isinstance(pair, tuple | list) and len(pair) == 2
    if not good or not all(isinstance(n, int) and not isinstance(n, bool) and 1 <= n <= 1024 for n in pair):
        raise ArchitectureError(
            f"{_label(layer)}: {field} is {value!r}; it must be one or two whole numbers from 1 to 1024"
        )
    object.__setattr__(layer, field, tuple(pair))
