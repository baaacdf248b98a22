"""The reference engine compared with numbers worked by hand; test_reference_gradients.py checks its gradients."""

import gzip
from math import log, sqrt
from pathlib import Path

import numpy as np
import pytest

import convscope.data.datasets
from convscope.architecture import Architecture, Conv2D, Dense, Flatten, Input, MaxPooling2D, presets
from convscope.architecture.layers import Window
from convscope.base.streams import random_stream
from convscope.data.datasets import Dataset
from convscope.engine import EpochOptions, initial_weights, open_network
from convscope.engine.loss import cross_entropy, cross_entropy_backward, loss_factors, softmax
from convscope.engine.optimizer_steps import adam, clip_gradients, momentum
from convscope.engine.reference import ReferenceNetwork
from convscope.engine.reference_activations import ACTIVATIONS, prelu
from convscope.engine.reference_layers import (
    _split_mix,
    average_pooling,
    convolution,
    depthwise,
    draw_dropout_mask,
    dropout,
    max_pooling,
    max_pooling_backward,
)
from convscope.recipes import SGD, Adam

from .epochs import assert_same_bits, train


def random_images(seed, shape):
    return random_stream(seed, "test images").integers(0, 256, shape, dtype=np.uint8)


def real_images(count):
    """Read the first training images of MNIST, after headers of 16 and 8 bytes, without the project's readers."""
    folder = Path(convscope.data.datasets.__file__).parent / "embedded" / "mnist"
    with gzip.open(folder / "train-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(16 + 784 * count), np.uint8, offset=16)
    with gzip.open(folder / "train-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(8 + count), np.uint8, offset=8)
    return Dataset(images.reshape(-1, 28, 28, 1), labels, tuple("0123456789"))


# --- By hand ----------------------------------------------------------------------------------------------------------

IMAGE = np.array([[1.0, 2, 0], [0, 1, 3], [4, 1, 1]]).reshape(1, 3, 3, 1)
KERNEL = np.array([[1.0, 2], [-1, 0]]).reshape(2, 2, 1, 1)


def maps(values):
    array = np.array(values, dtype=float)
    return array.reshape(1, *array.shape, 1)


def test_convolution_gives_the_numbers_worked_by_hand():
    y = convolution(IMAGE, KERNEL, np.array([0.5]), Window((2, 2), (1, 1), "valid"))
    # Top left: 1·1 + 2·2 - 1·0 + 0·1 + 0.5 = 5.5.
    np.testing.assert_array_equal(y, maps([[5.5, 1.5], [-1.5, 6.5]]))


def test_convolution_with_same_padding_puts_the_odd_zero_last():
    y = convolution(IMAGE, KERNEL, np.array([0.5]), Window((2, 2), (1, 1), "same"))
    np.testing.assert_array_equal(y, maps([[5.5, 1.5, -2.5], [-1.5, 6.5, 2.5], [6.5, 3.5, 1.5]]))


def test_convolution_with_stride_takes_every_second_window():
    y = convolution(IMAGE, KERNEL, np.array([0.5]), Window((2, 2), (2, 2), "same"))
    np.testing.assert_array_equal(y, maps([[5.5, -2.5], [6.5, 1.5]]))


def test_convolution_adds_up_its_input_channels():
    x = np.array([[[[2.0, 3.0, 5.0]]]])
    kernel = np.array([[1.0, 0], [10, 1], [100, 2]]).reshape(1, 1, 3, 2)
    y = convolution(x, kernel, np.zeros(2), Window((1, 1), (1, 1), "valid"))
    np.testing.assert_array_equal(y, [[[[532, 13]]]])


def test_depthwise_convolution_keeps_channels_apart():
    x = np.array([[[[2.0, 3.0]]]])
    kernel = np.array([[1.0, 10], [100, 1000]]).reshape(1, 1, 2, 2)
    y = depthwise(x, kernel, np.array([0, 0, 0, 0.5]), Window((1, 1), (1, 1), "valid"))
    np.testing.assert_array_equal(y, [[[[2, 20, 300, 3000.5]]]])


def test_max_pooling_gives_the_numbers_worked_by_hand():
    x = maps([[1, 2, 9], [4, 3, 9], [9, 9, 9]])
    np.testing.assert_array_equal(max_pooling(x, Window((2, 2), (2, 2), "valid")), maps([[4]]))
    np.testing.assert_array_equal(max_pooling(x, Window((2, 2), (1, 1), "valid")), maps([[4, 9], [9, 9]]))


def test_max_pooling_backward_gives_equal_values_to_the_first_row_by_row():
    x = maps([[0, 7, 0, 0], [7, 7, 0, 0]])
    dx = max_pooling_backward(maps([[5, 3]]), x, Window((2, 2), (2, 2), "valid"))
    np.testing.assert_array_equal(dx, maps([[0, 5, 3, 0], [0, 0, 0, 0]]))


def test_pooling_with_same_padding_neither_takes_nor_counts_the_padding():
    x = maps([[-1, -2, -9], [-4, -3, -9], [-7, -8, -6]])
    window = Window((2, 2), (2, 2), "same")
    np.testing.assert_array_equal(max_pooling(x, window), maps([[-1, -9], [-7, -6]]))
    np.testing.assert_array_equal(average_pooling(x, window), maps([[-2.5, -9], [-7.5, -6]]))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("relu", [0, 0, 1]),
        ("relu6", [0, 0, 1]),
        ("leaky_relu", [-0.4, 0, 1]),
        ("elu", [-0.8646647167633873, 0, 1]),
        ("selu", [-1.520166468595695, 0, 1.0507009873554805]),  # Keras 3.15 and PyTorch 2.13 in float64
        ("gelu", [-0.04550026389635842, 0, 0.8413447460685429]),  # -2 Φ(-2) and Φ(1), from tables of the normal law
        ("silu", [-0.2384058440442351, 0, 0.7310585786300049]),
        ("hard_silu", [-1 / 3, 0, 2 / 3]),
        ("tanh", [-0.9640275800758169, 0, 0.7615941559557649]),
        ("hard_sigmoid", [1 / 6, 0.5, 2 / 3]),
        ("sigmoid", [0.11920292202211755, 0.5, 0.7310585786300049]),
    ],
)
def test_activations_give_the_numbers_of_tables(name, expected):
    np.testing.assert_allclose(ACTIVATIONS[name][0](np.array([-2.0, 0.0, 1.0])), expected, rtol=1e-12)


