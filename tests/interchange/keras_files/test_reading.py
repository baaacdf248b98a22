"""Reading .keras, HDF5 and JSON files as Keras 2 and 3 write them."""

import json

import numpy as np
import pytest

import convscope as cs
from convscope.base.errors import InterchangeError
from convscope.interchange.keras_files import from_keras, read_keras

from .keras_archives import BY_WEIGHT, archive, hdf5, image, layer, legacy, sequential, small

CONFIG, ARRAYS = small()


def test_every_kind_of_file_gives_the_same_network(read, tmp_path):
    whole = read(archive(CONFIG, hdf5(ARRAYS)))
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    (tmp_path / "ours.json").write_text(json.dumps(whole.architecture.to_dict()))
    (tmp_path / "run.json").write_text(json.dumps({"architecture": whole.architecture.to_dict(), "recipe": {}}))
    checkpoint_arrays = {name.replace("layers", "_layer_checkpoint_dependencies"): a for name, a in ARRAYS.items()}
    others = [
        read(legacy(CONFIG, BY_WEIGHT)),
        read(hdf5(ARRAYS), architecture=tmp_path / "config.json"),
        read(hdf5(ARRAYS), architecture=tmp_path / "ours.json"),
        read(hdf5(ARRAYS), architecture=tmp_path / "run.json"),
        read(legacy(None, BY_WEIGHT, root=""), architecture=tmp_path / "config.json"),
        read(legacy(None, BY_WEIGHT, root=""), architecture=tmp_path / "ours.json"),
        read(archive(CONFIG, hdf5(checkpoint_arrays))),
    ]
    np.testing.assert_array_equal(whole.weights["conv2d_7/kernel"], ARRAYS["layers/conv2d/vars/0"])
    np.testing.assert_array_equal(whole.weights["dense_2/bias"], ARRAYS["layers/dense/vars/1"])
    for result in others:
        assert result.architecture == whole.architecture
        assert all(np.array_equal(result.weights[name], weight) for name, weight in whole.weights.items())
    assert whole.program == "Keras 3.15.1"
    assert others[0].program == "Keras 2.15.0"
    assert whole.to_model().class_names == ("0", "1", "2")


def test_class_names_that_an_exported_file_carries_are_read(read):
    named = archive(CONFIG, hdf5(ARRAYS), **{"convscope.json": '{"class_names": ["a", "b", "c"]}'})
    assert read(named).class_names == ("a", "b", "c")
    assert read(named).to_model().class_names == ("a", "b", "c")
    with pytest.raises(InterchangeError, match="does not name its 3 classes"):
        read(archive(CONFIG, hdf5(ARRAYS), **{"convscope.json": '{"class_names": ["a"]}'}))


def test_configurations_of_keras_2_are_read(read):
    def entry(class_name, name, *inbound, **config):
        nodes = [[[before, 0, 0, {}] for before in inbound]] if inbound else []
        return {"class_name": class_name, "config": {"name": name, **config}, "name": name, "inbound_nodes": nodes}

    layers = [
        entry("InputLayer", "in", batch_input_shape=[None, 4, 5, 1]),
        entry("DepthwiseConv2D", "depth", "in", kernel_size=[3, 3], activation="relu", groups=1),
        entry("LeakyReLU", "leaky", "norm", alpha=0.20000000298023224),
        entry("BatchNormalization", "norm", "depth", axis=[3], scale=False),
        entry("Add", "add", "leaky", "depth"),
        entry("GlobalMaxPooling2D", "pool", "add", keepdims=False),
        entry("Dense", "end", "pool", units=2, use_bias=False),
    ]
    ends = {"input_layers": [["in", 0, 0]], "output_layers": [["end", 0, 0]]}
    config = {"class_name": "Functional", "config": {"name": "model", "layers": layers, **ends}}
    ones = np.ones(1, np.float32)
    arrays = {
        ("depth", "depth/depthwise_kernel:0"): np.full((3, 3, 1, 1), 2, np.float32),
        ("depth", "depth/bias:0"): ones,
        ("norm", "norm/beta:0"): ones,
        ("norm", "norm/moving_mean:0"): ones,
        ("norm", "norm/moving_variance:0"): ones,
        ("end", "end/kernel:0"): np.ones((1, 2), np.float32),
    }
    result = read(legacy(config, arrays))
    assert [(layer.kind, getattr(layer, "activation", "")) for layer in result.architecture.layers] == [
        ("DepthwiseConv2D", "relu"),
        ("BatchNormalization", "leaky_relu"),
        ("Add", "linear"),
        ("GlobalMaxPooling2D", ""),
        ("Dense", "linear"),
    ]
    assert result.architecture.layers[2].from_layer == "depth"
    assert result.weights["norm/gamma"] == 1
    config["config"]["layers"][3]["inbound_nodes"][0][0][3] = {"training": True}
    with pytest.raises(InterchangeError, match=r"'norm' .BatchNormalization.: it is called with training=True"):
        read(legacy(config, arrays))


