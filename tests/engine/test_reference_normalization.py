"""Batch normalisation of the reference engine, compared with numbers worked by hand and finite differences."""

from functools import partial

import numpy as np
import pytest
from tests.noise import random_dataset

from convscope.architecture import Architecture, BatchNormalization, Conv2D, Dense, Flatten, Input
from convscope.base.streams import random_stream
from convscope.data.datasets import Dataset
from convscope.engine import initial_weights, open_network
from convscope.engine.loss import cross_entropy, cross_entropy_backward
from convscope.engine.reference import ReferenceNetwork
from convscope.engine.reference_normalization import (
    batch_normalization,
    batch_normalization_backward,
    batch_statistics,
    batch_statistics_backward,
)
from convscope.recipes import SGD

from .epochs import assert_same_bits, train as train_epoch
from .test_reference_gradients import assert_gradient, numerical_gradient


def small_architecture():
    layers = (
        Conv2D(4, 3, use_bias=False), BatchNormalization(0.8, activation="gelu"), Flatten(), Dense(5),
        BatchNormalization(0.5),
    )  # fmt: skip
    return Architecture(Input(7, 6, 2), layers)


train = partial(train_epoch, batch_size=8, rate=1e-2)


# --- By hand ----------------------------------------------------------------------------------------------------------


def test_batch_normalization_gives_the_numbers_worked_by_hand():
    x = np.array([[1.0, 5.0], [3.0, 5.0]])
    mean, variance = batch_statistics(x)
    np.testing.assert_array_equal(mean, [2, 5])
    np.testing.assert_array_equal(variance, [1, 0])  # the batch's own variance: ((1 - 2)² + (3 - 2)²) / 2
    y = batch_normalization(x, np.array([4.0, 7.0]), np.array([0.5, -1.0]), mean, variance, 3.0)
    # The first: 4 · (1 - 2) / √(1 + 3) + 0.5 = -1.5. A channel without variance is beta.
    np.testing.assert_array_equal(y, [[-1.5, -1], [2.5, -1]])


def test_statistics_of_maps_are_over_images_rows_and_columns():
    x = np.arange(24.0).reshape(2, 2, 3, 2)
    mean, variance = batch_statistics(x)
    np.testing.assert_array_equal(mean, [11, 12])
    np.testing.assert_allclose(variance, [4 * (12**2 - 1) / 12] * 2)  # the variance of 12 even numbers in a row


@pytest.mark.parametrize("shape", [(7, 5, 4, 3), (2, 8, 8, 17), (7, 11), (1, 3, 3, 2)], ids=str)
@pytest.mark.parametrize("epsilon", [1e-3, 0.5])
@pytest.mark.parametrize("is_of_batch", [False, True], ids=["fixed statistics", "of the batch"])
def test_backward_agrees_with_finite_differences(shape, epsilon, is_of_batch):
    stream = random_stream(0, f"normalisation {shape}")
    x, dy = stream.normal(size=shape, scale=2), stream.normal(size=shape)
    gamma, beta, mean = stream.normal(size=(3, shape[-1]))
    fixed = (mean, stream.uniform(0.1, 3, shape[-1]))

    def statistics():
        return batch_statistics(x) if is_of_batch else fixed

    dx, dgamma, dbeta = batch_normalization_backward(dy, x, gamma, *statistics(), epsilon)
    if is_of_batch:
        dx = batch_statistics_backward(dx, x, epsilon)
    step = 1e-3 if is_of_batch else 0.1  # linear in each: no step is too long
    for array, gradient in zip((x, gamma, beta), (dx, dgamma, dbeta), strict=True):
        assert_gradient(
            lambda: np.vdot(dy, batch_normalization(x, gamma, beta, *statistics(), epsilon)),
            array, gradient, stream, count=20, step=step,
        )  # fmt: skip


# --- The network ------------------------------------------------------------------------------------------------------


def test_gradients_of_a_training_step_agree_with_finite_differences_through_all_statistics():
    architecture, dataset = small_architecture(), random_dataset(7, (7, 6, 2))
    stream = random_stream(0, "training step")
    weights = {name: stream.uniform(0.2, 1, shape) for name, shape in architecture.weight_shapes.items()}

    def loss():
        return cross_entropy(ReferenceNetwork(architecture, weights)._forward(dataset.images, {})[-1], dataset.labels)

    network = ReferenceNetwork(architecture, weights)
    values = network._forward(dataset.images, {})
    gradients, _ = network._backward(values, cross_entropy_backward(values[-1], dataset.labels), {})
    assert list(gradients) == list(architecture.trainable_weight_shapes)
    for name, gradient in gradients.items():
        for flat in stream.integers(0, gradient.size, 6):
            index = np.unravel_index(flat, gradient.shape)
            expected = numerical_gradient(loss, weights[name], index, 1e-4)
            # A normalisation cancels some changes, such as that of a bias before it; then only rounding is left.
            assert gradient[index] == pytest.approx(expected, rel=1e-6, abs=1e-10), (name, index)


