"""Networks in 8-bit integers: a layer worked by hand, sums without overflow, and the stated difference to the model."""

import re
from pathlib import Path

import numpy as np
import pytest
from tests.export.c_header.test_memory import make_model
from tests.random_networks import random_images, random_model

import convscope as cs
from convscope.architecture import Architecture, Input
from convscope.base.errors import ConvscopeError
from convscope.export.c_header import open_c, write_c
from convscope.export.c_header.quantization import quantize
from convscope.export.c_header.simulation import measure_deviation, simulate


def make_dense_model(kernel: np.ndarray, bias: np.ndarray, **scaling: float) -> cs.Model:
    """Make a model of one dense layer, for images of one row."""
    network = Architecture(Input(1, len(kernel), 1, **scaling), (cs.Flatten(), cs.Dense(kernel.shape[1])))
    weights = {"dense/kernel": kernel.astype(np.float32), "dense/bias": bias.astype(np.float32)}
    return cs.Model(network, weights, tuple(map(str, range(network.num_classes))))


def test_a_layer_worked_by_hand() -> None:
    model = make_dense_model(np.array([[1.27, -0.5], [-0.64, 0.254]]), np.array([1.0, 0.0]), scale=0.5)
    (step,) = quantize(model, np.zeros((2, 1, 2, 1), np.uint8)).steps
    assert step.kernel is not None
    # The steps of the two outputs are 1.27 / 127 = 0.01 and 0.5 / 127; a byte stands for 0.5.
    assert step.kernel.tolist() == [[127, -127], [-64, 65]]
    assert step.bias is not None
    assert step.bias.tolist() == [200, 0]  # 1 / (0.5 · 0.01)
    logits = simulate(quantize(model, np.zeros((2, 1, 2, 1), np.uint8)), np.array([[[[10], [20]]]], np.uint8))
    # 10 · 127 - 20 · 64 + 200, and -10 · 127 + 20 · 65, each times 0.5 and its step.
    assert logits[0] == pytest.approx([0.005 * (1270 - 1280 + 200), 0.25 / 127 * (-1270 + 1300)], rel=1e-6)


@pytest.mark.parametrize("seed", range(12))
def test_no_image_can_overflow_a_sum(seed: int) -> None:
    rng = np.random.default_rng(seed)
    model = random_model(rng, for_8_bits=True)
    for step in quantize(model, random_images(model.architecture, rng, 8)).steps:
        if step.kernel is None:
            continue
        assert step.bias is not None
        assert np.abs(step.kernel).max() <= 127
        channels = np.abs(step.kernel).reshape(-1, len(step.bias))
        assert (channels.sum(axis=0) * step.input_scales[0].reach + np.abs(step.bias)).max() <= 2**31 - 1


@pytest.mark.slow
def test_a_layer_of_very_many_inputs_is_made_coarser_and_does_not_overflow(tmp_path: Path) -> None:
    kernel = np.ones((260 * 256, 2))  # 260 · 256 pixels · 255 · 127 is just more than 2^31
    kernel[:, 1] = np.linspace(-1, 1, len(kernel))
    network = Architecture(Input(260, 256), (cs.Flatten(), cs.Dense(2)))
    weights = {"dense/kernel": kernel.astype(np.float32) / 1000, "dense/bias": np.array([3, -4], np.float32)}
    model = cs.Model(network, weights, ("a", "b"))
    images = np.stack([np.full((260, 256, 1), value, np.uint8) for value in (0, 255, 7, 128)])
    logits = simulate(quantize(model, images), images)
    assert logits == pytest.approx(model.logits(images), rel=0.01, abs=0.05)
    write_c(model, tmp_path / "net.h", dtype="int8", calibration_images=np.repeat(images, 2, axis=0))
    assert (open_c(tmp_path / "net.h").logits(images) == logits).all()


def test_a_bias_far_larger_than_the_weights_is_kept() -> None:
    model = make_dense_model(np.full((4, 2), 1e-12), np.array([5.0, -7.0]))
    assert simulate(quantize(model, IMAGES), IMAGES)[0] == pytest.approx([5, -7], rel=1e-6)


IMAGES = np.random.default_rng(0).integers(0, 256, (6, 1, 4, 1), np.uint8)


@pytest.mark.parametrize(
    ("scale", "offset"),
    [
        (1 / 255, 0.0), (1 / 127.5, -1.0), (1 / 100, -0.3), (1.0, 0.0), (-1 / 255, 1.0), (1 / 255, 5.0), (0.0, 1.0),
        (0.0, 0.0),
    ],
)  # fmt: skip
def test_any_scaling_of_bytes_is_quantized(scale: float, offset: float, tmp_path: Path) -> None:
    kernel = np.random.default_rng(1).normal(size=(4, 3))
    model = make_dense_model(kernel, np.zeros(3), scale=scale, offset=offset)
    write_c(model, tmp_path / "net.h", dtype="int8", calibration_images=IMAGES, prefix="net")
    logits = open_c(tmp_path / "net.h").logits(IMAGES)
    assert (logits == simulate(quantize(model, IMAGES[::2]), IMAGES)).all()
    largest_input = np.abs(IMAGES * scale + offset).max()
    assert np.abs(logits - model.logits(IMAGES)).max() <= 0.03 * max(largest_input, 1e-9)


