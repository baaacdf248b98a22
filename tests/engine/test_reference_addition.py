"""Finite differences prove networks in which layers read more than the one before."""

import numpy as np
import pytest

from convscope.architecture import (
    Add,
    Architecture,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    MaxPooling2D,
)
from convscope.engine import initial_weights
from convscope.engine.network import EpochOptions
from convscope.engine.reference import ReferenceNetwork

from .test_reference_gradients import assert_network_gradients, random_images


def same(filters=4, **arguments):
    return Conv2D(filters, 3, padding="same", **arguments)


GRAPHS = {
    "a residual block": (same(activation="relu"), same(), same(), Add("conv2d", "relu")),
    "twice the layer before": (same(activation="gelu"), Add("conv2d")),
    "several that read one": (same(name="a"), same(), Add("a", "tanh"), same(), Add("a"), Add("a", "leaky_relu")),
    "nested": (same(name="a"), same(name="b"), same(), Add("b", "relu"), same(), Add("a"), Add("b")),
    "crossing": (same(name="a"), same(name="b"), Add("a", "gelu"), same(), Add("b")),
    "a sum of sums": (same(name="a"), Add("a"), Add("add"), same(), Add("add_1", "sigmoid"), Add("add_2")),
    "all kinds between": (same(name="a"), BatchNormalization(), Dropout(0.5), MaxPooling2D(3, 1, "same"), Add("a")),
    "what is not convolved": (BatchNormalization(name="a"), same(3), Add("a", "relu")),
}


@pytest.mark.parametrize("layers", GRAPHS.values(), ids=GRAPHS)
def test_gradients_through_additions_agree_with_finite_differences(layers):
    image = Input(6, 5, 3, scale=1 / 127.5, offset=-1)
    architecture = Architecture(image, (*layers, GlobalAveragePooling2D(), Dense(4)))
    assert_network_gradients(architecture, random_images(0, (5, 6, 5, 3)), np.arange(5) % 4, entries=3)


def test_gradients_through_additions_of_vectors_and_logits_agree_with_finite_differences():
    layers = (Flatten(), Dense(4, name="a"), Dense(4, "gelu"), Add("a", "relu", name="b"), Dense(4), Add("b"), Add("a"))
    architecture = Architecture(Input(4, 3, 2), layers)
    assert_network_gradients(architecture, random_images(0, (5, 4, 3, 2)), np.arange(5) % 4)


def test_an_addition_gives_the_numbers_worked_by_hand():
    layers = (
        Flatten(),
        Dense(2, name="a"),
        Dense(2, "relu"),
        Add("a", "relu", name="sum"),
        Add("a", name="twice"),
    )
    weights = {
        "a/kernel": np.array([[1.0, -1.0]]),
        "a/bias": np.array([0.0, 1.0]),
        "dense/kernel": np.array([[1.0, 0.0], [1.0, -0.5]]),
        "dense/bias": np.zeros(2),
    }
    network = ReferenceNetwork(Architecture(Input(1, 1, scale=1), layers), weights)
    outputs = network.activations(np.full((1, 1, 1, 1), 5, np.uint8), ["a", "dense", "sum", "twice"])
    # a = (5, -5 + 1); dense = relu(5 - 4, 0 + 2); what is added is a layer's output behind its activation.
    assert {name: output[0].tolist() for name, output in outputs.items()} == {
        "a": [5, -4],
        "dense": [1, 2],
        "sum": [6, 0],
        "twice": [11, -4],
    }


def test_input_gradients_add_up_over_all_ways():
    layers = (Flatten(), Dense(3, use_bias=False), Add("dense"), Add("dense"), Add("add"))
    architecture, plain = Architecture(Input(2, 2), layers), Architecture(Input(2, 2), layers[:2])
    weights = initial_weights(architecture, 0)
    images, dlogits = random_images(0, (2, 2, 2, 1)), np.array([[1.0, 0, 0], [0, 2, -1]])
    once = ReferenceNetwork(plain, weights).layer_gradients(images, dlogits, ["input"])["input"]
    # add is twice dense, add_1 three times, add_2 five times.
    np.testing.assert_allclose(
        ReferenceNetwork(architecture, weights).layer_gradients(images, dlogits, ["input"])["input"], 5 * once
    )


@pytest.mark.slow
def test_a_residual_network_learns_real_images(small_mnist):
    layers = (
        Conv2D(4, 3, 2, use_bias=False),
        BatchNormalization(0.9, activation="relu", name="stem"),
        same(use_bias=False),
        BatchNormalization(0.9, activation="relu"),
        same(use_bias=False),
        BatchNormalization(0.9),
        Add("stem", "relu"),
        Flatten(),
        Dense(10, "softmax"),
    )
    architecture = Architecture(Input(28, 28), layers)
    network = ReferenceNetwork(architecture, initial_weights(architecture, 0))
    rates, order = np.full(32, 5e-3, np.float32), np.arange(1000)
    for _ in range(3):
        network.train_epoch(small_mnist.train, order=order, batch_size=32, learning_rates=rates, options=EpochOptions())
    accuracy = (network.logits(small_mnist.test.images).argmax(axis=1) == small_mnist.test.labels).mean()
    assert accuracy > 0.75  # chance is 0.1; its standard deviation on 300 images below 0.02
