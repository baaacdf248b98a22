"""Models of TensorFlow Lite are read as layers, without TensorFlow; damaged ones give one clear error each.

The numbers of operators (3 CONV_2D, 4 DEPTHWISE_CONV_2D, 9 FULLY_CONNECTED, 17 MAX_POOL_2D, 25 SOFTMAX, ...) and of
their options are those of TensorFlow Lite's schema.fbs. A window's options are 0 padding (0 SAME, 1 VALID), 1 and 2
strides of columns and rows, then 3 the activation (1 RELU, 3 RELU6) of a CONV_2D, 3 the multiplier of a
DEPTHWISE_CONV_2D, or 3 and 4 the columns and rows of a MAX_POOL_2D. An elementwise operator has its activation in 0.
"""

from pathlib import Path

import numpy as np
import pytest
from tests.interchange.tflite_files.models import Model
from tests.shared import assert_refused_wherever_it_ends

import convscope as cs
from convscope.base.errors import InterchangeError
from convscope.interchange.recognition import recognize_file
from convscope.interchange.tflite_files import read_tflite

RNG = np.random.default_rng(2)
KERNEL, DEPTHWISE = RNG.normal(0, 0.4, (6, 3, 3, 2)), RNG.normal(0, 0.4, (1, 2, 2, 12))
BIAS, DENSE = RNG.normal(0, 0.4, 6), RNG.normal(0, 0.1, (4, 3 * 2 * 12))
IMAGES = np.random.default_rng(0).integers(0, 256, (5, 9, 7, 2), dtype=np.uint8)
RELU = {3: ("b", 1)}  # an option of CONV_2D


def make_network(*, image: str = "float32", weights: str = "float32") -> Model:
    """Make a convolution with a ReLU, a depthwise convolution, a pooling, a dense layer and a softmax."""
    model = Model()
    model.tensor(
        "x", (1, 9, 7, 2), image, **({} if image == "float32" else {"scales": 1 / 255, "zero": INT8_ZERO[image]})
    )
    for name, array, axis in (("k", KERNEL, 0), ("d", DEPTHWISE, 3), ("w", DENSE, 0)):
        model.constant(name, *store(array, weights, axis))
        if weights == "int8":
            model.tensors[-1][4] = quantize(array, axis)[1]
    model.constant("b", BIAS.astype("<f4"))
    for name, shape in (("c", (1, 5, 4, 6)), ("e", (1, 4, 3, 12)), ("p", (1, 3, 2, 12)), ("g", (1, 4)), ("y", (1, 4))):
        model.tensor(name, shape)
    model.call(3, ["x", "k", "b"], "c", {0: ("b", 0), 1: ("i", 2), 2: ("i", 2)} | RELU)
    model.call(4, ["c", "d"], "e", {0: ("b", 1), 1: ("i", 1), 2: ("i", 1), 3: ("i", 2)})
    model.call(17, ["e"], "p", {0: ("b", 1), 1: ("i", 1), 2: ("i", 1), 3: ("i", 2), 4: ("i", 2)})
    model.call(9, ["p", "w"], "g", {})
    model.call(25, ["g"], "y", {0: ("f", 1.0)})
    return model


INT8_ZERO = {"uint8": 0, "int8": -128}  # the integer that stands for a byte of 0


def store(array: np.ndarray, dtype: str, axis: int) -> tuple[np.ndarray]:
    return (quantize(array, axis)[0] if dtype == "int8" else array.astype(f"<{np.dtype(dtype).str[1:]}"),)


def quantize(array: np.ndarray, axis: int) -> tuple[np.ndarray, dict]:
    """Quantise weights to 8 bits with a scale for each filter; return them and the table that describes it."""
    others = tuple(i for i in range(array.ndim) if i != axis)
    scales = (np.abs(array).max(axis=others) / 127).astype("<f4")
    shape = [-1 if i == axis else 1 for i in range(array.ndim)]
    numbers = np.round(array / scales.reshape(shape)).astype("i1")
    return numbers, {2: scales, 3: np.zeros(len(scales), "<i8"), 6: ("i", axis)}


