"""The compiled engine against the reference: logits, activations and gradients over awkward shapes."""

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from convscope.architecture import (
    ActivationName,
    Architecture,
    AveragePooling2D,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    Flatten,
    GlobalAveragePooling2D,
    GlobalMaxPooling2D,
    Input,
    Layer,
    MaxPooling2D,
    presets,
)
from convscope.engine import initial_weights
from convscope.engine.native import NativeNetwork
from convscope.engine.processor import instruction_sets, measure_peak
from convscope.engine.reference import ReferenceNetwork
from convscope.engine.reference_layers import ACTIVATIONS

from .epochs import assert_same_bits

SIZES = [(8, 8), (28, 28), (31, 17)]


def random_images(shape: tuple[int, int, int], count: int, seed: int = 0) -> NDArray[np.uint8]:
    """Every second image is drawn on an empty ground, and the fourth is all ground."""
    images = np.random.default_rng(seed).integers(0, 256, (count, *shape), np.uint8)
    images[1::2, : shape[0] // 3] = images[1::2, :, -shape[1] // 2 :] = 0
    images[3:4] = 0
    return images


def random_labels(classes: int, count: int) -> NDArray[np.int64]:
    return np.random.default_rng(1).integers(0, classes, count)


def random_weights(architecture: Architecture) -> dict[str, NDArray[np.float32]]:
    """Glorot's kernels and small random biases, so that a forgotten bias shows."""
    stream = np.random.default_rng(2)
    weights = initial_weights(architecture, 0)
    for name, value in weights.items():
        if name.endswith("/bias"):
            weights[name] = stream.normal(0, 0.1, value.shape).astype(np.float32)
    return weights


def relative_error(value: NDArray[np.float32], expected: NDArray[np.float64]) -> float:
    scale = np.abs(expected).max()
    return float(np.abs(value - expected).max() / scale) if scale else float(np.abs(value).max())


def assert_agrees(
    architecture: Architecture, count: int, isas: Sequence[str | None] = (None,), tolerance: float = 1e-5,
    gradient_tolerance: float = 1e-4,
) -> None:  # fmt: skip
    """Compare the engine on each of the instruction sets with the reference, which computes once.

    Tolerances are shares of the largest number.
    """
    weights = random_weights(architecture)
    reference = ReferenceNetwork(architecture, weights)
    images = random_images(architecture.input.shape, count)
    labels = random_labels(architecture.num_classes, count)
    names = [layer.name for layer in architecture.layers]
    expected_logits, expected_activations = reference.logits(images), reference.activations(images, names)
    expected_loss, expected_gradients = reference.gradients(images, labels)
    for isa in isas:
        native = NativeNetwork(architecture, weights, 2, isa)
        assert relative_error(native.logits(images), expected_logits) < tolerance, isa
        for name, value in native.activations(images, names).items():
            assert value.shape == expected_activations[name].shape, (isa, name)
            assert relative_error(value, expected_activations[name]) < tolerance, (isa, name)
        loss, gradients = native.gradients(images, labels)
        assert loss == pytest.approx(expected_loss, rel=tolerance), isa
        assert gradients.keys() == expected_gradients.keys()
        for name, value in gradients.items():
            assert value.dtype == np.float32
            assert relative_error(value, expected_gradients[name]) < gradient_tolerance, (isa, name)


def two_convolutions(size: tuple[int, int], channels: int, kernel: int, padding: str, middle: Layer) -> Architecture:
    layers = (
        Conv2D(channels, kernel, padding=padding, activation="relu"), middle,
        Conv2D(channels + 2, kernel, padding=padding), Flatten(), Dense(7, "relu"), Dense(5, "softmax"),
    )  # fmt: skip
    return Architecture(Input(*size, 3 if channels == 5 else 1), layers)


@pytest.mark.parametrize("channels", [1, 3, 5, 17])
@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
def test_pooled_convolutions_agree_with_the_reference(channels: int, kernel: int) -> None:
    for size in SIZES:
        layers = (
            Conv2D(channels, kernel, padding="same", activation="relu"), MaxPooling2D(),
            Conv2D(channels + 1, min(kernel, 3), activation="relu"),
            MaxPooling2D(1) if min(size) < 10 else MaxPooling2D(2), Flatten(), Dense(5),
        )  # fmt: skip
        assert_agrees(Architecture(Input(*size, 1), layers), 7)


@pytest.mark.parametrize("channels", [1, 3, 5, 17])
@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
def test_plain_convolutions_agree_with_the_reference(channels: int, kernel: int) -> None:
    for padding, size in (("same", (12, 11)), ("valid", (13, 16))):
        for strides in (1, 2):
            middle = Conv2D(4, kernel, strides, "same", "relu")
            assert_agrees(two_convolutions(size, channels, kernel, padding, middle), 3)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 7, 128])