def test_a_bias_before_normalisation_has_no_gradient_in_training():
    layers = (Flatten(), Dense(4), BatchNormalization(), Dense(5))
    architecture, dataset = Architecture(Input(7, 6, 2), layers), random_dataset(20, (7, 6, 2))
    network = ReferenceNetwork(architecture, initial_weights(architecture, 0))
    values = network._forward(dataset.images, {})
    gradients, _ = network._backward(values, cross_entropy_backward(values[-1], dataset.labels), {})
    np.testing.assert_allclose(gradients["dense/bias"], 0, atol=1e-15)
    _, predicting = network.gradients(dataset.images, dataset.labels)
    assert np.abs(predicting["dense/bias"]).max() > 1e-3


def test_a_step_moves_the_statistics_towards_those_of_the_batch():
    architecture = Architecture(Input(1, 1, scale=1), (Flatten(), BatchNormalization(0.75), Dense(2)))
    dataset = Dataset(np.array([2, 4, 4, 6, 9], np.uint8).reshape(5, 1, 1, 1), np.array([0, 1, 0, 1, 0]), ("a", "b"))
    network = ReferenceNetwork(architecture, initial_weights(architecture, 0))
    train(network, dataset, batch_size=4)
    # Mean 4 and variance 2 of the first four images, then 9 and 0 of the last, each for a quarter.
    weights = network.weights()
    assert weights["batch_normalization/moving_mean"] == 0.75 * (0.25 * 4) + 0.25 * 9
    assert weights["batch_normalization/moving_variance"] == 0.75 * (0.75 + 0.25 * 2)


def test_a_step_uses_statistics_of_the_batch_and_a_prediction_the_moving_ones():
    architecture, dataset = small_architecture(), random_dataset(8, (7, 6, 2))
    weights = initial_weights(architecture, 0)
    # Moving statistics far from those of any batch: if training used them, the loss would differ.
    strange = weights | {name: weight + 3 for name, weight in weights.items() if "/moving_" in name}
    networks = [ReferenceNetwork(architecture, start) for start in (weights, strange)]
    assert train(networks[0], dataset) == train(networks[1], dataset)
    usual, unusual = (network.weights() for network in networks)
    assert_same_bits(*({name: w[name] for name in architecture.trainable_weight_shapes} for w in (usual, unusual)))
    assert np.abs(networks[0].logits(dataset.images) - networks[1].logits(dataset.images)).max() > 0.1


def test_the_prediction_of_an_image_does_not_depend_on_other_images():
    architecture, dataset = small_architecture(), random_dataset(20, (7, 6, 2))
    network = ReferenceNetwork(architecture, initial_weights(architecture, 0))
    train(network, dataset)
    together = network.logits(dataset.images)
    np.testing.assert_allclose(network.logits(dataset.images[3:4]), together[3:4], atol=1e-6)
    _, mean = network.gradients(dataset.images[:2], dataset.labels[:2])
    _, first = network.gradients(dataset.images[:1], dataset.labels[:1])
    _, second = network.gradients(dataset.images[1:2], dataset.labels[1:2])
    for name in mean:
        np.testing.assert_allclose(mean[name], (first[name] + second[name]) / 2, atol=1e-12)


def test_statistics_are_averaged_as_weights_are_and_neither_optimized_nor_decayed():
    architecture, dataset = small_architecture(), random_dataset(20, (7, 6, 2))
    plain, averaged = (ReferenceNetwork(architecture, initial_weights(architecture, 0)) for _ in range(2))
    optimizer = SGD(momentum=0.9, weight_decay=0.5)
    seen = []  # after each step
    for _ in range(3):
        for first in range(0, 20, 10):
            train(plain, dataset.take(range(first, first + 10)), batch_size=10, optimizer=optimizer)
            seen.append(plain.weights())
            train(averaged, dataset.take(range(first, first + 10)), batch_size=10, optimizer=optimizer, averaging=0.9)
    state = averaged.optimizer_state()
    for part, names in (("m", architecture.trainable_weight_shapes), ("unaveraged", architecture.weight_shapes)):
        assert {name for name in state if name.startswith(f"{part}/")} == {f"{part}/{name}" for name in names}
    shares = 0.9 ** np.arange(len(seen))[::-1]
    for name, weight in averaged.weights().items():
        np.testing.assert_array_equal(state[f"unaveraged/{name}"].astype(np.float32), seen[-1][name])
        expected = np.average([weights[name] for weights in seen], axis=0, weights=shares)
        np.testing.assert_allclose(weight, expected, atol=1e-6)
        assert (weight != seen[-1][name]).any()


# --- Errors -----------------------------------------------------------------------------------------------------------


def test_a_variance_below_zero_is_refused():
    weights = initial_weights(small_architecture(), 0)
    name = "batch_normalization/moving_variance"
    with pytest.raises(ValueError, match=f"weight {name} holds -0.5; a variance cannot be below zero"):
        open_network(small_architecture(), weights | {name: np.array([1, -0.5, 1, 1])}, "reference")
