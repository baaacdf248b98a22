"""Batch normalisation in the compiled engine: steps over a batch's statistics, and inference by the moving ones."""

from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.noise import random_dataset

from convscope.architecture import (
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
)
from convscope.data.datasets import Dataset
from convscope.engine import EpochResult, Network, initial_weights
from convscope.engine.native import NativeNetwork
from convscope.engine.processor import instruction_sets
from convscope.engine.reference import ReferenceNetwork
from convscope.recipes import SGD, Adam

from .epochs import assert_same_bits
from .epochs import train as train_epoch
from .test_native import assert_agrees

NETWORKS: dict[str, tuple[Layer, ...]] = {
    "block": (
        Conv2D(5, 3, use_bias=False), BatchNormalization(0.9, activation="relu"),
        Conv2D(18, 3, padding="same", use_bias=False), BatchNormalization(0.8, activation="relu"), MaxPooling2D(),
        Conv2D(33, 2, use_bias=False), BatchNormalization(0.7, 1e-2, "relu"), Flatten(), Dense(5),
    ),
    "logits": (Conv2D(4, 5, 2), BatchNormalization(), Flatten(), Dense(5, use_bias=False), BatchNormalization(0.5)),
    "first": (BatchNormalization(0.6), Conv2D(3, 3, activation="relu"), MaxPooling2D(), Flatten(), Dense(5)),
    "vectors": (
        Flatten(), BatchNormalization(), Dense(37, use_bias=False), BatchNormalization(activation="tanh"), Dropout(0),
        Dense(5, "softmax"),
    ),
    "activations": (
        Conv2D(6, 3, activation="relu"), BatchNormalization(activation="gelu"),
        DepthwiseConv2D(3, padding="same", use_bias=False), BatchNormalization(activation="leaky_relu"),
        AveragePooling2D(), BatchNormalization(), BatchNormalization(activation="relu"), GlobalAveragePooling2D(),
        BatchNormalization(), Dense(5),
    ),
    "uncut": (Conv2D(6, 2), BatchNormalization(), MaxPooling2D(3, 3), Flatten(), BatchNormalization(), Dense(5)),
    "strides": (
        Conv2D(7, 3, use_bias=False), BatchNormalization(), Conv2D(9, 3, 2, "same", "relu", use_bias=False),
        BatchNormalization(), Conv2D(5, 2, 2), Flatten(), BatchNormalization(), Dense(5),
    ),
}  # fmt: skip
SHAPE = (12, 9, 2)


def architecture(name: str) -> Architecture:
    return Architecture(Input(*SHAPE, 1 / 100, -0.7), NETWORKS[name])


def random_weights(network: Architecture) -> dict[str, NDArray[np.float32]]:
    """Initial kernels, and numbers for everything else that differ from channel to channel."""
    stream = np.random.default_rng(4)
    weights = initial_weights(network, 3)
    for name, value in weights.items():
        if not name.endswith("/kernel"):
            weights[name] = (stream.uniform(0.5, 1.5, value.shape) - name.endswith("mean")).astype(np.float32)
    return weights


dataset = partial(random_dataset, shape=SHAPE)


def train(
    network: Network, data: Dataset, batch_size: int, epochs: int = 1, rate: float = 0.05, **options: Any
) -> EpochResult:
    for _ in range(epochs):
        result = train_epoch(network, data, batch_size, np.arange(len(data))[::-1].copy(), rate, **options)
    return result


def assert_steps_agree(network: Architecture) -> None:
    """Assert that three steps change the weights as those of the reference do."""
    before = random_weights(network)
    native, reference = NativeNetwork(network, before), ReferenceNetwork(network, before)
    for engine in (native, reference):
        train(engine, dataset(39), 16, optimizer=SGD(momentum=0.5), rate=1e-3)
    assert_weights_agree(native, reference, before)


def assert_weights_agree(native: Network, reference: Network, before: dict[str, NDArray[np.float32]]) -> None:
    after = reference.weights()
    for weight, value in native.weights().items():
        change = np.abs(after[weight] - before[weight]).max()
        assert np.abs(value - after[weight]).max() <= 1e-3 * change + 1e-5, weight


def assert_threads_give_the_same_bits(network: Architecture) -> None:
    states = []
    for threads in (1, 2, 5):
        native = NativeNetwork(network, random_weights(network), threads)
        train(native, dataset(150), 64, 2, optimizer=Adam(), clip_norm=1.0)
        states.append(native.weights() | native.optimizer_state())
    for state in states[1:]:
        assert_same_bits(state, states[0])


@pytest.mark.parametrize("name", NETWORKS)
def test_inference_and_its_gradients_agree_with_the_reference(name: str) -> None:
    assert_agrees(architecture(name), 11)


