"""Training with kernels rounded to few bits: the grid of values, and both engines that support it."""

from functools import partial
from typing import Any

import numpy as np
import pytest
from tests.noise import random_dataset

import convscope as cs
from convscope.base.errors import RecipeError
from convscope.engine import Network, check_weight_bits, initial_weights
from convscope.engine.native import NativeNetwork
from convscope.engine.processor import instruction_sets
from convscope.engine.reference import ReferenceNetwork
from convscope.engine.rounding import STEPS, kernel_filters, round_kernel
from convscope.recipes import SGD, Adam

from .epochs import train as train_epoch

ENGINES = [NativeNetwork, ReferenceNetwork]


def architecture() -> cs.Architecture:
    layers = (
        cs.Conv2D(6, 3, use_bias=False), cs.BatchNormalization(activation="relu"),
        cs.DepthwiseConv2D(2, depth_multiplier=2), cs.Conv2D(4, 2, groups=2), cs.PReLU(), cs.Flatten(),
        cs.Dense(17, "relu"), cs.Dense(5, "softmax"),
    )  # fmt: skip
    return cs.Architecture(cs.Input(8, 9), layers)


dataset = partial(random_dataset, shape=(8, 9, 1), seed=7)
train = partial(train_epoch, batch_size=16, rate=0.01)


@pytest.mark.parametrize(("bits", "levels"), [(2, 3), (4, 15), (8, 255)])
def test_a_step_has_the_smallest_error_for_normal_weights(bits: int, levels: int) -> None:
    kernel = np.random.default_rng(bits).normal(size=(1_000_000, 1))
    highest = levels // 2

    def error(step: float) -> float:
        return float(np.mean((np.clip(np.rint(kernel / step), -highest, highest) * step - kernel) ** 2))

    step = STEPS[bits]
    assert error(step) < min(error(0.97 * step), error(1.03 * step))
    grid = round_kernel(kernel, 1, bits)
    assert len(np.unique(grid)) == levels
    assert np.mean((grid - kernel) ** 2) == pytest.approx(error(step), rel=1e-3)


def test_each_filter_has_a_step_of_its_own() -> None:
    kernel = np.random.default_rng(0).normal(size=(3, 3, 2, 4)).astype(np.float32)
    scales = np.array([1, 2, 0.25, 0], np.float32)
    grid = round_kernel(kernel * scales, 4, 4)
    np.testing.assert_array_equal(grid, round_kernel(kernel, 4, 4) * scales)
    assert grid.dtype == np.float32
    depthwise = round_kernel(kernel.reshape(3, 3, 4, 2) * scales[:, None], 8, 4)
    np.testing.assert_array_equal(depthwise[:, :, 3], 0)


