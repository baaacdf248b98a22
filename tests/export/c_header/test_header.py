"""Exported C headers: compiled and run, with hostile names, both number types, and arguments that are refused."""

import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.export.c_header.programs import COMPILERS, SANITIZERS, SELF_TEST, build, logits_program, run, take_turns
from tests.export.c_header.test_memory import make_model
from tests.random_networks import random_images, random_model

import convscope as cs
from convscope.base.errors import InterchangeError
from convscope.export.c_header import open_c, write_c
from convscope.export.c_header.quantization import quantize
from convscope.export.c_header.simulation import simulate
from convscope.export.c_header.steps import plan_steps
from convscope.export.formats import MAX_NAME_LETTERS

HOSTILE_NAMES = (
    'quote " backslash \\',
    "new\nline\r\ttab",
    "*/ #error out /* ??/ ??=",
    "%s %n \\x41 \\u0041",
    "数 é \U0001f600",
    "\ud800 alone",
    "PREFIX_predict PREFIX_HEIGHT",
    "",
)
LANGUAGES, DTYPES = ("c", "cpp", "cpp", "c"), ("float32", "float32", "int8", "int8")  # each pair once
# Prints the number of classes, the label of a black image, the sum of its probabilities, and the class names.
PRINT_CLASSES = """
#include "net.h"
#include <stdio.h>

int main(void)
{
    static net_scratch scratch;
    static const uint8_t image[NET_HEIGHT * NET_WIDTH * NET_CHANNELS] = {0};
    float probabilities[NET_CLASSES];
    float sum = 0.0f;
    net_probabilities(image, probabilities, &scratch);
    for (int k = 0; k < NET_CLASSES; k++) {
        sum += probabilities[k];
    }
    printf("%ld %ld %.4f", (long)NET_CLASSES, (long)net_predict(image, &scratch), (double)sum);
    for (int k = 0; k < NET_CLASSES; k++) {
        printf("|%s", net_class_names[k]);
    }
    return 0;
}
"""


def write(model: cs.Model, path: Path, dtype: str, images: np.ndarray) -> None:
    calibration = images if dtype == "int8" else None
    write_c(model, path, dtype=dtype, calibration_images=calibration, prefix="net", test_images=images)


@pytest.mark.slow
@pytest.mark.parametrize(("compiler", "seed"), take_turns(range(6)))
def test_c_computes_what_the_model_does_with_all_warnings_and_sanitizers(
    seed: int, compiler: str, tmp_path: Path
) -> None:
    rng = np.random.default_rng(seed)
    model = random_model(rng, for_8_bits=seed % 2 == 0)
    images = random_images(model.architecture, rng, 9)
    write(model, tmp_path / "net.h", "float32", images)
    output = run(build(compiler, logits_program("net"), tmp_path, *SANITIZERS, SELF_TEST), images.tobytes())
    logits, expected = np.frombuffer(output, np.float32).reshape(9, -1), model.logits(images)
    assert np.abs(logits - expected).max() <= 1e-4 * max(1, np.abs(expected).max())

    if seed % 2:  # 8 bits cannot carry all of its layers
        return
    calibration = random_images(model.architecture, rng, 40)
    write(model, tmp_path / "net.h", "int8", calibration)
    output = run(build(compiler, logits_program("net"), tmp_path, *SANITIZERS, SELF_TEST), images.tobytes())
    # Every second calibration image sets the ranges; the others measure the deviation that the header states.
    assert output == simulate(quantize(model, calibration[::2]), images).tobytes()

    float_layers = [layer.name for layer in model.architecture.layers if layer.kind in ("Conv2D", "Dense")][::2]
    images = calibration[:10]
    arguments = {"calibration_images": calibration, "test_images": images, "float_layers": float_layers}
    write_c(model, tmp_path / "net.h", dtype="int8", prefix="net", **arguments)
    output = run(build(compiler, logits_program("net"), tmp_path, *SANITIZERS, SELF_TEST), images.tobytes())
    expected = simulate(quantize(model, calibration[::2], plan_steps(model, float_layers)), images)
    # A float sum that another order of additions rounds to another integer would differ by a step.
    assert np.isclose(np.frombuffer(output, np.float32).reshape(10, -1), expected, atol=1e-4).mean() > 0.9


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "channels", "classes", "dtype"), [((9, 16), 3, 101, "int8"), ((17, 8), 1, 2, "float32")]
)
def test_other_sizes_channels_and_numbers_of_classes(
    size: tuple[int, int], channels: int, classes: int, dtype: str, tmp_path: Path
) -> None:
    rng = np.random.default_rng(5)
    model = random_model(rng, size, channels, classes, dtype == "int8")
    write(model, tmp_path / "net.h", dtype, random_images(model.architecture, rng, 20))
    printed = run(build(COMPILERS[0], PRINT_CLASSES, tmp_path, *SANITIZERS)).decode()
    numbers, *names = printed.split("|")
    label = int(model.predict(np.zeros((1, *size, channels), np.uint8))[0])
    assert numbers == f"{classes} {label} 1.0000"
    assert tuple(names) == model.class_names


