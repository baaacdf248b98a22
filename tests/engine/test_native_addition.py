"""Residual addition in the compiled engine: maps that several layers read, and whose gradients add up."""

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
from convscope.engine.processor import instruction_sets

from .test_native import assert_agrees
from .test_native_normalization import SHAPE, assert_steps_agree, assert_threads_give_the_same_bits

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
def test_inference_gradients_and_steps_agree_with_the_reference(name: str) -> None:
    assert_agrees(architecture(name), 11, instruction_sets())
    assert_steps_agree(architecture(name))


def test_any_number_of_threads_gives_the_same_bits() -> None:
    assert_threads_give_the_same_bits(architecture("normalised"))