@pytest.mark.parametrize("averaging", [0.0, 0.9])
@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("isa", ["reference", *instruction_sets()])
def test_the_network_holds_the_rounded_kernels_of_its_state(isa: str, bits: int, averaging: float) -> None:
    network: Network = ReferenceNetwork(architecture(), initial_weights(architecture(), 0))
    if isa != "reference":
        network = NativeNetwork(architecture(), initial_weights(architecture(), 0), 2, isa)
    for _ in range(2):
        train(network, dataset(40), weight_bits=bits, averaging=averaging)
    weights, state = network.weights(), network.optimizer_state()
    kernels = {name for name in weights if name.endswith("/kernel")}
    assert {f"unrounded/{name}" for name in kernels} == {name for name in state if name.startswith("unrounded/")}
    assert kernels == kernel_filters(architecture()).keys()
    for name, filters in kernel_filters(architecture()).items():
        expected = round_kernel(state[f"unrounded/{name}"], filters, bits).astype(np.float32)
        np.testing.assert_array_equal(weights[name], expected)
        assert (state[f"unrounded/{name}"] != weights[name]).any()
    model = type(network)(architecture(), weights)  # type: ignore[call-arg]  # no protocol says how it is made
    np.testing.assert_allclose(network.logits(dataset(40).images), model.logits(dataset(40).images), atol=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_gradients_of_the_rounded_network_change_the_unrounded_weights(engine: type[NativeNetwork]) -> None:
    small = cs.presets.ann((8, 9, 1), 5)  # without batch normalisation a step has the gradients of a prediction
    start, images = initial_weights(small, 0), dataset(16)
    network = engine(small, start)
    train(network, images, rate=0.0, weight_bits=8, optimizer=SGD())
    grid = network.weights()
    _, gradients = engine(small, grid).gradients(images.images, images.labels)
    train(network, images, rate=0.5, weight_bits=8, optimizer=SGD())
    state, after = network.optimizer_state(), network.weights()
    for name, gradient in gradients.items():
        moved = state[f"unrounded/{name}"] if name.endswith("/kernel") else after[name]
        np.testing.assert_allclose(moved, start[name] - 0.5 * gradient, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_average_uses_unrounded_weights(engine: type[NativeNetwork]) -> None:
    plain, averaged = (engine(architecture(), initial_weights(architecture(), 0)) for _ in range(2))
    seen = []
    for first in range(0, 48, 16):
        train(plain, dataset(48).take(range(first, first + 16)), weight_bits=4)
        state = plain.optimizer_state()
        seen.append({name: state.get(f"unrounded/{name}", weight) for name, weight in plain.weights().items()})
    train(averaged, dataset(48), weight_bits=4, averaging=0.8)
    state, shares = averaged.optimizer_state(), 0.8 ** np.arange(3)[::-1]
    for name in plain.weights():
        expected = np.average([weights[name] for weights in seen], axis=0, weights=shares)
        value = state.get(f"unrounded/{name}", averaged.weights()[name])
        np.testing.assert_allclose(value, expected, atol=1e-6, err_msg=name)
        np.testing.assert_array_equal(state[f"unaveraged/{name}"].astype(np.float32), np.float32(seen[-1][name]))


@pytest.mark.parametrize("engine", ENGINES)
def test_training_without_bits_goes_on_from_the_rounded_weights(engine: type[NativeNetwork]) -> None:
    network = engine(architecture(), initial_weights(architecture(), 0))
    train(network, dataset(40), weight_bits=2, optimizer=Adam())
    fresh = engine(architecture(), network.weights())
    fresh.set_optimizer_state({n: v for n, v in network.optimizer_state().items() if not n.startswith("unrounded/")})
    for tested in (network, fresh):
        train(tested, dataset(40))
        assert not any(name.startswith("unrounded/") for name in tested.optimizer_state())
    for name, value in fresh.weights().items():
        np.testing.assert_allclose(network.weights()[name], value, atol=1e-7)


def test_the_engine_keras_does_not_support_few_bits() -> None:
    with pytest.raises(RecipeError, match="weight_bits is 4, but engine keras trains float32 weights"):
        check_weight_bits(4, "keras")
    with pytest.raises(RecipeError, match="weight_bits is 4"):
        cs.train("ann", cs.load_dataset("mnist").train.take(range(20)), cs.Recipe(weight_bits=4), engine="keras")
    check_weight_bits(None, "keras")
    check_weight_bits(4, "reference")


@pytest.mark.parametrize(("bits", "accuracy"), [(2, 0.75), (4, 0.8)])
def test_a_network_of_few_bits_learns_digits(small_mnist: cs.Splits, bits: Any, accuracy: float) -> None:
    recipe = cs.Recipe(epochs=5, weight_bits=bits, averaging=0.9)
    model, _ = cs.train("cnn", small_mnist.train, recipe)
    for name in kernel_filters(model.architecture):
        kernel = model.weights[name]
        for column in kernel.reshape(-1, kernel.shape[-1]).T:
            assert len(np.unique(np.abs(column))) <= 2 ** (bits - 1)  # of 4 bits: 0 to 7 steps
    assert (model.logits(small_mnist.test.images).argmax(axis=1) == small_mnist.test.labels).mean() > accuracy
