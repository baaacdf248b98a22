"""Logits of the compiled engine have the same bits in any batch, after any call, and during a signal handler."""

import signal

import numpy as np
import pytest
from tests.noise import random_dataset

from convscope.architecture import Architecture, Conv2D, Dense, Flatten, Input, MaxPooling2D, presets
from convscope.engine import EngineName, initial_weights, open_network
from convscope.engine.native import NativeNetwork
from convscope.engine.processor import instruction_sets

from .epochs import train

WIDE = Architecture(
    Input(13, 11, 3),
    (
        Conv2D(40, 3, activation="relu"), MaxPooling2D(2), Conv2D(7, 2), Flatten(), Dense(90, "relu"),
        Dense(33, "relu"), Dense(5),
    ),
    name="wide",
)  # fmt: skip


def images_for(architecture: Architecture, count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *architecture.input.shape), np.uint8)


@pytest.mark.parametrize("isa", instruction_sets())
@pytest.mark.parametrize("architecture", [presets.cnn(), presets.ann(), WIDE], ids=lambda a: a.name)
def test_logits_are_the_same_bits_for_any_number_of_images_at_once(architecture: Architecture, isa: str) -> None:
    network = NativeNetwork(architecture, initial_weights(architecture, 0), threads=2, instruction_set=isa)
    images = images_for(architecture, 23)
    together = network.logits(images)
    for size in range(1, 12):
        parts = [network.logits(images[i : i + size]) for i in range(0, len(images), size)]
        np.testing.assert_array_equal(np.concatenate(parts), together)


@pytest.mark.parametrize("architecture", [presets.cnn(), WIDE], ids=lambda a: a.name)
def test_logits_do_not_depend_on_earlier_calls(architecture: Architecture) -> None:
    network = NativeNetwork(architecture, initial_weights(architecture, 0), threads=2)
    images = images_for(architecture, 40)
    network.logits(images_for(architecture, 100, seed=1))
    network.activations(images, [architecture.layers[0].name])
    train(network, random_dataset(40, architecture.input.shape, architecture.num_classes), 8, rate=0.01)
    for count in (1, 40, 3):
        fresh = NativeNetwork(architecture, network.weights(), threads=2)
        np.testing.assert_array_equal(network.logits(images[:count]), fresh.logits(images[:count]))


@pytest.mark.slow
def test_a_signal_handler_may_compute_logits_while_logits_are_computed() -> None:
    architecture = presets.cnn()
    network = NativeNetwork(architecture, initial_weights(architecture, 0), threads=2)
    images = np.tile(images_for(architecture, 500), (100, 1, 1, 1))
    expected = network.logits(images[:500])
    handler_logits = []
    before = signal.signal(signal.SIGALRM, lambda *_: handler_logits.append(network.logits(images[:37])))
    signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
    try:
        logits = network.logits(images)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len(handler_logits) >= 2
    for inner in handler_logits:
        np.testing.assert_array_equal(inner, expected[:37])
    np.testing.assert_array_equal(logits, np.tile(expected, (100, 1)))


@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 28, 27, 1), np.uint8), r"of shape \(2, 28, 27, 1\); this model needs uint8 \(N, 28, 28, 1\)"),
        (np.zeros((28, 28, 1), np.uint8), r"uint8 of shape \(28, 28, 1\)"),
        (np.zeros((2, 28, 28, 1), np.float32), "float32 of shape"),
    ],
)
def test_every_engine_rejects_images_of_another_kind(engine: EngineName, images: np.ndarray, message: str) -> None:
    network = open_network(presets.ann(), initial_weights(presets.ann(), 0), engine)
    with pytest.raises(ValueError, match=message):
        network.logits(images)
    with pytest.raises(ValueError, match=message):
        network.activations(images, ["dense"])
