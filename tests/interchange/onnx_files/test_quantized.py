"""Quantised ONNX files are read as the float networks that they stand for."""

import numpy as np
import onnxruntime.quantization as ort
import pytest
from onnx import TensorProto
from tests.onnx_models import make_model, random_images, random_model, spread

import convscope as cs
from convscope.interchange.onnx_files import read_onnx

from .graphs import RNG, compute_in_runtime, node, numbers, proto, save, to_model

IMAGES = RNG.integers(0, 256, (40, 9, 7, 2), dtype=np.uint8)
CONSTANTS = {
    "k": numbers(4, 2, 3, 3), "b": numbers(4), "k2": numbers(4, 4, 1, 1), "w": numbers(4, 3), "c": numbers(3),
}  # fmt: skip
NODES = [
    node("Conv", "x k b", "h", kernel_shape=[3, 3], pads=[1, 1, 1, 1]), node("Relu", "h", "r"),
    node("Conv", "r k2", "s"), node("Add", "r s", "a"), node("Relu", "a", "t"),
    node("AveragePool", "t", "p", kernel_shape=[2, 2], strides=[2, 2]), node("GlobalAveragePool", "p", "g"),
    node("Flatten", "g", "f"), node("Gemm", "f w c", "y"),
]  # fmt: skip


class Batches(ort.CalibrationDataReader):
    def __init__(self):
        self._batches = iter([{"x": (IMAGES.astype(np.float32) / 255).transpose(0, 3, 1, 2)}])

    def get_next(self):
        return next(self._batches, None)


@pytest.fixture(scope="module")
def float_file(tmp_path_factory):
    return save(proto(NODES, CONSTANTS), tmp_path_factory.mktemp("float"))


@pytest.mark.parametrize(
    ("form", "types", "per_channel"),
    [
        ("QDQ", ("QUInt8", "QInt8"), False), ("QDQ", ("QInt8", "QInt8"), True),
        ("QOperator", ("QUInt8", "QInt8"), False), ("QOperator", ("QUInt8", "QUInt8"), False),
        ("dynamic", ("", "QInt8"), False), ("dynamic", ("", "QUInt8"), True),
    ],
)  # fmt: skip
def test_each_form_of_the_quantiser_is_read_with_the_layers_of_the_float_network(
    float_file, tmp_path, form, types, per_channel
):
    path = tmp_path / "bytes.onnx"
    weights = ort.QuantType[types[1]]
    if form == "dynamic":
        ort.quantize_dynamic(float_file, path, weight_type=weights, per_channel=per_channel)
    else:
        ort.quantize_static(
            float_file, path, Batches(), quant_format=ort.QuantFormat[form], per_channel=per_channel,
            activation_type=ort.QuantType[types[0]], weight_type=weights,
        )  # fmt: skip
    imported = read_onnx(path)
    assert any("whole numbers" in note for note in imported.notes)
    difference = cs.diff(float_file, path, IMAGES)
    assert difference.is_same_structure, str(difference)
    # A weight moves by at most half a step: a 254th of the largest, a 127th without a sign.
    for layer in difference.layers:
        assert layer.weights is None or layer.weights.largest <= layer.weights.largest_weight / 100
    assert difference.num_changed <= 2


@pytest.mark.parametrize("seed", range(0, 24, 3))
def test_our_own_int8_files_are_read_to_within_their_rounding(seed, tmp_path):
    model = random_model(seed)
    images = random_images(model, 40)
    path = tmp_path / "bytes.onnx"
    cs.export_model(model, path, "onnx", cs.ExportOptions(dtype="int8", calibration_images=images))
    logits = model.logits(images)
    assert np.abs(to_model(read_onnx(path)).logits(images) - logits).mean() < 0.02 * spread(logits)


def test_layers_that_were_kept_in_float_have_their_own_weights(tmp_path):
    model = make_model(cs.Architecture(cs.Input(9, 7, 2), (cs.Conv2D(4, activation="relu"), cs.Flatten(), cs.Dense(3))))
    options = cs.ExportOptions(dtype="int8", calibration_images=IMAGES, float_layers=("conv2d",))
    cs.export_model(model, tmp_path / "bytes.onnx", "onnx", options)
    difference = cs.diff(model, tmp_path / "bytes.onnx", IMAGES)
    assert difference.is_same_structure, str(difference)
    convolution, dense = difference.layers
    assert convolution.weights.largest < 1e-6 < dense.weights.largest


def test_a_relu_that_the_rounding_stands_for_is_put_back(tmp_path):
    constants = {**CONSTANTS, "scale": np.float32(0.02), "zero": np.uint8(0)}
    nodes = [
        NODES[0], node("QuantizeLinear", "h scale zero", "q"), node("DequantizeLinear", "q scale zero", "d"),
        node("GlobalAveragePool", "d", "g"), node("Flatten", "g", "f"), node("Gemm", "f w c", "y"),
    ]  # fmt: skip
    model = proto(nodes, constants)
    imported = read_onnx(save(model, tmp_path))
    assert imported.architecture.layers[0].activation == "relu"
    logits = to_model(imported).logits(IMAGES)
    assert np.abs(logits - compute_in_runtime(model, IMAGES)).max() < 0.02


@pytest.mark.parametrize("scale", [np.zeros((0,), np.float32), np.float32([[1, 2]]), np.float32([1, 2, 3])])
def test_a_damaged_scale_is_refused_by_the_name_of_its_node(tmp_path, scale):
    constants = {**CONSTANTS, "k8": np.ones((4, 2, 3, 3), np.int8), "scale": scale}
    nodes = [node("DequantizeLinear", "k8 scale", "k_", axis=0), node("Conv", "x k_ b", "h"), *NODES[6:]]
    nodes[2].input[0] = "h"
    with pytest.raises(cs.ConvscopeError, match="n_k_"):
        read_onnx(save(proto(nodes, constants), tmp_path))


def test_a_weight_that_is_dequantised_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("convscope.interchange.onnx_files.quantized._MAX_NUMBERS", 100)
    constants = {**CONSTANTS, "k8": np.ones((4, 2, 3, 3), np.int8), "scale": np.float32(0.1)}
    nodes = [node("DequantizeLinear", "k8 scale", f"k{i}") for i in range(3, 6)]
    model = proto([*nodes, node("Conv", "x k5 b", "h"), node("GlobalAveragePool", "h", "g"), *NODES[7:]], constants)
    with pytest.raises(cs.ConvscopeError, match="n_k5"):
        read_onnx(save(model, tmp_path))


def test_a_file_that_reads_bytes_has_their_scaling(tmp_path):
    constants = {**CONSTANTS, "scale": np.float32(0.01), "zero": np.uint8(128)}
    model = proto([node("DequantizeLinear", "x scale zero", "d"), *NODES], constants, dtype=TensorProto.UINT8)
    model.graph.node[1].input[0] = "d"
    imported = read_onnx(save(model, tmp_path))
    assert imported.reads_bytes
    assert (imported.architecture.input.scale, imported.architecture.input.offset) == pytest.approx((0.01, -1.28))
