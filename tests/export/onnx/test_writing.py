"""Writing ONNX files in float32, float16 and int8, computed by ONNX Runtime."""

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from tests.interchange.onnx_files.graphs import compute_outputs_in_runtime
from tests.onnx_models import SEEDS, make_model, random_images, random_model, spread

import convscope as cs
from convscope.base.errors import ConvscopeError, InterchangeError
from convscope.engine import initial_weights
from convscope.export import DTYPES
from convscope.export.onnx import open_onnx, write_onnx
from convscope.interchange.onnx_files.versions import IR_VERSIONS


@pytest.fixture(scope="session")
def small_model() -> cs.Model:
    """A residual network with normalisation, GELU, pooling and dropout."""
    architecture = cs.Architecture(
        cs.Input(10, 8, 3, 1 / 127.5, -1.0),
        (
            cs.Conv2D(8, 3, padding="valid", use_bias=False), cs.BatchNormalization(activation="relu"),
            cs.Conv2D(8, 3, padding="same", activation="gelu"), cs.Add("batch_normalization", "relu"),
            cs.MaxPooling2D(2), cs.Flatten(), cs.Dropout(0.3), cs.Dense(4, "softmax"),
        ),
        "small",
    )  # fmt: skip
    return make_model(architecture, 3)


@pytest.mark.parametrize("opset", IR_VERSIONS)
def test_an_ensemble_votes_in_every_opset(opset: int, tmp_path: Path):
    layers = (cs.Flatten(), cs.Dense(12), cs.SoftVoting(3))
    model = make_model(cs.Architecture(cs.Input(5, 4, 2), layers))
    images = random_images(model)
    for dtype, tolerance in (("float32", 1e-5), ("float16", 1e-2)):
        write_onnx(model, tmp_path / "model.onnx", opset=opset, dtype=dtype)
        outputs = compute_outputs_in_runtime(tmp_path / "model.onnx", images)
        np.testing.assert_allclose(outputs["logits"], model.logits(images), atol=tolerance)
        np.testing.assert_allclose(outputs["probabilities"], model.probabilities(images), atol=tolerance)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("fold", [True, False])
def test_any_network_gives_the_same_logits_in_float32(seed: int, fold: bool, tmp_path: Path):
    model, path = random_model(seed), tmp_path / "model.onnx"
    opset = list(IR_VERSIONS)[seed % len(IR_VERSIONS)]
    write_onnx(model, path, fold=fold, opset=opset)
    images = random_images(model)
    outputs = compute_outputs_in_runtime(path, images)
    assert list(outputs) == ["logits", "probabilities"]
    np.testing.assert_allclose(outputs["logits"], model.logits(images), atol=1e-4 * spread(model.logits(images)))
    np.testing.assert_allclose(outputs["probabilities"], model.probabilities(images), atol=1e-4)
    written = onnx.load(path)
    assert (written.opset_import[0].version, written.ir_version) == (opset, IR_VERSIONS[opset])


@pytest.mark.parametrize("seed", SEEDS)
def test_float16_differs_by_rounding_alone(seed: int, tmp_path: Path):
    model, path = random_model(seed), tmp_path / "model.onnx"
    write_onnx(model, path, dtype="float16", fold=bool(seed % 2))
    images = random_images(model)
    logits = model.logits(images)
    # A rounding is 2^-11 of a number; a few layers of them are less than a fiftieth of the range of the logits.
    np.testing.assert_allclose(open_onnx(path).logits(images), logits, atol=0.02 * spread(logits))
    types = {tensor.name: tensor.data_type for tensor in onnx.load(path).graph.initializer}
    kernels = [type_ for name, type_ in types.items() if name.endswith("/kernel")]
    assert kernels
    assert set(kernels) == {onnx.TensorProto.FLOAT16}


@pytest.mark.parametrize("seed", SEEDS)
def test_int8_logits_stay_near_those_of_the_model(seed: int, tmp_path: Path):
    model, path = random_model(seed), tmp_path / "model.onnx"
    images = random_images(model, 40)
    write_onnx(model, path, dtype="int8", fold=bool(seed % 5), calibration_images=images)
    logits, expected = open_onnx(path).logits(images), model.logits(images)
    # A step is 1/256 of a layer's range; noise, on which these networks were never trained, deviates most.
    assert np.abs(logits - expected).mean() < 0.05 * spread(expected)
    types = {tensor.name: tensor.data_type for tensor in onnx.load(path).graph.initializer}
    kernels = [type_ for name, type_ in types.items() if name.endswith("/kernel_quantized")]
    assert kernels
    assert set(kernels) == {onnx.TensorProto.INT8}