@pytest.mark.parametrize(
    ("rescaling", "reads_bytes"),
    [
        (None, False),
        ({"scale": 1 / 255}, True),
        ({"scale": 1 / 127.5, "offset": -1.0}, True),
        ({"scale": 2.0, "offset": -1.0}, False),
        ({"scale": [0.02]}, True),
        ({"scale": [2.0]}, False),
    ],
)
def test_a_rescaling_to_small_numbers_shows_that_the_model_reads_bytes(read, rescaling, reads_bytes):
    config = json.loads(json.dumps(CONFIG))
    if rescaling is not None:
        config["config"]["layers"][1:1] = [layer("Rescaling", "one", **rescaling)]
    result = read(archive(config, hdf5(ARRAYS)))
    assert result.reads_bytes == reads_bytes
    scale, offset = (rescaling or {}).get("scale", 1.0), (rescaling or {}).get("offset", 0.0)
    assert (result.architecture.input.scale, result.architecture.input.offset) == (np.sum(scale), offset)


def test_a_normalization_layer_keeps_its_stored_mean_and_variance(read):
    config = json.loads(json.dumps(CONFIG))
    config["config"]["layers"][1:1] = [
        layer("Normalization", "norm", axis=[-1], invert=False, mean=None, variance=None)
    ]
    stored = {"0": np.float32([33.3]), "1": np.float32([0.0]), "2": np.int64(784)}
    stored = {f"layers/normalization/vars/{number}": array for number, array in stored.items()}
    model = read(archive(config, hdf5(ARRAYS | stored))).apply_scaling(cs.Scaling(1.0)).to_model()
    images = np.full((1, 4, 5, 1), 34, np.uint8)
    expected = np.float32((34 - np.float32(33.3)) / 1e-7)  # Keras divides by 1e-7 where nothing varies
    np.testing.assert_allclose(model.activations(images, ["norm"])["norm"], expected, rtol=1e-3)


def test_rescalings_at_the_front_become_the_scale_and_offset_of_the_input(read):
    config = json.loads(json.dumps(CONFIG))
    config["config"]["layers"][1:1] = [
        layer("Rescaling", "one", scale=0.5, offset=1.0),
        layer("Rescaling", "two", scale=4.0, offset=-3.0),
    ]
    result = read(archive(config, hdf5(ARRAYS)))
    # 4 · (0.5 x + 1) - 3 = 2 x + 1
    assert (result.architecture.input.scale, result.architecture.input.offset) == (2.0, 1.0)
    input_layer = result.apply_scaling(cs.Scaling(scale=10.0, mean=-1.0)).architecture.input
    assert (input_layer.scale, input_layer.offset) == (20.0, 3.0)  # of 10 x + 1


