"""Networks of several branches in the compiled engine: maps that later layers go back to, and joined channels."""

import numpy as np
import pytest

from convscope.architecture import (
    Add,
    Architecture,
    AveragePooling2D,
    BatchNormalization,
    Branch,
    Concatenate,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    Input,
    Layer,
    MaxPooling2D,
    ZeroPadding2D,
)
from convscope.engine.native import NativeNetwork
from convscope.engine.network import Replacement
from convscope.engine.processor import instruction_sets
from convscope.engine.reference import ReferenceNetwork

from .test_native import assert_agrees
from .test_native_normalization import (
    SHAPE,
    assert_steps_agree,
    assert_threads_give_the_same_bits,
    dataset,
    random_weights,
)

NETWORKS: dict[str, tuple[Layer, ...]] = {
    "shortcut": (
        Conv2D(6, 3, padding="same", activation="relu", name="stem"),
        Conv2D(9, 3, 2, "same", activation="relu"),
        Conv2D(9, 3, padding="same", name="long"),
        Branch("stem"),
        Conv2D(9, 1, 2),
        Add("long", "relu"),
        MaxPooling2D(2, 1),
        Flatten(),
        Dense(5),
    ),
    "normalised": (
        Conv2D(7, 3, padding="same", use_bias=False),
        BatchNormalization(0.9, activation="relu", name="n"),
        Conv2D(8, 3, 2, "same", use_bias=False),
        BatchNormalization(0.8, name="long"),
        Branch("n"),
        BatchNormalization(0.9, activation="tanh"),
        Conv2D(8, 1, 2, use_bias=False),
        BatchNormalization(0.7),
        Add("long", "relu", name="sum"),
        AveragePooling2D(3, 1, "same"),
        Concatenate("sum"),
        BatchNormalization(0.6),
        Flatten(),
        Dense(5),
    ),
    "inception": (
        Conv2D(4, 1, activation="relu", name="one"),
        Branch("input"),
        Conv2D(3, 1, activation="gelu"),
        Conv2D(5, 3, padding="same", activation="relu", name="three"),
        Branch("input"),
        ZeroPadding2D(2),
        DepthwiseConv2D(5, depth_multiplier=2, activation="leaky_relu", name="five"),
        Branch("input"),
        MaxPooling2D(3, 1, "same"),
        Conv2D(17, 1),
        Concatenate("five"),
        Concatenate("three"),
        Concatenate("one"),
        Dropout(0),
        GlobalMaxPooling2D(),
        Dense(5),
    ),
    "vectors": (
        Conv2D(4, 3, activation="relu", name="a"),
        Flatten(name="pixels"),
        Branch("a"),
        MaxPooling2D(2),
        GlobalAveragePooling2D(name="means"),
        BatchNormalization(0.9),
        Concatenate("pixels", name="all"),
        Dense(6, "relu", name="d"),
        Branch("means"),
        Flatten(),
        Dense(6),
        Add("d"),
        Concatenate("means"),
        Dense(5, name="scores"),
        Branch("all"),
        Dense(5),
        Add("scores"),
    ),
}


def architecture(name: str) -> Architecture:
    return Architecture(Input(*SHAPE, 1 / 100, -0.7), NETWORKS[name])


@pytest.mark.parametrize("name", NETWORKS)
def test_inference_gradients_and_steps_agree_with_the_reference(name: str) -> None:
    assert_agrees(architecture(name), 11, instruction_sets())
    assert_steps_agree(architecture(name))


@pytest.mark.parametrize("name", NETWORKS)
def test_lesions_of_every_layer_agree_with_the_reference(name: str) -> None:
    network = architecture(name)
    weights, images = random_weights(network), dataset(11).images
    lesions = [(Replacement(row.layer.name, row.output_shape[-1] // 2, 0.7),) for row in network.table[:-1]]
    lesions.append(tuple(one for lesion in lesions for one in lesion))
    found = NativeNetwork(network, weights).lesioned_logits(images, lesions)
    expected = ReferenceNetwork(network, weights).lesioned_logits(images, lesions)
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def test_any_number_of_threads_gives_the_same_bits() -> None:
    assert_threads_give_the_same_bits(architecture("normalised"))
