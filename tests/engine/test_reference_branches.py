"""Finite differences prove networks of several branches, and small ones are worked by hand."""

import numpy as np
import pytest

from convscope.architecture import (
    Add,
    Architecture,
    BatchNormalization,
    Branch,
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    MaxPooling2D,
)
from convscope.engine.reference import ReferenceNetwork

from .test_reference_gradients import assert_network_gradients, random_images


def same(filters=4, **arguments):
    return Conv2D(filters, 3, padding="same", **arguments)


GRAPHS = {
    "a convolution in the shortcut": (
        same(3, name="a", activation="relu"),
        Conv2D(4, 3, 2, "same"),
        BatchNormalization(name="b"),
        Branch("a"),
        Conv2D(4, 1, 2),
        Add("b", "relu"),
    ),
    "joined channels": (
        same(2, name="a", activation="tanh"),
        MaxPooling2D(3, 1, "same", name="b"),
        Branch("a"),
        same(3, activation="gelu"),
        Concatenate("b"),
        Concatenate("a"),
    ),
    "the image again": (same(2, name="a"), Branch("input"), Conv2D(3, 1), Concatenate("a"), Concatenate("input")),
    "the layer before again": (same(2, name="a"), Branch("a"), Concatenate("a"), Dropout(0.5)),
    "a branch of a branch": (
        same(name="a"),
        Branch("a", name="b"),
        same(name="c"),
        Branch("b"),
        same(),
        Add("c"),
        Add("b", "leaky_relu"),
    ),
}


@pytest.mark.parametrize("layers", GRAPHS.values(), ids=GRAPHS)
def test_gradients_through_branches_agree_with_finite_differences(layers):
    image = Input(6, 5, 3, scale=1 / 127.5, offset=-1)
    architecture = Architecture(image, (*layers, GlobalAveragePooling2D(), Dense(4)))
    assert_network_gradients(architecture, random_images(0, (5, 6, 5, 3)), np.arange(5) % 4, entries=3)


def test_gradients_through_branches_of_vectors_agree_with_finite_differences():
    layers = (
        GlobalAveragePooling2D(name="g"),
        Branch("input"),
        Flatten(),
        Dense(4, "gelu", name="a"),
        Branch("g"),
        Dense(3, name="b"),
        Branch("a"),
        Concatenate("b"),
        Dense(4),
    )
    assert_network_gradients(Architecture(Input(4, 3, 2), layers), random_images(0, (5, 4, 3, 2)), np.arange(5) % 4)


def test_branches_give_the_numbers_worked_by_hand():
    layers = (
        Flatten(name="x"),
        Dense(2, name="a"),
        Branch("x"),
        Dense(1, "relu", name="b"),
        Concatenate("a", name="ab"),
        Concatenate("x", name="xab"),
    )
    weights = {
        "a/kernel": np.array([[1.0, -1.0]]),
        "a/bias": np.array([0.0, 1.0]),
        "b/kernel": np.array([[2.0]]),
        "b/bias": np.array([-3.0]),
    }
    network = ReferenceNetwork(Architecture(Input(1, 1, scale=1), layers), weights)
    outputs = network.activations(np.full((1, 1, 1, 1), 5, np.uint8), ["branch", "b", "ab", "xab"])
    # The named layer's channels come first: a = (5, -5 + 1), b = 2 · 5 - 3.
    assert {name: output[0].tolist() for name, output in outputs.items()} == {
        "branch": [5],
        "b": [7],
        "ab": [5, -4, 7],
        "xab": [5, 5, -4, 7],
    }