@pytest.mark.parametrize("isa", instruction_sets())
@pytest.mark.parametrize("batch_size", [4, 16, 21])
@pytest.mark.parametrize("name", NETWORKS)
def test_steps_agree_with_the_reference(name: str, batch_size: int, isa: str) -> None:
    network = architecture(name)
    before = random_weights(network)
    native, reference = NativeNetwork(network, before, 2, isa), ReferenceNetwork(network, before)
    data = dataset(39)  # the last batch is a short one, though of more images than one: their variance is no noise
    results = [train(engine, data, batch_size, optimizer=SGD(momentum=0.5)) for engine in (native, reference)]
    assert results[0].loss == pytest.approx(results[1].loss, rel=1e-4)
    assert_weights_agree(native, reference, before)


@pytest.mark.parametrize("isa", instruction_sets())
def test_averages_of_weights_and_statistics_agree_with_the_reference(isa: str) -> None:
    network, data = architecture("block"), dataset(39)
    before = random_weights(network)
    native, reference = NativeNetwork(network, before, 2, isa), ReferenceNetwork(network, before)
    options: dict[str, Any] = {"optimizer": SGD(momentum=0.5, weight_decay=0.5, decayed="kernels"), "averaging": 0.8}
    for engine in (native, reference):
        train(engine, data, 16, 2, **options)
    state, expected_state = native.optimizer_state(), reference.optimizer_state()
    for name, expected in reference.weights().items():
        unaveraged = expected_state[f"unaveraged/{name}"]
        change = np.abs(unaveraged - before[name]).max()
        assert np.abs(native.weights()[name] - expected).max() <= 1e-3 * change + 1e-5, name
        assert np.abs(state[f"unaveraged/{name}"] - unaveraged).max() <= 1e-3 * change + 1e-5, name
        assert np.abs(unaveraged - expected).max() > 0.01 * change, name


def test_any_number_of_threads_gives_the_same_bits() -> None:
    assert_threads_give_the_same_bits(architecture("block"))


def test_a_bias_left_out_is_never_trained() -> None:
    network = architecture("block")
    native = NativeNetwork(network, random_weights(network))
    train(native, dataset(64), 16, 3, optimizer=Adam())
    assert native.weights().keys() == network.weight_shapes.keys()
    assert not any("moving" in name or name == "v/conv2d/bias" for name in native.optimizer_state())
    # What the engine computes is what the weights without a bias say.
    images = dataset(9, seed=1).images
    copy = NativeNetwork(network, native.weights())
    np.testing.assert_array_equal(copy.logits(images), native.logits(images))


@pytest.mark.parametrize("engine", [NativeNetwork, ReferenceNetwork])
def test_a_state_without_averages_of_statistics_is_taken_up(engine: type[NativeNetwork | ReferenceNetwork]) -> None:
    """As earlier versions wrote it: the statistics of the weights that training goes on from."""
    network = architecture("activations")
    before = engine(network, random_weights(network))
    train(before, dataset(50), 16, 1, optimizer=Adam(), averaging=0.9)
    state, weights = before.optimizer_state(), before.weights()
    of_statistics = [name for name in state if name.startswith("unaveraged/") and "/moving_" in name]
    old = weights | {name.removeprefix("unaveraged/"): state[name].astype(np.float32) for name in of_statistics}
    resumed = engine(network, old)
    resumed.set_optimizer_state({name: value for name, value in state.items() if name not in of_statistics})
    results = [train(net, dataset(50), 16, 1, optimizer=Adam(), averaging=0.9) for net in (before, resumed)]
    assert results[0].loss == pytest.approx(results[1].loss, rel=1e-6)
    for name, value in before.optimizer_state().items():
        if "remainder" not in name:
            np.testing.assert_allclose(resumed.optimizer_state()[name], value, atol=1e-5, err_msg=name)


def test_equal_numbers_far_from_zero_have_no_variance() -> None:
    """A sum of squares less a squared sum would leave only rounding here."""
    network = Architecture(Input(4, 4, 1, 1e-3, 1000), (BatchNormalization(0, 1e-3), Flatten(), Dense(2)))
    native = NativeNetwork(network, initial_weights(network, 0))
    data = Dataset(np.full((24, 4, 4, 1), 200, np.uint8), np.zeros(24, np.int64), ("a", "b"))
    train(native, data, 24, optimizer=SGD())
    weights = native.weights()
    np.testing.assert_allclose(weights["batch_normalization/moving_mean"], 1000.2, rtol=1e-6)
    assert weights["batch_normalization/moving_variance"][0] < 1e-6
