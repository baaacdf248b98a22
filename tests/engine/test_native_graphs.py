"""Graphs in the compiled engine: maps that are added, joined or gone back to, and padding and activations as layers."""

import numpy as np
import pytest

import convscope as cs
from convscope.architecture import ActivationName, Layer
from convscope.engine import EpochOptions, Replacement
from convscope.engine.native import NativeNetwork, training_bytes
from convscope.engine.processor import instruction_sets
from convscope.engine.reference import ReferenceNetwork
from convscope.recipes import Adam

from .test_native import assert_agrees, random_images
from .test_native_normalization import (
    SHAPE,
    assert_steps_agree,
    assert_threads_give_the_same_bits,
    dataset,
    random_weights,
)

ADDITIONS: dict[str, tuple[Layer, ...]] = {
    "block": (
        cs.Conv2D(6, 3, padding="same", activation="relu", name="stem"),
        cs.Conv2D(6, 3, padding="same", activation="relu"), cs.Conv2D(6, 3, padding="same"), cs.Add("stem", "relu"),
        cs.MaxPooling2D(), cs.Flatten(), cs.Dense(5),
    ),
    "nested": (
        cs.Conv2D(5, 3, padding="same", name="a"), cs.Conv2D(5, (1, 3), padding="same", activation="relu", name="b"),
        cs.Conv2D(5, 1, name="c"), cs.Add("b", name="inner"), cs.Conv2D(5, 3, padding="same", activation="gelu"),
        cs.Add("a", "tanh"), cs.Add("inner"), cs.Add("a"), cs.MaxPooling2D(5, 3), cs.Flatten(), cs.Dense(5),
    ),
    "itself": (cs.Conv2D(3, 2, activation="relu", name="a"), cs.Add("a"), cs.Flatten(), cs.Dense(5)),
    "pooled": (
        cs.Conv2D(4, 3, padding="same", activation="relu", name="a"), cs.MaxPooling2D(name="p"),
        cs.Conv2D(4, 3, padding="same"), cs.Add("p", "leaky_relu"), cs.AveragePooling2D(2, 1),
        cs.GlobalAveragePooling2D(name="g"), cs.Dense(4, "relu"), cs.Add("g"), cs.Dense(5),
    ),
    "before a pooling": (
        cs.Conv2D(4, 3, padding="same", activation="relu", name="a"), cs.MaxPooling2D(1, 1), cs.Add("a"),
        cs.Flatten(name="f"), cs.Dropout(0), cs.Add("f", "relu"), cs.Dense(5),
    ),
    "normalised additions": (
        cs.Conv2D(7, 3, padding="same", use_bias=False), cs.BatchNormalization(0.9, activation="relu", name="n"),
        cs.Conv2D(7, 3, padding="same", use_bias=False), cs.BatchNormalization(0.9, activation="relu"),
        cs.Conv2D(7, 3, padding="same", use_bias=False, name="c"), cs.BatchNormalization(0.8),
        cs.Add("n", "relu", name="s"), cs.BatchNormalization(0.7), cs.Add("c"), cs.Conv2D(7, 3, 1, "same"), cs.Add("s"),
        cs.Flatten(), cs.BatchNormalization(0.6, name="v"), cs.Dense(5), cs.BatchNormalization(),
    ),
    "image": (cs.BatchNormalization(name="n"), cs.Conv2D(2, 3, padding="same"), cs.Add("n"), cs.Flatten(), cs.Dense(5)),
}  # fmt: skip
BRANCHES: dict[str, tuple[Layer, ...]] = {
    "shortcut": (
        cs.Conv2D(6, 3, padding="same", activation="relu", name="stem"), cs.Conv2D(9, 3, 2, "same", activation="relu"),
        cs.Conv2D(9, 3, padding="same", name="long"), cs.Branch("stem"), cs.Conv2D(9, 1, 2), cs.Add("long", "relu"),
        cs.MaxPooling2D(2, 1), cs.Flatten(), cs.Dense(5),
    ),
    "normalised branches": (
        cs.Conv2D(7, 3, padding="same", use_bias=False), cs.BatchNormalization(0.9, activation="relu", name="n"),
        cs.Conv2D(8, 3, 2, "same", use_bias=False), cs.BatchNormalization(0.8, name="long"), cs.Branch("n"),
        cs.BatchNormalization(0.9, activation="tanh"), cs.Conv2D(8, 1, 2, use_bias=False), cs.BatchNormalization(0.7),
        cs.Add("long", "relu", name="sum"), cs.AveragePooling2D(3, 1, "same"), cs.Concatenate("sum"),
        cs.BatchNormalization(0.6), cs.Flatten(), cs.Dense(5),
    ),
    "inception": (
        cs.Conv2D(4, 1, activation="relu", name="one"), cs.Branch("input"), cs.Conv2D(3, 1, activation="gelu"),
        cs.Conv2D(5, 3, padding="same", activation="relu", name="three"), cs.Branch("input"), cs.ZeroPadding2D(2),
        cs.DepthwiseConv2D(5, depth_multiplier=2, activation="leaky_relu", name="five"), cs.Branch("input"),
        cs.MaxPooling2D(3, 1, "same"), cs.Conv2D(17, 1), cs.Concatenate("five"), cs.Concatenate("three"),
        cs.Concatenate("one"), cs.Dropout(0), cs.GlobalMaxPooling2D(), cs.Dense(5),
    ),
    "vectors": (
        cs.Conv2D(4, 3, activation="relu", name="a"), cs.Flatten(name="pixels"), cs.Branch("a"), cs.MaxPooling2D(2),
        cs.GlobalAveragePooling2D(name="means"), cs.BatchNormalization(0.9), cs.Concatenate("pixels", name="all"),
        cs.Dense(6, "relu", name="d"), cs.Branch("means"), cs.Flatten(), cs.Dense(6), cs.Add("d"),
        cs.Concatenate("means"), cs.Dense(5, name="scores"), cs.Branch("all"), cs.Dense(5), cs.Add("scores"),
    ),
}  # fmt: skip
PADDINGS: dict[str, tuple[Layer, ...]] = {
    "as Keras's application models begin": (
        cs.ZeroPadding2D(3), cs.Conv2D(17, 7, 2, use_bias=False), cs.BatchNormalization(0.9),
        cs.Activation("relu", name="stem"), cs.ZeroPadding2D(((0, 1), (0, 1))),
        cs.DepthwiseConv2D(3, 2, use_bias=False), cs.BatchNormalization(0.9), cs.Activation("leaky_relu", 0.01),
        cs.Conv2D(17, 3, padding="same"), cs.Add("activation"), cs.Activation("relu"), cs.GlobalAveragePooling2D(),
        cs.Dense(5), cs.Activation("softmax"),
    ),
    "between poolings and strides": (
        cs.Conv2D(4, 3, activation="relu"), cs.ZeroPadding2D((1, 2)), cs.MaxPooling2D(2),
        cs.ZeroPadding2D(((2, 0), (0, 3))), cs.AveragePooling2D(3, 2), cs.Activation("sigmoid"), cs.Conv2D(18, 2, 2),
        cs.Activation("gelu"), cs.ZeroPadding2D(((0, 0), (0, 0))), cs.Dropout(0), cs.Flatten(),
        cs.Activation("leaky_relu", 0), cs.Dense(9, "relu"), cs.Activation("tanh"), cs.Dense(5),
    ),
    "one after another": (
        cs.Activation("tanh"), cs.ZeroPadding2D(((1, 0), (2, 0))), cs.ZeroPadding2D(((0, 2), (0, 1))),
        cs.Activation("linear"), cs.Activation("leaky_relu", 2.5), cs.Conv2D(16, 3), cs.Activation("relu"),
        cs.Activation("relu"), cs.MaxPooling2D(2), cs.Flatten(), cs.Dense(5), cs.Activation("linear"),
        cs.Activation("softmax"),
    ),
    "read twice": (
        cs.Conv2D(6, 3, padding="same", activation="relu", name="a"), cs.Activation("linear", name="b"),
        cs.Conv2D(6, 3, name="c"), cs.ZeroPadding2D(name="d"), cs.Add("b"), cs.Activation("leaky_relu", 0.3),
        cs.Add("d", "relu"), cs.Add("a"), cs.Conv2D(5, 3, 2), cs.GlobalAveragePooling2D(), cs.Activation("softmax"),
    ),
    "before layers that leave out rows and columns": (  # of a map that is computed in full
        cs.Conv2D(17, 3),
        cs.BatchNormalization(0.9),
        cs.Activation("relu"),
        cs.MaxPooling2D(3),
        cs.Dropout(0),
        cs.Activation("tanh"),
        cs.Conv2D(5, 1, 2),
        cs.ZeroPadding2D(1),
        cs.Activation("gelu"),
        cs.AveragePooling2D(2),
        cs.Flatten(),
        cs.Dense(5),
    ),
    "zeros alone": (  # the pooling reads none of the first rows but those of the padding
        cs.Conv2D(3, (SHAPE[0], 1)),
        cs.ZeroPadding2D(((4, 0), (0, 0))),
        cs.MaxPooling2D((2, 3), (3, 3)),
        cs.Flatten(),
        cs.Dense(5),
    ),
}  # fmt: skip
NETWORKS = {**ADDITIONS, **BRANCHES, **PADDINGS}


