"""Models of older versions of Keras, of Windows, with the channels first, and with layers that only training uses."""

import json

import h5py
import numpy as np
import pytest

from convscope.base.errors import InterchangeError

from .keras_archives import BY_WEIGHT, archive, hdf5, image, layer, legacy, sequential, small

CONFIG, ARRAYS = small()


def assert_same_network(first, second):
    assert first.architecture.layers == second.architecture.layers
    assert first.weights.keys() == second.weights.keys()
    assert all(np.array_equal(first.weights[name], weight) for name, weight in second.weights.items())


TRAINING_LAYERS = [
    layer("RandomFlip", "flip", mode="horizontal"),
    layer("RandomRotation", "turn", factor=[-0.1, 0.1], data_format="channels_last"),
    layer("GaussianNoise", "noise", stddev=0.1),
    layer("GaussianDropout", "gaussian", rate=0.1),
    layer("SpatialDropout2D", "spatial", rate=0.2, data_format="channels_last", noise_shape=None),
    layer("AlphaDropout", "alpha", rate=0.1, noise_shape=None),
    layer("ActivityRegularization", "regular", l1=0.1, l2=0.0),
    layer("Identity", "same"),
]


@pytest.mark.parametrize("index", range(1, 5))
def test_layers_that_do_nothing_at_prediction_are_left_out_by_name(index, read):
    layers = CONFIG["config"]["layers"]
    network = read(archive(sequential(*layers[:index], *TRAINING_LAYERS, *layers[index:]), hdf5(ARRAYS)))
    assert_same_network(network, read(archive(CONFIG, hdf5(ARRAYS))))
    notes = [note for note in network.notes if "does nothing at prediction" in note]
    names = [entry["config"]["name"] for entry in TRAINING_LAYERS]
    assert notes == [f"`{name}` does nothing at prediction and was left out" for name in names]


def test_an_activation_after_an_identity_layer_joins_its_layer(read):
    layers = [dict(entry, config=dict(entry["config"])) for entry in CONFIG["config"]["layers"]]
    layers[1]["config"]["activation"] = "linear"
    network = read(
        archive(sequential(*layers[:2], TRAINING_LAYERS[2], layer("ReLU", "relu"), *layers[2:]), hdf5(ARRAYS))
    )
    assert_same_network(network, read(archive(CONFIG, hdf5(ARRAYS))))


@pytest.mark.parametrize(("kind", "is_read"), [("RandomFlip", True), ("GaussianNoise", False)])
def test_only_random_augmentation_may_be_called_with_training_true(kind, is_read, read):
    # Keras 3 writes training=True for augmentation, and yet passes training=False to it when it predicts.
    chain = [image(4, 5, 1), layer(kind, "flip"), *small()[0]["config"]["layers"][1:]]
    for entry, before in zip(chain, [None, "image", "flip", "conv2d_7", "flatten"], strict=True):
        history = {"class_name": "__keras_tensor__", "config": {"keras_history": [before, 0, 0]}}
        called = {"args": [history], "kwargs": {"training": True} if entry["config"]["name"] == "flip" else {}}
        entry |= {"name": entry["config"]["name"], "inbound_nodes": [called] if before else []}
    graph = {"layers": chain, "input_layers": [["image", 0, 0]], "output_layers": [["dense_2", 0, 0]]}
    content = archive({"class_name": "Functional", "config": {"name": "small", **graph}}, hdf5(ARRAYS))
    if is_read:
        assert_same_network(read(content), read(archive(CONFIG, hdf5(ARRAYS))))
    else:
        with pytest.raises(InterchangeError, match=r"'flip' \(GaussianNoise\)"):
            read(content)


def test_cropping_layers_and_training_mode_are_refused(read):
    layers = CONFIG["config"]["layers"]
    crop = layer("RandomCrop", "crop", height=3, width=3)
    with pytest.raises(InterchangeError, match=r"'crop' \(RandomCrop\): it cuts images at prediction too"):
        read(archive(sequential(layers[0], crop, *layers[1:]), hdf5(ARRAYS)))
    foreign = layer("RandomFlip", "flip") | {"module": "mine"}
    with pytest.raises(InterchangeError, match="Python code from outside Keras"):
        read(archive(sequential(layers[0], foreign, *layers[1:]), hdf5(ARRAYS)))