def test_activations_give_the_ends_of_their_ranges():
    x = np.array([-1000.0, -3, 3, 6, 7, 1000])
    np.testing.assert_array_equal(ACTIVATIONS["relu6"][0](x), [0, 0, 3, 6, 6, 6])
    np.testing.assert_array_equal(ACTIVATIONS["hard_silu"][0](x), [0, 0, 3, 6, 7, 1000])
    np.testing.assert_array_equal(ACTIVATIONS["hard_sigmoid"][0](x), [0, 0, 1, 1, 1, 1])
    np.testing.assert_allclose(ACTIVATIONS["elu"][0](x), [-1, np.exp(-3) - 1, 3, 6, 7, 1000])
    np.testing.assert_allclose(ACTIVATIONS["silu"][0](x), [0, -3 / (1 + np.exp(3)), *x[2:] / (1 + np.exp(-x[2:]))])


def test_prelu_gives_each_channel_its_slope():
    np.testing.assert_array_equal(prelu(np.array([[-2.0, -2, 3]]), np.array([0.5, -1, 7])), [[-1, 2, 3]])


def test_dropout_keeps_the_mean():
    x = np.array([[3.0, 6.0], [9.0, 12.0]])
    kept = np.array([[True, False], [True, True]])
    np.testing.assert_array_equal(dropout(x, kept, 0.25), [[4, 0], [12, 16]])


def test_dropout_uses_the_published_random_sequence():
    # The first two numbers of SplitMix64 from 0, by its author's own program.
    expected = np.array([0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4], np.uint64)
    np.testing.assert_array_equal(_split_mix(np.array([0], np.uint64), np.arange(2)), expected)


def test_dropout_drops_each_value_independently_at_its_rate():
    # Key, layer, first image, shape, and the rate in units of 2^-24.
    kept = draw_dropout_mask(2**64 - 1, 3, 5, (200, 10, 10, 2), int(0.2 * 2**24))
    assert kept.mean() == pytest.approx(0.8, abs=5 * sqrt(0.8 * 0.2 / kept.size))
    assert draw_dropout_mask(1, 3, 5, (9, 9), 0).all()
    for key, layer, image in ((2**64 - 2, 3, 5), (2**64 - 1, 4, 5), (2**64 - 1, 3, 6)):
        mask = draw_dropout_mask(key, layer, image, kept.shape, int(0.2 * 2**24))
        # Independent masks agree in a fraction 0.8² + 0.2² of the values.
        assert (kept == mask).mean() == pytest.approx(0.68, abs=5 * sqrt(0.68 * 0.32 / kept.size))


def test_dropout_goes_on_from_batch_to_batch():
    together = draw_dropout_mask(9, 0, 0, (7, 11), 2**23)
    np.testing.assert_array_equal(together[4:], draw_dropout_mask(9, 0, 4, (3, 11), 2**23))