def architecture(name: str) -> cs.Architecture:
    return cs.Architecture(cs.Input(*SHAPE, 1 / 100, -0.7), NETWORKS[name])


@pytest.mark.parametrize("name", NETWORKS)
def test_inference_gradients_and_steps_agree_with_the_reference(name: str) -> None:
    assert_agrees(architecture(name), 11, instruction_sets())
    assert_steps_agree(architecture(name))


@pytest.mark.parametrize("name", ["normalised additions", "normalised branches", "as Keras's application models begin"])
def test_any_number_of_threads_gives_the_same_bits(name: str) -> None:
    assert_threads_give_the_same_bits(architecture(name))


@pytest.mark.parametrize("name", BRANCHES)
def test_ablations_of_every_layer_agree_with_the_reference(name: str) -> None:
    network = architecture(name)
    weights, images = random_weights(network), dataset(11).images
    ablations = [(Replacement(row.layer.name, row.output_shape[-1] // 2, 0.7),) for row in network.table[:-1]]
    ablations.append(tuple(one for ablation in ablations for one in ablation))
    found = NativeNetwork(network, weights).ablation_logits(images, ablations)
    expected = ReferenceNetwork(network, weights).ablation_logits(images, ablations)
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("activation", ["linear", "relu", "leaky_relu", "gelu", "tanh", "sigmoid"])
def test_an_activation_as_a_layer_is_that_of_the_layer_before_it(activation: ActivationName) -> None:
    together = cs.Architecture(
        cs.Input(9, 8, 3), (cs.Conv2D(18, 3, activation=activation, name="c"), cs.Flatten(), cs.Dense(5))
    )
    apart = cs.Architecture(
        cs.Input(9, 8, 3), (cs.Conv2D(18, 3, name="c"), cs.Activation(activation), cs.Flatten(), cs.Dense(5))
    )
    weights, images = random_weights(together), random_images((9, 8, 3), 11)
    one, other = (NativeNetwork(network, weights).logits(images) for network in (together, apart))
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * np.abs(one).max())


def test_zeros_around_the_map_are_the_padding_of_a_convolution() -> None:
    together = cs.Architecture(cs.Input(9, 8, 3), (cs.Conv2D(18, 3, 2, "same", name="c"), cs.Flatten(), cs.Dense(5)))
    padding = cs.ZeroPadding2D(((1, 1), (0, 1)))  # as `same` pads 9 rows and 8 columns for a stride of 2
    apart = cs.Architecture(cs.Input(9, 8, 3), (padding, cs.Conv2D(18, 3, 2, name="c"), cs.Flatten(), cs.Dense(5)))
    weights, images = random_weights(together), random_images((9, 8, 3), 11)
    one, other = (NativeNetwork(network, weights).logits(images) for network in (together, apart))
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * np.abs(one).max())


def test_an_ablation_of_a_padding_replaces_its_zeros_too_and_leaves_none_behind() -> None:
    network = cs.Architecture(
        cs.Input(6, 5), (cs.Conv2D(2, 1), cs.ZeroPadding2D(2), cs.AveragePooling2D((10, 9)), cs.Flatten())
    )
    native, images = NativeNetwork(network, random_weights(network)), random_images((6, 5, 1), 9)
    ablations = [[Replacement("zero_padding2d", 1, 3.0)], [], [Replacement("conv2d", 1, 3.0)]]
    padded, whole, inner = native.ablation_logits(images, ablations)
    np.testing.assert_allclose(padded[:, 1], 3, rtol=1e-6)
    np.testing.assert_array_equal(whole, native.logits(images))
    np.testing.assert_allclose(inner[:, 1], 3 * 30 / 90, rtol=1e-6)


def test_what_training_holds_grows_by_the_map_that_a_padding_makes() -> None:
    plain, padded = (
        cs.Architecture(cs.Input(28, 28), (*layers, cs.Conv2D(8, 3), cs.Flatten(), cs.Dense(10)))
        for layers in ((), (cs.ZeroPadding2D(0), cs.ZeroPadding2D(0)))
    )
    held = [training_bytes(network, 64, EpochOptions(optimizer=Adam()), 1) for network in (plain, padded)]
    assert held[1] - held[0] >= 2 * 8 * 28 * 28 * 4  # a slice has eight images
