"""Convolutions of 3 x 3 and 5 x 5, which the compiled engine computes with Winograd's algorithm, and the reference."""

from collections.abc import Sequence

import numpy as np
import pytest

import convscope as cs
from convscope.architecture import ActivationName
from convscope.engine import initial_weights
from convscope.engine.native import NativeNetwork
from convscope.engine.processor import instruction_sets

from .epochs import assert_same_bits
from .test_native import assert_agrees

# Fractions of the largest value: the rounding errors in float32 of F(4 x 4, 3 x 3) and of F(4 x 4, 5 x 5), by kernel.
TOLERANCES = {3: 5e-6, 5: 2e-5}
PADDED: tuple[tuple[str, ActivationName], ...] = (("valid", "relu"), ("same", "gelu"))


def assert_close(architecture: cs.Architecture, count: int, isas: Sequence[str], tolerance: float) -> None:
    assert_agrees(architecture, count, isas, tolerance, tolerance)


def one_convolution(
    size: tuple[int, int], kernel: int, channels: tuple[int, int], padding: str, activation: ActivationName = "relu"
) -> cs.Architecture:
    """Return a network with the convolution between two of 1 x 1, so that both its gradients are compared."""
    layers = (
        cs.Conv2D(channels[0], 1, activation="relu"),
        cs.Conv2D(channels[1], kernel, padding=padding, activation=activation),
        cs.Conv2D(2, 1), cs.Flatten(), cs.Dense(4),
    )  # fmt: skip
    return cs.Architecture(cs.Input(*size, 2), layers)


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("size", [(5, 6), (7, 6), (8, 15), (13, 10), (28, 28)])
def test_maps_of_any_size_agree_with_the_reference(size: tuple[int, int], padding: str, kernel: int) -> None:
    # Among many values some lie so near zero that rounding decides whether relu opens.
    activation: ActivationName = "relu" if min(size) < 10 else "linear"
    architecture = one_convolution(size, kernel, (17, 16), padding, activation)
    assert_close(architecture, 9, instruction_sets(), TOLERANCES[kernel])


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("channels", [(16, 16), (16, 33), (31, 48), (64, 17), (70, 65)])
def test_any_number_of_channels_agrees_with_the_reference(channels: tuple[int, int], kernel: int) -> None:
    for padding, activation in PADDED:
        architecture = one_convolution((10, 11), kernel, channels, padding, activation)
        assert_close(architecture, 3, instruction_sets(), TOLERANCES[kernel])


@pytest.mark.slow
@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize(("size", "count"), [((6, 6), 1), ((6, 6), 8), ((6, 6), 21), ((61, 50), 1), ((61, 50), 3)])
def test_blocks_of_any_number_of_images_agree_with_the_reference(
    size: tuple[int, int], count: int, kernel: int
) -> None:
    architecture = one_convolution(size, kernel, (20, 24), "valid", "linear")
    # Twice the tolerance, because sums over a large map cancel out more.
    assert_close(architecture, count, instruction_sets()[:1], 2 * TOLERANCES[kernel])


def test_deep_networks_agree_with_the_reference() -> None:
    layers = (
        cs.Conv2D(20, 3, padding="same", use_bias=False), cs.BatchNormalization(activation="relu"),
        cs.Conv2D(24, 3, padding="same", use_bias=False), cs.BatchNormalization(activation="relu"), cs.MaxPooling2D(2),
        cs.Conv2D(32, 5, padding="same", activation="relu"), cs.Conv2D(40, 3, activation="relu"), cs.Conv2D(16, 3),
        cs.Flatten(), cs.Dense(5),
    )  # fmt: skip
    assert_close(cs.Architecture(cs.Input(17, 20, 1), layers), 19, instruction_sets(), 5e-5)


def test_results_do_not_depend_on_neighbours_or_threads() -> None:
    for kernel in (3, 5):
        architecture = one_convolution((12, 13), kernel, (19, 35), "valid")
        images = np.random.default_rng(4).integers(0, 256, (19, 12, 13, 2), np.uint8)
        for isa in instruction_sets():
            weights = initial_weights(architecture, 0)
            alone, several = (NativeNetwork(architecture, weights, threads, isa) for threads in (1, 3))
            together = alone.logits(images)
            np.testing.assert_array_equal(several.logits(images), together)
            for i in (0, 7, 18):
                np.testing.assert_array_equal(alone.logits(images[i : i + 1])[0], together[i])
            assert_same_bits(*(network.gradients(images, np.arange(19) % 4)[1] for network in (alone, several)))
