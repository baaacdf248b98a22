"""Groups of operators that exporters write instead of one layer, and networks that are no classifiers."""

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper
from tests.interchange.onnx_files.graphs import compute_in_runtime, node, numbers, proto, save, to_model

from convscope.base.errors import InterchangeError
from convscope.interchange.onnx_files import read_onnx

K = numbers(126, 4)  # a dense kernel for flattened images of 9 · 7 · 2 numbers
HEAD = [node("Flatten", "x", "f"), node("Gemm", "f k", "g")]
IMAGES = np.random.default_rng(0).integers(0, 256, (6, 9, 7, 2), dtype=np.uint8)


def test_a_logarithm_of_a_softmax_is_read_as_the_softmax(tmp_path: Path):
    model = proto([*HEAD, node("Softmax", "g", "s"), node("Log", "s", "y")], {"k": K})
    imported = read_onnx(save(model, tmp_path))
    np.testing.assert_allclose(
        np.log(to_model(imported).probabilities(IMAGES)), compute_in_runtime(model, IMAGES), atol=1e-4
    )
    assert "logarithms of probabilities" in imported.notes[0]
    graph = proto([node("Log", "x", "l"), node("Flatten", "l", "f"), node("Gemm", "f k", "y")], {"k": K})
    with pytest.raises(InterchangeError, match="logarithm of something other than a softmax"):
        read_onnx(save(graph, tmp_path))


def test_normalised_vectors_with_an_additional_axis_are_read(tmp_path: Path):
    nodes = [
        node("Flatten", "x", "f"), node("Gemm", "f k", "g"), node("Unsqueeze", "g axes", "u"),
        node("BatchNormalization", "u s b m v", "n"), node("Squeeze", "n axes", "y"),
    ]  # fmt: skip
    constants = {"axes": np.array([2]), "k": K, "v": numbers(4) ** 2 + 0.1} | {name: numbers(4) for name in "sbm"}
    model = proto(nodes, constants)
    imported = read_onnx(save(model, tmp_path))
    assert [layer.kind for layer in imported.architecture.layers] == ["Flatten", "Dense", "BatchNormalization"]
    np.testing.assert_allclose(to_model(imported).logits(IMAGES), compute_in_runtime(model, IMAGES), atol=1e-5)


@pytest.mark.parametrize("keepdims", [0, 1])
def test_a_network_that_outputs_the_class_number_is_read_up_to_its_logits(keepdims: int, tmp_path: Path):
    nodes = [*HEAD, node("ArgMax", "g", "a", axis=1, keepdims=keepdims), node("Cast", "a", "y", to=TensorProto.FLOAT)]
    model = proto(nodes, {"k": K})
    imported = read_onnx(save(model, tmp_path))
    assert to_model(imported).predict(IMAGES).tolist() == compute_in_runtime(model, IMAGES).ravel().astype(int).tolist()
    assert "number of the class (ArgMax)" in imported.notes[0]
    nodes[2] = node("ArgMax", "g", "a", axis=0)
    with pytest.raises(InterchangeError, match="goes over axis 0; the classes"):
        read_onnx(save(proto(nodes, {"k": K}), tmp_path))


def test_a_file_for_single_images_may_drop_the_batch_axis_of_its_output(tmp_path: Path):
    model = proto([*HEAD, node("Squeeze", "g", "y")], {"k": K}, shape=(1, 2, 9, 7))
    expected = [compute_in_runtime(model, image[None]) for image in IMAGES]
    np.testing.assert_allclose(to_model(read_onnx(save(model, tmp_path))).logits(IMAGES), expected, atol=1e-5)


@pytest.mark.parametrize("is_declared", [True, False])
def test_a_denoiser_is_called_no_classifier(is_declared: bool, tmp_path: Path):
    model = proto([node("Conv", "x w", "y", pads=[1] * 4)], {"w": numbers(2, 2, 3, 3)})
    if is_declared:
        model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", 1, ("N", 2, 9, 7)))
    with pytest.raises(
        InterchangeError, match="2 x 9 x 7 numbers for each image, and a classifier has one for each class"
    ):
        read_onnx(save(model, tmp_path))


def test_an_autoencoder_of_vectors_is_called_no_classifier(tmp_path: Path):
    model = proto([node("Flatten", "x", "f"), node("Gemm", "f k", "h"), node("Gemm", "h d", "y")], {"k": K, "d": K.T})
    with pytest.raises(InterchangeError, match=r"as many outputs as an image has numbers \(126\), as an autoencoder"):
        read_onnx(save(model, tmp_path))


