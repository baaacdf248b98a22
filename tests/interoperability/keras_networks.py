"""Random Keras models that contain every layer that convscope reads from Keras."""

from typing import Any

import keras
import numpy as np
from keras import layers
from tests.random_networks import ACTIVATIONS

LAYERS = {
    "InputLayer", "Rescaling", "ZeroPadding2D", "Conv2D", "BatchNormalization", "ReLU", "MaxPooling2D",
    "DepthwiseConv2D", "LeakyReLU", "SeparableConv2D", "Activation", "AveragePooling2D", "Dropout", "Flatten", "Dense",
    "Softmax",
}  # fmt: skip
"""Layers that each random model has; some also have one of the two global poolings."""


def random_keras_model(seed: int) -> tuple[keras.Model, np.ndarray]:
    """Return a built model with random weights, and images (40, H, W, C) uint8 that it reads."""
    rng = np.random.default_rng(seed)
    height, width, channels = int(rng.integers(18, 27)), int(rng.integers(18, 27)), int(rng.choice([1, 3]))

    def count(low: int, high: int) -> int:
        return int(rng.integers(low, high + 1))

    def padding() -> str:
        return str(rng.choice(["valid", "same"]))

    def activation() -> str:
        return str(rng.choice([name for name in ACTIVATIONS if name != "relu"]))

    ends = [layers.Flatten()], [layers.GlobalAveragePooling2D(), layers.Flatten()], [layers.GlobalMaxPooling2D()]
    end = ends[seed % 3]
    if not any(isinstance(layer, layers.Flatten) for layer in end):
        end = [*end, layers.Flatten()]
    model = keras.Sequential(
        [
            keras.Input((height, width, channels)),
            layers.Rescaling(1 / 127.5, offset=-1.0),
            layers.ZeroPadding2D(((count(0, 2), count(0, 2)), (count(0, 2), count(1, 3)))),
            layers.Conv2D(count(3, 9), (count(1, 4), count(1, 4)), padding=padding(), use_bias=bool(seed % 2)),
            layers.BatchNormalization(scale=bool(count(0, 1)), center=bool(count(0, 1))),
            layers.ReLU(),
            layers.MaxPooling2D(2, strides=count(1, 2), padding=padding()),
            layers.DepthwiseConv2D(
                3, strides=1, padding=padding(), depth_multiplier=count(1, 2), dilation_rate=count(1, 2)
            ),
            layers.LeakyReLU(negative_slope=float(rng.choice([0.01, 0.2, 0.3]))),
            layers.SeparableConv2D(2 * count(2, 5), 3, padding="same", activation=activation()),
            layers.Conv2D(2 * count(2, 4), (2, 3), padding="same", dilation_rate=(count(1, 3), count(1, 2)), groups=2),
            layers.Activation(str(rng.choice(["gelu", "tanh", "sigmoid"]))),
            # On PyTorch, Keras counts pixels beyond the edge where windows are larger.
            layers.AveragePooling2D(
                (2, 2 if keras.backend.backend() == "torch" else 3), strides=count(1, 2), padding="same"
            ),
            layers.Dropout(0.4),
            layers.Conv2D(count(4, 9), 3, strides=count(1, 2), padding="same", activation=activation()),
            *end,
            layers.Dense(count(8, 40), activation=activation()),
            layers.Dense(count(2, 12)),
            layers.Softmax(),
        ]
    )
    return randomize(model, rng), rng.integers(0, 256, (40, height, width, channels), dtype=np.uint8)


def randomize(model: keras.Model, seed: int | np.random.Generator) -> keras.Model:
    """Give every weight a random value, of a size that keeps signals alive through the network."""
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        values = []
        for variable in layer.weights:
            shape, name = tuple(variable.shape), variable.path.rsplit("/", 1)[-1]
            if name in ("moving_variance", "gamma"):
                values.append(rng.uniform(0.5, 2, shape))
            elif name in ("bias", "beta", "moving_mean"):
                values.append(rng.normal(0, 0.3, shape))
            else:
                fan = max(1, int(np.prod(shape[:-1])) if "depthwise" not in name else int(np.prod(shape[:2])))
                values.append(rng.normal(0, np.sqrt(2 / fan), shape))
        layer.set_weights([value.astype("float32") for value in values])
    return model


def keras_logits(model: keras.Model, images: np.ndarray) -> np.ndarray:
    """Compute the logits (N, K): the output of the layer before the model's last softmax."""
    inner: Any = keras.Model(model.inputs, model.layers[-1].input)
    return np.asarray(inner.predict(images.astype("float32"), verbose=0, batch_size=40))
