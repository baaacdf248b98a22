"""Random networks for tests of everything that must hold for any architecture: layers of every kind, in any order.

`random_architecture(rng)` draws an input, some layers that give maps, the way to a vector, some layers that give
vectors, and an end; whatever does not fit is drawn anew. `architecture_around(sequence, rng)` draws a network in which
the given kinds follow each other, from the widest ranges that compute in milliseconds; `kind_sequences(length)` lists
what to give it. `random_weights(architecture, rng)` draws weights under which logits are of the order of 1 to 10. The
same state of `rng` gives the same network.
"""

from collections.abc import Sequence
from math import prod
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from tests.random_branches import JOINING, VECTOR, join_unread, joining_layer, unread, weight_channels

import convscope as cs
from convscope import Model
from convscope.architecture import ActivationName, Layer, Shape
from convscope.base.errors import ArchitectureError
from convscope.engine import open_network

ACTIVATIONS = tuple(name for name in get_args(ActivationName) if name != "softmax")
INPUTS = ((1 / 255, 0.0), (1 / 127.5, -1.0), (1 / 100, -0.3))  # scale and offset

MAP_KINDS = (
    "Conv2D", "DepthwiseConv2D", "MaxPooling2D", "AveragePooling2D", "BatchNormalization", "Dropout", "Add", "Branch",
    "Concatenate", "Multiply", "ZeroPadding2D", "Activation", "PReLU", "LayerNormalization", "GroupNormalization",
)  # fmt: skip
WAYS_TO_VECTORS = ("Flatten", "GlobalAveragePooling2D", "GlobalMaxPooling2D")
VECTOR_KINDS = (
    "Dense", "BatchNormalization", "Dropout", "Add", "Branch", "Concatenate", "Multiply", "Flatten", "Activation",
    "PReLU", "LayerNormalization", "GroupNormalization",
)  # fmt: skip

MAX_NUMBERS = 1 << 13  # numbers in a map of `architecture_around`
MAX_WEIGHTS = 1 << 15  # weights of one of its layers
MAX_PRODUCTS = 1 << 18  # products of one of its layers for an image


def random_architecture(
    rng: np.random.Generator,
    size: tuple[int, int] | None = None,
    channels: int | None = None,
    num_classes: int | None = None,
    for_8_bits: bool = False,
) -> cs.Architecture:
    """Return a network with 4 to 8 layers on maps and up to 3 on vectors; what is None is drawn.

    Height and width are drawn from 7 to 20 each, channels from 1 and 3, classes from 2 to 11. None is an ensemble,
    which not every export has.
    """
    height, width = size or (int(rng.integers(7, 21)), int(rng.integers(7, 21)))
    scale, offset = INPUTS[rng.integers(len(INPUTS))]
    image = cs.Input(height, width, channels or int(rng.choice([1, 3])), scale, offset)
    classes = num_classes or int(rng.integers(2, 12))
    layers: list[Layer] = []
    shapes: list[Shape] = [image.shape]  # the shape of the image, then of each layer
    ranges = Usual(rng)
    # A product of maps is not drawn here, because the numbers of several grow beyond what 8 bits can carry. Nor are
    # layers that normalise an image by itself, if a test asks for what they can carry.
    left_out = ("Multiply", "LayerNormalization", "GroupNormalization")[: None if for_8_bits else 1]
    for _ in range(rng.integers(4, 9)):
        _append(ranges, layers, shapes, tuple(kind for kind in MAP_KINDS if kind not in left_out))
        if rng.random() < 0.1:
            weight_channels(rng, layers, shapes)
    if rng.random() < 0.2 and not unread(layers):  # as networks without a dense layer end
        pooling = cs.GlobalAveragePooling2D() if rng.random() < 0.5 else cs.GlobalMaxPooling2D()
        return cs.Architecture(image, (*layers, cs.Conv2D(classes, 1), pooling))
    layers.append([cs.Flatten(), cs.Flatten(), cs.GlobalAveragePooling2D(), cs.GlobalMaxPooling2D()][rng.integers(4)])
    shapes.append(layers[-1].output_shape(shapes[-1]))
    join_unread(rng, layers, shapes)
    for _ in range(rng.integers(0, 4)):
        _append(ranges, layers, shapes, tuple(kind for kind in _VECTORS if not kind.endswith(left_out)))
    join_unread(rng, layers, shapes)
    ends = _ends(classes)
    return cs.Architecture(image, (*layers, *ends[rng.integers(len(ends))]))


