"""Reading ONNX files of ours and of others, beside ONNX Runtime."""

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto
from onnx.numpy_helper import from_array
from tests.interchange.onnx_files.graphs import compute_in_runtime, node, numbers, proto, save, to_model
from tests.onnx_models import SEEDS, random_images, random_model, spread

from convscope.base.errors import InterchangeError
from convscope.export.onnx import write_onnx
from convscope.interchange.onnx_files import read_onnx

# A node has an operator, inputs and an output: node("Conv", "x w", "m") computes m from x and w. The input x has images
# (N, 2, 9, 7), and the output y logits of 4 classes. HEAD makes logits from maps m by a kernel k, which has a row for
# each number of m: 126 for the image itself, 2 · 9 · 7, and 105 for three maps of 7 x 5 after a 3 x 3 window.
HEAD = [node("Flatten", "m", "f"), node("Gemm", "f k", "y")]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_files_written_layer_by_layer_give_the_same_logits(seed: int, dtype: str, tmp_path: Path):
    model, path = random_model(seed), tmp_path / "model.onnx"
    write_onnx(model, path, dtype=dtype, fold=False)
    imported = read_onnx(path)
    assert imported.class_names == model.class_names
    logits = model.logits(random_images(model))
    tolerance = 1e-5 if dtype == "float32" else 0.02  # float16 rounds to 2^-11 in each of several layers
    again = to_model(imported).logits(random_images(model))
    np.testing.assert_allclose(again, logits, atol=tolerance * spread(logits))


@pytest.mark.parametrize("seed", SEEDS)
def test_folded_files_give_the_same_logits(seed: int, tmp_path: Path):
    model, path = random_model(seed), tmp_path / "model.onnx"
    write_onnx(model, path, opset=[15, 18, 20, 22][seed % 4])
    logits = model.logits(random_images(model))
    again = to_model(read_onnx(path)).logits(random_images(model))
    np.testing.assert_allclose(again, logits, atol=1e-4 * spread(logits))


def _batch_normalization(channels: int) -> dict[str, np.ndarray]:
    return {"g": numbers(channels), "b": numbers(channels), "m0": numbers(channels), "v": numbers(channels) ** 2 + 0.1}