def make_expected_model() -> cs.Model:
    """Build a convscope model that computes the same as `make_network`."""
    layers = (
        cs.Conv2D(6, 3, 2, "same", "relu", name="conv2d"),
        cs.DepthwiseConv2D(2, depth_multiplier=2, use_bias=False, name="each"),
        cs.MaxPooling2D(2, 1),
        cs.Flatten(),
        cs.Dense(4, "softmax", use_bias=False, name="dense"),
    )
    weights = {
        "conv2d/kernel": KERNEL.transpose(1, 2, 3, 0), "conv2d/bias": BIAS,
        "each/kernel": DEPTHWISE.reshape(2, 2, 6, 2), "dense/kernel": DENSE.T,
    }  # fmt: skip
    weights = {name: np.ascontiguousarray(array, np.float32) for name, array in weights.items()}
    return cs.Model(cs.Architecture(cs.Input(9, 7, 2), layers), weights, tuple("0123"))


@pytest.mark.parametrize("weights", ["float32", "float16", "int8"])
def test_a_network_is_read_from_each_type_of_weights(weights: str, tmp_path: Path):
    path = make_network(weights=weights).save(tmp_path)
    assert recognize_file(path) == "TensorFlow Lite"
    imported = read_tflite(path)
    assert [layer.kind for layer in imported.architecture.layers] == [
        layer.kind for layer in make_expected_model().architecture.layers
    ]
    assert not imported.reads_bytes
    assert any("computes in whole numbers" in note for note in imported.notes) == (weights == "int8")
    logits = cs.import_model(path, scaling=cs.Scaling()).logits(IMAGES)
    expected = make_expected_model().logits(IMAGES)
    tolerance = {"float32": 1e-5, "float16": 2e-3, "int8": 2e-2}[weights]
    np.testing.assert_allclose(logits, expected, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize("image", ["uint8", "int8"])
def test_a_quantised_input_reads_bytes(image: str, tmp_path: Path):
    path = make_network(image=image).save(tmp_path)
    imported = read_tflite(path)
    assert imported.reads_bytes
    assert imported.architecture.input.scale == pytest.approx(1 / 255)
    assert imported.architecture.input.offset == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(cs.import_model(path).logits(IMAGES), make_expected_model().logits(IMAGES), atol=1e-5)


def make_single_operator(code: int, options: dict | None = None, **others: np.ndarray) -> Model:
    """Make one operator on maps (9, 7, 2), between the image and a dense layer."""
    model = Model()
    model.tensor("x", (1, 9, 7, 2))
    for name, array in others.items():
        model.constant(name, array)
    model.tensor("m", (1, 9, 7, 2))
    model.constant("w", RNG.normal(0, 0.1, (3, 126)).astype("<f4"))
    model.tensor("y", (1, 3))
    model.call(code, ["x", *others], "m", options)
    model.call(9, ["m", "w"], "y", {})
    return model


# By name: the operator's number, options and constants, and the function that it computes.
ELEMENTWISE = {
    "RELU": (19, None, {}, lambda x: np.maximum(x, 0)),
    "RELU6": (21, None, {}, lambda x: np.clip(x, 0, 6)),
    "MUL and RELU6": (18, {0: ("b", 3)}, {"c": np.array([99], "<f4")}, lambda x: np.clip(99 * x, 0, 6)),
    "ELU": (111, None, {}, lambda x: np.where(x > 0, x, np.expm1(x))),
    "HARD_SWISH": (117, None, {}, lambda x: x * np.clip(x + 3, 0, 6) / 6),
    "TANH": (28, None, {}, np.tanh),
    "LOGISTIC": (14, None, {}, lambda x: 1 / (1 + np.exp(-x))),
    "LEAKY_RELU": (98, {0: ("f", 0.25)}, {}, lambda x: np.where(x > 0, x, 0.25 * x)),
    "NEG": (59, None, {}, np.negative),
    "ADD": (0, {}, {"c": np.array([0.5, -2], "<f4")}, lambda x: x + np.array([0.5, -2])),
    "SUB": (41, {}, {"c": np.array([0.5], "<f4")}, lambda x: x - 0.5),
    "MUL and RELU": (18, {0: ("b", 1)}, {"c": np.array([2, -3], "<f4")}, lambda x: np.maximum(x * [2, -3], 0)),
    "DIV": (42, {}, {"c": np.array([4], "<f4")}, lambda x: x / 4),
    "TRANSPOSE": (39, None, {"p": np.array([0, 1, 2, 3], "<i4")}, lambda x: x),
    "CAST": (53, None, {}, lambda x: x),
    "MAXIMUM": (55, None, {"c": np.array([0], "<f4")}, lambda x: np.maximum(x, 0)),
}


def test_a_normalization_in_single_operators_is_read(tmp_path: Path):
    model = Model()
    model.constant("axis", np.array([3], "<i4"))
    model.constant("epsilon", np.array([1e-3], "<f4"))
    model.constant("w", RNG.normal(0, 0.1, (3, 126)).astype("<f4"))
    for name, channels in (("x", 2), ("mean", 1), ("squares", 2), ("variance", 1), ("sum", 1), ("root", 1)):
        model.tensor(name, (1, 9, 7, channels))
    for name in ("centred", "m"):
        model.tensor(name, (1, 9, 7, 2))
    model.tensor("y", (1, 3))
    model.call(40, ["x", "axis"], "mean", {0: ("b", 1)})  # MEAN
    model.call(99, ["x", "mean"], "squares", None)  # SQUARED_DIFFERENCE
    model.call(40, ["squares", "axis"], "variance", {0: ("b", 1)})
    model.call(0, ["variance", "epsilon"], "sum", {})  # ADD
    model.call(76, ["sum"], "root", None)  # RSQRT
    model.call(41, ["x", "mean"], "centred", {})  # SUB
    model.call(18, ["centred", "root"], "m", {})  # MUL
    model.call(9, ["m", "w"], "y", {})
    imported = cs.import_model(model.save(tmp_path), scaling=cs.Scaling())
    assert [layer.kind for layer in imported.architecture.layers] == ["LayerNormalization", "Flatten", "Dense"]
    x = IMAGES / 255
    expected = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-3)
    kernel = np.frombuffer(model.buffers[-1][0].tobytes(), "<f4").reshape(3, 126)
    np.testing.assert_allclose(imported.logits(IMAGES), expected.reshape(5, -1) @ kernel.T, atol=1e-5)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise_operators_are_read(name: str, tmp_path: Path):
    code, options, others, expected = ELEMENTWISE[name]
    model = make_single_operator(code, options, **others)
    logits = cs.import_model(model.save(tmp_path), scaling=cs.Scaling(mean=0.5)).logits(IMAGES)
    kernel = np.frombuffer(model.buffers[-1][0].tobytes(), "<f4").reshape(3, 126)
    np.testing.assert_allclose(logits, expected(IMAGES / 255 - 0.5).reshape(5, -1) @ kernel.T, atol=1e-5)