@pytest.mark.parametrize("top", ["layers", "_layer_checkpoint_dependencies"])
def test_group_names_with_backslashes_are_read(top, read, tmp_path):
    def change(file: h5py.File) -> None:
        for path, array in ARRAYS.items():
            group, _, name = path.replace("layers", top).rpartition("/vars/")
            file.require_group(group.replace("/", "\\")).require_group("vars")[name] = array

    whole = read(archive(CONFIG, hdf5(ARRAYS)))
    assert_same_network(read(archive(CONFIG, hdf5({}, change=change))), whole)
    if top == "layers":
        (tmp_path / "ours.json").write_text(json.dumps(whole.architecture.to_dict()))
        assert_same_network(read(hdf5({}, change=change), architecture=tmp_path / "ours.json"), whole)


def test_two_names_that_differ_only_in_the_slash_are_refused(read):
    def change(file: h5py.File) -> None:
        file.require_group("layers\\conv2d").require_group("vars")["0"] = ARRAYS["layers/conv2d/vars/0"]

    with pytest.raises(InterchangeError, match="two objects under one name"):
        read(archive(CONFIG, hdf5(ARRAYS, change=change)))


def old_layer(class_name, name, **config):
    """Describe a layer as the JSON of Keras 1 and 2 does."""
    return {"class_name": class_name, "config": {"name": name, "trainable": True, **config}}


KERAS_1 = [
    old_layer("Convolution2D", "convolution2d_1", batch_input_shape=[None, 8, 9, 1], input_dtype="float32", nb_filter=3,
        nb_row=3, nb_col=2, border_mode="valid", subsample=[1, 2], dim_ordering="tf", bias=True, activation="linear",
        init="glorot_uniform", W_regularizer=None, b_constraint=None),
    old_layer("BatchNormalization", "batchnormalization_1", mode=0, axis=-1, momentum=0.99, epsilon=0.001),
    old_layer("Activation", "activation_1", activation="relu"),
    old_layer("ZeroPadding2D", "zeropadding2d_1", padding=[1, 0], dim_ordering="tf"),
    old_layer("MaxPooling2D", "maxpooling2d_1", pool_size=[2, 2], strides=[2, 2], border_mode="valid",
              dim_ordering="tf"),
    old_layer("Dropout", "dropout_1", p=0.25),
    old_layer("Flatten", "flatten_1"),
    old_layer("Dense", "dense_1", output_dim=4, input_dim=None, bias=True, activation="softmax", init="glorot_uniform"),
]  # fmt: skip


def keras_1_weights(suffix):
    random = np.random.default_rng(5)

    def numbers(*shape):
        return random.uniform(0.1, 1, shape).astype(np.float32)

    return {
        ("convolution2d_1", f"convolution2d_1_W{suffix}"): numbers(3, 2, 1, 3),
        ("convolution2d_1", f"convolution2d_1_b{suffix}"): numbers(3),
        **{
            ("batchnormalization_1", f"batchnormalization_1_{name}{suffix}"): numbers(3)
            for name in ("gamma", "beta", "running_mean", "running_std")
        },
        ("dense_1", f"dense_1_W{suffix}"): numbers(24, 4),
        ("dense_1", f"dense_1_b{suffix}"): numbers(4),
    }