# By name, the nodes of a graph and its constants. All have another form than the files that `write_onnx` writes.
GRAPHS = {
    "conv with auto_pad": ([node("Conv", "x w", "m", auto_pad="SAME_UPPER", strides=[2, 2]), *HEAD],
        {"w": numbers(3, 2, 4, 3), "k": numbers(60, 4)}),
    "conv with valid and bias": ([node("Conv", "x w c", "m", auto_pad="VALID"), *HEAD],
        {"w": numbers(3, 2, 3, 3), "c": numbers(3), "k": numbers(105, 4)}),
    "conv with pads that reach nothing": ([node("Conv", "x w", "m", pads=[0, 0, 1, 0], strides=[2, 1]), *HEAD],
        {"w": numbers(3, 2, 3, 3), "k": numbers(60, 4)}),
    "batch normalisation, then Gemm transposed and scaled": ([
            node("BatchNormalization", "x g b m0 v", "n", epsilon=0.0), node("Relu", "n", "m"),
            node("Flatten", "m", "f"), node("Gemm", "f k c", "y", transB=1, alpha=0.5, beta=2.0), ],
        {**_batch_normalization(2), "k": numbers(4, 126), "c": numbers(1, 4)}),
    "vectors normalised after a flatten in another order": ([
            node("Flatten", "x", "f"), node("BatchNormalization", "f g b m0 v", "n"), node("Add", "n s", "a"),
            node("MatMul", "a k", "y"), ], {**_batch_normalization(126), "s": numbers(126), "k": numbers(126, 4)}),
    "means over rows and columns": ([
            node("Conv", "x w", "c"), node("LeakyRelu", "c", "r", alpha=0.2),
            node("ReduceMean", "r", "p", axes=[-1, -2], keepdims=0), node("Gemm", "p k", "y"), ],
        {"w": numbers(5, 2, 2, 2), "k": numbers(5, 4)}),
    "largest of rows and columns, squeezed": (
        [node("ReduceMax", "x", "p", axes=[2, 3]), node("Squeeze", "p axes", "s"), node("Gemm", "s k", "y")],
        {"axes": np.array([2, 3]), "k": numbers(2, 4)},
    ),
    "poolings of `same` padding": ([
            node("MaxPool", "x", "p", kernel_shape=[3, 2], strides=[2, 2], auto_pad="SAME_UPPER"),
            node("AveragePool", "p", "m", kernel_shape=[3, 3], pads=[1, 1, 1, 1]), *HEAD, ], {"k": numbers(40, 4)}),
    "a pooling with ceil_mode": ([node("MaxPool", "x", "m", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1), *HEAD],
        {"k": numbers(40, 4)}),
    "means with ceil_mode": (
        [node("AveragePool", "x", "m", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1), *HEAD], {"k": numbers(40, 4)},
    ),
    "a residual block whose sum is the other way round": ([
            node("Conv", "x w", "a", pads=[1, 1, 1, 1]), node("Relu", "a", "r"),
            node("Conv", "r w2", "c", pads=[1, 1, 1, 1]), node("Add", "r c", "s"), node("Relu", "s", "m"), *HEAD, ],
        {"w": numbers(2, 2, 3, 3), "w2": numbers(2, 2, 3, 3), "k": numbers(126, 4)}),
    "constants around a convolution": ([
            node("Sub", "x mean", "s"), node("Div", "s std", "d"), node("Conv", "d w", "c"),
            node("Mul", "c scale", "e"), node("Add", "e shift", "m"), *HEAD, ], {
            "mean": numbers(1, 2, 1, 1), "std": np.float32([[[0.5]], [[0.3]]]), "w": numbers(3, 2, 3, 3),
            "scale": numbers(3, 1, 1), "shift": numbers(1, 3, 1, 1), "k": numbers(105, 4), }),
    "one number for all images, behind a flatten": ([
            node("Flatten", "x", "f"), node("Mul", "f two", "a"), node("Sub", "one a", "b"), node("MatMul", "b k", "c"),
            node("Add", "c bias", "y"), ],
        {"two": np.float32(2), "one": np.float32([1]), "k": numbers(126, 4), "bias": numbers(4)}),
    "gelu in another order": ([
            node("Conv", "x w", "c"), node("Mul", "c half", "h"), node("Mul", "c root", "q"), node("Erf", "q", "e"),
            node("Add", "one e", "a"), node("Mul", "a h", "m"), *HEAD, ], {
            "w": numbers(3, 2, 3, 3), "half": np.float32(0.5), "root": np.float32(0.5**0.5), "one": np.float32(1),
            "k": numbers(105, 4), }),
    "gelu by a negative error function": ([
            node("Conv", "x w", "c"), node("Neg", "c", "g"), node("Mul", "g root", "q"), node("Erf", "q", "e"),
            node("Sub", "one e", "a"), node("Mul", "c a", "p"), node("Div", "p two", "m"), *HEAD, ], {
            "w": numbers(3, 2, 3, 3), "two": np.float32(2), "root": np.float32(0.5**0.5), "one": np.float32(1),
            "k": numbers(105, 4), }),
    "a shape computed from the images": ([
            node("Shape", "x", "s"), node("Gather", "s zero", "n", axis=0), node("Unsqueeze", "n axes", "u"),
            node("Concat", "u rest", "t", axis=0), node("Reshape", "x t", "f"), node("Gemm", "f k", "y"), ],
        {"zero": np.array(0), "axes": np.array([0]), "rest": np.array([-1]), "k": numbers(126, 4)}),
    "channels last and back, with constants made by operators": ([
            node("Transpose", "x", "t", perm=[0, 2, 3, 1]), node("Dropout", "t", "d"), node("Reshape", "d shape", "f"),
            node("Transpose", "k", "kt", perm=[1, 0]), node("Cast", "kt", "kc", to=TensorProto.FLOAT),
            node("MatMul", "f kc", "y"), ], {"shape": np.array([-1, 126]), "k": numbers(4, 126).astype(np.float64)}),
    "a softmax at the end": ([node("Flatten", "x", "f"), node("Gemm", "f k", "g"), node("Softmax", "g", "y")],
        {"k": numbers(126, 4)}),
    "conv with other pads": ([node("Conv", "x w", "m", pads=[2, 0, 0, 1], strides=[2, 2]), *HEAD],
        {"w": numbers(3, 2, 3, 3), "k": numbers(45, 4)}),
    "conv with SAME_LOWER": ([node("Conv", "x w", "m", auto_pad="SAME_LOWER"), *HEAD],
        {"w": numbers(3, 2, 2, 2), "k": numbers(189, 4)}),
    "pad, then conv": ([node("Pad", "x pads", "p"), node("Conv", "p w", "m"), *HEAD],
        {"pads": np.array([0, 0, 1, 2, 0, 0, 0, 1]), "w": numbers(3, 2, 3, 3), "k": numbers(192, 4)}),
    "the largest after a relu, padded on both sides": ([
            node("Relu", "x", "r"), node("MaxPool", "r", "m", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
            *HEAD, ], {"k": numbers(40, 4)}),
    "the largest with minus infinity around": ([
            node("Conv", "x w", "c"), node("Pad", "c pads lowest", "p"),
            node("MaxPool", "p", "m", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 0, 0, 0]), *HEAD, ], {
            "w": numbers(2, 2, 1, 1), "pads": np.array([0, 0, 0, 1, 0, 0, 1, 1]), "lowest": np.float32(-np.inf),
            "k": numbers(40, 4), }),
    "means that count their padding": (
        [node("AveragePool", "x", "m", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1), *HEAD],
        {"k": numbers(126, 4)},
    ),
    "a silu, and a hard silu in three forms": ([
            node("Sigmoid", "x", "s"), node("Mul", "s x", "a"), node("HardSwish", "a", "b"),
            node("Add", "b three", "c"), node("Clip", "c zero six", "d"), node("Mul", "b d", "e"),
            node("Div", "e six", "q"), node("HardSigmoid", "q", "h", alpha=1 / 6), node("Mul", "q h", "m"), *HEAD, ],
        {"three": np.float32(3), "zero": np.float32(0), "six": np.float32(6), "k": numbers(126, 4)}),
    "hard sigmoids of three forms, and half of one": ([
            node("HardSigmoid", "x", "a"), node("HardSigmoid", "a", "b", alpha=0.5, beta=0.25),
            node("Add", "b three", "c"), node("Clip", "c zero six", "d"), node("Sub", "d six", "e"),
            node("Add", "e three", "g"), node("Clip", "g zero", "m"), *HEAD, ],
        {"three": np.float32(3), "zero": np.float32(0), "six": np.float32(6), "k": numbers(126, 4)}),
    "layer, group and instance normalisation, and one of vectors": ([
            node("Conv", "x w", "a"), node("Reshape", "a two", "h"), node("InstanceNormalization", "h o z", "d"),
            node("Reshape", "d back", "e"), node("Mul", "e gamma", "j"), node("Relu", "j", "r"),
            node("InstanceNormalization", "r s b", "i"), node("Transpose", "i", "t", perm=[0, 2, 3, 1]),
            node("LayerNormalization", "t s b", "l", epsilon=0.01), node("LayerNormalization", "l u", "c", axis=1),
            node("Flatten", "c", "g"), node("LayerNormalization", "g v", "n"), node("MatMul", "n k", "y"), ],
        {"two": np.array([0, 2, -1]), "back": np.array([0, 6, 7, 5]), "o": np.ones(2, np.float32), "z": numbers(2) * 0,
            "gamma": numbers(6, 1, 1), "w": numbers(6, 2, 3, 3), "s": numbers(6), "b": numbers(6), "u": np.float32(1.5),
            "v": numbers(210), "k": numbers(210, 4)}),
    "products of maps, of maps by a pooled pixel in two forms, and of vectors": ([
            node("Conv", "x w", "a"), node("Relu", "a", "r"), node("Mul", "a r", "b"),
            node("GlobalMaxPool", "b", "c"), node("Conv", "c v", "d"), node("Sigmoid", "d", "e"),
            node("Mul", "e b", "m1"), node("ReduceMean", "m1", "q", axes=[2, 3], keepdims=0), node("Tanh", "q", "t"),
            node("Unsqueeze", "t axes", "u"), node("Mul", "m1 u", "m2"), node("GlobalAveragePool", "m2", "p"),
            node("Flatten", "p", "i"), node("MatMul", "i s", "j"), node("Mul", "i j", "o"), node("MatMul", "o k", "y"),
        ],
        {"w": numbers(5, 2, 3, 3), "v": numbers(5, 5, 1, 1), "axes": np.array([2, 3]), "s": numbers(5, 5),
            "k": numbers(5, 4)}),
    "a selu, and one of comparison and exponential": ([
            node("Selu", "x", "s"), node("Greater", "s zero", "c"), node("Exp", "s", "e"), node("Sub", "e one", "g"),
            node("Mul", "g bend", "b"), node("Mul", "s scale", "l"), node("Where", "c l b", "m"), *HEAD, ], {
            "zero": np.float32(0), "one": np.float32(1), "bend": np.float32(1.7580993), "scale": np.float32(1.050701),
            "k": numbers(126, 4), }),
    "layer normalisation of a convolution by single operators, and of groups in another order": ([
            node("Conv", "x w", "a"), node("ReduceMean", "a", "u", axes=[1]), node("Sub", "a u", "c"),
            node("Constant", "", "two", value_float=2.0), node("Pow", "c two", "p"),
            node("ReduceMean", "p", "v", axes=[1]), node("Add", "v epsilon", "e"), node("Sqrt", "e", "s"),
            node("Div", "c s", "d"), node("Mul", "gamma d", "g"), node("Add", "g beta", "b"), node("Relu", "b", "r"),
            node("Reshape", "r split", "h"), node("Mul", "h h", "hh"), node("ReduceMean", "hh", "q", axes=[2, 3, 4]),
            node("ReduceMean", "h", "o", axes=[2, 3, 4]), node("Mul", "o o", "oo"), node("Sub", "q oo", "vv"),
            node("Add", "vv epsilon", "ee"), node("Sqrt", "ee", "ss"), node("Reciprocal", "ss", "i"),
            node("Mul", "h i", "hi"), node("Neg", "o", "no"), node("Mul", "no i", "oi"), node("Add", "hi oi", "z"),
            node("Reshape", "z back", "m"), *HEAD, ], {
            "w": numbers(6, 2, 3, 3), "epsilon": np.float32(0.01), "gamma": numbers(6, 1, 1),
            "beta": numbers(6, 1, 1), "split": np.array([-1, 2, 3, 7, 5]), "back": np.array([-1, 6, 7, 5]),
            "k": numbers(210, 4), }),
    "a slope by the larger of two, and a relu6 by the smaller": ([
            node("Mul", "x slope", "a"), node("Max", "a x", "b"), node("Conv", "b w", "c"), node("Relu", "c", "d"),
            node("Min", "six d", "m"), *HEAD, ],
        {"slope": np.float32(0.1), "six": np.float32(6), "w": numbers(3, 2, 3, 3), "k": numbers(105, 4)}),
    "pads computed as PyTorch's exporter does": ([
            node("ConstantOfShape", "four", "z", value=from_array(np.array([0]))),
            node("Concat", "given z", "c", axis=0), node("Reshape", "c pairs", "r"),
            node("Slice", "r last first axis back", "s"),
            node("Transpose", "s", "t", perm=[1, 0]), node("Reshape", "t row", "u"), node("Cast", "u", "v", to=7),
            node("Pad", "x v", "p"), node("MaxPool", "p", "m", kernel_shape=[3, 3], strides=[2, 2]), *HEAD, ], {
            "four": np.array([4]), "given": np.array([0, 1, 2, 1]), "pairs": np.array([-1, 2]), "last": np.array([-1]),
            "first": np.array([-(2**63)]), "axis": np.array([0]), "back": np.array([-1]), "row": np.array([-1]),
            "k": numbers(30, 4), }),
    "a relu6, a relu and an elu": (
        [node("Clip", "x zero six", "a"), node("Clip", "a zero", "b"), node("Elu", "b", "m"), *HEAD],
        {"zero": np.float32(0), "six": np.float32(6), "k": numbers(126, 4)},
    ),
    "a slope for each channel, and one for all": ([node("PRelu", "x c", "a"), node("PRelu", "a d", "m"), *HEAD],
        {"c": numbers(2, 1, 1), "d": numbers(1), "k": numbers(126, 4)}),
    "relu of a pooling, with a slope": (
        [node("MaxPool", "x", "p", kernel_shape=[2, 2]), node("LeakyRelu", "p", "m", alpha=0.05), *HEAD],
        {"k": numbers(96, 4)},
    ),
    "a convolution that is read without its relu too": (
        [node("Conv", "x w", "a", pads=[1, 1, 1, 1]), node("Relu", "a", "r"), node("Add", "r a", "m"), *HEAD],
        {"w": numbers(2, 2, 3, 3), "k": numbers(126, 4)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GRAPHS)
def test_imported_layers_compute_what_onnx_runtime_computes(name: str, tmp_path: Path):
    model = proto(*GRAPHS[name])
    images = np.random.default_rng(0).integers(0, 256, (4, 9, 7, 2), dtype=np.uint8)
    expected = compute_in_runtime(model, images)
    imported = to_model(read_onnx(save(model, tmp_path)))
    outputs = imported.probabilities(images) if "softmax" in name else imported.logits(images)
    np.testing.assert_allclose(outputs, expected, atol=1e-5 * spread(expected))


@pytest.mark.parametrize(
    ("shape", "image_shape", "axes"),
    [
        (("N", 9, 7, 2), (9, 7, 2), (0, 1, 2, 3)),
        (("N", None, None, 2), (9, 7, 2), (0, 1, 2, 3)),
        ((1, 126), (9, 7, 2), (0, 1, 2, 3)),
        (("N", 63), (9, 7, 1), (0, 1, 2, 3)),
        (("N", 9, 7), None, (0, 1, 2, 3)),
        (("N", 9, 7, 1), None, (0, 1, 2, 3)),
        (("N", 3, 9, 7), None, (0, 3, 1, 2)),
    ],
)
def test_the_axes_of_images_are_in_the_order_of_the_file(shape, image_shape, axes, tmp_path: Path):
    size = image_shape or (9, 7, 3 if shape[1] == 3 else 1)
    model = proto(HEAD, {"k": numbers(int(np.prod(size)), 4)}, shape)
    model.graph.node[0].input[0] = "x"
    imported = read_onnx(save(model, tmp_path), image_shape=image_shape)
    assert imported.architecture.input.shape == size
    images = np.random.default_rng(0).integers(0, 256, (1, *size), dtype=np.uint8)
    if None in shape:  # the file does not say these sizes, but `compute_in_runtime` reads them from it
        for dim, number in zip(model.graph.input[0].type.tensor_type.shape.dim[1:], size, strict=True):
            dim.dim_value = number
    np.testing.assert_allclose(to_model(imported).logits(images), compute_in_runtime(model, images, axes), atol=1e-5)


def test_a_file_that_divides_by_255_or_reads_uint8_is_given_bytes(tmp_path: Path):
    constants = {"k": numbers(126, 4), "c": np.float32(255)}
    plain, divided = [node("Identity", "x", "m"), *HEAD], [node("Div", "x c", "m"), *HEAD]
    for nodes, dtype, reads_bytes, scale, note in (
        (plain, TensorProto.FLOAT, False, 1, None),
        (divided, TensorProto.FLOAT, True, 1 / 255, "taken as bytes from 0 to 255"),
        ([node("Cast", "x", "z", to=1), node("Identity", "z", "m"), *HEAD], TensorProto.UINT8, True, 1, None),
    ):
        imported = read_onnx(save(proto(nodes, constants, dtype=dtype), tmp_path))
        image = imported.architecture.input
        assert (imported.reads_bytes, image.offset) == (reads_bytes, 0)
        assert image.scale == pytest.approx(scale)
        assert imported.notes == () if note is None else note in imported.notes[-1]


def test_nodes_in_another_order_are_sorted(tmp_path: Path):
    model = proto([node("Conv", "x w", "m"), *HEAD], {"w": numbers(3, 2, 3, 3), "k": numbers(105, 4)})
    backwards = [*reversed(model.graph.node)]
    expected = read_onnx(save(model, tmp_path)).architecture
    del model.graph.node[:]
    model.graph.node.extend(backwards)
    assert read_onnx(save(model, tmp_path)).architecture == expected


def test_a_weight_that_two_nodes_read_is_copied(tmp_path):
    nodes = [node("Conv", "x w", "a"), node("Conv", "a w", "b"), node("Concat", "b a", "m", axis=1)]
    nodes += [node("GlobalAveragePool", "m", "g"), node("Flatten", "g", "y")]
    imported = read_onnx(save(proto(nodes, {"w": numbers(2, 2, 1, 1)}), tmp_path))
    layers = imported.architecture.layers
    assert [layer.kind for layer in layers] == ["Conv2D", "Conv2D", "Branch", "Concatenate", "GlobalAveragePooling2D"]
    first, second = (imported.weights[f"{layer.name}/kernel"] for layer in layers[:2])
    assert (first == second).all()
    assert any("'w' are used more than once" in note for note in imported.notes)


# By name, the nodes of a graph, its constants beside k, and a part of the error.
REFUSED = {
    "an unknown operator": (
        [node("Celu", "x", "m"), *HEAD], {}, r"'n_m' \(Celu\) is not supported: .*docs/architecture.md",
    ),
    "two branches that scale the image each in its own way": (
        [node("Mul", "x s", "z"), node("Conv", "z w", "a"), node("Conv", "x w", "b"), node("Add", "a b", "m"), *HEAD],
        {"w": numbers(2, 2, 1, 1), "s": np.float32([[[[3]]]])}, "two of its branches scale the image differently"),
    "joined images": ([node("Concat", "x x", "m", axis=0), *HEAD], {}, "joins images to one batch"),
    "joined rows": (
        [node("Conv", "x w", "a"), node("Concat", "a x", "b", axis=2), node("GlobalMaxPool", "b", "m"), *HEAD],
        {"w": numbers(2, 2, 1, 1)}, "n_m"),
    "dilation beside strides": ([node("Conv", "x w", "m", dilations=[2, 2], strides=[1, 2]), *HEAD],
        {"w": numbers(2, 2, 3, 3)}, "only one of them may be above 1"),
    "dilation of a pooling": ([node("MaxPool", "x", "m", kernel_shape=[2, 2], dilations=[2, 2]), *HEAD], {},
        r"dilations \(2, 2\); 1 is needed"),
    "groups": ([node("Conv", "x w", "m", group=2), *HEAD], {"w": numbers(2, 2, 3, 3)}, "does not fit 2 channels"),
    "one axis": ([node("Conv", "x w", "m"), *HEAD], {"w": numbers(2, 2, 3)}, "4"),
    "a kernel from the images": ([node("Conv", "x x", "m"), *HEAD], {}, "it must be constant"),
    "a pool with pads below zero": (
        [node("MaxPool", "x", "m", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 0, 0]), *HEAD], {}, "same"),
    "ceil_mode of means with counted padding": (
        [node("AveragePool", "x", "m", kernel_shape=[2, 2], strides=[3, 2], pads=[1, 0, 0, 0], ceil_mode=1,
            count_include_pad=1), *HEAD], {}, "ceil_mode must be 0"),
    "training": (
        [node("BatchNormalization", "x g b m0 v", "m", training_mode=1), *HEAD], _batch_normalization(2), "training",
    ),
    "a batch that moves": ([node("Transpose", "x", "m", perm=[1, 0, 2, 3]), *HEAD], {}, "batch must remain"),
    "a reshape of the batch": ([node("Reshape", "x s", "m"), *HEAD], {"s": np.array([7, -1])}, "batch must remain"),
    "constants by pixel": ([node("Mul", "x c", "m"), *HEAD], {"c": numbers(9, 7)}, "one per channel"),
    "a softmax inside": ([node("Flatten", "x", "a"), node("Softmax", "a", "m"), *HEAD], {}, "allowed at the end"),
    "an erf by itself": ([node("Erf", "x", "m"), *HEAD], {}, "computes an activation that convscope"),
    "slopes by pixel": ([node("PRelu", "x c", "m"), *HEAD], {"c": numbers(2, 9, 7)}, "one per channel"),
    "another elu": ([node("Elu", "x", "m", alpha=0.5), *HEAD], {}, "alpha 0.5; the layer has 1"),
    "other bounds": ([node("Clip", "x a b", "m"), *HEAD], {"a": np.float32(-1), "b": np.float32(1)},
        "computes an activation that"),
    "a scale for each number of a map": ([node("LayerNormalization", "x u", "m", axis=1), *HEAD],
        {"u": numbers(2, 9, 7)}, "differ from pixel to pixel; there must be one per channel"),
    "a normalisation of rows": ([node("LayerNormalization", "x u", "m"), *HEAD],
        {"u": np.float32([1])}, "neither the channels of each pixel nor groups"),
    "a relu with a far bound": ([node("Clip", "x a b", "m"), *HEAD], {"a": np.float32(0), "b": np.float32(20)},
        "computes an activation that convscope does not have"),
    "a relu with a bound near 6": ([node("Clip", "x a b", "m"), *HEAD], {"a": np.float32(0), "b": np.float32(6.01)},
        "computes an activation that convscope does not have"),
    "a root without a mean": (
        [node("Mul", "x x", "a"), node("ReduceMean", "a", "b", axes=[1]), node("Add", "b c", "d"),
            node("Sqrt", "d", "e"), node("Div", "x e", "m"), *HEAD], {"c": np.float32(0.01)}, "goes over axes"),
    "another selu": ([node("Selu", "x", "m", alpha=2.0), *HEAD], {}, "alpha 2; the layer has 1.67326"),
    "an exponential by itself": ([node("Exp", "x", "m"), *HEAD], {}, "computes an activation that"),
    "a factor inside of a hard sigmoid": ([node("Add", "x three", "a"), node("Clip", "a zero", "b"),
            node("Mul", "b six", "c"), node("Clip", "c - six", "d"), node("Mul", "x d", "m"), *HEAD],
        {"three": np.float32(3), "zero": np.float32(0), "six": np.float32(6)}, "computes an activation that"),
    "a product of pixels by one number": (
        [node("ReduceMax", "x", "a", axes=[1], keepdims=1), node("Mul", "x a", "m"), *HEAD], {}, "goes over axes",
    ),
    "a quotient of two": ([node("Relu", "x", "a"), node("Div", "x a", "m"), *HEAD], {}, "div of two values"),
    "minus infinity around what is no maximum": (
        [node("Pad", "x p", "q", value=-np.inf), node("Relu", "q", "m"), *HEAD],
        {"p": np.array([0, 0, 1, 0, 0, 0, 0, 0])}, "only a MaxPool can have them"),
    "numbers around": ([node("Pad", "x p", "q", value=-1.0), node("Relu", "q", "m"), *HEAD],
        {"p": np.array([0, 0, 1, 0, 0, 0, 0, 0])}, "other numbers than zero"),
    "other padding": ([node("Pad", "x p", "m", mode="edge"), *HEAD], {"p": np.zeros(8, np.int64)}, "zeros"),
    "whole numbers": ([node("Cast", "x", "m", to=6), *HEAD], {}, "whole numbers"),
    "a kernel of another size": (HEAD, {"k": numbers(7, 4)}, "its input is vectors of 126"),
    "bias of another size": (
        [node("Conv", "x w c", "m"), *HEAD], {"w": numbers(2, 2, 1, 1), "c": numbers(5)}, "bias has shape",
    ),
    "weights that are not finite": (HEAD, {"k": numbers(126, 4) * np.float32(np.nan)}, "not finite"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_unsupported_operators_are_named_with_the_requirement(name: str, tmp_path: Path):
    nodes, constants, message = REFUSED[name]
    model = proto(nodes, {"k": numbers(126, 4), **constants})
    if nodes is HEAD:
        model.graph.node[0].input[0] = "x"
    path = save(model, tmp_path)
    with pytest.raises(InterchangeError, match=message) as caught:
        read_onnx(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_every_node_that_is_not_read_is_named_in_one_error(tmp_path: Path):
    nodes = [node("Conv", "x w", "a", group=3), node("Relu", "a", "b"), node("MaxPool", "x", "c", kernel_shape=[3])]
    model = proto([*nodes, node("Add", "c b", "m"), *HEAD], {"w": numbers(2, 2, 3, 3), "k": numbers(126, 4)})
    with pytest.raises(InterchangeError, match=r"2 of its nodes .*'n_a' \(Conv\).*'n_c' \(MaxPool\)"):
        read_onnx(save(model, tmp_path))


@pytest.mark.parametrize(
    ("shape", "image_shape", "message"),
    [
        (("N", 126), None, r"give it with `image_shape`: height x width x channels"),
        (("N", 2, None, 7), None, "give it with `image_shape`"),
        (("N", 126), (9, 7, 1), "does not fit images"),
        (("N", 2, 9, 7), (7, 9, 2), "does not fit images"),
        (("N", 9, 7), (9, 7, 3), "does not fit images"),
        (("N",), None, "has 1 axes"),
        (("N", 1 << 20, 1 << 20, 1), None, "height is 1048576"),
    ],
)
def test_an_unknown_or_wrong_image_size_is_refused(shape, image_shape, message: str, tmp_path: Path):
    model = proto(HEAD, {"k": numbers(126, 4)}, shape)
    model.graph.node[0].input[0] = "x"
    with pytest.raises(InterchangeError, match=message):
        read_onnx(save(model, tmp_path), image_shape=image_shape)