def test_padding_means_and_computed_shapes_are_read(tmp_path: Path):
    model = Model()
    model.tensor("x", (1, 9, 7, 2))
    model.constant("pads", np.array([[0, 0], [1, 2], [0, 3], [0, 0]], "<i4"))
    model.constant("axes", np.array([1, 2], "<i4"))
    for name, shape, dtype in (("p", (1, 12, 10, 2), "float32"), ("m", (1, 2), "float32"), ("s", (2,), "int32"),
                               ("y", (1, 2), "float32")):  # fmt: skip
        model.tensor(name, shape, dtype)
    model.call(34, ["x", "pads"], "p")
    model.call(40, ["p", "axes"], "m", {})
    model.call(77, ["m"], "s")  # SHAPE, which nothing needs
    model.call(22, ["m", "s"], "y")
    logits = cs.import_model(model.save(tmp_path), scaling=cs.Scaling()).logits(IMAGES)
    np.testing.assert_allclose(logits, (IMAGES / 255).sum(axis=(1, 2)) / (12 * 10), atol=1e-5)


def test_outputs_have_the_names_of_the_signature(tmp_path: Path):
    model = make_network()
    model.outputs, model.signature = ("g", "y"), {"logits": "g", "probabilities": "y"}
    read = cs.import_model(model.save(tmp_path), scaling=cs.Scaling())  # without `output`, the softmax is chosen
    np.testing.assert_allclose(read.logits(IMAGES), make_expected_model().logits(IMAGES), atol=1e-5)
    plain = read_tflite(tmp_path / "net.tflite", output="logits")
    assert plain.architecture.layers[-1].activation == "linear"
    with pytest.raises(InterchangeError, match="has no output 'logit', but 'logits', 'probabilities'; did you mean"):
        read_tflite(tmp_path / "net.tflite", output="logit")