def test_a_detector_is_called_no_classifier(tmp_path: Path):
    model = proto([*HEAD, node("Gemm", "f k", "boxes")], {"k": K}, output="g")
    model.graph.output.append(helper.make_tensor_value_info("boxes", 1, None))
    with pytest.raises(
        InterchangeError, match=r"it has 2 outputs \('g', 'boxes'\); name the one .* with `output`. A detector"
    ):
        read_onnx(save(model, tmp_path))
    model = proto([node("Identity", "x", "y")], {})
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", 1, ("N", 84, 8400)))
    with pytest.raises(InterchangeError, match=r"84 x 8400 numbers for each image.* or a detector"):
        read_onnx(save(model, tmp_path))


def test_maps_of_one_pixel_are_classes(tmp_path: Path):
    model = proto([node("Conv", "x w", "c"), node("GlobalAveragePool", "c", "y")], {"w": numbers(4, 2, 3, 3)})
    assert to_model(read_onnx(save(model, tmp_path))).logits(IMAGES).shape == (6, 4)


ONE = {"k": numbers(126, 1), "b": numbers(1)}
GEMM = [node("Flatten", "x", "f"), node("Gemm", "f k b", "g")]
KERNEL = {"k": numbers(1, 2, 3, 3)}
SIGMOIDS = {
    "dense": ([*GEMM, node("Sigmoid", "g", "y")], ONE, ["Flatten", "Dense"]),
    "without its axis": ([*GEMM, node("Sigmoid", "g", "s"), node("Squeeze", "s axes", "y")],
                         ONE | {"axes": np.array([1])}, ["Flatten", "Dense"]),
    "scaled": ([node("Flatten", "x", "f"), node("MatMul", "f k", "m"), node("Mul", "m b", "n"),
                node("Sigmoid", "n", "y")], ONE, ["Flatten", "Dense"]),
    "pooled": ([node("Conv", "x k", "c"), node("GlobalAveragePool", "c", "p"), node("Sigmoid", "p", "y")],
               KERNEL, ["Conv2D", "GlobalAveragePooling2D", "Dense"]),
    "flattened": ([node("Conv", "x k", "c"), node("GlobalMaxPool", "c", "p"), node("Sigmoid", "p", "s"),
                   node("Flatten", "s", "y")], KERNEL, ["Conv2D", "GlobalMaxPooling2D", "Dense"]),
    "of maps": ([node("Conv", "x k", "c"), node("Sigmoid", "c", "s"), node("Flatten", "s", "y")],
                {"k": numbers(1, 2, 9, 7)}, ["Conv2D", "Flatten", "Dense"]),
}  # fmt: skip


@pytest.mark.parametrize("form", SIGMOIDS)
def test_one_sigmoid_becomes_two_classes_with_the_same_probabilities(form: str, tmp_path: Path):
    nodes, constants, kinds = SIGMOIDS[form]
    model = proto(nodes, constants)
    imported = read_onnx(save(model, tmp_path))
    assert [layer.kind for layer in imported.architecture.layers] == kinds
    assert "became two logits" in imported.notes[-1]
    classifier, expected = to_model(imported), compute_in_runtime(model, IMAGES).ravel()
    assert (classifier.logits(IMAGES)[:, 0] == 0).all()
    np.testing.assert_allclose(classifier.probabilities(IMAGES)[:, 1], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("nodes", "constants", "why"),
    [
        ([*HEAD, node("Sigmoid", "g", "y")], {"k": K}, "is a multi-label network, with a sigmoid for each of its 4"),
        ([node("Flatten", "x", "f"), node("Gemm", "f k b", "y")], ONE, "a single number without a sigmoid"),
        ([*GEMM, node("Softmax", "g", "y")], ONE, "a single number without a sigmoid"),
    ],
)
def test_outputs_that_are_no_classes_are_refused_with_the_reason(nodes, constants, why: str, tmp_path: Path):
    with pytest.raises(InterchangeError, match=why):
        read_onnx(save(proto(nodes, constants), tmp_path))


def test_one_of_several_outputs_is_read_where_it_is_named(tmp_path: Path):
    nodes = [*HEAD, node("Relu", "g", "r"), node("Gemm", "r k2", "y"), node("Gemm", "f k3", "other")]
    constants = {"k": K, "k2": numbers(4, 3), "k3": numbers(126, 2)}
    model = proto(nodes, constants)
    model.graph.output.append(helper.make_tensor_value_info("other", TensorProto.FLOAT, None))
    path = save(model, tmp_path)
    first = to_model(read_onnx(path, output="y"))
    np.testing.assert_allclose(first.logits(IMAGES), compute_in_runtime(model, IMAGES), atol=1e-5)
    assert len(to_model(read_onnx(path, output="other")).architecture.layers) == 2
    with pytest.raises(InterchangeError, match=r"it has no output 'othr', but 'y', 'other'; did you mean 'other'\?"):
        read_onnx(path, output="othr")
    with pytest.raises(InterchangeError, match=r"it has no output 'g', but 'y', 'other'$"):
        read_onnx(path, output="g")