@pytest.mark.slow
def test_int8_changes_few_predictions_of_a_trained_network(reader: cs.Model, mnist: cs.Splits, tmp_path: Path):
    images = mnist.test.images[:3000]
    write_onnx(reader, tmp_path / "m.onnx", dtype="int8", calibration_images=mnist.train.images[:200])
    predictions = open_onnx(tmp_path / "m.onnx").logits(images).argmax(axis=1)
    assert (predictions != reader.predict(images)).mean() < 0.005  # 15 of 3,000


def test_int8_reads_bytes_directly_where_a_byte_stands_for_zero(tmp_path: Path):
    layers = (cs.Conv2D(4, 3, padding="same", activation="relu"), cs.Flatten(), cs.Dense(3))
    for scale, offset, is_direct in ((1 / 255, 0.0, True), (1 / 64, -1.0, True), (1 / 255, -0.3, False)):
        model = make_model(cs.Architecture(cs.Input(8, 8, 1, scale, offset), layers))
        images = random_images(model, 20)
        write_onnx(model, tmp_path / "m.onnx", dtype="int8", calibration_images=images)
        operators = [node.op_type for node in onnx.load(tmp_path / "m.onnx").graph.node]
        assert ("Cast" not in operators) == is_direct
        difference = np.abs(open_onnx(tmp_path / "m.onnx").logits(images) - model.logits(images))
        assert difference.max() < 0.03 * spread(model.logits(images))


def test_int8_repeats_channels_before_depthwise_convolutions_with_a_multiplier(tmp_path: Path):
    layers = (
        cs.Conv2D(4, 3, activation="relu"),
        cs.DepthwiseConv2D(3, depth_multiplier=3, padding="same", activation="relu", name="three"),
        cs.DepthwiseConv2D(2, name="one"),
        cs.DepthwiseConv2D(3, 2, depth_multiplier=2, use_bias=False),
        cs.GlobalAveragePooling2D(),
        cs.Dense(3, "softmax"),
    )
    architecture = cs.Architecture(cs.Input(11, 12, 2), layers)
    model = cs.Model(architecture, initial_weights(architecture, 0), ("a", "b", "c"))
    images = np.random.default_rng(0).integers(0, 256, (80, 11, 12, 2), dtype=np.uint8)
    write_onnx(model, tmp_path / "m.onnx", dtype="int8", calibration_images=images)
    graph = onnx.load(tmp_path / "m.onnx").graph
    groups = [x.i for node in graph.node if node.op_type == "Conv" for x in node.attribute if x.name == "group"]
    assert groups == [1, 12, 12, 24]  # 4 · 3 channels, the same, 12 · 2: each group has one filter
    assert [node.name for node in graph.node if node.op_type == "Gather"] == ["three/repeat", "depthwise_conv2d/repeat"]
    logits, expected = open_onnx(tmp_path / "m.onnx").logits(images), model.logits(images)
    np.testing.assert_allclose(logits, expected, atol=0.1 * spread(expected))
    assert np.corrcoef(logits.ravel(), expected.ravel())[0, 1] > 0.999


