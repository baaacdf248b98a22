"""Random networks for tests of everything that must hold for any architecture: layers of every kind, in any order.

`random_architecture(rng)` draws an input, some layers that give maps, the way to a vector, some layers that give
vectors, and an end; whatever does not fit is drawn anew. `random_weights(architecture, rng)` draws weights for it under
which logits are of the order of 1 to 10. The same state of `rng` gives the same network.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope import Model
from convscope.architecture import (
    Activation,
    Add,
    Architecture,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    Input,
    Layer,
    MaxPooling2D,
    Shape,
    ZeroPadding2D,
)
from convscope.engine import open_network
from convscope.errors import ArchitectureError

ACTIVATIONS = ("linear", "relu", "leaky_relu", "gelu", "tanh", "sigmoid")
INPUTS = ((1 / 255, 0.0), (1 / 127.5, -1.0), (1 / 100, -0.3))  # scale and offset

MAP_KINDS = (
    "Conv2D",
    "DepthwiseConv2D",
    "MaxPooling2D",
    "AveragePooling2D",
    "BatchNormalization",
    "Dropout",
    "Add",
    "ZeroPadding2D",
    "Activation",
)
VECTOR_KINDS = ("Dense", "BatchNormalization", "Dropout", "Add", "Flatten", "Activation")


def random_architecture(
    rng: np.random.Generator,
    size: tuple[int, int] | None = None,
    channels: int | None = None,
    num_classes: int | None = None,
) -> Architecture:
    """Return a network with 4 to 8 layers on maps and up to 3 on vectors; what is None is drawn.

    Height and width are drawn from 7 to 20 each, channels from 1 and 3, classes from 2 to 11.
    """
    height, width = size or (int(rng.integers(7, 21)), int(rng.integers(7, 21)))
    scale, offset = INPUTS[rng.integers(len(INPUTS))]
    image = Input(height, width, channels or int(rng.choice([1, 3])), scale, offset)
    classes = num_classes or int(rng.integers(2, 12))
    layers: list[Layer] = []
    shapes: list[Shape] = [image.shape]  # of the image, then of each layer
    for _ in range(rng.integers(4, 9)):
        _append(rng, layers, shapes, MAP_KINDS)
    if rng.random() < 0.2:  # as networks without a dense layer end
        pooling = GlobalAveragePooling2D() if rng.random() < 0.5 else GlobalMaxPooling2D()
        return Architecture(image, (*layers, Conv2D(classes, 1), pooling))
    layers.append([Flatten(), Flatten(), GlobalAveragePooling2D(), GlobalMaxPooling2D()][rng.integers(4)])
    shapes.append(layers[-1].output_shape(shapes[-1]))
    for _ in range(rng.integers(0, 4)):
        _append(rng, layers, shapes, VECTOR_KINDS)
    ends: list[list[Layer]] = [
        [Dense(classes, "softmax")],
        [Dense(classes, use_bias=False)],
        [Dense(classes), BatchNormalization(activation="softmax")],
        [Dense(classes, name="scores"), Dropout(0.1), Add("scores", "softmax")],
        [Dense(classes), Activation("softmax")],
    ]
    return Architecture(image, (*layers, *ends[rng.integers(len(ends))]))


def random_weights(network: Architecture, rng: np.random.Generator) -> dict[str, NDArray[np.float32]]:
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
            is_depthwise = isinstance(network.row(layer).layer, DepthwiseConv2D)
            fan_in = np.prod(shape[:2]) if is_depthwise else np.prod(shape[:-1])
            value = rng.normal(0, np.sqrt(2 / fan_in), shape)
        elif part in ("gamma", "moving_variance"):
            value = rng.uniform(0.5, 1.5, shape)
        else:
            value = rng.normal(0, 0.2, shape)
        weights[name] = value.astype(np.float32)
    last = next(name for name in reversed(weights) if name.endswith("/kernel")).partition("/")[0]
    logits = open_network(network, weights).logits(random_images(network, rng, 16))
    scale = np.float32(5 / np.abs(logits).max())
    return {
        name: value * scale if name in (f"{last}/kernel", f"{last}/bias") else value for name, value in weights.items()
    }


def random_images(network: Architecture, rng: np.random.Generator, count: int) -> NDArray[np.uint8]:
    """Return (count, H, W, C) uint8; every second image lies on an empty ground, as drawings do."""
    images = rng.integers(0, 256, (count, *network.input.shape), np.uint8)
    images[1::2, : network.input.height // 3] = 0
    return images


def random_model(
    rng: np.random.Generator,
    size: tuple[int, int] | None = None,
    channels: int | None = None,
    num_classes: int | None = None,
) -> Model:
    """Return a random network with random weights; its class names hold what formats stumble over."""
    network = random_architecture(rng, size, channels, num_classes)
    names = tuple(
        f"{ugly}{k}" for k, ugly in zip(range(network.num_classes), ["<a> & 'b'", "é ", "数"] * 400, strict=False)
    )
    return Model(network, random_weights(network, rng), names)


def _append(rng: np.random.Generator, layers: list[Layer], shapes: list[Shape], kinds: tuple[str, ...]) -> None:
    """Draw layers until one fits behind `layers`, and append it and its shape."""
    while True:
        kind = kinds[rng.integers(len(kinds))]
        try:
            layer = _add(rng, layers, shapes) if kind == "Add" else _layer(rng, kind)
            shape = layer and layer.output_shape(shapes[-1])
        except ArchitectureError:  # a window larger than the map
            continue
        if layer and shape:
            layers.append(layer)
            shapes.append(shape)
            return


def _add(rng: np.random.Generator, layers: list[Layer], shapes: list[Shape]) -> Layer | None:
    """Return an addition of an earlier layer of the last shape, which gets a name; None where there is none."""
    fitting = [index for index in range(len(layers)) if shapes[index + 1] == shapes[-1]]
    if not fitting:
        return None
    index = fitting[rng.integers(len(fitting))]
    layers[index] = replace(layers[index], name=layers[index].name or f"shortcut_{index}")
    return Add(layers[index].name, _activation(rng))


def _layer(rng: np.random.Generator, kind: str) -> Layer:
    """Return a layer of `kind` with arguments that were drawn, whether or not it fits."""
    window: dict[str, Any] = {
        "strides": tuple(int(n) for n in rng.choice([1, 1, 1, 2, 3], 2)),
        "padding": ["same", "same", "valid"][rng.integers(3)],
    }
    size = tuple(int(n) for n in rng.integers(1, 6, 2))
    has_bias = bool(rng.random() < 0.7)
    match kind:
        case "Conv2D":
            return Conv2D(int(rng.integers(1, 10)), size, **window, activation=_activation(rng), use_bias=has_bias)
        case "DepthwiseConv2D":
            multiplier = int(rng.integers(1, 4))
            return DepthwiseConv2D(
                size, **window, depth_multiplier=multiplier, activation=_activation(rng), use_bias=has_bias
            )
        case "MaxPooling2D":
            return MaxPooling2D(size, **window)
        case "AveragePooling2D":
            return AveragePooling2D(size, **window)
        case "BatchNormalization":
            return BatchNormalization(float(rng.uniform(0.5, 0.99)), float(rng.choice([1e-3, 1e-5])), _activation(rng))
        case "Dropout":
            return Dropout(float(rng.uniform(0, 0.9)))
        case "Flatten":
            return Flatten()
        case "Dense":
            return Dense(int(rng.integers(1, 33)), _activation(rng), use_bias=has_bias)
        case "ZeroPadding2D":
            top, bottom, left, right = (int(n) for n in rng.integers(0, 4, 4))
            return ZeroPadding2D(((top, bottom), (left, right)))
        case _:
            return Activation(_activation(rng), negative_slope=float(rng.uniform(0, 1.5)))


def _activation(rng: np.random.Generator) -> Any:
    return ACTIVATIONS[rng.integers(len(ACTIVATIONS))]
