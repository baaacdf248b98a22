"""The compiled engine: results compared with the reference, activations, processors and errors.

tests/test_network_checks.py compares random networks with the reference.
"""

import subprocess
import sys
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from convscope.architecture import ActivationName, Architecture, Conv2D, Dense, Flatten, Input, MaxPooling2D, presets
from convscope.engine import initial_weights
from convscope.engine.native import NativeNetwork
from convscope.engine.processor import instruction_sets, measure_peak
from convscope.engine.reference import ReferenceNetwork
from convscope.engine.reference_activations import ACTIVATIONS


def random_images(shape: tuple[int, int, int], count: int, seed: int = 0) -> NDArray[np.uint8]:
    """Return noise; in every second image a third of the rows and half of the columns are zero, the fourth is zero."""
    images = np.random.default_rng(seed).integers(0, 256, (count, *shape), np.uint8)
    images[1::2, : shape[0] // 3] = images[1::2, :, -shape[1] // 2 :] = 0
    images[3:4] = 0
    return images


def random_labels(classes: int, count: int) -> NDArray[np.int64]:
    return np.random.default_rng(1).integers(0, classes, count)


def random_weights(architecture: Architecture) -> dict[str, NDArray[np.float32]]:
    """Return initial weights with small random biases, so that a forgotten bias is noticed."""
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
    """Compare the engine on each instruction set with the reference; tolerances are fractions of the largest value."""
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


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 7, 128])
@pytest.mark.parametrize("size", [(10, 11), (28, 28), (31, 17)])
def test_batches_of_any_size_agree_with_the_reference(count: int, size: tuple[int, int]) -> None:
    assert_agrees(presets.cnn((*size, 1)), count)


@pytest.mark.parametrize("isa", instruction_sets())
@pytest.mark.parametrize("activation", [name for name in ACTIVATIONS if name != "relu"])
def test_activations_are_exact_from_tail_to_tail(activation: ActivationName, isa: str) -> None:
    # A 1 x 1 kernel of 1 passes the 256 bytes of the image, scaled to -20 to 20, to the activation unchanged.
    images = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)

    def compute(name: ActivationName) -> NDArray[np.float32]:
        layers = (Conv2D(1, 1, activation=name), Flatten(), Dense(2))
        architecture = Architecture(Input(16, 16, 1, 40 / 255, -20), layers)
        weights = {name: np.zeros(shape, np.float32) for name, shape in architecture.weight_shapes.items()}
        weights["conv2d/kernel"][:] = 1
        return NativeNetwork(architecture, weights, 1, isa).activations(images, ["conv2d"])["conv2d"]

    x, y = compute("linear"), compute(activation)
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


def test_no_images_give_no_logits() -> None:
    network = NativeNetwork(presets.cnn(), initial_weights(presets.cnn(), 0))
    empty = np.empty((0, 28, 28, 1), np.uint8)
    assert network.logits(empty).shape == (0, 10)
    assert network.activations(empty, ["conv2d"])["conv2d"].shape == (0, 26, 26, 16)


@pytest.mark.slow
def test_environment_forces_the_instruction_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for isa in instruction_sets():
        monkeypatch.setenv("CONVSCOPE_ISA", isa)
        assert NativeNetwork(presets.cnn(), initial_weights(presets.cnn(), 0)).instruction_set == isa


KEEPS_A_NETWORK = """
import ctypes
from convscope.architecture import presets
from convscope.engine import initial_weights, open_network
network = open_network(presets.ann(), initial_weights(presets.ann(), 0))
ctypes.pythonapi.Py_IncRef(ctypes.py_object(network))
"""


def test_a_network_that_lives_until_the_interpreter_ends_is_freed() -> None:
    run = subprocess.run([sys.executable, "-c", KEEPS_A_NETWORK], capture_output=True, text=True, check=True)
    assert run.stderr == ""  # nanobind would report a leak


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"threads": 0}, "threads is 0"), ({"instruction_set": "mmx"}, "instruction_set is 'mmx'")],
)
def test_the_constructor_rejects_invalid_arguments(arguments: dict[str, object], message: str) -> None:
    architecture = presets.cnn()
    with pytest.raises(ValueError, match=message):
        NativeNetwork(architecture, initial_weights(architecture, 0), **arguments)


@pytest.mark.parametrize("isa", instruction_sets())
def test_the_measured_peak_is_plausible_for_a_processor(isa: str) -> None:
    assert 0.1 < measure_peak(1, isa, seconds=0.02) < 10_000


@pytest.mark.slow
def test_the_widest_instruction_set_is_faster_than_the_narrowest() -> None:
    # In turns, because other programs may take the processor. AVX-512 is four times as fast as SSE2; 1.5 is enough.
    widest, narrowest = instruction_sets()[0], instruction_sets()[-1]
    rounds = [(measure_peak(1, widest, seconds=0.02), measure_peak(1, narrowest, seconds=0.02)) for _ in range(8)]
    widest_peak, narrowest_peak = (max(peaks) for peaks in zip(*rounds, strict=True))
    assert widest == narrowest or widest_peak > 1.5 * narrowest_peak


@pytest.mark.parametrize(
    ("arguments", "message"), [((0, None), "threads is 0"), ((1, "mmx"), "instruction_set is 'mmx'")]
)
def test_measure_peak_rejects_invalid_arguments(arguments: tuple[int, str | None], message: str) -> None:
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
def test_gradients_reject_invalid_arguments(images: NDArray[np.uint8], labels: NDArray[np.int64], message: str) -> None:
    network = NativeNetwork(presets.cnn(), initial_weights(presets.cnn(), 0))
    with pytest.raises(ValueError, match=message):
        network.gradients(images, labels)