@pytest.mark.parametrize(
    ("code", "options", "custom", "why"),
    [
        (0, {0: ("b", 2)}, "", r"'m' \(ADD\) computes an activation that"),
        (25, {0: ("f", 2.0)}, "", r"'m' \(SOFTMAX\) is not supported"),
        (13, None, "", r"'m' \(operator 13\) is not supported"),
        (32, None, "FlexErf", r"'m' \('FlexErf'\) is an operator of 'custom'"),
        (150, {0: ("b", 1)}, "", "tanh approximation of Gelu"),
    ],
)
def test_unsupported_operators_are_named(code: int, options: dict | None, custom: str, why: str, tmp_path: Path):
    model = make_single_operator(code, options, **({"c": np.ones(1, "<f4")} if code == 0 else {}))
    model.codes[0] |= {1: custom} if custom else {}
    with pytest.raises(InterchangeError, match=why):
        read_tflite(model.save(tmp_path))


CHANGES = {
    "no graph": ({"model": {2: []}}, "it holds no graph"),
    "a buffer that is not there": ({"k": {2: ("I", 99)}}, "in buffer 99 of"),
    "a shape below zero": ({"k": {0: np.array([-3, 3], "<i4")}}, "has the shape"),
    "fewer numbers than the shape": ({"w": {0: np.array([4, 9], "<i4")}}, "bytes, but its shape"),
    "weights that overlap": ({"b": {0: np.array([1 << 20], "<i4")}}, "its weights overlap"),
    "text as weights": ({"w": {1: ("b", 5)}}, "not a type of weights"),
    "sparse weights": ({"w": {6: {}}}, "it is sparse"),
    "scales that do not fit": ({"w": {1: ("b", 9), 4: {2: np.ones(3, "<f4")}}}, "has 3 scales along axis 0"),
    "two inputs": ({"graph": {1: np.array([0, 1], "<i4")}}, "has 2 inputs"),
    "outputs that are not there": ({"graph": {2: np.array([77], "<i4")}}, "outputs are not there"),
    "complex images": ({"x": {1: ("b", 8)}}, "its input has the type number 8"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_damaged_model_is_refused(name: str, tmp_path: Path):
    model = make_network()
    model.changes, why = CHANGES[name]
    with pytest.raises(InterchangeError, match=why) as caught:
        read_tflite(model.save(tmp_path))
    assert str(tmp_path / "net.tflite") in str(caught.value)


def make_float16_network(count: int) -> Model:
    """Make the network with a dense kernel in float16, which `count` operators DEQUANTIZE to float32."""
    model = make_network()
    model.constant("half", DENSE.astype("<f2"))
    for number in range(count):
        name = model.tensor(f"again {number}", DENSE.shape)
        model.call(6, ["half"], name)
    model.operators[3][1] = np.array([model.names.index("p"), model.names.index("again 0")], "<i4")  # the dense layer's
    model.operators = [*model.operators[5:], *model.operators[:5]]  # the conversions come first
    return model


def test_weights_that_an_operator_converts_from_float16_are_read(tmp_path: Path):
    read = cs.import_model(make_float16_network(1).save(tmp_path), scaling=cs.Scaling())
    np.testing.assert_allclose(read.logits(IMAGES), make_expected_model().logits(IMAGES), atol=5e-3)
    assert [layer.kind for layer in read.architecture.layers] == [
        layer.kind for layer in make_expected_model().architecture.layers
    ]
    with pytest.raises(InterchangeError, match="dequantises its weights again and again"):
        read_tflite(make_float16_network(60).save(tmp_path))


def test_a_truncated_file_is_refused_wherever_it_ends(tmp_path: Path):
    path = tmp_path / "net.tflite"
    path.write_bytes(make_network().bytes())
    assert_refused_wherever_it_ends(path, read_tflite, InterchangeError, 37)


@pytest.mark.slow
def test_a_changed_file_is_read_or_refused_without_another_error(tmp_path: Path):
    rng, content, path = np.random.default_rng(1), make_network(weights="int8").bytes(), tmp_path / "net.tflite"
    for _ in range(500):
        changed = bytearray(content)
        for _ in range(rng.integers(1, 5)):
            changed[rng.integers(len(changed))] = rng.choice([rng.integers(256), 0, 255, 127])
        path.write_bytes(changed)
        try:
            result = read_tflite(path)
        except InterchangeError as error:
            assert "\n" not in str(error)  # noqa: PT017 (either outcome is right)
        else:
            assert result.weights.keys() == result.architecture.weight_shapes.keys()
