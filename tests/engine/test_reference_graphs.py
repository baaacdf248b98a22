"""Networks with additions, concatenations and branches, compared with finite differences and numbers worked by hand."""

import numpy as np
import pytest

import convscope as cs
from convscope.engine import initial_weights
from convscope.engine.reference import ReferenceNetwork

from .test_reference_gradients import assert_network_gradients, random_images


def same(filters=4, **arguments):
    return cs.Conv2D(filters, 3, padding="same", **arguments)


GRAPHS = {
    "a residual block": (same(activation="relu"), same(), same(), cs.Add("conv2d", "relu")),
    "twice the layer before": (same(activation="gelu"), cs.Add("conv2d")),
    "several that read one": (
        same(name="a"), same(), cs.Add("a", "tanh"), same(), cs.Add("a"), cs.Add("a", "leaky_relu"),
    ),
    "nested": (same(name="a"), same(name="b"), same(), cs.Add("b", "relu"), same(), cs.Add("a"), cs.Add("b")),
    "crossing": (same(name="a"), same(name="b"), cs.Add("a", "gelu"), same(), cs.Add("b")),
    "a sum of sums": (same(name="a"), cs.Add("a"), cs.Add("add"), same(), cs.Add("add_1", "sigmoid"), cs.Add("add_2")),
    "all kinds between": (
        same(name="a"), cs.BatchNormalization(), cs.Dropout(0.5), cs.MaxPooling2D(3, 1, "same"), cs.Add("a"),
    ),
    "what is not convolved": (cs.BatchNormalization(name="a"), same(3), cs.Add("a", "relu")),
    "a convolution in the shortcut": (
        same(3, name="a", activation="relu"), cs.Conv2D(4, 3, 2, "same"), cs.BatchNormalization(name="b"),
        cs.Branch("a"), cs.Conv2D(4, 1, 2), cs.Add("b", "relu"),
    ),
    "joined channels": (
        same(2, name="a", activation="tanh"), cs.MaxPooling2D(3, 1, "same", name="b"), cs.Branch("a"),
        same(3, activation="gelu"), cs.Concatenate("b"), cs.Concatenate("a"),
    ),
    "the image again": (
        same(2, name="a"), cs.Branch("input"), cs.Conv2D(3, 1), cs.Concatenate("a"), cs.Concatenate("input"),
    ),
    "the layer before again": (same(2, name="a"), cs.Branch("a"), cs.Concatenate("a"), cs.Dropout(0.5)),
    "a branch of a branch": (
        same(name="a"), cs.Branch("a", name="b"), same(name="c"), cs.Branch("b"), same(), cs.Add("c"),
        cs.Add("b", "leaky_relu"),
    ),
}  # fmt: skip
VECTORS = {
    "added": (
        cs.Flatten(), cs.Dense(4, name="a"), cs.Dense(4, "gelu"), cs.Add("a", "relu", name="b"), cs.Dense(4),
        cs.Add("b"), cs.Add("a"),
    ),
    "branched": (
        cs.GlobalAveragePooling2D(name="g"), cs.Branch("input"), cs.Flatten(), cs.Dense(4, "gelu", name="a"),
        cs.Branch("g"), cs.Dense(3, name="b"), cs.Branch("a"), cs.Concatenate("b"), cs.Dense(4),
    ),
}  # fmt: skip


@pytest.mark.parametrize("layers", GRAPHS.values(), ids=GRAPHS)
def test_gradients_through_graphs_agree_with_finite_differences(layers):
    image = cs.Input(6, 5, 3, scale=1 / 127.5, offset=-1)
    architecture = cs.Architecture(image, (*layers, cs.GlobalAveragePooling2D(), cs.Dense(4)))
    assert_network_gradients(architecture, random_images(0, (5, 6, 5, 3)), np.arange(5) % 4, entries=3)


@pytest.mark.parametrize("layers", VECTORS.values(), ids=VECTORS)
def test_gradients_through_graphs_of_vectors_agree_with_finite_differences(layers):
    architecture = cs.Architecture(cs.Input(4, 3, 2), layers)
    assert_network_gradients(architecture, random_images(0, (5, 4, 3, 2)), np.arange(5) % 4)


def test_an_addition_gives_the_numbers_worked_by_hand():
    layers = (
        cs.Flatten(), cs.Dense(2, name="a"), cs.Dense(2, "relu"), cs.Add("a", "relu", name="sum"),
        cs.Add("a", name="twice"),
    )  # fmt: skip
    weights = {
        "a/kernel": np.array([[1.0, -1.0]]), "a/bias": np.array([0.0, 1.0]),
        "dense/kernel": np.array([[1.0, 0.0], [1.0, -0.5]]), "dense/bias": np.zeros(2),
    }  # fmt: skip
    network = ReferenceNetwork(cs.Architecture(cs.Input(1, 1, scale=1), layers), weights)
    outputs = network.activations(np.full((1, 1, 1, 1), 5, np.uint8), ["a", "dense", "sum", "twice"])
    # a = (5, -5 + 1); dense = relu(5 - 4, 0 + 2); an addition adds outputs after their activations.
    assert {name: output[0].tolist() for name, output in outputs.items()} == {
        "a": [5, -4], "dense": [1, 2], "sum": [6, 0], "twice": [11, -4],
    }  # fmt: skip


def test_branches_give_the_numbers_worked_by_hand():
    layers = (
        cs.Flatten(name="x"), cs.Dense(2, name="a"), cs.Branch("x"), cs.Dense(1, "relu", name="b"),
        cs.Concatenate("a", name="ab"), cs.Concatenate("x", name="xab"),
    )  # fmt: skip
    weights = {
        "a/kernel": np.array([[1.0, -1.0]]), "a/bias": np.array([0.0, 1.0]),
        "b/kernel": np.array([[2.0]]), "b/bias": np.array([-3.0]),
    }  # fmt: skip
    network = ReferenceNetwork(cs.Architecture(cs.Input(1, 1, scale=1), layers), weights)
    outputs = network.activations(np.full((1, 1, 1, 1), 5, np.uint8), ["branch", "b", "ab", "xab"])
    # The named layer's channels come first: a = (5, -5 + 1), b = 2 · 5 - 3.
    assert {name: output[0].tolist() for name, output in outputs.items()} == {
        "branch": [5], "b": [7], "ab": [5, -4, 7], "xab": [5, 5, -4, 7],
    }  # fmt: skip


def test_input_gradients_add_up_over_all_paths():
    layers = (cs.Flatten(), cs.Dense(3, use_bias=False), cs.Add("dense"), cs.Add("dense"), cs.Add("add"))
    architecture, plain = cs.Architecture(cs.Input(2, 2), layers), cs.Architecture(cs.Input(2, 2), layers[:2])
    weights = initial_weights(architecture, 0)
    images, dlogits = random_images(0, (2, 2, 2, 1)), np.array([[1.0, 0, 0], [0, 2, -1]])
    once = ReferenceNetwork(plain, weights).layer_gradients(images, dlogits, ["input"])["input"]
    several = ReferenceNetwork(architecture, weights).layer_gradients(images, dlogits, ["input"])["input"]
    np.testing.assert_allclose(several, 5 * once)  # add is twice dense, add_1 three times, add_2 five times
