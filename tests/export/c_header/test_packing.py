"""Kernels of few bits in the header: finding their grid, packing their bytes, and the C code that unpacks them."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from tests.export.c_header.programs import SANITIZERS, SELF_TEST, C, build, logits_program, run, take_turns
from tests.random_networks import random_images, random_model

import convscope as cs
from convscope.engine import initial_weights
from convscope.engine.rounding import kernel_filters, round_kernel
from convscope.export.c_header import open_c, write_c
from convscope.export.c_header.packing import count_bits, find_grid, make_int8_function, pack
from convscope.export.c_header.quantization import quantize
from convscope.export.c_header.simulation import simulate

ARM = ("clang-19", "--target=aarch64-linux-gnu", "-static", "-fuse-ld=lld-19")


def round_kernels(model: cs.Model, bits: int) -> cs.Model:
    """Round the kernels of a model as training with `weight_bits` does."""
    kernels = {
        name: round_kernel(model.weights[name], filters, bits)
        for name, filters in kernel_filters(model.architecture).items()
    }
    return cs.Model(model.architecture, {**model.weights, **kernels}, model.class_names)


@pytest.mark.parametrize("highest", [1, 7, 127])
def test_the_grid_of_a_kernel_is_found_after_normalisation_was_folded_into_it(highest: int) -> None:
    rng = np.random.default_rng(highest)
    levels = rng.integers(-highest, highest + 1, (30, 50))  # 30 weights of each of 50 channels
    steps = np.exp(rng.normal(size=50)).astype(np.float32)
    kernel = (levels.astype(np.float32) * steps).astype(np.float64) * np.exp(rng.normal(size=50)) * -1
    grid = find_grid(kernel)
    assert grid is not None
    found_levels, found_steps = grid
    common = np.gcd.reduce(levels, axis=0)  # levels that are all even give a grid of twice the step, and so on
    np.testing.assert_array_equal(found_levels * common, -levels)
    np.testing.assert_allclose(found_levels * found_steps, kernel, rtol=1e-6)
    assert count_bits(found_levels) == {1: 2, 7: 4, 127: 8}[highest]


def test_no_grid_is_found_where_there_is_none() -> None:
    for channel in np.random.default_rng(0).normal(size=(200, 4)):
        assert find_grid(channel[:, None]) is None
    on_grid = np.array([[1.0, 0.3], [0, 0.1], [-1, 0.2], [1, 0.7]])
    assert find_grid(on_grid) is not None
    assert find_grid(on_grid + np.array([0, 1e-4])) is None  # the second channel lies on no grid
    assert find_grid(on_grid[:3]) is None  # three weights of a channel may lie on a grid by chance


def test_channels_of_zeros_lie_on_every_grid() -> None:
    grid = find_grid(np.zeros((5, 2)))
    assert grid is not None
    assert not grid[0].any()
    assert grid[1].tolist() == [1, 1]


@pytest.mark.parametrize(("bits", "limit"), [(2, 1), (4, 7)])
def test_packed_weights_take_their_bits_and_lose_nothing(bits: int, limit: int) -> None:
    levels = np.random.default_rng(bits).integers(-limit, limit + 1, 101)
    packed = pack(levels, bits)
    assert packed.nbytes == -(-101 * bits // 8)  # rounded up
    # With 4 bits, byte 3 holds level 6 in its lowest bits and level 7 in its highest, each plus 7 and so from 0 to 14.
    byte_index, index_in_byte = np.divmod(np.arange(101), 8 // bits)
    fields = (packed[byte_index] >> index_in_byte * bits) & (2**bits - 1)
    np.testing.assert_array_equal(fields.astype(int) - limit, levels)


@pytest.mark.parametrize("name", ["conv2d", "grouped_conv2d", "depthwise", "dense", "dense_logits"])
def test_every_function_with_a_kernel_can_unpack_it(name: str) -> None:
    text = make_int8_function(f"{name}_4bit")
    code = text.partition("*/")[2]
    assert f"PREFIX_{name}_4bit(" in code
    assert "const uint8_t *kernel" in code
    assert code.count("PREFIX_unpack_4(kernel, ") == 1
    assert "kernel[" not in code
    assert make_int8_function(name).count("kernel[") >= 1  # kernels of 8 bits are read directly


def make_deep_model(rng: np.random.Generator) -> cs.Model:
    """Make a model with every step that has a kernel, and with normalisations before and after activations."""
    layers = (
        cs.Conv2D(6, 3, use_bias=False), cs.BatchNormalization(activation="relu"),
        cs.DepthwiseConv2D(3, padding="same", depth_multiplier=2, activation="relu"),
        cs.Conv2D(8, 3, groups=2, dilation_rate=2), cs.MaxPooling2D(2), cs.BatchNormalization(activation="relu"),
        cs.Flatten(), cs.Dense(7, "relu"), cs.Dense(5, "softmax"),
    )  # fmt: skip
    architecture = cs.Architecture(cs.Input(13, 14, 2), layers)
    weights = {}
    for name, shape in architecture.weight_shapes.items():
        values = rng.normal(0.1, 0.4, shape).astype(np.float32)
        is_positive = name.endswith(("gamma", "moving_variance"))
        weights[name] = np.abs(values) + np.float32(0.1) if is_positive else values
    return cs.Model(architecture, weights, tuple("abcde"))


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_the_integers_of_quantized_kernels_are_the_levels_of_the_model(bits: int) -> None:
    model = round_kernels(make_deep_model(np.random.default_rng(1)), bits)
    images = random_images(model.architecture, np.random.default_rng(2), 20)
    steps = [step for step in quantize(model, images).steps if step.kernel is not None]
    names = ("conv2d", "depthwise_conv2d", "conv2d_1", "batch_normalization_1", "dense", "dense_1")
    assert tuple(step.step.name for step in steps) == names
    for step in steps:
        if step.step.name == "batch_normalization_1":  # one factor for each channel, which was not rounded
            assert step.bits == 8
            continue
        assert step.bits == bits
        assert step.kernel is not None
        kernel = model.weights[f"{step.step.name}/kernel"]
        # A column for each filter; a depthwise kernel (h, w, channels, multiplier) has channels · multiplier of them.
        columns = kernel.reshape(-1, kernel.shape[-1] * (kernel.shape[-2] if step.step.kind == "depthwise" else 1))
        levels = step.kernel.reshape(columns.shape)
        grid_steps = np.abs(columns).max(axis=0) / np.abs(levels).max(axis=0)
        np.testing.assert_allclose(levels * grid_steps, columns, rtol=1e-6, atol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize(("compiler", "bits"), take_turns([2, 4, 8]))
def test_c_computes_the_same_integers_with_all_warnings_and_sanitizers(
    compiler: str, bits: int, tmp_path: Path
) -> None:
    rng = np.random.default_rng(bits)
    for number, model in enumerate(
        round_kernels(model, bits) for model in (make_deep_model(rng), random_model(rng, for_8_bits=True))
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        images, calibration = (random_images(model.architecture, rng, count) for count in (9, 40))
        write_c(model, folder / "net.h", dtype="int8", calibration_images=calibration, prefix="net")
        output = run(build(compiler, logits_program("net"), folder, *SANITIZERS), images.tobytes())
        assert output == simulate(quantize(model, calibration[::2]), images).tobytes()


@pytest.mark.slow
def test_a_header_of_four_bits_states_its_bytes_and_takes_them(small_mnist: cs.Splits, tmp_path: Path) -> None:
    recipe = cs.Recipe(epochs=2, optimizer=cs.Adam(0.01), batch_size=32, weight_bits=4)
    model, test = cs.train("tiny8k", small_mnist.train, recipe)[0], small_mnist.test
    write_c(model, tmp_path / "net.h", dtype="int8", calibration_images=small_mnist.train.images[:400], prefix="net")
    text = (tmp_path / "net.h").read_text()
    assert "Weights are integers of 4 or 8 bits, values of 8" in text
    layer = "conv2d_1 + batch_normalization_1: 12 x 12 x 16 to 10 x 10 x 16, relu; 2,304 weights of 4 bits, 230,400"
    assert layer in text
    program = logits_program("net")
    (tmp_path / "net.c").write_text(program)
    subprocess.run(["gcc", *C, "-Os", "-c", "net.c"], cwd=tmp_path, check=True)
    sizes = subprocess.run(["size", "-A", "net.o"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    constants = sum(int(line.split()[1]) for line in sizes.splitlines() if line.startswith(".rodata"))
    stated = re.search(r"NET_WEIGHT_BYTES (\d+)", text)
    assert stated is not None
    # A convolution of 5 × 5, three of 3 × 3 and the dense layer, with 16 channels and two weights a byte. A channel has
    # a bias and a multiplier of 4 bytes and a shift of 1, and in a layer that only normalises a weight of 1, too.
    kernels = (16 * 25 + 3 * 9 * 16 * 16 + 16 * 10) // 2
    convolved, normalised, classes = 4 * 16 * (4 + 4 + 1), 2 * 16 * (1 + 4 + 4 + 1), 10 * (4 + 4)
    assert int(stated[1]) == kernels + convolved + normalised + classes
    assert int(stated[1]) <= constants <= int(stated[1]) + 64 * 16  # gaps of aligned arrays, and constants of the code
    logits, expected = open_c(tmp_path / "net.h").logits(test.images), model.logits(test.images)
    accuracy, model_accuracy = ((values.argmax(axis=1) == test.labels).mean() for values in (logits, expected))
    assert accuracy > model_accuracy - 0.02


@pytest.mark.slow
@pytest.mark.skipif(
    not all(map(shutil.which, ("clang-19", "ld.lld-19", "qemu-aarch64"))), reason="needs clang-19, lld-19 and qemu-user"
)
@pytest.mark.parametrize("bits", [2, 4])
def test_an_arm_processor_gives_the_same_bits(bits: int, mnist: cs.Splits, tmp_path: Path) -> None:
    network = cs.presets.tiny8k()
    model = round_kernels(cs.Model(network, initial_weights(network, bits), mnist.train.class_names), bits)
    images, calibration = mnist.test.images[:10], mnist.train.images[:40]
    write_c(model, tmp_path / "net.h", dtype="int8", calibration_images=calibration, prefix="net", test_images=images)
    (tmp_path / "net.c").write_text(logits_program("net"))
    subprocess.run([*ARM, *C, SELF_TEST, "-Os", "net.c", "-o", "net", "-lm"], cwd=tmp_path, check=True)
    completed = subprocess.run(
        ["qemu-aarch64", "net"], cwd=tmp_path, check=True, input=images.tobytes(), capture_output=True
    )
    assert completed.stdout == simulate(quantize(model, calibration[::2]), images).tobytes()
