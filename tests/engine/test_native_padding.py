"""Zero padding and activations as layers of the compiled engine, before and behind any other layer."""

import numpy as np
import pytest

from convscope.architecture import (
    Activation,
    ActivationName,
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
    Input,
    Layer,
    MaxPooling2D,
    ZeroPadding2D,
)
from convscope.engine import EpochOptions, Replacement
from convscope.engine.native import NativeNetwork, training_bytes
from convscope.engine.processor import instruction_sets
from convscope.recipes import Adam

from .test_native import assert_agrees, random_images
from .test_native_normalization import (
    SHAPE,
    assert_steps_agree,
    assert_threads_give_the_same_bits,
    random_weights,
)

NETWORKS: dict[str, tuple[Layer, ...]] = {
    "as Keras's application models begin": (
        ZeroPadding2D(3),
        Conv2D(17, 7, 2, use_bias=False),
        BatchNormalization(0.9),
        Activation("relu", name="stem"),
        ZeroPadding2D(((0, 1), (0, 1))),
        DepthwiseConv2D(3, 2, use_bias=False),
        BatchNormalization(0.9),
        Activation("leaky_relu", 0.01),
        Conv2D(17, 3, padding="same"),
        Add("activation"),
        Activation("relu"),
        GlobalAveragePooling2D(),
        Dense(5),
        Activation("softmax"),
    ),
    "between poolings and strides": (
        Conv2D(4, 3, activation="relu"),
        ZeroPadding2D((1, 2)),
        MaxPooling2D(2),
        ZeroPadding2D(((2, 0), (0, 3))),
        AveragePooling2D(3, 2),
        Activation("sigmoid"),
        Conv2D(18, 2, 2),
        Activation("gelu"),
        ZeroPadding2D(((0, 0), (0, 0))),
        Dropout(0),
        Flatten(),
        Activation("leaky_relu", 0),
        Dense(9, "relu"),
        Activation("tanh"),
        Dense(5),
    ),
    "one after another": (
        Activation("tanh"),
        ZeroPadding2D(((1, 0), (2, 0))),
        ZeroPadding2D(((0, 2), (0, 1))),
        Activation("linear"),
        Activation("leaky_relu", 2.5),
        Conv2D(16, 3),
        Activation("relu"),
        Activation("relu"),
        MaxPooling2D(2),
        Flatten(),
        Dense(5),
        Activation("linear"),
        Activation("softmax"),
    ),
    "read twice": (
        Conv2D(6, 3, padding="same", activation="relu", name="a"),
        Activation("linear", name="b"),
        Conv2D(6, 3, name="c"),
        ZeroPadding2D(name="d"),
        Add("b"),
        Activation("leaky_relu", 0.3),
        Add("d", "relu"),
        Add("a"),
        Conv2D(5, 3, 2),
        GlobalAveragePooling2D(),
        Activation("softmax"),
    ),
    "before layers that leave out rows and columns": (  # of a map that is computed in full
        Conv2D(17, 3),
        BatchNormalization(0.9),
        Activation("relu"),
        MaxPooling2D(3),
        Dropout(0),
        Activation("tanh"),
        Conv2D(5, 1, 2),
        ZeroPadding2D(1),
        Activation("gelu"),
        AveragePooling2D(2),
        Flatten(),
        Dense(5),
    ),
    "zeros alone": (  # the pooling reads none of the first rows but those of the padding
        Conv2D(3, (SHAPE[0], 1)),
        ZeroPadding2D(((4, 0), (0, 0))),
        MaxPooling2D((2, 3), (3, 3)),
        Flatten(),
        Dense(5),
    ),
}


def architecture(name: str) -> Architecture:
    return Architecture(Input(*SHAPE, 1 / 100, -0.7), NETWORKS[name])


@pytest.mark.parametrize("name", NETWORKS)
def test_inference_gradients_and_steps_agree_with_the_reference(name: str) -> None:
    assert_agrees(architecture(name), 11, instruction_sets())
    assert_steps_agree(architecture(name))


def test_any_number_of_threads_gives_the_same_bits() -> None:
    assert_threads_give_the_same_bits(architecture("as Keras's application models begin"))


@pytest.mark.parametrize("activation", ["linear", "relu", "leaky_relu", "gelu", "tanh", "sigmoid"])
def test_an_activation_as_a_layer_is_that_of_the_layer_before_it(activation: ActivationName) -> None:
    together = Architecture(Input(9, 8, 3), (Conv2D(18, 3, activation=activation, name="c"), Flatten(), Dense(5)))
    apart = Architecture(Input(9, 8, 3), (Conv2D(18, 3, name="c"), Activation(activation), Flatten(), Dense(5)))
    weights, images = random_weights(together), random_images((9, 8, 3), 11)
    one, other = (NativeNetwork(network, weights).logits(images) for network in (together, apart))
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * np.abs(one).max())


def test_zeros_around_the_map_are_the_padding_of_a_convolution() -> None:
    together = Architecture(Input(9, 8, 3), (Conv2D(18, 3, 2, "same", name="c"), Flatten(), Dense(5)))
    padding = ZeroPadding2D(((1, 1), (0, 1)))  # as `same` pads 9 rows and 8 columns for a stride of 2
    apart = Architecture(Input(9, 8, 3), (padding, Conv2D(18, 3, 2, name="c"), Flatten(), Dense(5)))
    weights, images = random_weights(together), random_images((9, 8, 3), 11)
    one, other = (NativeNetwork(network, weights).logits(images) for network in (together, apart))
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * np.abs(one).max())


def test_a_lesion_of_a_padding_replaces_its_zeros_too_and_leaves_none_behind() -> None:
    network = Architecture(Input(6, 5), (Conv2D(2, 1), ZeroPadding2D(2), AveragePooling2D((10, 9)), Flatten()))
    native, images = NativeNetwork(network, random_weights(network)), random_images((6, 5, 1), 9)
    lesions = [[Replacement("zero_padding2d", 1, 3.0)], [], [Replacement("conv2d", 1, 3.0)]]
    padded, whole, inner = native.lesioned_logits(images, lesions)
    np.testing.assert_allclose(padded[:, 1], 3, rtol=1e-6)
    np.testing.assert_array_equal(whole, native.logits(images))
    np.testing.assert_allclose(inner[:, 1], 3 * 30 / 90, rtol=1e-6)


def test_what_training_holds_grows_by_the_map_that_a_padding_makes() -> None:
    plain, padded = (
        Architecture(Input(28, 28), (*layers, Conv2D(8, 3), Flatten(), Dense(10)))
        for layers in ((), (ZeroPadding2D(0), ZeroPadding2D(0)))
    )
    held = [training_bytes(network, 64, EpochOptions(optimizer=Adam()), 1) for network in (plain, padded)]
    assert held[1] - held[0] >= 2 * 8 * 28 * 28 * 4  # a slice has eight images
