"""Dropout in the compiled engine: the numbers that the reference drops, and nothing but in training."""

from functools import partial

import numpy as np
import pytest
from tests.noise import random_dataset

import convscope as cs
from convscope.architecture import Layer
from convscope.engine import initial_weights
from convscope.engine.native import NativeNetwork
from convscope.engine.processor import instruction_sets
from convscope.engine.reference import ReferenceNetwork

from .epochs import train as train_epoch

DATASET = random_dataset(45, (19, 15, 1))
ORDER = np.random.default_rng(3).permutation(45)
train = partial(train_epoch, dataset=DATASET, batch_size=16, order=ORDER)  # the last of three batches is short


def with_dropout(middle: Layer) -> cs.Architecture:
    layers = (
        cs.Dropout(0.1), cs.Conv2D(5, 3, 2, padding="same", activation="relu"), cs.Dropout(0.3),
        cs.DepthwiseConv2D(2, depth_multiplier=3, activation="relu"), cs.Dropout(0.2), cs.MaxPooling2D(), cs.Dropout(0),
        middle, cs.Dropout(0.5), cs.Dense(19, "relu"), cs.Dropout(0.4), cs.Dense(18, "gelu"), cs.Dropout(0.4),
        cs.Dense(5, "softmax"),
    )  # fmt: skip
    return cs.Architecture(cs.Input(19, 15), layers)


@pytest.mark.parametrize("isa", instruction_sets())
@pytest.mark.parametrize("middle", [cs.Flatten(), cs.GlobalAveragePooling2D()], ids=lambda middle: str(middle.kind))
def test_training_with_dropout_agrees_with_the_reference(middle: Layer, isa: str) -> None:
    architecture = with_dropout(middle)
    weights = initial_weights(architecture, 0)
    native, reference = NativeNetwork(architecture, weights, 2, isa), ReferenceNetwork(architecture, weights)
    for key in (5, 2**64 - 1):
        result = train(native, dropout_key=key)
        expected = train(reference, dropout_key=key)
        assert result.loss == pytest.approx(expected.loss, rel=1e-4)
    # The averages of the gradients: they would differ by their own size, had one number more or less been dropped.
    state, expected_state = native.optimizer_state(), reference.optimizer_state()
    for name in architecture.weight_shapes:
        scale = np.abs(expected_state[f"m/{name}"]).max()
        np.testing.assert_allclose(state[f"m/{name}"], expected_state[f"m/{name}"], atol=1e-2 * scale, err_msg=name)


def test_another_key_drops_other_numbers() -> None:
    architecture = with_dropout(cs.Flatten())
    losses = set()
    for key in (0, 1, 0):
        losses.add(train(NativeNetwork(architecture, initial_weights(architecture, 0)), dropout_key=key).loss)
    assert len(losses) == 2


@pytest.mark.parametrize("kind", [NativeNetwork, ReferenceNetwork])
def test_dropout_changes_nothing_but_training(kind: type[NativeNetwork] | type[ReferenceNetwork]) -> None:
    architecture = with_dropout(cs.Flatten())
    weights = initial_weights(architecture, 0)
    layers = tuple(layer for layer in architecture.layers if layer.kind != "Dropout")
    without = kind(cs.Architecture(architecture.input, layers), weights)
    network = kind(architecture, weights)
    labels = DATASET.labels.astype(np.int64)
    np.testing.assert_allclose(network.logits(DATASET.images), without.logits(DATASET.images), atol=1e-6)
    gradients, expected = network.gradients(DATASET.images, labels)[1], without.gradients(DATASET.images, labels)[1]
    for name, value in gradients.items():
        np.testing.assert_allclose(value, expected[name], atol=1e-6, err_msg=name)