@pytest.mark.parametrize(
    ("declared", "options", "shape"),
    [((None, None, 1), {"image_shape": (4, 5)}, (4, 5, 1)), ((4, None, 1), {"image_shape": (4, 5, 1)}, (4, 5, 1))],
)
def test_an_image_size_that_the_model_leaves_open_must_be_given(read, declared, options, shape):
    config = json.loads(json.dumps(CONFIG))
    config["config"]["layers"][0]["config"]["batch_shape"] = [None, *declared]
    assert read(archive(config, hdf5(ARRAYS)), **options).architecture.input.shape == shape
    with pytest.raises(InterchangeError, match="does not define the image size; give it with `image_shape`"):
        read(archive(config, hdf5(ARRAYS)))


def test_flat_pixels_are_a_square_or_the_stated_shape(read):
    def flat(pixels):
        config = sequential(image(pixels), layer("Dense", "end", units=2, use_bias=False))
        return archive(config, hdf5({"layers/dense/vars/0": np.ones((pixels, 2), np.float32)}))

    assert read(flat(784)).architecture.input.shape == (28, 28, 1)
    assert read(flat(48)).architecture.input.shape == (4, 4, 3)
    assert read(flat(600), image_shape=(20, 30)).architecture.input.shape == (20, 30, 1)
    with pytest.raises(InterchangeError, match=r"600 flat pixels as input, which are not a square; give `image_shape`"):
        read(flat(600))
    with pytest.raises(InterchangeError, match=r"does not fit images of .28, 28, 1."):
        read(flat(600), image_shape=(28, 28))


def make_two_heads():
    """Make a model with two dense layers side by side as outputs, and its weights."""
    heads = [layer("Dense", "kinds", units=3, activation="softmax"), layer("Dense", "sizes", units=2)]
    chain = [*small()[0]["config"]["layers"][:-1], *heads]
    for entry, before in zip(chain, [None, "image", "conv2d_7", "flatten", "flatten"], strict=True):
        entry["name"] = entry["config"]["name"]
        entry["inbound_nodes"] = [[[before, 0, 0, {}]]] if before else []
    graph = {"layers": chain, "input_layers": [["image", 0, 0]]}
    graph |= {"output_layers": [["kinds", 0, 0], ["sizes", 0, 0]]}
    random = np.random.default_rng(3)
    more = {"dense_1/vars/0": random.normal(size=(40, 2)), "dense_1/vars/1": random.normal(size=2)}
    arrays = ARRAYS | {f"layers/{name}": array.astype(np.float32) for name, array in more.items()}
    return {"class_name": "Functional", "config": {"name": "heads", **graph}}, arrays


def test_one_of_several_outputs_is_read_where_it_is_named(read):
    config, arrays = make_two_heads()
    content = archive(config, hdf5(arrays))
    kinds, sizes = read(content, output="kinds"), read(content, output="sizes")
    assert [layer.name for layer in kinds.architecture.layers] == ["conv2d_7", "flatten", "kinds"]
    assert [layer.name for layer in sizes.architecture.layers] == ["conv2d_7", "flatten", "sizes"]
    np.testing.assert_array_equal(kinds.weights["kinds/kernel"], arrays["layers/dense/vars/0"])
    np.testing.assert_array_equal(sizes.weights["sizes/kernel"], arrays["layers/dense_1/vars/0"])
    legacy_names = {
        "conv2d_7/kernel:0": "conv2d/vars/0", "conv2d_7/bias:0": "conv2d/vars/1", "kinds/kernel:0": "dense/vars/0",
        "kinds/bias:0": "dense/vars/1", "sizes/kernel:0": "dense_1/vars/0", "sizes/bias:0": "dense_1/vars/1",
    }  # fmt: skip
    legacy_arrays = {(n.partition("/")[0], n): arrays[f"layers/{path}"] for n, path in legacy_names.items()}
    assert read(legacy(config, legacy_arrays), output="sizes").architecture == sizes.architecture
    with pytest.raises(InterchangeError, match=r"outputs are kinds, sizes; name the one .* with `output`"):
        read(content)
    with pytest.raises(InterchangeError, match=r"no output 'size', but 'kinds', 'sizes'; did you mean 'sizes'\?"):
        read(content, output="size")
    with pytest.raises(InterchangeError, match="has no output 'conv2d_7', but"):
        read(archive(CONFIG, hdf5(ARRAYS)), output="conv2d_7")
    assert read(archive(CONFIG, hdf5(ARRAYS)), output="dense_2").architecture.num_classes == 3


