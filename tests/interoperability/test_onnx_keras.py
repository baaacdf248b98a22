"""Networks of Keras, exported by Keras to ONNX and read from there, give the probabilities of Keras."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import convscope as cs
from convscope.interchange.onnx_files import read_onnx

pytestmark = pytest.mark.skipif(importlib.util.find_spec("tf2onnx") is None, reason="Keras's export needs tf2onnx")


def network(size: tuple[int, int, int], classes: int):
    """Make a Keras network with many kinds of layers."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    image = keras.Input(size)
    x = layers.Rescaling(1 / 255)(image)
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x)
    x = shortcut = layers.BatchNormalization(gamma_initializer="random_uniform")(x)
    x = layers.Conv2D(8, 3, padding="same", activation="relu")(x)
    x = layers.Add()([x, shortcut])
    x = layers.DepthwiseConv2D(3, padding="same", activation="gelu")(x)
    for activation in ("relu6", "silu", "hard_silu", "elu", "selu", "hard_sigmoid"):
        x = layers.Conv2D(8, 1, activation=activation)(x)
    x = layers.GroupNormalization(4, gamma_initializer="random_uniform")(x)
    x = layers.MaxPooling2D(2, padding="same")(x)
    x = layers.LayerNormalization(epsilon=0.01, beta_initializer="random_normal")(x)
    x = layers.AveragePooling2D(2)(x)
    x = layers.Flatten()(x)
    x = layers.Dense(16, activation="tanh")(x)
    x = layers.Dropout(0.5)(x)
    return keras.Model(image, layers.Dense(classes, activation="softmax")(x))


@pytest.mark.filterwarnings("ignore")  # tf2onnx warns about NumPy
@pytest.mark.parametrize(("size", "classes"), [((17, 14, 1), 101), ((20, 23, 3), 2)])
def test_a_network_gives_the_probabilities_of_keras(size, classes: int, tmp_path: Path):
    import keras

    module = network(size, classes)
    images = np.random.default_rng(0).integers(0, 256, (6, *size), dtype=np.uint8)
    expected = keras.ops.convert_to_numpy(module(images.astype(np.float32)))
    module.export(tmp_path / "m.onnx", format="onnx", verbose=False)
    imported = read_onnx(tmp_path / "m.onnx")
    names = tuple(map(str, range(classes)))
    model = cs.Model(imported.architecture, imported.weights, names)
    np.testing.assert_allclose(model.probabilities(images), expected, atol=1e-5)