@pytest.mark.parametrize("activation", ["linear", "relu", "leaky_relu", "gelu", "tanh", "sigmoid"])
def test_a_quantized_activation_is_within_a_few_steps_of_the_model_s(activation: str) -> None:
    rng = np.random.default_rng(2)
    images = rng.integers(0, 256, (200, 1, 4, 1), np.uint8)
    network = Architecture(Input(1, 4), (cs.Flatten(), cs.Dense(3, activation), cs.Dense(3)))
    kernel, zeros = rng.normal(0, 6, (4, 3)).astype(np.float32), np.zeros(3, np.float32)
    # The second dense layer passes the activations on.
    weights = {"dense/kernel": kernel, "dense/bias": zeros, "dense_1/kernel": np.eye(3), "dense_1/bias": zeros}
    model = cs.Model(network, weights, ("a", "b", "c"))
    logits, expected = simulate(quantize(model, images), images), model.logits(images)
    largest_slope = 1.2  # that of gelu
    input_step = 1.5 * np.ptp(images.reshape(200, 4) / 255 @ kernel) / 255  # ranges are 1.5 times as wide as measured
    # Rounding the input of the activation and its output loses half a step each; the rest is for the kernels.
    assert np.abs(logits - expected).max() <= 2.5 * largest_slope * input_step


def test_the_file_states_how_far_it_is_from_the_model_and_a_bound(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    model = random_model(rng, for_8_bits=True)
    images = random_images(model.architecture, rng, 400)
    write_c(model, tmp_path / "net.h", dtype="int8", calibration_images=images, prefix="net")
    text = " ".join((tmp_path / "net.h").read_text().split())
    deviation = measure_deviation(model, quantize(model, images[::2]), images[1::2])
    assert f"largest logit difference to the model was {deviation.largest:.6g}" in text
    assert "is at most 1 in 201" in text  # 200 images were measured, and the next one is as likely the farthest
    stated = re.search(r"#define NET_LOGIT_BOUND (\S+)f", text)  # as a float literal
    assert stated is not None
    assert float(stated[1]) == pytest.approx(2 * deviation.largest)
    others = random_images(model.architecture, rng, 300)
    difference = open_c(tmp_path / "net.h").logits(others) - model.logits(others)
    assert 0 < np.abs(difference).max() <= float(stated[1])


@pytest.mark.slow
def test_int8_keeps_the_accuracy_of_the_cnn(reader: cs.Model, mnist: cs.Splits, tmp_path: Path) -> None:
    test = mnist.test.take(np.arange(1000))
    write_c(reader, tmp_path / "cnn.h", dtype="int8", calibration_images=mnist.train.images[:400])
    logits, expected = open_c(tmp_path / "cnn.h").logits(test.images), reader.logits(test.images)
    accuracy, model_accuracy = ((values.argmax(axis=1) == test.labels).mean() for values in (logits, expected))
    assert model_accuracy > 0.95
    assert abs(accuracy - model_accuracy) <= 0.002  # two of 1,000 images
    bound = re.search(r"#define CNN_LOGIT_BOUND (\S+)f", (tmp_path / "cnn.h").read_text())
    assert bound is not None
    assert np.abs(logits - expected).max() <= float(bound[1])


def test_an_average_over_a_map_too_large_for_its_sum_is_refused() -> None:
    model = make_model(cs.GlobalAveragePooling2D(), size=(4096, 2049, 2))
    with pytest.raises(ConvscopeError, match="global_average_pooling2d: a mean over 8392704 pixels"):
        quantize(model, np.zeros((1, 4096, 2049, 2), np.uint8))


def test_a_header_that_is_exact_states_a_bound_of_zero_and_compiles(tmp_path: Path) -> None:
    model = make_dense_model(np.zeros((4, 2)), np.zeros(2))
    write_c(model, tmp_path / "net.h", dtype="int8", calibration_images=IMAGES, prefix="net")
    assert "#define NET_LOGIT_BOUND 0.000000000e+00f" in (tmp_path / "net.h").read_text()
    assert (open_c(tmp_path / "net.h").logits(IMAGES) == 0).all()


def test_a_model_whose_logits_overflow_is_refused() -> None:
    model = make_dense_model(np.full((4, 2), 3e38), np.zeros(2), scale=1.0)
    with pytest.raises(ConvscopeError, match="logits that are not finite"):
        measure_deviation(model, quantize(model, IMAGES), IMAGES)