@pytest.mark.parametrize("end", ["within", "after", "pooled"])
def test_one_sigmoid_becomes_two_classes_with_the_same_probabilities(read, end):
    config, arrays = small(units=1)
    layers = config["config"]["layers"]
    if end == "pooled":
        layers[1]["config"] |= {"filters": 1, "activation": "linear"}
        layers[2:] = [layer("GlobalAveragePooling2D", "mean"), layer("Activation", "end", activation="sigmoid")]
        arrays = {name: array[..., :1] for name, array in arrays.items() if "conv2d" in name}
    else:
        layers[-1]["config"]["activation"] = "sigmoid" if end == "within" else "linear"
        layers += [layer("Activation", "end", activation="sigmoid")] if end == "after" else []
    imported = read(archive(config, hdf5(arrays)))
    assert "became two logits" in imported.notes[-1]
    assert imported.architecture.layers[-1].activation == "softmax"
    model = imported.apply_scaling(cs.Scaling()).to_model()
    images = np.random.default_rng(1).integers(0, 256, (6, 4, 5, 1), dtype=np.uint8)
    # The input of the sigmoid, from the same layers with three equal outputs and without the sigmoid.
    if end != "pooled":
        plain, _ = small()
        arrays = arrays | {k: np.repeat(v, 3, axis=-1) for k, v in arrays.items() if "dense" in k}
        before = read(archive(plain, hdf5(arrays))).apply_scaling(cs.Scaling()).to_model().logits(images)[:, 0]
    else:
        before = model.activations(images)["mean"][:, 0]
    np.testing.assert_allclose(model.logits(images), np.stack([0 * before, before], axis=1), atol=1e-6)
    np.testing.assert_allclose(model.probabilities(images)[:, 1], 1 / (1 + np.exp(-before)), atol=1e-6)


@pytest.mark.parametrize(
    ("layers", "why"),
    [
        ([layer("Dense", "end", units=1)], "a single number without a sigmoid, as a regression does"),
        ([layer("Dense", "end", units=1, activation="softmax")], "a single number without a sigmoid"),
        ([layer("Dense", "end", units=3, activation="sigmoid")], "is a multi-label network, with a sigmoid for each"),
        ([layer("Dense", "end", units=3, activation="tanh")], "last layer must have the activation softmax or linear"),
        ([layer("Dense", "end", units=3, activation="softmax"), layer("Dense", "last", units=2)],
         "allowed at the end only"),
        ([layer("Dense", "end", units=3, activation="mish")], "its activation is 'mish'; train with one of"),
        ([layer("Softmax", "end", axis=1)], "its axis is 1"),
        ([layer("GlobalMaxPooling2D", "end")], "needs maps"),
        ([layer("Normalization", "end", axis=2)], "its axis is 2"),
        ([layer("Normalization", "end", invert=True)], "it undoes a normalisation"),
        ([layer("Normalization", "end", mean=0.5, variance=0.1)], "write them as a Rescaling"),
        ([layer("ReLU", "end", max_value=5.0)], "max_value is 5.0"),
        ([layer("ReLU", "end", max_value=6.0, negative_slope=0.1)], "negative_slope 0.1"),
        ([layer("ELU", "end", alpha=0.5)], "its alpha is 0.5"),
        ([layer("ReLU", "end", threshold=1.0)], "threshold 1.0"),
        ([layer("Rescaling", "end", scale=[1.0, 2.0])], "it must be one number, or one for each channel"),
        ([layer("Dropout", "end", rate=0.5, noise_shape=[1, 1])], "its noise_shape"),
        ([layer("BatchNormalization", "end", axis=2)], "its axis is 2"),
        ([layer("Reshape", "end", target_shape=[7, 7])], "which does not fit 40 values"),
        ([layer("Reshape", "end", target_shape=[5, 8])], "its output is 5 x 8 numbers for each image"),
        ([layer("Dense", "end", units=3, lora_rank=4)], "merge the LoRA"),
        ([layer("Dense", "end", units=3, dtype={"class_name": "QuantizedDTypePolicy"})], "are quantized"),
        ([layer("Activation", "end", activation="relu"), layer("Add", "sum")], "it has 1 inputs, where 2"),
    ],
)  # fmt: skip
def test_unsupported_layers_are_refused_with_the_requirement(read, layers, why):
    with pytest.raises(InterchangeError, match=why) as error:
        read(archive(sequential(image(4, 5, 2), layer("Flatten", "flatten"), *layers), hdf5({"layers/x": np.ones(1)})))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("shared_axes", [None, [1], [1, 2, 3]], ids=str)