def test_int8_export_leaves_no_files_and_prints_nothing(
    small_model: cs.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    images = random_images(small_model, 70)
    for name in ("a", "b"):
        write_onnx(small_model, tmp_path / name, dtype="int8", calibration_images=images)
    assert not list(temporary.iterdir())
    assert capfd.readouterr() == ("", "")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_same_model_gives_the_same_bytes(small_model: cs.Model, tmp_path: Path):
    for name in ("a", "b"):
        write_onnx(small_model, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_names_are_those_of_the_layers(small_model: cs.Model, tmp_path: Path):
    write_onnx(small_model, tmp_path / "m.onnx", fold=False)
    graph = onnx.load(tmp_path / "m.onnx").graph
    layers = {layer.name for layer in small_model.architecture.layers} | {"input", "logits"}
    nodes = [node.name for node in graph.node]
    assert {name.partition("/")[0] for name in nodes} <= layers
    assert len(set(nodes)) == len(nodes)
    assert set(small_model.weights) <= {tensor.name for tensor in graph.initializer}
    assert [tensor.name for tensor in graph.output] == ["logits", "probabilities"]
    assert [dim.dim_param or dim.dim_value for dim in graph.input[0].type.tensor_type.shape.dim] == ["N", 10, 8, 3]


def test_folding_leaves_no_normalisation_and_only_the_transpose_of_the_image(small_model: cs.Model, tmp_path: Path):
    write_onnx(small_model, tmp_path / "m.onnx")
    operators = [node.op_type for node in onnx.load(tmp_path / "m.onnx").graph.node]
    assert operators[:3] == ["Transpose", "Cast", "Conv"]
    assert operators.count("Transpose") == 1
    assert "BatchNormalization" not in operators


def test_scaling_is_not_folded_where_a_padded_zero_is_no_byte(tmp_path: Path):
    layers = (cs.Conv2D(4, 3, padding="same"), cs.Flatten(), cs.Dense(3))
    for offset, is_folded in ((0.0, True), (-0.5, False)):
        model = make_model(cs.Architecture(cs.Input(8, 8, 1, 1 / 255, offset), layers))
        write_onnx(model, tmp_path / "m.onnx")
        assert ("Mul" not in [node.op_type for node in onnx.load(tmp_path / "m.onnx").graph.node]) == is_folded


def test_properties_describe_the_model(small_model: cs.Model, tmp_path: Path):
    write_onnx(small_model, tmp_path / "m.onnx")
    properties = {prop.key: prop.value for prop in onnx.load(tmp_path / "m.onnx").metadata_props}
    assert json.loads(properties["class_names"]) == list(small_model.class_names)
    assert cs.Architecture.from_dict(json.loads(properties["architecture"])) == small_model.architecture
    assert json.loads(properties["provenance"]) == dict(small_model.provenance)
    assert properties["weights_sha256"] == small_model.weights_sha256
    assert properties["convscope_version"]


def test_weights_are_the_model_s_own_bits_without_folding(tmp_path: Path):
    model = make_model(cs.Architecture(cs.Input(5, 5), (cs.Flatten(), cs.Dense(3))))
    write_onnx(model, tmp_path / "m.onnx", fold=False)
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(tmp_path / "m.onnx").graph.initializer}
    assert (arrays["dense/kernel"] == model.weights["dense/kernel"]).all()


def _too_large(model: cs.Model) -> cs.Model:
    return replace(model, weights={name: array * np.float32(1e6) for name, array in model.weights.items()})


ERRORS = {
    "opset too old": (lambda m: m, {"opset": 14}, "opset is 14; it must be from 15 to 22"),
    "opset too new": (lambda m: m, {"opset": 99}, "opset is 99"),
    "beyond float16": (_too_large, {"dtype": "float16"}, "write float32"),
    "int8 without images": (lambda m: m, {"dtype": "int8"}, "int8 needs calibration images"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_write_onnx_refuses_invalid_arguments(case: str, small_model: cs.Model, tmp_path: Path):
    change, arguments, message = ERRORS[case]
    with pytest.raises(InterchangeError, match=message):
        write_onnx(change(small_model), tmp_path / "m.onnx", **arguments)
    assert not list(tmp_path.iterdir())


def test_write_onnx_refuses_wrong_arguments(small_model: cs.Model, tmp_path: Path):
    with pytest.raises(ValueError, match="this model needs uint8"):
        write_onnx(small_model, tmp_path / "m.onnx", dtype="int8", calibration_images=np.zeros((2, 3, 3, 1), np.uint8))


def test_a_layer_called_logits_is_written(tmp_path: Path):
    model = make_model(cs.Architecture(cs.Input(4, 4), (cs.Flatten(name="logits"), cs.Dense(2))))
    write_onnx(model, tmp_path / "m.onnx")
    images = random_images(model)
    np.testing.assert_allclose(open_onnx(tmp_path / "m.onnx").logits(images), model.logits(images), atol=1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_missing_package_is_named_with_what_installs_it(
    dtype: str, small_model: cs.Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ConvscopeError, match=r'onnx is not installed; run pip install "onnx'):
        write_onnx(small_model, tmp_path / "m.onnx", dtype=dtype, calibration_images=random_images(small_model))
