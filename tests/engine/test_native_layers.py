"""Layers of the compiled engine: all names of Python are known to C++, and padding, dropout and normalisation."""

from dataclasses import fields
from typing import get_args

import numpy as np
import pytest
from tests.noise import random_dataset
from tests.random_networks import random_weights

import convscope as cs
from convscope.architecture import ActivationName
from convscope.architecture.layer_json import LAYER_KINDS
from convscope.engine import EpochOptions, Replacement, _native, initial_weights
from convscope.engine.native import NativeNetwork, training_bytes
from convscope.engine.reference import ReferenceNetwork
from convscope.recipes import SGD, Adam
from convscope.recipes.augmentation import Augmentation
from convscope.recipes.optimizers import OPTIMIZERS

from .epochs import train
from .test_native import random_images

ENGINES = [NativeNetwork, ReferenceNetwork]


def test_the_engine_knows_every_kind_of_layer_and_every_activation() -> None:
    layer = _native.Layer()
    for kind in LAYER_KINDS:
        layer.kind = kind
    for activation in get_args(ActivationName):
        layer.activation = activation


def test_the_engine_knows_every_optimizer_and_augmentation_with_all_arguments() -> None:
    optimizer, augmentation = _native.Optimizer(), _native.Augmentation()
    for name, kind in OPTIMIZERS.items():
        optimizer.kind = name
        assert kind.__name__ == name
        for field in fields(kind):
            assert field.name == "learning_rate" or hasattr(optimizer, field.name), field.name
    for field in fields(Augmentation):
        assert hasattr(augmentation, field.name), field.name


@pytest.mark.parametrize("field", ["kind", "activation"])
def test_an_unknown_name_is_refused_with_the_known_ones(field: str) -> None:
    with pytest.raises(ValueError, match=r"the engine has no Dense3D; it has \w+, \w+"):
        setattr(_native.Layer(), field, "Dense3D")


def test_zeros_around_the_map_are_the_padding_of_a_convolution() -> None:
    together = cs.Architecture(cs.Input(9, 8, 3), (cs.Conv2D(18, 3, 2, "same", name="c"), cs.Flatten(), cs.Dense(5)))
    padding = cs.ZeroPadding2D(((1, 1), (0, 1)))  # as `same` pads 9 rows and 8 columns for a stride of 2
    apart = cs.Architecture(cs.Input(9, 8, 3), (padding, cs.Conv2D(18, 3, 2, name="c"), cs.Flatten(), cs.Dense(5)))
    weights, images = initial_weights(together, 0), random_images((9, 8, 3), 11)
    logits, expected = (NativeNetwork(network, weights).logits(images) for network in (apart, together))
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_an_ablation_of_a_padding_layer_replaces_its_zeros_too() -> None:
    network = cs.Architecture(
        cs.Input(6, 5), (cs.Conv2D(2, 1), cs.ZeroPadding2D(2), cs.AveragePooling2D((10, 9)), cs.Flatten())
    )
    native, images = NativeNetwork(network, initial_weights(network, 0)), random_images((6, 5, 1), 9)
    ablations = [[Replacement("zero_padding2d", 1, 3.0)], [], [Replacement("conv2d", 1, 3.0)]]
    padding_ablated, unchanged, convolution_ablated = native.ablation_logits(images, ablations)
    np.testing.assert_allclose(padding_ablated[:, 1], 3, rtol=1e-6)
    np.testing.assert_array_equal(unchanged, native.logits(images))
    # The mean over 10 x 9 pixels, of which 6 x 5 are 3 and those of the padding stay 0.
    np.testing.assert_allclose(convolution_ablated[:, 1], 3 * 30 / 90, rtol=1e-6)


def test_training_bytes_grow_by_the_map_that_a_padding_makes() -> None:
    plain, padded = (
        cs.Architecture(cs.Input(28, 28), (*layers, cs.Conv2D(8, 3), cs.Flatten(), cs.Dense(10)))
        for layers in ((), (cs.ZeroPadding2D(0), cs.ZeroPadding2D(0)))
    )
    plain_bytes, padded_bytes = (training_bytes(net, 64, EpochOptions(optimizer=Adam()), 1) for net in (plain, padded))
    assert padded_bytes - plain_bytes >= 2 * 8 * 28 * 28 * 4  # two maps of the eight images of a slice, in float32