@pytest.mark.parametrize("suffix", [":0", ""])
def test_a_model_of_keras_1_is_read(suffix, read):
    arrays = keras_1_weights(suffix)
    network = read(legacy({"class_name": "Sequential", "config": KERAS_1}, arrays, version="1.2.2"))
    kinds = [layer.kind for layer in network.architecture.layers]
    assert kinds == [
        "Conv2D", "BatchNormalization", "ZeroPadding2D", "MaxPooling2D", "Dropout", "Flatten", "Dense",
    ]  # fmt: skip
    convolution, normalization, padding, _, dropout, _, dense = network.architecture.layers
    assert (convolution.kernel_size, convolution.strides, convolution.padding) == ((3, 2), (1, 2), "valid")
    assert (normalization.activation, padding.padding, dropout.rate) == ("relu", ((1, 1), (0, 0)), 0.25)
    assert (dense.units, dense.activation) == (4, "softmax")
    kernel = arrays["convolution2d_1", f"convolution2d_1_W{suffix}"]
    # A file without ":0" in its names is from Theano, whose kernels are rotated by 180 degrees.
    expected = kernel if suffix else kernel[::-1, ::-1]
    np.testing.assert_array_equal(network.weights["convolution2d_1/kernel"], expected)
    variance = arrays["batchnormalization_1", f"batchnormalization_1_running_std{suffix}"]
    np.testing.assert_array_equal(network.weights["batchnormalization_1/moving_variance"], variance)
    assert any("Theano" in note for note in network.notes) == (not suffix)
    assert network.program == "Keras 1.2.2"


@pytest.mark.parametrize(
    ("index", "changes", "message"),
    [
        (0, {"dim_ordering": "th"}, "its data_format is 'th'"),
        (1, {"mode": 1}, r"its mode is 1; normalise each channel"),
        (0, {"border_mode": "full"}, "padding"),
    ],
)
def test_differences_of_keras_1_are_refused(index, changes, message, read):
    layers = [dict(entry, config=dict(entry["config"])) for entry in KERAS_1]
    layers[index]["config"] |= changes
    with pytest.raises(InterchangeError, match=message):
        read(legacy({"class_name": "Sequential", "config": layers}, keras_1_weights(":0"), version="1.2.2"))


def test_functions_of_tensorflow_in_keras_2_become_layers(read):
    def function(called, name, *inbound):
        return {
            "class_name": "TFOpLambda",
            "config": {"name": called, "function": name},
            "name": called,
            "inbound_nodes": [list(inbound)],
        }

    def node(entry, *sources):
        return entry | {"name": entry["config"]["name"], "inbound_nodes": [[[name, 0, 0, {}] for name in sources]]}

    layers = [
        node(old_layer("InputLayer", "image", batch_input_shape=[None, 4, 5, 1])),
        node(old_layer("Conv2D", "conv2d", filters=2, kernel_size=[3, 3], padding="same"), "image"),
        function("tf.nn.relu", "nn.relu", "conv2d", 0, 0, {"name": None}),
        node(old_layer("Conv2D", "conv2d_1", filters=2, kernel_size=[1, 1]), "tf.nn.relu"),
        function("sum", "__operators__.add", "conv2d_1", 0, 0, {"y": ["tf.nn.relu", 0, 0], "name": None}),
        node(old_layer("Flatten", "flatten"), "sum"),
        node(old_layer("Dense", "dense", units=3), "flatten"),
    ]
    model = {"name": "m", "layers": layers, "input_layers": [["image", 0, 0]], "output_layers": [["dense", 0, 0]]}
    arrays = {
        ("conv2d", "conv2d/kernel:0"): ARRAYS["layers/conv2d/vars/0"],
        ("conv2d", "conv2d/bias:0"): ARRAYS["layers/conv2d/vars/1"],
        ("conv2d_1", "conv2d_1/kernel:0"): np.ones((1, 1, 2, 2), np.float32),
        ("conv2d_1", "conv2d_1/bias:0"): np.zeros(2, np.float32),
        ("dense", "dense/kernel:0"): ARRAYS["layers/dense/vars/0"],
        ("dense", "dense/bias:0"): ARRAYS["layers/dense/vars/1"],
    }
    layers_read = read(legacy({"class_name": "Functional", "config": model}, arrays)).architecture.layers
    assert [entry.kind for entry in layers_read] == ["Conv2D", "Conv2D", "Add", "Flatten", "Dense"]
    assert (layers_read[0].activation, layers_read[2].from_layer) == ("relu", "conv2d")
    layers[2]["inbound_nodes"][0][3] = {"name": None, "alpha": 0.3}
    with pytest.raises(InterchangeError, match=r"'tf.nn.relu' \(Activation\): it is called with alpha=0.3"):
        read(legacy({"class_name": "Functional", "config": model}, arrays))
    layers[2]["config"]["function"] = "math.erf"
    with pytest.raises(InterchangeError, match=r"'tf.nn.relu' \(TFOpLambda\): convscope has no such layer"):
        read(legacy({"class_name": "Functional", "config": model}, arrays))


