"""Models of every layer kind, drawn at random, and what the tests of ONNX files ask of them."""

from dataclasses import replace

import numpy as np
import pytest
from tests.random_networks import ACTIVATIONS

import convscope as cs
from convscope.architecture.layer_json import LAYER_KINDS
from convscope.base.errors import ArchitectureError
from convscope.engine import initial_weights

SEEDS = range(24)


def random_model(seed: int) -> cs.Model:
    """Return a model with layers, sizes, strides, paddings, activations and weights drawn at random."""
    rng = np.random.default_rng(seed)
    scale, offset = [(1 / 255, 0.0), (1 / 127.5, -1.0), (1 / 255 / 0.3081, -0.4242), (-0.004, 0.9)][seed % 4]
    image = cs.Input(*(int(n) for n in rng.integers(7, 18, 2)), int(rng.choice([1, 3])), scale, offset)
    classes = int(rng.choice([2, 5, 101]))
    layers: list = []
    for _ in range(int(rng.integers(2, 8))):
        layers = _longer(image, layers, _map_layer(rng, image, layers))
    layers += [[cs.Flatten()], [cs.GlobalAveragePooling2D()], [cs.GlobalMaxPooling2D()]][int(rng.integers(3))]
    for _ in range(int(rng.integers(0, 4))):
        layers = _longer(image, layers, _vector_layer(rng))
    layers.append(cs.Dense(classes, str(rng.choice(["softmax", "linear"])), bool(rng.integers(2))))
    return with_weights(cs.Architecture(image, tuple(layers), f"random {seed}"), seed)


def with_weights(architecture: cs.Architecture, seed: int = 0) -> cs.Model:
    """Return a model of which no weight is 0 or 1 by its initialiser."""
    rng = np.random.default_rng(seed)
    weights = dict(initial_weights(architecture, seed))
    for name, array in weights.items():
        if name.endswith("/moving_variance"):
            weights[name] = rng.uniform(0.3, 2, array.shape).astype(np.float32)
        elif not name.endswith("/kernel"):
            weights[name] = rng.normal(name.endswith("/gamma"), 0.2, array.shape).astype(np.float32)
    names = tuple(f"<{i}>\n✓" for i in range(architecture.num_classes))
    return cs.Model(architecture, weights, names, {"seed": seed, "recipe": "ü"})


def random_images(model: cs.Model, number: int = 5) -> np.ndarray:
    shape = (number, *model.architecture.input.shape)
    return np.random.default_rng(99).integers(0, 256, shape, dtype=np.uint8)


def spread(logits: np.ndarray) -> float:
    """Return by what a difference of logits is judged: their range, but at least 1."""
    return max(float(np.ptp(logits)), 1.0)


def _longer(image: cs.Input, layers: list, layer) -> list:
    """Return the layers with one more, if it fits."""
    try:
        named = cs.Architecture(image, (*layers, layer, cs.Flatten(), cs.Dense(2))).layers
    except ArchitectureError:
        return layers
    return list(named[: len(layers) + 1])


def _map_layer(rng: np.random.Generator, image: cs.Input, layers: list):
    size, strides = (tuple(int(n) for n in rng.integers(1, high, 2)) for high in (5, 4))
    padding, activation = str(rng.choice(["valid", "same"])), str(rng.choice(ACTIVATIONS))
    use_bias = bool(rng.integers(2))
    kind = str(rng.choice(["Conv2D", "Conv2D", "BatchNormalization", "Add", *LAYER_KINDS]))
    match kind:
        case "Conv2D":
            return cs.Conv2D(int(rng.integers(1, 9)), size, strides, padding, activation, use_bias)
        case "DepthwiseConv2D":
            return cs.DepthwiseConv2D(size, strides, padding, int(rng.integers(1, 4)), activation, use_bias)
        case "MaxPooling2D" | "AveragePooling2D":
            return LAYER_KINDS[kind](size, None if use_bias else strides, padding)
        case "BatchNormalization":
            return cs.BatchNormalization(0.9, float(rng.choice([1e-5, 1e-3])), activation)
        case "Add" if layers:
            rows = cs.Architecture(image, (*layers, cs.Flatten(), cs.Dense(2))).table[: len(layers)]
            fitting = [row.layer.name for row in rows if row.output_shape == rows[-1].output_shape]
            return cs.Add(str(rng.choice(fitting)), activation)
        case "PReLU":
            return cs.PReLU()
        case "Branch" | "Concatenate" if layers:
            named = [layers[-1].name, "input", *(layer.name for layer in layers)]
            return LAYER_KINDS[kind](str(rng.choice(named)))
        case "ZeroPadding2D":
            return LAYER_KINDS[kind](((1, 2), (0, 1)))
        case "Activation":
            return LAYER_KINDS[kind](activation, **({"negative_slope": 0.3} if use_bias else {}))
        case _:
            return cs.Dropout(0.5)


def _vector_layer(rng: np.random.Generator):
    activation = str(rng.choice(ACTIVATIONS))
    return [
        cs.Dense(int(rng.integers(2, 20)), activation, bool(rng.integers(2))),
        cs.BatchNormalization(activation=activation),
        cs.Dropout(0.2),
        cs.Flatten(),
    ][int(rng.integers(4))]


@pytest.fixture(scope="session")
def small_model() -> cs.Model:
    """A residual network with a name for everything that matters."""
    architecture = cs.Architecture(
        cs.Input(10, 8, 3, 1 / 127.5, -1.0),
        (
            cs.Conv2D(8, 3, padding="valid", use_bias=False), cs.BatchNormalization(activation="relu"),
            cs.Conv2D(8, 3, padding="same", activation="gelu"), cs.Add("batch_normalization", "relu"),
            cs.MaxPooling2D(2), cs.Flatten(), cs.Dropout(0.3), cs.Dense(4, "softmax"),
        ),
        "small",
    )  # fmt: skip
    return with_weights(replace(architecture, name="small"), 3)