@pytest.mark.slow
@pytest.mark.parametrize(("compiler", "language", "dtype"), [*zip(COMPILERS * 2, LANGUAGES, DTYPES, strict=False)])
def test_hostile_names_are_content_in_c_and_in_cpp(compiler: str, language: str, dtype: str, tmp_path: Path) -> None:
    model = make_model(cs.Conv2D(2), cs.Flatten(), cs.Dense(8, "softmax"))
    provenance = {
        "dataset": "*/ #error\n/* ??/",
        'quote"': ["\\", "数"],
        "path": "PREFIX_a\\",
        "recipe": {"name": "x", "y": 1},
    }
    model = cs.Model(model.architecture, model.weights, HOSTILE_NAMES, provenance | {"long": "x" * 200})
    images = np.random.default_rng(0).integers(0, 256, (9, 8, 6, 2), np.uint8)
    write(model, tmp_path / "net.h", dtype, images)
    text = (tmp_path / "net.h").read_text()
    assert text.isascii()
    entries = [line for line in text.splitlines() if line.startswith('   "')]  # of the provenance, in a comment
    assert json.loads("{" + ",".join(entries) + "}") == provenance | {"recipe": "x"}
    names = run(build(compiler, PRINT_CLASSES, tmp_path, suffix=language)).decode().split("|")[1:]
    assert names == [name.encode(errors="backslashreplace").decode() for name in HOSTILE_NAMES]


@pytest.mark.parametrize("dtype", ["float32", "int8"])
@pytest.mark.parametrize("damage", ["weight", "label"])
def test_the_self_test_fails_for_a_changed_weight_or_an_expected_label(damage: str, dtype: str, tmp_path: Path) -> None:
    model = make_model(cs.Flatten(), cs.Dense(3), size=(2, 3, 1))
    images = np.random.default_rng(0).integers(1, 256, (12, 2, 3, 1), np.uint8)
    write(model, tmp_path / "net.h", dtype, images)
    text = (tmp_path / "net.h").read_text()
    assert "SELF_TEST_IMAGES 10\n" in text
    executable = build(COMPILERS[0], logits_program("net"), tmp_path, SELF_TEST)
    run(executable)
    if damage == "weight":
        text = re.sub(r"(dense_bias\[3\] = \{\s+)", r"\g<1>1 + ", text)
    else:  # as if a compiler had broken the function, but no logit
        text = text.replace("int32_t best = 0;", "int32_t best = 0; if (scratch) return 2;")
    (tmp_path / "net.h").write_text(text)
    executable = build(COMPILERS[0], logits_program("net"), tmp_path, SELF_TEST)
    assert subprocess.run([str(executable)], stdin=subprocess.DEVNULL).returncode == 4


@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_names_of_long_layers_are_cut_and_unique(dtype: str, tmp_path: Path) -> None:
    long = "a_very_long_name_of_a_layer_in_another_program_" * 2
    layers = (cs.Flatten(), cs.Dense(4, "tanh", name=f"{long}1"), cs.Dense(4, name=f"{long}2"), cs.Dense(3, name=long))
    model = make_model(*layers, size=(2, 3, 1))
    images = np.zeros((4, 2, 3, 1), np.uint8)
    write_c(model, tmp_path / "x.h", dtype=dtype, calibration_images=images, prefix="p" * MAX_NAME_LETTERS)
    names = re.findall(r"\bp{24}_\w+", (tmp_path / "x.h").read_text())
    assert max(map(len, names)) <= 63
    assert open_c(tmp_path / "x.h").logits(images) == pytest.approx(model.logits(images), abs=0.1)


@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_a_header_may_be_included_twice_unused_and_with_another_header(dtype: str, tmp_path: Path) -> None:
    model = make_model(cs.Conv2D(2), cs.BatchNormalization(activation="gelu"), cs.Flatten(), cs.Dense(3))
    images = np.zeros((4, 8, 6, 2), np.uint8)
    for prefix in ("one", "two_2"):
        write_c(model, tmp_path / f"{prefix}.h", dtype=dtype, calibration_images=images, prefix=prefix)
    for suffix in ("c", "cpp"):
        program = '#include "one.h"\n#include "two_2.h"\n#include "one.h"\nint main(void)\n{\n    return 0;\n}\n'
        run(build(COMPILERS[0], program, tmp_path, suffix=suffix))


@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_a_model_gives_the_same_bytes_each_time(dtype: str, tmp_path: Path) -> None:
    model = random_model(np.random.default_rng(3), for_8_bits=True)
    images = random_images(model.architecture, np.random.default_rng(4), 20)
    for name in ("a.h", "b.h"):
        copy = cs.Model(model.architecture, model.weights, model.class_names)
        write(copy, tmp_path / name, dtype, images)
    assert (tmp_path / "a.h").read_bytes() == (tmp_path / "b.h").read_bytes()