def test_kernels_of_keras_2_on_theano_are_rotated_by_180_degrees(read):
    for backend, step in (("tensorflow", 1), ("theano", -1)):
        network = read(legacy(CONFIG, BY_WEIGHT, backend=backend))
        expected = ARRAYS["layers/conv2d/vars/0"][::step, ::step]
        np.testing.assert_array_equal(network.weights["conv2d_7/kernel"], expected)


@pytest.mark.parametrize("flatten", [None, "channels_last", "channels_first"])
def test_channels_first_are_converted_to_channels_last(flatten, read):
    random = np.random.default_rng(1)
    first = {"data_format": "channels_first"}
    config = sequential(
        image(2, 5, 4),
        layer("Conv2D", "conv2d", filters=3, kernel_size=[2, 2], **first),
        layer("BatchNormalization", "normal", axis=1),
        layer("MaxPooling2D", "pool", pool_size=[2, 1], **first),
        layer("Flatten", "flatten", **({} if flatten is None else {"data_format": flatten})),
        layer("Dense", "dense", units=4),
        layer("Dense", "last", units=3, activation="softmax"),
    )
    arrays = {
        "layers/conv2d/vars/0": random.normal(size=(2, 2, 2, 3)),
        "layers/conv2d/vars/1": random.normal(size=3),
        **{f"layers/batch_normalization/vars/{i}": random.uniform(0.5, 1, 3) for i in range(4)},
        "layers/dense/vars/0": random.normal(size=(18, 4)),
        "layers/dense/vars/1": random.normal(size=4),
        "layers/dense_1/vars/0": random.normal(size=(4, 3)),
        "layers/dense_1/vars/1": random.normal(size=3),
    }
    arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    network = read(archive(config, hdf5(arrays)))
    assert network.architecture.input.shape == (5, 4, 2)
    np.testing.assert_array_equal(network.weights["conv2d/kernel"], arrays["layers/conv2d/vars/0"])
    # Rows of the dense kernel, from C, H, W to H, W, C; a Flatten of channels first reorders values itself.
    rows = np.arange(18) if flatten == "channels_first" else np.arange(18).reshape(3, 2, 3).transpose(1, 2, 0).ravel()
    np.testing.assert_array_equal(network.weights["dense/kernel"], arrays["layers/dense/vars/0"][rows])
    np.testing.assert_array_equal(network.weights["last/kernel"], arrays["layers/dense_1/vars/0"])
    assert "channels first" in network.notes[0]


def test_a_denoiser_is_called_no_classifier(read):
    denoiser = sequential(image(8, 8, 1), layer("Conv2D", "conv2d", filters=1, kernel_size=[3, 3], padding="same"))
    with pytest.raises(InterchangeError, match=r"its output is 8 x 8 x 1 numbers.* may be a denoiser"):
        read(archive(denoiser, hdf5({})))


def test_operators_on_the_last_axis_of_channels_first_are_refused(read):
    first = {"data_format": "channels_first"}
    start = [image(2, 5, 4), layer("Conv2D", "conv2d", filters=3, kernel_size=[2, 2], **first)]
    end = [layer("Flatten", "flatten"), layer("Dense", "last", units=3)]
    for between, why in (
        (layer("Dense", "mixed", units=3), "channels first; build the model with channels_last"),
        (layer("BatchNormalization", "normal", axis=-1), "its axis is"),
        (layer("MaxPooling2D", "pool", data_format="channels_last"), "needs maps"),
    ):
        with pytest.raises(InterchangeError, match=why):
            read(archive(sequential(*start, between, *end), hdf5({})))