def test_softmax_and_cross_entropy_give_the_numbers_worked_by_hand():
    logits = np.log([[1.0, 2.0, 5.0], [3.0, 3.0, 2.0]])
    np.testing.assert_allclose(softmax(logits), [[1 / 8, 2 / 8, 5 / 8], [3 / 8, 3 / 8, 2 / 8]])
    assert cross_entropy(logits, np.array([2, 0])) == pytest.approx((log(8 / 5) + log(8 / 3)) / 2)


def test_smoothed_cross_entropy_is_the_mean_over_labels_drawn_with_that_noise():
    logits = np.random.default_rng(0).normal(size=(7, 4))
    labels = np.array([0, 3, 1, 2, 2, 0, 1])
    of_class = [cross_entropy(logits, np.full(7, k)) for k in range(4)]
    expected = 0.7 * cross_entropy(logits, labels) + 0.3 * np.mean(of_class)
    assert cross_entropy(logits, labels, 0.3) == pytest.approx(expected)


def test_weights_of_classes_and_images_multiply_the_losses():
    logits, labels = np.log([[1.0, 2.0, 5.0], [3.0, 3.0, 2.0]]), np.array([2, 0])
    weights = np.array([3, 0.25], np.float32)
    of_classes, of_images = loss_factors(labels, (4, 100, 0.5), None), loss_factors(labels, None, weights)
    of_both = loss_factors(labels, (4, 100, 0.5), weights)
    assert cross_entropy(logits, labels, 0, of_classes) == pytest.approx((0.5 * log(8 / 5) + 4 * log(8 / 3)) / 2)
    assert cross_entropy(logits, labels, 0, of_images) == pytest.approx((3 * log(8 / 5) + 0.25 * log(8 / 3)) / 2)
    assert cross_entropy(logits, labels, 0, of_both) == pytest.approx((1.5 * log(8 / 5) + log(8 / 3)) / 2)
    assert loss_factors(labels, None, None) is None


def test_momentum_gives_the_numbers_worked_by_hand():
    weight, velocity = np.array([1.0]), np.array([0.5])
    weight, velocity = momentum(weight, np.array([2.0]), velocity, 0.1, SGD(momentum=0.5, weight_decay=0.25))
    # Velocity 0.5·0.5 - 0.1·2; the weight decays by 0.1·0.25 of itself, then moves by the velocity.
    assert (velocity[0], weight[0]) == pytest.approx((0.05, 0.975 + 0.05))
    weight, velocity = momentum(weight, np.array([1.0]), velocity, 0.1, SGD(momentum=0.5, nesterov=True))
    # Velocity 0.5·0.05 - 0.1·1; Nesterov's step is 0.5·velocity - 0.1·1.
    assert (velocity[0], weight[0]) == pytest.approx((-0.075, 1.025 - 0.0375 - 0.1))


def test_weight_decay_of_adam_does_not_go_through_the_moments():
    step = (np.array([2.0]), np.array([3.0]), np.array([0.1]), np.array([0.2]), 3, 0.1)
    weight, m, v = adam(*step, Adam())
    decayed, m_decayed, v_decayed = adam(*step, Adam(weight_decay=0.5))
    assert decayed[0] == pytest.approx(weight[0] - 2.0 * 0.1 * 0.5)
    assert (m_decayed, v_decayed) == (m, v)


def test_clipping_shortens_all_gradients_by_one_factor():
    gradients = {"a": np.array([3.0, 0.0]), "b": np.array([[4.0]])}
    assert clip_gradients(gradients, 5) is gradients
    shorter = clip_gradients(gradients, 1)
    np.testing.assert_allclose(shorter["a"], [0.6, 0])
    np.testing.assert_allclose(shorter["b"], [[0.8]])


def test_cross_entropy_does_not_overflow():
    logits = np.array([[1e4, 0.0], [0.0, -1e4]])
    assert cross_entropy(logits, np.array([1, 0], np.uint8)) == pytest.approx(5e3)
    np.testing.assert_allclose(cross_entropy_backward(logits, np.array([1, 0], np.uint8)), [[0.5, -0.5], [0, 0]])


def test_adam_takes_the_two_steps_worked_by_hand():
    optimizer = Adam(beta_1=0.5, beta_2=0.75, epsilon=0.1)
    weight, m, v = adam(np.array([1.0]), np.array([2.0]), np.zeros(1), np.zeros(1), 1, 0.5, optimizer)
    # m = 0.5·2, v = 0.25·4, α = 0.5·√(1 - 0.75)/(1 - 0.5) = 0.5; the weight moves by 0.5·1/(1 + 0.1).
    assert (m[0], v[0]) == (1, 1)
    assert weight[0] == pytest.approx(1 - 0.5 / 1.1, rel=1e-15)
    second, m, v = adam(weight, np.array([-1.0]), m, v, 2, 0.5, optimizer)
    # m = 1 + 0.5·(-1 - 1), v = 1 + 0.25·(1 - 1): the gradients cancel in m, and the weight stays.
    assert (m[0], v[0]) == (0, 1)
    assert second[0] == weight[0]