@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_a_network_that_only_flattens_gives_its_pixels(dtype: str, tmp_path: Path) -> None:
    model = make_model(cs.Flatten(), size=(2, 3, 1))
    images = np.random.default_rng(0).integers(0, 256, (5, 2, 3, 1), np.uint8)
    write(model, tmp_path / "net.h", dtype, images)
    assert open_c(tmp_path / "net.h").logits(images) == pytest.approx(model.logits(images), abs=1e-6)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "gelu", "tanh", "sigmoid"])
@pytest.mark.parametrize("offset", [0.0, -20.0, 60.0])
def test_activations_are_exact_far_from_zero(activation: str, offset: float, tmp_path: Path) -> None:
    model = make_model(cs.Flatten(), cs.Dense(3, activation), cs.Dense(2), size=(2, 3, 1))
    bias = np.full(3, offset, np.float32)
    model = replace(model, weights={**model.weights, "dense/bias": bias})
    images = np.random.default_rng(0).integers(0, 256, (5, 2, 3, 1), np.uint8)
    write(model, tmp_path / "net.h", "float32", images)
    expected = model.logits(images)
    assert np.abs(open_c(tmp_path / "net.h").logits(images) - expected).max() <= 1e-5 * max(1, np.abs(expected).max())


def test_the_file_holds_only_functions_that_the_network_needs(tmp_path: Path) -> None:
    write_c(make_model(cs.Flatten(), cs.Dense(3)), tmp_path / "net.h", prefix="net")
    text = (tmp_path / "net.h").read_text()
    assert "net_dense(" in text
    assert not any(name in text for name in ("conv2d", "depthwise", "pool", "relu", "erfc", "PREFIX", " int8_t"))


def test_the_name_of_the_network_becomes_the_prefix(tmp_path: Path) -> None:
    names = {
        "cnn": "cnn",
        "My net (2)!": "my_net_2",
        "3 best": "model_3_best",
        "für": "fur",
        "int": "int",
        "数": "model",
    }
    for name, prefix in (names | {"a_b" * 20: "a_ba_ba_ba_ba_ba_ba_ba_b"}).items():
        network = cs.Architecture(cs.Input(2, 2), (cs.Flatten(), cs.Dense(2)), name)
        weights = {key: np.ones(shape, np.float32) for key, shape in network.weight_shapes.items()}
        write_c(cs.Model(network, weights, ("a", "b")), tmp_path / "x.h")
        assert f"{prefix}_predict(const uint8_t *image" in (tmp_path / "x.h").read_text()


IMAGES = np.zeros((4, 8, 6, 2), np.uint8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"prefix": "a-b"}, "prefix is 'a-b'"),
        ({"prefix": "_a"}, "prefix is '_a'"),
        ({"prefix": "a__b"}, "prefix is 'a__b'"),
        ({"prefix": ""}, "prefix is ''"),
        ({"prefix": "a" * 25}, "at most 24"),
        ({"prefix": "für"}, "prefix is 'für'"),
        ({"dtype": "int8"}, "int8 needs calibration images, at least two"),
        ({"dtype": "int8", "calibration_images": IMAGES[:1]}, "int8 needs calibration images, at least two"),
        ({"dtype": "int8", "calibration_images": IMAGES[:, :5]}, "images"),
        ({"dtype": "int8", "calibration_images": IMAGES.astype(float)}, "uint8"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, object], message: str, tmp_path: Path) -> None:
    with pytest.raises((ValueError, InterchangeError), match=message):
        write_c(make_model(cs.Flatten(), cs.Dense(2)), tmp_path / "x.h", **arguments)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_programs_in_the_documentation_compile(tmp_path: Path) -> None:
    network = cs.presets.cnn()
    weights = {name: np.zeros(shape, np.float32) for name, shape in network.weight_shapes.items()}
    write_c(cs.Model(network, weights, tuple("0123456789")), tmp_path / "cnn.h")
    (tmp_path / "Arduino.h").write_text(  # stands for Arduino's library
        "struct Line {\n    void begin(long) {}\n    int available() { return 0; }\n    void println(const char *) {}\n"
        "    unsigned readBytes(unsigned char *, unsigned) { return 0; }\n};\nstatic Line Serial;\n"
    )
    page = (Path(__file__).parents[3] / "docs" / "c_header.md").read_text(encoding="utf-8")
    (in_c,) = re.findall(r"^```c\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    (in_cpp,) = re.findall(r"^```cpp\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    camera = "void camera_read(uint8_t *image)\n{\n    image[0] = 1;\n}\n"
    main = "int main(void)\n{\n    return (int)read_digit();\n}\n"
    run(build(COMPILERS[0], in_c + camera + main, tmp_path))
    loop = "int main()\n{\n    setup();\n    loop();\n    return 0;\n}\n"
    run(build(COMPILERS[0], '#include "Arduino.h"\n' + in_cpp + loop, tmp_path, suffix="cpp"))
