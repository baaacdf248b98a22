"""Residual addition in the compiled engine: maps that several layers read, and whose gradients add up."""

import numpy as np
import pytest

from convscope.architecture import (
    Add,
    Architecture,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    Layer,
    MaxPooling2D,
)
from convscope.engine.native import NativeNetwork
from convscope.engine.processor import instruction_sets
from convscope.engine.reference import ReferenceNetwork
from convscope.recipes import SGD, Adam

from .test_native import assert_agrees
from .test_native_normalization import SHAPE, dataset, random_weights, train

NETWORKS: dict[str, tuple[Layer, ...]] = {
    "block": (
        Conv2D(6, 3, padding="same", activation="relu", name="stem"),
        Conv2D(6, 3, padding="same", activation="relu"),
        Conv2D(6, 3, padding="same"),
        Add("stem", "relu"),
        MaxPooling2D(),
        Flatten(),
        Dense(5),
    ),
    "nested": (
        Conv2D(5, 3, padding="same", name="a"),
        Conv2D(5, (1, 3), padding="same", activation="relu", name="b"),
        Conv2D(5, 1, name="c"),
        Add("b", name="inner"),
        Conv2D(5, 3, padding="same", activation="gelu"),
        Add("a", "tanh"),
        Add("inner"),
        Add("a"),
        MaxPooling2D(5, 3),
        Flatten(),
        Dense(5),
    ),
    "itself": (Conv2D(3, 2, activation="relu", name="a"), Add("a"), Flatten(), Dense(5)),
    "pooled": (
        Conv2D(4, 3, padding="same", activation="relu", name="a"),
        MaxPooling2D(name="p"),
        Conv2D(4, 3, padding="same"),
        Add("p", "leaky_relu"),
        AveragePooling2D(2, 1),
        GlobalAveragePooling2D(name="g"),
        Dense(4, "relu"),
        Add("g"),
        Dense(5),
    ),
    "before a pooling": (
        Conv2D(4, 3, padding="same", activation="relu", name="a"),
        MaxPooling2D(1, 1),
        Add("a"),
        Flatten(name="f"),
        Dropout(0),
        Add("f", "relu"),
        Dense(5),
    ),
    "normalised": (
        Conv2D(7, 3, padding="same", use_bias=False),
        BatchNormalization(0.9, activation="relu", name="n"),
        Conv2D(7, 3, padding="same", use_bias=False),
        BatchNormalization(0.9, activation="relu"),
        Conv2D(7, 3, padding="same", use_bias=False, name="c"),
        BatchNormalization(0.8),
        Add("n", "relu", name="s"),
        BatchNormalization(0.7),
        Add("c"),
        Conv2D(7, 3, 1, "same"),
        Add("s"),
        Flatten(),
        BatchNormalization(0.6, name="v"),
        Dense(5),
        BatchNormalization(),
    ),
    "image": (BatchNormalization(name="n"), Conv2D(2, 3, padding="same"), Add("n"), Flatten(), Dense(5)),
}


def architecture(name: str) -> Architecture:
    return Architecture(Input(*SHAPE, 1 / 100, -0.7), NETWORKS[name])


@pytest.mark.parametrize("name", NETWORKS)
def test_logits_activations_and_gradients_agree_with_the_reference(name: str) -> None:
    assert_agrees(architecture(name), 11, instruction_sets())


@pytest.mark.parametrize("name", NETWORKS)
def test_steps_agree_with_the_reference(name: str) -> None:
    network = architecture(name)
    before = random_weights(network)
    native, reference = NativeNetwork(network, before), ReferenceNetwork(network, before)
    for engine in (native, reference):
        train(engine, dataset(39), 16, optimizer=SGD(momentum=0.5), rate=1e-3)
    after = reference.weights()
    for weight, value in native.weights().items():
        change = np.abs(after[weight] - before[weight]).max()
        assert np.abs(value - after[weight]).max() <= 1e-3 * change + 1e-5, weight


def test_any_number_of_threads_gives_the_same_bits() -> None:
    network = architecture("normalised")
    weights = []
    for threads in (1, 3):
        native = NativeNetwork(network, random_weights(network), threads)
        train(native, dataset(90), 32, 2, optimizer=Adam())
        weights.append(native.weights())
    for name, value in weights[0].items():
        np.testing.assert_array_equal(value, weights[1][name], err_msg=name, strict=True)