@pytest.mark.parametrize("engine", ENGINES)
def test_dropout_changes_nothing_but_training(engine: type[NativeNetwork | ReferenceNetwork]) -> None:
    layers = (
        cs.Dropout(0.1), cs.Conv2D(5, 3, 2, padding="same"), cs.Dropout(0.3), cs.DepthwiseConv2D(2), cs.MaxPooling2D(),
        cs.Dropout(0), cs.Flatten(), cs.Dropout(0.5), cs.Dense(19, "relu"), cs.Dropout(0.4), cs.Dense(5, "softmax"),
    )  # fmt: skip
    architecture, dataset = cs.Architecture(cs.Input(9, 11), layers), random_dataset(45)
    plain = cs.Architecture(architecture.input, tuple(layer for layer in layers if layer.kind != "Dropout"))
    weights, labels = initial_weights(architecture, 0), dataset.labels.astype(np.int64)
    network, without = engine(architecture, weights), engine(plain, weights)
    np.testing.assert_allclose(network.logits(dataset.images), without.logits(dataset.images), atol=1e-6)
    gradients, expected = (trained.gradients(dataset.images, labels)[1] for trained in (network, without))
    for name, value in gradients.items():
        np.testing.assert_allclose(value, expected[name], atol=1e-6, err_msg=name)


@pytest.mark.parametrize("engine", ENGINES)
def test_training_resumes_from_a_state_without_averages_of_statistics(
    engine: type[NativeNetwork | ReferenceNetwork],
) -> None:
    """Earlier versions wrote only the statistics from which training goes on, and these as the weights."""
    layers = (
        cs.Conv2D(6, 3, activation="relu"), cs.BatchNormalization(activation="gelu"), cs.DepthwiseConv2D(3),
        cs.BatchNormalization(), cs.GlobalAveragePooling2D(), cs.BatchNormalization(), cs.Dense(5),
    )  # fmt: skip
    network, dataset = cs.Architecture(cs.Input(9, 11), layers), random_dataset(50)
    before = engine(network, random_weights(network, np.random.default_rng(4)))
    train(before, dataset, 16, rate=0.05, optimizer=Adam(), averaging=0.9)
    state, weights = before.optimizer_state(), before.weights()
    of_statistics = [name for name in state if name.startswith("unaveraged/") and "/moving_" in name]
    old = weights | {name.removeprefix("unaveraged/"): state[name].astype(np.float32) for name in of_statistics}
    resumed = engine(network, old)
    resumed.set_optimizer_state({name: value for name, value in state.items() if name not in of_statistics})
    first, second = (train(run, dataset, 16, rate=0.05, optimizer=Adam(), averaging=0.9) for run in (before, resumed))
    assert first.loss == pytest.approx(second.loss, rel=1e-6)
    for name, value in before.optimizer_state().items():
        if "remainder" not in name:
            np.testing.assert_allclose(resumed.optimizer_state()[name], value, atol=1e-5, err_msg=name)


def test_equal_numbers_far_from_zero_have_no_variance() -> None:
    """E[x²] - E[x]² would lose all digits to rounding here."""
    network = cs.Architecture(
        cs.Input(4, 4, 1, 1e-3, 1000), (cs.BatchNormalization(0, 1e-3), cs.Flatten(), cs.Dense(2))
    )
    native = NativeNetwork(network, initial_weights(network, 0))
    dataset = cs.Dataset(np.full((24, 4, 4, 1), 200, np.uint8), np.zeros(24, np.int64), ("a", "b"))
    train(native, dataset, 24, rate=0.05, optimizer=SGD())
    weights = native.weights()
    # All pixels become 200 · 1e-3 + 1000; with a momentum of 0, statistics are those of the batch.
    np.testing.assert_allclose(weights["batch_normalization/moving_mean"], 1000.2, rtol=1e-6)
    assert weights["batch_normalization/moving_variance"][0] < 1e-6