@pytest.mark.parametrize("size", SIZES)
def test_batches_of_any_size_agree_with_the_reference(count: int, size: tuple[int, int]) -> None:
    assert_agrees(presets.cnn((*size, 1) if min(size) > 9 else (10, 11, 1)), count)


@pytest.mark.parametrize(
    "middle",
    [
        MaxPooling2D(3), MaxPooling2D(3, 2), MaxPooling2D(2, 1), MaxPooling2D((1, 4)), MaxPooling2D((4, 1), (2, 3)),
        MaxPooling2D((1, 2)), MaxPooling2D(5, 1), Conv2D(33, 3, (2, 1), "same"),
        Conv2D(6, (1, 5), (1, 3), "valid", "relu"), Conv2D(6, (4, 2), (5, 4), "same", "relu"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kernel", [3, 5])
def test_poolings_and_strides_of_any_size_agree_with_the_reference(middle: Layer, kernel: int) -> None:
    assert_agrees(two_convolutions((19, 23), 17, kernel, "same", middle), 9)


@pytest.mark.parametrize(
    "layers",
    [
        (Flatten(), Dense(10, "softmax")),
        (Flatten(), Flatten(), Dense(33, "relu"), Flatten(), Dense(130), Dense(100, "softmax")),
        (MaxPooling2D(2), Flatten(), Dense(2)),
        (MaxPooling2D(2), MaxPooling2D((2, 3), 1), Conv2D(3), MaxPooling2D(2), MaxPooling2D(2, 1), Flatten(), Dense(9)),
        (Conv2D(4, 3, activation="relu"), Flatten()),
        (Conv2D(2, 3, 2, "same", "relu"), MaxPooling2D(2), Flatten()),
        (Conv2D(40, 3, 2, "same"), MaxPooling2D(2), Conv2D(70, 3, activation="relu"), Flatten(), Dense(3)),
        (Conv2D(20, 5), MaxPooling2D(2, 1), Conv2D(24, 5), MaxPooling2D(2, 2), Flatten(), Dense(600), Dense(3)),
        (Conv2D(5, 2, padding="same", activation="relu"), MaxPooling2D(2, 3), Conv2D(6, 4), MaxPooling2D(2), Flatten()),
        (Conv2D(3, (16, 18)), Flatten(), Dense(4)),
        (Conv2D(8, 3, 2), MaxPooling2D(2), Conv2D(8, 1, 2), MaxPooling2D((1, 1)), Flatten(), Dense(4)),
    ],
)
def test_other_architectures_agree_with_the_reference(layers: tuple[Layer, ...]) -> None:
    assert_agrees(Architecture(Input(16, 18, 3, 1 / 100, -0.7), layers), 11)


@pytest.mark.slow
def test_every_instruction_set_agrees_with_the_reference() -> None:
    assert_agrees(presets.cnn(), 20, instruction_sets())
    assert_agrees(two_convolutions((14, 15), 17, 3, "same", MaxPooling2D(2)), 9, instruction_sets())
    assert_agrees(two_convolutions((14, 15), 17, 5, "same", MaxPooling2D(2)), 9, instruction_sets())
    assert_agrees(two_convolutions((14, 15), 5, 2, "valid", Conv2D(40, 3, 2)), 9, instruction_sets())


@pytest.mark.parametrize(
    "middle",
    [
        AveragePooling2D(2), AveragePooling2D(3, 1, "same"), AveragePooling2D((1, 4), (2, 3), "same"),
        AveragePooling2D((4, 1), (2, 3)), MaxPooling2D(2, padding="same"), MaxPooling2D(3, 2, "same"),
        MaxPooling2D((5, 2), 1, "same"), MaxPooling2D(1, 3, "same"),
    ],
    ids=str,
)  # fmt: skip
def test_poolings_with_padding_and_averages_agree_with_the_reference(middle: Layer) -> None:
    for channels in (1, 3, 17):
        assert_agrees(two_convolutions((13, 11), channels, 3, "same", middle), 9, instruction_sets())


@pytest.mark.parametrize("last", [GlobalAveragePooling2D(), GlobalMaxPooling2D()], ids=lambda last: str(last.kind))
def test_global_poolings_agree_with_the_reference(last: Layer) -> None:
    for layers in (
        (Conv2D(17, 3, 2, activation="relu"), last, Dense(5, "softmax")),
        (Conv2D(5, 3), AveragePooling2D(2), last),
        (AveragePooling2D(2), last, Dense(4, "gelu"), Dense(2)),
        (Conv2D(19, 3, padding="same", activation="tanh"), MaxPooling2D(3, padding="same"), last),
        (Conv2D(3, (10, 8)), last),  # a map of 2 x 2: the same window as a fused pooling's
    ):
        assert_agrees(Architecture(Input(11, 9, 3), layers), 9, instruction_sets())


@pytest.mark.slow
@pytest.mark.parametrize("multiplier", [1, 3])
@pytest.mark.parametrize(
    "arguments",
    [(3, 1, "same"), (3, 2, "same"), ((5, 2), (1, 2), "valid"), (1, 3, "valid"), ((2, 4), (3, 1), "same")],
    ids=str,
)
def test_depthwise_convolutions_agree_with_the_reference(arguments: tuple[Any, ...], multiplier: int) -> None:
    for channels, activation in ((1, "relu"), (3, "linear"), (17, "relu"), (40, "gelu")):
        middle = DepthwiseConv2D(*arguments, multiplier, activation)
        assert_agrees(two_convolutions((13, 11), channels, 3, "same", middle), 9, instruction_sets())


@pytest.mark.parametrize(
    "middle",
    [
        Conv2D(5, 3, padding="same", activation="relu", dilation_rate=2),
        Conv2D(33, (3, 2), dilation_rate=(3, 5)),
        Conv2D(4, (1, 4), padding="same", activation="gelu", dilation_rate=(1, 9)),
        Conv2D(8, 3, padding="same", activation="relu", groups=2),
        Conv2D(48, (3, 2), (2, 1), "same", groups=24),
        Conv2D(72, 3, activation="tanh", groups=4, dilation_rate=(1, 2)),
        Conv2D(96, 3, padding="same", activation="relu", groups=48, use_bias=False),
        DepthwiseConv2D(3, padding="same", activation="relu", dilation_rate=2),
        DepthwiseConv2D((2, 3), depth_multiplier=3, dilation_rate=(4, 1)),
    ],
    ids=str,
)
def test_dilation_and_groups_agree_with_the_reference(middle: Layer) -> None:
    layers = (Conv2D(48, 3, activation="relu"), middle, MaxPooling2D(2), Flatten(), Dense(5, "softmax"))
    assert_agrees(Architecture(Input(13, 14, 3), layers), 9, instruction_sets())
    assert_agrees(Architecture(Input(11, 12, 48), layers[1:]), 9, instruction_sets())


def test_depthwise_convolutions_in_a_row_agree_with_the_reference() -> None:
    layers = (
        DepthwiseConv2D(3, padding="same", depth_multiplier=7, activation="relu"), MaxPooling2D(2),
        DepthwiseConv2D(3, 2, "same", activation="leaky_relu"), Conv2D(19, 1, activation="relu"), DepthwiseConv2D(2),
        GlobalAveragePooling2D(), Dense(3),
    )  # fmt: skip
    assert_agrees(Architecture(Input(16, 13, 3), layers), 11, instruction_sets())


def with_activation(activation: ActivationName, channels: int) -> Architecture:
    """Every place an activation can stand in: pooled and plain, strided, first and last, in vectors of odd lengths."""
    layers = (
        Conv2D(channels, 3, padding="same", activation=activation), MaxPooling2D(2),
        Conv2D(channels + 2, 3, (2, 1), "same", activation), Conv2D(3, 2, activation=activation), MaxPooling2D((1, 2)),
        Flatten(), Dense(19, activation), Dense(33, "relu"), Dense(7, activation), Dense(5, "softmax"),
    )  # fmt: skip
    return Architecture(Input(15, 13, 3), layers)


OTHERS = [name for name in ACTIVATIONS if name != "relu"]


@pytest.mark.parametrize("activation", OTHERS)
def test_every_activation_agrees_with_the_reference(activation: ActivationName) -> None:
    for channels in (1, 5, 17):
        assert_agrees(with_activation(activation, channels), 9, instruction_sets())


@pytest.mark.parametrize("isa", instruction_sets())
@pytest.mark.parametrize("activation", OTHERS)
def test_activations_are_exact_from_their_one_tail_to_the_other(activation: ActivationName, isa: str) -> None:
    # A 1 x 1 kernel carries the bytes of the image, as numbers from -20 to 20, to the activation as they are.
    architecture = Architecture(
        Input(16, 16, 1, 40 / 255, -20), (Conv2D(1, 1, activation=activation), Flatten(), Dense(2))
    )
    weights = {name: np.zeros(shape, np.float32) for name, shape in architecture.weight_shapes.items()}
    weights["conv2d/kernel"][:] = 1
    images = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    x = NativeNetwork(
        Architecture(Input(16, 16, 1, 40 / 255, -20), (Conv2D(1, 1), Flatten(), Dense(2))), weights, 1, isa
    ).activations(images, ["conv2d"])["conv2d"]
    y = NativeNetwork(architecture, weights, 1, isa).activations(images, ["conv2d"])["conv2d"]
    expected = ACTIVATIONS[activation][0](x.astype(np.float64))
    np.testing.assert_allclose(y, expected, rtol=1e-5 if activation == "gelu" else 1e-6, atol=1e-30)


def test_gradients_of_more_images_than_a_batch_agree_with_the_reference() -> None:
    layers = (Conv2D(3, 3, activation="relu"), MaxPooling2D(), Flatten(), Dense(4))
    assert_agrees(Architecture(Input(6, 7), layers), 600)


@pytest.mark.parametrize("kernel", [1, 3])
def test_first_of_equal_values_wins_in_pooling(kernel: int) -> None:
    layers = (
        Conv2D(8, 1, activation="relu"), Conv2D(9, kernel, activation="relu"), MaxPooling2D(2), Flatten(), Dense(2),
    )  # fmt: skip
    architecture = Architecture(Input(8, 8, 1), layers)
    images = np.full((3, 8, 8, 1), 200, np.uint8)
    images[1, :, 4:] = 17  # an edge: equal along one axis alone
    weights = random_weights(architecture)
    _, gradients = NativeNetwork(architecture, weights).gradients(images, np.array([0, 1, 1]))
    _, expected = ReferenceNetwork(architecture, weights).gradients(images, np.array([0, 1, 1]))
    for name, value in gradients.items():
        assert relative_error(value, expected[name]) < 1e-4


def test_weights_come_back_bit_for_bit() -> None:
    architecture = two_convolutions((9, 10), 17, 3, "same", MaxPooling2D(2))
    weights = random_weights(architecture)
    assert_same_bits(NativeNetwork(architecture, weights).weights(), weights)


def test_no_images_give_no_logits() -> None:
    network = NativeNetwork(presets.cnn(), initial_weights(presets.cnn(), 0))
    empty = np.empty((0, 28, 28, 1), np.uint8)
    assert network.logits(empty).shape == (0, 10)
    assert network.activations(empty, ["conv2d"])["conv2d"].shape == (0, 26, 26, 16)


@pytest.mark.slow
def test_environment_forces_the_instruction_set() -> None:
    script = (
        "from convscope.architecture import presets; from convscope.engine import initial_weights, open_network;"
        "print(open_network(presets.cnn(), initial_weights(presets.cnn(), 0)).instruction_set)"
    )
    for isa in instruction_sets():
        environment = {**os.environ, "CONVSCOPE_ISA": isa}
        run = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
        )
        assert run.stdout.strip() == isa


HELD = """
import ctypes
from convscope.architecture import presets
from convscope.engine import initial_weights, open_network
network = open_network(presets.ann(), initial_weights(presets.ann(), 0))
ctypes.pythonapi.Py_IncRef(ctypes.py_object(network))
"""


@pytest.mark.slow
def test_a_network_that_is_held_until_the_interpreter_ends_is_freed() -> None:
    run = subprocess.run([sys.executable, "-c", HELD], capture_output=True, text=True, check=True)
    assert run.stderr == ""  # nanobind would report what leaked


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"threads": 0}, "threads is 0"), ({"instruction_set": "mmx"}, "instruction_set is 'mmx'")],
)
def test_constructor_rejects(arguments: dict[str, object], message: str) -> None:
    architecture = presets.cnn()
    with pytest.raises(ValueError, match=message):
        NativeNetwork(architecture, initial_weights(architecture, 0), **arguments)


