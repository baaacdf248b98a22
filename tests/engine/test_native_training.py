"""Training in the compiled engine: the optimizer's steps, repeatability, and the state that they leave."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.noise import random_dataset

import convscope as cs
from convscope.engine import EpochResult, Network, initial_weights
from convscope.engine.native import NativeNetwork
from convscope.engine.reference import ReferenceNetwork
from convscope.recipes import SGD, Adam, Augmentation

from .epochs import assert_same_bits, train


def small_architecture() -> cs.Architecture:
    layers = (
        cs.Conv2D(5, 3, padding="same", activation="relu"), cs.MaxPooling2D(), cs.Conv2D(7, 3, activation="relu"),
        cs.Flatten(), cs.Dense(19, "relu"), cs.Dense(5, "softmax"),
    )  # fmt: skip
    return cs.Architecture(cs.Input(9, 11), layers)


AUGMENTED = {"augmentation": Augmentation(shift=2), "augmentation_key": 2**64 - 5}
RESAMPLED = {"augmentation": Augmentation(2, 15.0, 0.2, 10.0, 0.1, 20.0, 3.0, 6, 0.3, 30.0, 10.0)}
WEIGHTED = {"class_weights": (2.0, 1.0, 0.0, 0.5, 1.5)}
OPTIONS: list[dict[str, Any]] = [
    {"label_smoothing": 0.2}, WEIGHTED, AUGMENTED, {"optimizer": Adam(weight_decay=0.5)},
    {"optimizer": SGD(weight_decay=0.5)}, {"optimizer": Adam(weight_decay=0.5, decayed="kernels")},
    {"optimizer": SGD(momentum=0.9)}, {"optimizer": SGD(momentum=0.9, nesterov=True)}, {"clip_norm": 0.1},
    {"averaging": 0.7}, {"weight_bits": 8, "optimizer": SGD(momentum=0.9)}, {"weight_bits": 4, "averaging": 0.7},
]  # fmt: skip
ALL = {**OPTIONS[0], **WEIGHTED, **AUGMENTED, "optimizer": Adam(weight_decay=0.1), "clip_norm": 1.0, "averaging": 0.9}


def with_every_layer() -> cs.Architecture:
    layers = (
        cs.Conv2D(6, 3, padding="same", activation="gelu"), cs.AveragePooling2D(2, padding="same"),
        cs.BatchNormalization(name="a"), cs.Conv2D(4, 2, groups=2), cs.PReLU(name="b"), cs.Branch("a"),
        cs.Conv2D(4, 2), cs.Concatenate("b", name="both"), cs.Conv2D(8, 1), cs.Add("both", "relu"),
        cs.DepthwiseConv2D(2, depth_multiplier=3, activation="relu"), cs.Dropout(0.2), cs.MaxPooling2D(2, 1, "same"),
        cs.GlobalAveragePooling2D(), cs.Dropout(0.5), cs.Dense(19, "tanh"), cs.Dense(5, "softmax"),
    )  # fmt: skip
    return cs.Architecture(cs.Input(9, 11), layers)


@pytest.mark.parametrize(
    "options",
    [{}, ALL, {"optimizer": SGD(momentum=0.9), "clip_norm": 0.1}, RESAMPLED, {**ALL, "weight_bits": 4}],
    ids=str,
)
@pytest.mark.parametrize("architecture", [small_architecture(), cs.presets.ann((9, 11, 1), 5), with_every_layer()])
def test_any_number_of_threads_gives_the_same_bits(architecture: cs.Architecture, options: dict[str, Any]) -> None:
    dataset = random_dataset(300, architecture.input.shape)
    numbers, arrays = [], []
    for threads in (1, 2, 3, 7):
        network = NativeNetwork(architecture, initial_weights(architecture, 0), threads)
        assert network.threads == threads
        result = train(network, dataset, 128, **options)  # the last batch has 44 images
        loss, gradients = network.gradients(dataset.images, dataset.labels.astype(np.int64))
        numbers.append((result, loss))
        arrays.append((network.weights(), network.optimizer_state(), gradients))
    assert all(pair == numbers[0] for pair in numbers)
    for weights, state, gradients in arrays[1:]:
        assert_same_bits(weights, arrays[0][0])
        assert_same_bits(state, arrays[0][1])
        assert_same_bits(gradients, arrays[0][2])


@pytest.mark.parametrize("engine", [NativeNetwork, ReferenceNetwork])
@pytest.mark.parametrize("options", [{}, *OPTIONS, ALL, RESAMPLED], ids=str)
def test_continuing_from_the_state_gives_the_same_bits(options: dict[str, Any], engine: type[NativeNetwork]) -> None:
    architecture, dataset = with_every_layer(), random_dataset(100)
    network = engine(architecture, initial_weights(architecture, 0))
    train(network, dataset, **options)
    fresh = engine(architecture, network.weights())
    fresh.set_optimizer_state(network.optimizer_state())
    assert_same_bits(fresh.optimizer_state(), network.optimizer_state())
    assert train(network, dataset, **options) == train(fresh, dataset, **options)
    assert_same_bits(fresh.weights(), network.weights())
    assert_same_bits(fresh.optimizer_state(), network.optimizer_state())


@pytest.mark.parametrize("engine", [NativeNetwork, ReferenceNetwork])
def test_averaging_gives_the_model_and_does_not_change_training(engine: type[NativeNetwork]) -> None:
    architecture, dataset = small_architecture(), random_dataset(96)
    plain, averaged = (engine(architecture, initial_weights(architecture, 0)) for _ in range(2))
    beta, seen = 0.8, []
    for _epoch in range(2):
        for first in range(0, 96, 32):  # three steps an epoch
            train(plain, dataset, 32, np.arange(first, first + 32))
            seen.append(plain.weights())
        train(averaged, dataset, 32, averaging=beta)
        shares = beta ** np.arange(len(seen))[::-1]  # weights of the steps so far; the latest counts most
        for name, value in averaged.weights().items():
            expected = np.average([weights[name] for weights in seen], axis=0, weights=shares)
            np.testing.assert_allclose(value, expected, atol=1e-6, err_msg=name)
            unaveraged = averaged.optimizer_state()[f"unaveraged/{name}"]
            np.testing.assert_array_equal(unaveraged.astype(np.float32), seen[-1][name])
    images = dataset.images
    model = engine(architecture, averaged.weights())
    np.testing.assert_allclose(averaged.logits(images), model.logits(images), atol=1e-6)


@pytest.mark.parametrize("engine", [NativeNetwork, ReferenceNetwork])
@pytest.mark.parametrize("optimizer", [Adam(), SGD(momentum=0.9)], ids=str)
def test_decay_of_kernels_leaves_all_other_weights(engine: type[Network], optimizer: Adam | SGD) -> None:
    layers = (
        cs.Conv2D(5, 3), cs.BatchNormalization(activation="relu"), cs.DepthwiseConv2D(2), cs.PReLU(), cs.Flatten(),
        cs.Dense(5),
    )  # fmt: skip
    architecture, dataset = cs.Architecture(cs.Input(9, 11), layers), random_dataset(32)
    start = {name: weight + np.float32(0.1) for name, weight in initial_weights(architecture, 0).items()}
    networks = [engine(architecture, start) for _ in range(2)]  # type: ignore[call-arg]
    for network, decay in zip(networks, (0.0, 0.5), strict=True):
        train(network, dataset, rate=0.01, optimizer=replace(optimizer, weight_decay=decay, decayed="kernels"))
    plain, decayed = (network.weights() for network in networks)
    for name, weight in plain.items():
        taken = 0.01 * 0.5 * start[name] if name.endswith("/kernel") else 0 * weight
        np.testing.assert_allclose(decayed[name], weight - taken, atol=1e-7, err_msg=name)


def test_training_without_averaging_continues_from_the_average() -> None:
    architecture, dataset = small_architecture(), random_dataset(50)
    network = NativeNetwork(architecture, initial_weights(architecture, 0))
    train(network, dataset, averaging=0.9)
    fresh = NativeNetwork(architecture, network.weights())
    state = network.optimizer_state()
    fresh.set_optimizer_state({name: value for name, value in state.items() if not name.startswith("unaveraged/")})
    train(network, dataset)
    train(fresh, dataset)
    assert_same_bits(fresh.weights(), network.weights())
    assert_same_bits(fresh.optimizer_state(), network.optimizer_state())


def test_a_short_gradient_is_not_clipped() -> None:
    architecture, dataset = small_architecture(), random_dataset(50)
    free, clipped = (NativeNetwork(architecture, initial_weights(architecture, 0)) for _ in range(2))
    train(free, dataset)
    train(clipped, dataset, clip_norm=1e6)
    assert_same_bits(free.weights(), clipped.weights())


def test_metrics_are_computed_before_each_step() -> None:
    architecture, dataset = small_architecture(), random_dataset(20)
    network = NativeNetwork(architecture, initial_weights(architecture, 0))
    loss, _ = network.gradients(dataset.images, dataset.labels.astype(np.int64))
    accuracy = (network.logits(dataset.images).argmax(axis=1) == dataset.labels).mean()
    assert train(network, dataset, batch_size=20) == EpochResult(pytest.approx(loss, rel=1e-6), accuracy)


def test_order_may_repeat_and_leave_out_images() -> None:
    architecture, dataset = small_architecture(), random_dataset(10)
    taken, pointed = (NativeNetwork(architecture, initial_weights(architecture, 0)) for _ in range(2))
    order = np.array([3, 3, 9, 0, 9])
    train(taken, dataset.take(order), 2)
    train(pointed, dataset, 2, order)
    assert_same_bits(taken.weights(), pointed.weights())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"step": np.array([1])}, "optimizer state step"),
        ({"step": np.array(-1)}, "optimizer state step is -1"),
        ({"m/conv2d/kernel": np.zeros((3, 3, 1, 4))}, "optimizer state m: weight conv2d/kernel has shape"),
        ({"v/dense/bias": np.full(19, np.nan)}, "optimizer state v: weight dense/bias holds a value that is not fin"),
        ({"v/dense_9/bias": np.zeros(19)}, "optimizer state v/dense_9/bias belongs to no weight"),
        ({"unrounded/dense/kernel": np.zeros(19)}, "optimizer state unrounded: weight"),
        ({"unrounded/dense/bias": np.zeros(19)}, "optimizer state unrounded/dense/bias belongs to no weight"),
    ],
)
def test_set_optimizer_state_rejects_invalid_arguments(change: dict[str, NDArray[Any]], message: str) -> None:
    architecture = small_architecture()
    network = NativeNetwork(architecture, initial_weights(architecture, 0))
    with pytest.raises(ValueError, match=message):
        network.set_optimizer_state({**network.optimizer_state(), **change})


def test_set_optimizer_state_rejects_a_missing_moment() -> None:
    architecture = small_architecture()
    network = NativeNetwork(architecture, initial_weights(architecture, 0))
    state = network.optimizer_state()
    del state["v/conv2d/bias"]
    with pytest.raises(ValueError, match="optimizer state v: weight conv2d/bias is missing"):
        network.set_optimizer_state(state)