# --- The network ------------------------------------------------------------------------------------------------------


def small_architecture():
    layers = (Conv2D(4, 3, activation="relu"), MaxPooling2D(), Flatten(), Dense(10, "softmax"))
    return Architecture(Input(28, 28), layers)


def test_training_reports_the_means_over_all_images_before_each_step():
    dataset = real_images(10)
    network = ReferenceNetwork(small_architecture(), initial_weights(small_architecture(), 0))
    calls = []
    # With a learning rate of 1e-30 no weight moves, so the whole set can be measured at once.
    result = train(network, dataset, 4, np.arange(10)[::-1], 1e-30, progress=lambda *values: calls.append(values))
    loss, _ = network.gradients(dataset.images, dataset.labels)
    assert result.loss == pytest.approx(loss, rel=1e-12)
    assert result.accuracy == (network.logits(dataset.images).argmax(axis=1) == dataset.labels).mean()
    assert [num_images for num_images, _, _ in calls] == [4, 8, 10]
    assert calls[-1][1:] == (result.loss, result.accuracy)


def test_weights_and_optimizer_state_are_copies():
    network = ReferenceNetwork(small_architecture(), initial_weights(small_architecture(), 0))
    for values in (network.weights(), network.optimizer_state()):
        for array in values.values():
            array += 1
    assert_same_bits(network.weights(), initial_weights(small_architecture(), 0))
    assert network.optimizer_state()["step"] == 0


def test_activations_are_the_outputs_of_the_named_layers():
    architecture = presets.cnn((31, 17, 3), 7)
    network = ReferenceNetwork(architecture, initial_weights(architecture, 0))
    images = random_images(0, (65, 31, 17, 3))
    outputs = network.activations(images, [layer.name for layer in architecture.layers])
    assert {name: output.shape[1:] for name, output in outputs.items()} == {
        row.layer.name: row.output_shape for row in architecture.table
    }
    assert (outputs["conv2d"] >= 0).all()
    np.testing.assert_array_equal(outputs["flatten"], outputs["max_pooling2d_1"].reshape(65, -1))
    np.testing.assert_allclose(outputs["dense_1"], softmax(network.logits(images).astype(float)), atol=1e-6)


def test_padding_is_zeros_after_normalisation():
    architecture = Architecture(Input(1, 1, offset=-1), (Conv2D(1, 3, padding="same"), Flatten(), Dense(2)))
    weights = {
        "conv2d/kernel": np.ones((3, 3, 1, 1)), "conv2d/bias": np.zeros(1),
        "dense/kernel": np.ones((1, 2)), "dense/bias": np.zeros(2),
    }  # fmt: skip
    logits = ReferenceNetwork(architecture, weights).logits(np.zeros((1, 1, 1, 1), np.uint8))
    np.testing.assert_array_equal(logits, [[-1, -1]])  # the pixel is 0 - 1; padding with bytes of 0 would give -9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"learning_rates": np.ones(2, np.float32)}, "2 learning rates for 3 batches"),
        ({"order": np.arange(0), "learning_rates": np.ones(0, np.float32)}, "0 learning rates for 0 batches"),
    ],
)
def test_train_epoch_rejects_invalid_arguments(arguments, message):
    network = ReferenceNetwork(small_architecture(), initial_weights(small_architecture(), 0))
    good = {
        "order": np.arange(10), "batch_size": 4, "learning_rates": np.ones(3, np.float32), "options": EpochOptions(),
    }  # fmt: skip
    with pytest.raises(ValueError, match=message):
        network.train_epoch(real_images(10), **{**good, **arguments})


def test_set_optimizer_state_rejects_another_shape_and_changes_nothing():
    network = ReferenceNetwork(small_architecture(), initial_weights(small_architecture(), 0))
    state = {**network.optimizer_state(), "step": np.array(9), "v/dense/bias": np.zeros(11)}
    with pytest.raises(ValueError, match=r"v/dense/bias is \(11,\); it must be \(10,\)"):
        network.set_optimizer_state(state)
    assert network.optimizer_state()["step"] == 0


def test_open_network_rejects_weights_that_do_not_fit():
    weights = initial_weights(small_architecture(), 0)
    with pytest.raises(ValueError, match="dense/bias is missing"):
        open_network(small_architecture(), {n: w for n, w in weights.items() if n != "dense/bias"}, "reference")
