"""Kernels as banks of pictures, and statistics of feature maps."""

import numpy as np
import pytest

import convscope as cs
from convscope.engine import initial_weights
from convscope.evidence.explanation import kernel_banks
from convscope.evidence.explanation.kernels_and_maps import summarize_activations


def make_model(architecture, **weights):
    """Make a model with random weights, except those given: conv2d__kernel for "conv2d/kernel"."""
    values = initial_weights(architecture, 0) | {name.replace("__", "/"): array for name, array in weights.items()}
    return cs.Model(architecture, values, tuple(map(str, range(architecture.num_classes))))


def test_banks_hold_every_convolutions_kernel():
    model = make_model(cs.presets.cnn())
    first, second = kernel_banks(model)
    assert (first.layer, first.kernel.shape) == ("conv2d", (3, 3, 1, 16))
    assert (second.layer, second.num_channels, second.num_filters) == ("conv2d_1", 16, 32)
    np.testing.assert_array_equal(second.kernel, model.weights["conv2d_1/kernel"])


def test_limit_is_the_largest_absolute_weight():
    kernel = np.zeros((3, 3, 1, 16))
    kernel[1, 2, 0, 5], kernel[0, 0, 0, 0] = -2.5, 1.5
    first, _ = kernel_banks(make_model(cs.presets.cnn(), conv2d__kernel=kernel))
    assert first.limit == 2.5
    assert first.kernel.dtype == np.float32


@pytest.mark.parametrize(("image_shape", "channels"), [((20, 32, 3), 3), ((12, 10, 1), 1)])
def test_the_first_bank_reads_the_images_channels(image_shape, channels):
    bank = kernel_banks(make_model(cs.presets.cnn(image_shape, 100)))[0]
    assert bank.num_channels == channels
    assert (bank.layer, bank.kind, bank.kernel.shape) == ("conv2d", "Conv2D", (3, 3, channels, 16))


def test_a_depthwise_convolutions_filters_read_one_channel_each():
    layers = (cs.Conv2D(5), cs.DepthwiseConv2D((3, 2), depth_multiplier=4), cs.Flatten(), cs.Dense(3))
    model = make_model(cs.Architecture(cs.Input(9, 8, 2), layers))
    _, bank = kernel_banks(model)
    assert (bank.layer, bank.kind, bank.num_channels, bank.num_filters) == (
        "depthwise_conv2d", "DepthwiseConv2D", 1, 20,
    )  # fmt: skip
    weights = model.weights["depthwise_conv2d/kernel"]
    for channel in range(5):
        for kernel in range(4):
            np.testing.assert_array_equal(bank.kernel[:, :, 0, 4 * channel + kernel], weights[:, :, channel, kernel])


ARCHITECTURE = cs.Architecture(
    cs.Input(2, 2), (cs.Conv2D(3, (1, 1), activation="relu"), cs.Flatten(), cs.Dense(2, "softmax"))
)
# Three maps of 2 × 2: one of four values is above zero, none, all.
MAPS = np.stack([[[0.0, 2.0], [0.0, 0.0]], np.zeros((2, 2)), np.full((2, 2), 0.5)], axis=2).astype(np.float32)
ACTIVATIONS = {"conv2d": MAPS, "flatten": MAPS.reshape(-1), "dense": np.array([0.25, 0.75], np.float32)}


def test_summary_of_maps_worked_by_hand():
    summary = summarize_activations(ARCHITECTURE, ACTIVATIONS)[0]
    assert (summary.layer, summary.kind, summary.shape) == ("conv2d", "Conv2D", (2, 2, 3))
    assert (summary.minimum, summary.maximum, summary.mean) == (0, 2, pytest.approx((2 + 4 * 0.5) / 12))
    assert (summary.active_fraction, summary.num_dead_maps) == (pytest.approx(5 / 12), 1)


def test_summary_of_a_vector_counts_its_units_as_maps():
    flatten, dense = summarize_activations(ARCHITECTURE, ACTIVATIONS)[1:]
    assert (flatten.shape, flatten.num_dead_maps, flatten.active_fraction) == ((12,), 7, pytest.approx(5 / 12))
    assert (dense.num_dead_maps, dense.minimum, dense.maximum) == (0, 0.25, 0.75)


def test_a_map_of_negative_values_is_not_dead():
    summary = summarize_activations(ARCHITECTURE, ACTIVATIONS | {"conv2d": -MAPS})[0]
    assert (summary.num_dead_maps, summary.minimum) == (1, -2)