def _ends(classes: int) -> list[list[Layer]]:
    """Return the ways to end a network behind a vector."""
    return [
        [cs.Dense(classes, "softmax")],
        [cs.Dense(classes, use_bias=False)],
        [cs.Dense(classes), cs.BatchNormalization(activation="softmax")],
        [cs.Dense(classes, name="scores"), cs.Dropout(0.1), cs.Add("scores", "softmax")],
        [cs.Dense(classes), cs.Activation("softmax")],
    ]


def kind_sequences(length: int) -> list[tuple[str, ...]]:
    """Return every sequence of so many kinds that layers can have one behind the other; "Input" may be the first.

    >>> len(kind_sequences(2)), len(kind_sequences(3))
    (468, 7104)
    """
    sequences = [(kind,) for kind in ("Input", *MAP_KINDS, *WAYS_TO_VECTORS, *_VECTORS)]
    for _ in range(length - 1):
        sequences = [(*sequence, kind) for sequence in sequences for kind in _followers(sequence[-1])]
    return sequences


def kinds_of(architecture: cs.Architecture) -> tuple[str, ...]:
    """Return the kinds of an architecture's layers as `kind_sequences` names them, "Input" first.

    A `SoftVoting` is left out: it ends a network, and no sequence has it.
    """
    rows = [row for row in architecture.table if row.layer.kind != "SoftVoting"]
    return ("Input", *(VECTOR * (len(row.input_shape) == 1) + row.layer.kind for row in rows))