@pytest.mark.parametrize("isa", instruction_sets())
def test_the_peak_is_that_of_a_processor(isa: str) -> None:
    assert 0.1 < measure_peak(1, isa, seconds=0.02) < 10_000


@pytest.mark.slow
def test_the_widest_instruction_set_is_faster_than_the_narrowest() -> None:
    # In turns, and with a wide margin, as other programs may take the processor: the first is four times as fast.
    first, *_, last = instruction_sets()[0], *instruction_sets()
    rounds = [(measure_peak(1, first, seconds=0.02), measure_peak(1, last, seconds=0.02)) for _ in range(8)]
    fastest, slowest = (max(column) for column in zip(*rounds, strict=True))
    assert first == last or fastest > 1.5 * slowest


@pytest.mark.parametrize(
    ("arguments", "message"), [((0, None), "threads is 0"), ((1, "mmx"), "instruction_set is 'mmx'")]
)
def test_measure_peak_rejects(arguments: tuple[int, str | None], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        measure_peak(*arguments)


def test_unknown_instruction_set_in_the_environment_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVSCOPE_ISA", "vax")
    with pytest.raises(ValueError, match="CONVSCOPE_ISA is 'vax'; on this processor, float32 can use"):
        NativeNetwork(presets.cnn(), initial_weights(presets.cnn(), 0))


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (np.zeros((1, 28, 27, 1), np.uint8), np.zeros(1, np.int64), r"images are uint8 of shape \(1, 28, 27, 1\)"),
        (np.zeros((1, 28, 28, 1), np.float32), np.zeros(1, np.int64), "images are float32"),
        (np.zeros((1, 28, 28, 1), np.uint8), np.array([10]), "labels run from 10 to 10; the network has 10 outputs"),
        (np.zeros((1, 28, 28, 1), np.uint8), np.array([-1]), "labels run from -1"),
        (np.zeros((2, 28, 28, 1), np.uint8), np.array([1]), r"labels are int64 of shape \(1,\)"),
        (np.zeros((0, 28, 28, 1), np.uint8), np.zeros(0, np.int64), "there are no images"),
    ],
)
def test_gradients_reject(images: NDArray[np.uint8], labels: NDArray[np.int64], message: str) -> None:
    network = NativeNetwork(presets.cnn(), initial_weights(presets.cnn(), 0))
    with pytest.raises(ValueError, match=message):
        network.gradients(images, labels)