def test_prelu_must_have_one_slope_for_each_channel(read, shared_axes):
    config = sequential(image(4, 5, 2), layer("PReLU", "slopes", shared_axes=shared_axes), layer("Flatten", "end"))
    with pytest.raises(InterchangeError, match=r"'slopes' \(PReLU\): its shared_axes is .* build it with \[1, 2\]"):
        read(archive(config, hdf5({"layers/x": np.ones(1)})))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"data_format": "th"}, "its data_format is"),
        ({"groups": 2}, "groups"),
        ({"dilation_rate": [2, 2], "strides": [2, 2]}, "only one of them may be above 1"),
        ({"dilation_rate": "wide"}, "dilation_rate is 'wide'"),
    ],
)
def test_convolutions_of_other_kinds_are_refused(read, changes, why):
    config = json.loads(json.dumps(CONFIG))
    config["config"]["layers"][1]["config"] |= changes
    with pytest.raises(InterchangeError, match=f"conv2d_7.*{why}"):
        read(archive(config, hdf5(ARRAYS)))


@pytest.mark.parametrize("dtype", ["<f8", ">f4", "<f2"])
def test_floats_of_other_sizes_and_orders_are_read(read, dtype):
    arrays = {name: array.astype(dtype) for name, array in ARRAYS.items()}
    weights = read(archive(CONFIG, hdf5(arrays))).weights
    np.testing.assert_allclose(weights["dense_2/bias"], ARRAYS["layers/dense/vars/1"], rtol=1e-3)
    assert weights["dense_2/bias"].dtype == np.float32


def test_an_architecture_is_given_for_weights_alone_and_not_for_a_whole_model(read, tmp_path):
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(InterchangeError, match="holds weights only; also give its architecture,"):
        read(hdf5(ARRAYS))
    for whole in (archive(CONFIG, hdf5(ARRAYS)), legacy(CONFIG, BY_WEIGHT)):
        with pytest.raises(InterchangeError, match="holds its own architecture; omit"):
            read(whole, architecture=tmp_path / "a.json")
    with pytest.raises(InterchangeError, match="an object with `input` and `layers`"):
        read(hdf5(ARRAYS), architecture=tmp_path / "a.json")
    with pytest.raises(InterchangeError, match="is a description without weights"):
        read(json.dumps(CONFIG).encode())


def test_missing_files_and_folders_are_named(tmp_path):
    with pytest.raises(InterchangeError, match=r"cannot be read .No such file"):
        read_keras(tmp_path / "none.keras")
    with pytest.raises(InterchangeError, match=r"cannot be read .Is a directory"):
        read_keras(tmp_path)
    (tmp_path / "x").write_bytes(archive(CONFIG, hdf5(ARRAYS)))
    with pytest.raises(ValueError, match=r"it must be .H, W."):
        read_keras(tmp_path / "x", image_shape=(4,))


class Unbuilt:
    name = "net"
    built = False


def test_a_model_in_memory_that_is_not_built_is_refused():
    with pytest.raises(InterchangeError, match="Keras model net: has no weights yet"):
        from_keras(Unbuilt())