def architecture_around(sequence: Sequence[str], rng: np.random.Generator) -> cs.Architecture:
    """Return a network in which the kinds of `sequence`, one of `kind_sequences`, follow each other.

    Up to two layers stand before and behind it. Images have 1 to 40 rows and columns and 1 to 4 channels, layers up to
    4,096 filters and windows as large as the map and larger; what costs more than milliseconds is drawn anew.
    """
    height, width = (int(n) for n in rng.integers(1, rng.choice([4, 13, 13, 13, 25, 41]), 2))
    scale, offset = INPUTS[rng.integers(len(INPUTS))]
    image = cs.Input(height, width, int(rng.integers(1, 5)), scale, offset)
    kinds = [kind for kind in sequence if kind != "Input"]
    # Around them nothing that reads an earlier layer: maps of such networks are not cut to what is read.
    others = [kind for kind in MAP_KINDS if kind not in JOINING]
    before: list[str] = []
    if sequence[0] != "Input":
        before = [others[k] for k in rng.integers(len(others), size=rng.integers(0, 3))]
        if sequence[0] in _VECTORS:
            before.append(WAYS_TO_VECTORS[rng.integers(3)])
        kinds = [*before, *kinds]
        if kinds[0] in ("Add", "Multiply", "Concatenate"):  # there is nothing to join yet
            kinds.insert(0, ("Conv2D", "BatchNormalization", "ZeroPadding2D")[rng.integers(3)])
    if kinds[-1] in MAP_KINDS:
        kinds += [others[k] for k in rng.integers(len(others), size=rng.integers(0, 3))]
        kinds.append(WAYS_TO_VECTORS[rng.integers(3)])
    if rng.random() < 0.3:
        kinds.append(_VECTORS[rng.integers(len(_VECTORS))])
    layers: list[Layer] = []
    shapes: list[Shape] = [image.shape]
    ranges = Wide(rng)
    for index, kind in enumerate(kinds):
        if index and index == len(before) and len(shapes[-1]) == 3 and rng.random() < 0.2:
            weight_channels(rng, layers, shapes)
        # What a branch leaves unread is joined straight behind the way to vectors, which is the next kind at the
        # earliest. So a branch leaves nothing if the kind after that is a vector's: it must follow without a join.
        next_but_one = kinds[index + 2] if index + 2 < len(kinds) else ""
        _append(ranges, layers, shapes, (kind,), may_leave=not next_but_one.startswith(VECTOR))
        if kind in WAYS_TO_VECTORS:
            join_unread(rng, layers, shapes)
    join_unread(rng, layers, shapes)
    if 2 <= shapes[-1][0] <= 100 and getattr(layers[-1], "activation", "linear") == "linear":
        return cs.Architecture(image, tuple(layers))
    widest = max(2, MAX_WEIGHTS // shapes[-1][0])
    classes = min(int(rng.integers(2, 12)) if rng.random() < 0.9 else 100, widest)
    ends = [*_ends(classes), [cs.Dense(3 * classes), cs.SoftVoting(3)]]
    if rng.random() < 0.8:
        ends = [end for end in ends if not any(layer.kind in JOINING for layer in end)]
    return cs.Architecture(image, (*layers, *ends[rng.integers(len(ends))]))


_VECTORS = tuple(VECTOR + kind for kind in VECTOR_KINDS)


def _followers(kind: str) -> tuple[str, ...]:
    """Return the kinds that a layer behind one of `kind` can have."""
    if kind == "Input":
        return tuple(
            follower
            for follower in (*MAP_KINDS, *WAYS_TO_VECTORS)
            if follower not in ("Add", "Multiply", "Concatenate")
        )
    if kind in MAP_KINDS:
        return (*MAP_KINDS, *WAYS_TO_VECTORS)
    return (*_VECTORS, "Branch") if kind in WAYS_TO_VECTORS else _VECTORS


def random_weights(network: cs.Architecture, rng: np.random.Generator) -> dict[str, NDArray[np.float32]]:
    """Return weights under which numbers keep their size on the way, and logits of random images are some units large.

    Kernels are drawn as He and others 2015, equation 10, have them; the last one is then scaled until the largest logit
    of 16 random images is 5. Biases, moving statistics and what a batch normalisation learned differ from channel to
    channel, so that whatever is forgotten or exchanged shows.
    """
    weights: dict[str, NDArray[np.float32]] = {}
    for name, shape in network.weight_shapes.items():
        layer, _, part = name.partition("/")
        value: NDArray[Any]
        if part == "kernel":
            is_depthwise = isinstance(network.row(layer).layer, cs.DepthwiseConv2D)
            fan_in = np.prod(shape[:2]) if is_depthwise else np.prod(shape[:-1])
            value = rng.normal(0, np.sqrt(2 / fan_in), shape)
        elif part == "alpha":
            value = rng.uniform(-0.5, 1.5, shape)
        elif part in ("gamma", "moving_variance"):
            value = rng.uniform(0.5, 1.5, shape)
        else:
            value = rng.normal(0, 0.2, shape)
        weights[name] = value.astype(np.float32)
    last = next((name for name in reversed(weights) if name.endswith("/kernel")), "").partition("/")[0]
    logits = open_network(network, weights, "reference").logits(random_images(network, rng, 16))
    scale = np.float32(5 / (np.abs(logits).max() or 1))
    return {
        name: value * scale if name in (f"{last}/kernel", f"{last}/bias") else value for name, value in weights.items()
    }


def random_images(network: cs.Architecture, rng: np.random.Generator, count: int) -> NDArray[np.uint8]:
    """Return (count, H, W, C) uint8; every second image lies on an empty ground, as drawings do."""
    images = rng.integers(0, 256, (count, *network.input.shape), np.uint8)
    images[1::2, : network.input.height // 3] = 0
    return images


def random_model(
    rng: np.random.Generator,
    size: tuple[int, int] | None = None,
    channels: int | None = None,
    num_classes: int | None = None,
    for_8_bits: bool = False,
) -> Model:
    """Return a random network with random weights; its class names hold what formats stumble over."""
    network = random_architecture(rng, size, channels, num_classes, for_8_bits)
    names = tuple(
        f"{ugly}{k}" for k, ugly in zip(range(network.num_classes), ["<a> & 'b'", "é ", "数"] * 400, strict=False)
    )
    return Model(network, random_weights(network, rng), names)


class Usual:
    """Draws the arguments of layers as most networks have them."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def window(self, shape: Shape) -> tuple[tuple[int, int], dict[str, Any]]:
        """Return the size of a window, and its strides and padding as arguments."""
        window: dict[str, Any] = {
            "strides": tuple(int(n) for n in self.rng.choice([1, 1, 1, 2, 3], 2)),
            "padding": ["same", "same", "valid"][self.rng.integers(3)],
        }
        rows, columns = (int(n) for n in self.rng.integers(1, 6, 2))
        return (rows, columns), window

    def dilation(self, strides: int | tuple[int, int]) -> tuple[int, int]:
        """Draw a dilation of rows and columns; 1 with strides."""
        if strides not in (1, (1, 1)) or self.rng.random() < 0.6:
            return (1, 1)
        rows, columns = (int(n) for n in self.rng.integers(1, 4, 2))
        return rows, columns

    def groups(self, shape: Shape) -> int:
        """Draw the number of groups of a convolution of such maps."""
        divisors = [n for n in range(2, shape[-1] + 1) if shape[-1] % n == 0]
        return int(self.rng.choice(divisors)) if divisors and self.rng.random() < 0.5 else 1

    def count(self, usual: int) -> int:
        """Draw a number of filters, units or kernels a channel: 1 to `usual`."""
        return int(self.rng.integers(1, usual + 1))

    def rate(self) -> float:
        """Draw the rate of a dropout layer."""
        return float(self.rng.uniform(0, 0.9))

    def frame(self) -> list[int]:
        """Return by how many zeros a map is padded on its four sides."""
        return [int(n) for n in self.rng.integers(0, 4, 4)]

    def may_follow(self, layer: Layer, shape: Shape) -> bool:
        """Return whether a layer that fits behind a map of this shape is taken."""
        return True


class Wide(Usual):
    """Draws from all that a layer may be, as far as it computes in milliseconds."""

    def window(self, shape: Shape) -> tuple[tuple[int, int], dict[str, Any]]:
        rng, padding = self.rng, "same" if self.rng.random() < 0.5 else "valid"
        if rng.random() < 0.5:  # those for which an engine has ways of its own
            side = int(rng.choice([1, 2, 2, 3, 3, 3, 5]))
            strides = int(rng.choice([1, 1, 2, side]))
            return (side, side), {"strides": strides, "padding": padding}
        sizes, strides_of_axes = [], []
        for length in (*shape, 1)[:2]:  # a vector has no windows
            longest = (5, length, length + 2)[rng.integers(3)]
            sizes.append(length if rng.random() < 0.2 else int(rng.integers(1, longest + 1)))
            strides_of_axes.append(1 if rng.random() < 0.6 else int(rng.integers(1, sizes[-1] + 4)))
        rows, columns = sizes
        return (rows, columns), {"strides": tuple(strides_of_axes), "padding": padding}

    def count(self, usual: int) -> int:
        """Return most often 1 to `usual`, else a number about which registers and tiles end, or one up to 4,096."""
        which = self.rng.random()
        if which < 0.5:
            return super().count(usual)
        if which < 0.8:
            return int(self.rng.choice([8, 15, 16, 17, 24, 31, 32, 33, 40, 48, 63, 64, 65]))
        return round(4096 ** self.rng.random())

    def rate(self) -> float:
        return float(self.rng.choice([0.0, self.rng.uniform(0, 0.9), 0.999]))

    def frame(self) -> list[int]:
        return [int(n) for n in self.rng.integers(0, self.rng.choice([1, 3, 6]) + 1, 4)]

    def may_follow(self, layer: Layer, shape: Shape) -> bool:
        return (
            prod(layer.output_shape(shape)) <= max(MAX_NUMBERS, prod(shape))  # joined maps may be larger
            and sum(map(prod, layer.weight_shapes(shape).values())) <= max(MAX_WEIGHTS, 8 * prod(shape))
            and layer.macs(shape) <= MAX_PRODUCTS
        )


def _append(
    ranges: Usual, layers: list[Layer], shapes: list[Shape], kinds: tuple[str, ...], may_leave: bool = True
) -> None:
    """Draw layers until one fits behind `layers`, and append it and its shape.

    Args:
        may_leave: whether a `Branch` may go back to any layer, so that another must read the one before it.
    """
    while True:
        drawn = kinds[ranges.rng.integers(len(kinds))]
        kind, source = drawn.removeprefix(VECTOR), shapes[-1]
        try:
            if kind in JOINING:
                activation = _activation(ranges.rng)
                joined = joining_layer(ranges.rng, drawn, layers, shapes, activation, may_leave)
                if joined is None:
                    continue
                layer, source = joined
            else:
                layer = _layer(ranges, kind, source)
            shape = layer.output_shape(source)
        except ArchitectureError:  # a window larger than the map
            continue
        if kind in JOINING or ranges.may_follow(layer, source):  # of the joined maps one may be as large as may be
            layers.append(layer)
            shapes.append(shape)
            return


def _layer(ranges: Usual, kind: str, shape: Shape) -> Layer:
    """Return a layer of `kind` with arguments that were drawn, whether or not it fits behind a map of this shape."""
    rng = ranges.rng
    size, window = ranges.window(shape)
    has_bias = bool(rng.random() < 0.7)
    match kind:
        case "Conv2D":
            groups = ranges.groups(shape)
            window |= {"dilation_rate": ranges.dilation(window["strides"]), "groups": groups}
            return cs.Conv2D(groups * ranges.count(9), size, **window, activation=_activation(rng), use_bias=has_bias)
        case "DepthwiseConv2D":
            multiplier = ranges.count(3)
            window["dilation_rate"] = ranges.dilation(window["strides"])
            return cs.DepthwiseConv2D(
                size, **window, depth_multiplier=multiplier, activation=_activation(rng), use_bias=has_bias
            )
        case "MaxPooling2D":
            return cs.MaxPooling2D(size, **window)
        case "AveragePooling2D":
            return cs.AveragePooling2D(size, **window)
        case "BatchNormalization":
            return cs.BatchNormalization(
                float(rng.uniform(0.5, 0.99)), float(rng.choice([1e-3, 1e-5])), _activation(rng)
            )
        case "LayerNormalization":
            return cs.LayerNormalization(float(rng.choice([1e-2, 1e-3])))
        case "GroupNormalization":
            return cs.GroupNormalization(ranges.groups(shape), float(rng.choice([1e-2, 1e-3])))
        case "Dropout":
            return cs.Dropout(ranges.rate())
        case "Flatten":
            return cs.Flatten()
        case "GlobalAveragePooling2D":
            return cs.GlobalAveragePooling2D()
        case "GlobalMaxPooling2D":
            return cs.GlobalMaxPooling2D()
        case "Dense":
            return cs.Dense(ranges.count(32), _activation(rng), use_bias=has_bias)
        case "PReLU":
            return cs.PReLU()
        case "ZeroPadding2D":
            top, bottom, left, right = ranges.frame()
            return cs.ZeroPadding2D(((top, bottom), (left, right)))
        case _:
            return cs.Activation(_activation(rng), negative_slope=float(rng.uniform(0, 1.5)))


def _activation(rng: np.random.Generator) -> Any:
    return ACTIVATIONS[rng.integers(len(ACTIVATIONS))]
