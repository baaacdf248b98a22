"""Models that Keras made and saved, read without Keras: the same logits."""

import json

import numpy as np
import pytest

import convscope as cs
from convscope.base.errors import InterchangeError
from convscope.interchange.keras_files import from_keras, read_keras

from .keras_networks import random_keras_model, randomize

keras = pytest.importorskip("keras")
layers = keras.layers
LARGEST_DIFFERENCE = 1e-4


def images_for(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (5, *shape)).astype(np.uint8)


def compute_in_keras(model, images):
    """Compute logits with Keras: its output, or the logarithm of the probabilities of a softmax."""
    output = model(images, training=False)
    output = keras.ops.convert_to_numpy(output["logits"] if isinstance(output, dict) else output)
    last = model.layers[-1]
    while hasattr(last, "layers"):
        last = last.layers[-1]
    ends_in_softmax = last.get_config().get("activation") == "softmax" or type(last).__name__ == "Softmax"
    return np.log(np.maximum(output, 1e-30)) if ends_in_softmax and len(model.outputs) == 1 else output


def centre(logits):
    """Subtract the mean of each row of logits, which does not change their softmax."""
    return logits - logits.mean(axis=1, keepdims=True)


def assert_same(model, models, images, inputs=None):
    """Compare the logits of each of `models` with those of Keras, which gets `inputs`, or the bytes."""
    expected = centre(compute_in_keras(model, images.astype(np.float32) if inputs is None else inputs))
    assert expected.std() > 1e-3, "the logits of the network are all equal"
    tolerance = LARGEST_DIFFERENCE * max(1, np.abs(expected).max())
    for imported in models:
        assert np.abs(centre(imported.logits(images)) - expected).max() < tolerance


def reread(model, folder):
    """Save a model as each kind of file that Keras writes, and read them all."""
    model.save(folder / "model.keras")
    model.save(folder / "model.h5")
    model.save_weights(folder / "model.weights.h5")
    (folder / "model.json").write_text(model.to_json())
    return [
        read_keras(folder / "model.keras"),
        read_keras(folder / "model.h5"),
        read_keras(folder / "model.weights.h5", architecture=folder / "model.json"),
    ]


def models_of(read):
    return [(network if network.reads_bytes else network.apply_scaling(cs.Scaling())).to_model() for network in read]


@pytest.mark.parametrize("seed", range(8))
def test_every_kind_of_file_gives_the_logits_of_keras(seed, tmp_path):
    model, images = random_keras_model(seed)
    if seed % 2:
        outputs = {"logits": model.layers[-2].output, "probabilities": model.layers[-1].output}
        model = keras.Model(model.inputs[0], outputs)
    assert_same(model, [*models_of(reread(model, tmp_path)), from_keras(model)], images)


def test_a_normalization_that_was_adapted_is_read(tmp_path):
    images = images_for((12, 9, 3))
    norm = layers.Normalization()
    norm.adapt(images.astype(np.float32))
    model = keras.Sequential([layers.Input((12, 9, 3)), norm, layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(3)])
    read = [network.apply_scaling(cs.Scaling(1.0)).to_model() for network in reread(model, tmp_path)[:2]]
    assert_same(model, [*read, from_keras(model, scaling=cs.Scaling(1.0))], images)


def test_nested_models_are_flattened(tmp_path):
    def block(filters, name):
        return keras.Sequential(
            [layers.Conv2D(filters, 3, padding="same", use_bias=False), layers.BatchNormalization(), layers.ReLU()],
            name=name,
        )

    inner = layers.Input((12, 9, 4))
    residual = keras.Model(inner, layers.Add()([inner, layers.Conv2D(4, 3, padding="same", activation="tanh")(inner)]))
    model = keras.Sequential(
        [
            layers.Input((12, 9, 3)), block(4, "first"), residual,
            keras.Sequential([block(5, "second"), block(3, "third")], name="tail"), layers.GlobalMaxPooling2D(),
            layers.Dense(4),
        ]
    )  # fmt: skip
    randomize(model, 3)
    images = images_for((12, 9, 3))
    read = reread(model, tmp_path)
    assert_same(model, models_of(read), images, images / np.float32(255))
    for network in read:
        assert not network.reads_bytes


def test_flat_pixels_and_images_without_a_channel_axis(tmp_path):
    flat = keras.Sequential([layers.Input((49,)), layers.Dense(8, activation="relu"), layers.Dense(3)])
    image = keras.Sequential([layers.Input((7, 5)), layers.Flatten(), layers.Dense(3, activation="softmax")])
    shaped = keras.Sequential(
        [layers.Input((35,)), layers.Reshape((7, 5, 1)), layers.Conv2D(3, 3), layers.Reshape((-1,)), layers.Dense(2)]
    )
    for model, shape in ((flat, (7, 7, 1)), (image, (7, 5, 1)), (shaped, (7, 5, 1))):
        randomize(model, 1)
        images = images_for(shape)
        read = reread(model, tmp_path)
        assert [network.architecture.input.shape for network in read] == [shape] * 3
        assert_same(model, models_of(read), images, images.reshape(5, *model.input_shape[1:]) / np.float32(255))


def test_a_rescaling_of_each_channel_or_behind_a_layer_becomes_a_batch_normalization(tmp_path):
    model = keras.Sequential(
        [
            layers.Input((8, 8, 3)), layers.Rescaling([0.01, 0.02, 0.005], offset=[-1.0, 0.0, 0.5]),
            layers.Conv2D(4, 3, padding="same"), layers.Rescaling(0.3, offset=-0.2), layers.Flatten(), layers.Dense(3),
        ]
    )  # fmt: skip
    randomize(model, 5)
    images = images_for((8, 8, 3))
    read = reread(model, tmp_path)
    assert_same(model, models_of(read), images)
    for network in read:
        assert [layer.kind for layer in network.architecture.layers].count("BatchNormalization") == 2


def test_weights_alone_beside_an_architecture_of_ours(tmp_path):
    read = reread(random_keras_model(4)[0], tmp_path)[0]
    plain = keras.Sequential([layers.Input((6, 6, 1)), layers.Conv2D(3, 3), layers.Flatten(), layers.Dense(4)])
    randomize(plain, 2)
    architecture = models_of(reread(plain, tmp_path))[0].architecture
    (tmp_path / "architecture.json").write_text(json.dumps(architecture.to_dict()))
    alone = read_keras(tmp_path / "model.weights.h5", architecture=tmp_path / "architecture.json")
    images = images_for((6, 6, 1))
    assert_same(plain, [alone.to_model()], images, images / np.float32(255))
    (tmp_path / "architecture.json").write_text(json.dumps(read.architecture.to_dict()))
    with pytest.raises(InterchangeError, match="the weights belong to another model"):
        read_keras(tmp_path / "model.weights.h5", architecture=tmp_path / "architecture.json")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "mixed_float16"])
def test_weights_of_other_float_types_are_read(dtype, tmp_path):
    model = keras.Sequential(
        [layers.Input((6, 5, 1), dtype="float32"), layers.Flatten(), layers.Dense(3, dtype=dtype, name="end")]
    )
    randomize(model, 2)
    expected = [np.asarray(weight, np.float32) for weight in model.get_weights()]
    model.save(tmp_path / "model.keras")
    read = read_keras(tmp_path / "model.keras")
    np.testing.assert_array_equal(read.weights["end/kernel"], expected[0])


def test_a_trained_and_compiled_model_is_read_without_its_optimizer(tmp_path):
    model = keras.Sequential([layers.Input((6, 5, 1)), layers.Dropout(0.2), layers.Flatten(), layers.Dense(3)])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    images = images_for((6, 5, 1))
    model.fit(images, np.arange(5) % 3, verbose=0)
    read = reread(model, tmp_path)
    assert_same(model, models_of(read), images, images / np.float32(255))


def test_names_that_keras_allows_are_changed_with_a_note(tmp_path):
    model = keras.Sequential(
        [
            layers.Input((6, 5, 1)),
            layers.Flatten(name="a.b"),
            layers.Dense(4, name="a_b"),
            layers.Dense(3, name="input"),
        ]
    )
    randomize(model, 2)
    images = images_for((6, 5, 1))
    read = reread(model, tmp_path)
    assert_same(model, models_of(read), images, images / np.float32(255))
    for network in read:
        assert [layer.name for layer in network.architecture.layers] == ["a_b", "a_b_1", "input_1"]
        assert any("'a.b' is called `a_b` here" in note for note in network.notes)


def test_all_unsupported_layers_are_named_together(tmp_path):
    pixels = layers.Input((12, 12, 1))
    x = layers.Lambda(lambda image: image * 2, name="doubled", output_shape=(12, 12, 1))(pixels)
    x = layers.Conv2D(4, 3, name="wide")(x)
    left, right = layers.Conv2D(2, 3, name="left")(x), layers.Conv2D(2, 3, name="right")(x)
    x = layers.Concatenate(name="joined")([left, right])
    x = layers.Conv2D(4, 3, activation="mish", name="swished")(x)
    x = layers.Flatten()(layers.ReLU(4.0, name="clipped")(x))
    model = keras.Model(pixels, layers.Dense(1, activation="sigmoid", name="single")(x))
    model.save(tmp_path / "model.keras")
    with pytest.raises(InterchangeError) as error:
        read_keras(tmp_path / "model.keras")
    for name in ("doubled", "swished", "clipped"):
        assert f"{name!r} (" in str(error.value)
    assert "Python code" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("seed", range(3))
def test_activations_and_paddings_that_stand_alone(seed, tmp_path):
    random = np.random.default_rng(seed)
    padding = ((int(random.integers(0, 3)), 2), (1, int(random.integers(0, 3))))
    model = keras.Sequential(
        [
            layers.Input((10, 9, 3)), layers.Rescaling(1 / 255), layers.ZeroPadding2D(padding),
            layers.Conv2D(4, 3, activation=layers.LeakyReLU(0.1)), layers.LeakyReLU(0.45),
            layers.PReLU("random_normal", shared_axes=(2, 1)), layers.MaxPooling2D(), layers.Activation("gelu"),
            layers.ReLU(negative_slope=0.05), layers.GlobalAveragePooling2D(),
            layers.Dense(5, activation=["relu", "hard_silu", "elu"][seed]), layers.LeakyReLU(), layers.Dense(5),
            [layers.ReLU(6), layers.ELU(), layers.Activation("silu")][seed], layers.PReLU("random_normal"),
            layers.Dense(4), layers.Softmax(),
        ]
    )  # fmt: skip
    randomize(model, seed)
    images = images_for((10, 9, 3), seed)
    read = reread(model, tmp_path)
    assert_same(model, models_of(read), images)


def test_an_activation_does_not_change_the_other_input_of_an_addition(tmp_path):
    image = layers.Input((8, 8, 2))
    x = layers.Conv2D(3, 3, padding="same")(image)
    y = layers.ReLU()(x)  # the addition reads what is before it
    y = layers.Conv2D(3, 3, padding="same")(y)
    z = layers.GlobalAveragePooling2D()(layers.Add()([x, y]))
    model = randomize(keras.Model(image, layers.Dense(3)(z)), 7)
    images = images_for((8, 8, 2))
    read = reread(model, tmp_path)
    assert_same(model, models_of(read), images, images / np.float32(255))
    for network in read:
        assert network.architecture.layers[1].kind == "Activation"


def test_layers_that_do_nothing_at_prediction_are_left_out(tmp_path):
    model = keras.Sequential(
        [
            layers.Input((12, 11, 3)), layers.RandomBrightness(0.1), layers.RandomContrast(0.1), layers.RandomFlip(),
            layers.RandomRotation(0.1), layers.RandomTranslation(0.1, 0.1), layers.RandomZoom(0.1),
            layers.Rescaling(1 / 255), layers.Conv2D(4, 3), layers.SpatialDropout2D(0.3), layers.GaussianNoise(0.1),
            layers.ReLU(), layers.GaussianDropout(0.1), layers.Flatten(), layers.AlphaDropout(0.1),
            layers.ActivityRegularization(0.1), layers.Identity(), layers.Dense(5),
        ]
    )  # fmt: skip
    randomize(model, 0)
    model.save(tmp_path / "model.keras")  # Keras 3.15 cannot write such layers as HDF5
    read = read_keras(tmp_path / "model.keras")
    assert_same(model, [read.to_model(), from_keras(model)], images_for((12, 11, 3)))
    assert [layer.kind for layer in read.architecture.layers] == ["Conv2D", "Flatten", "Dense"]
    assert sum("does nothing at prediction" in note for note in read.notes) == len(model.layers) - 5


@pytest.mark.parametrize("flattened", ["channels_first", "channels_last"])
def test_channels_first_give_the_logits_of_keras(flattened, tmp_path):
    first = {"data_format": "channels_first"}
    model = keras.Sequential(
        [
            layers.Input((3, 12, 11)), layers.Conv2D(4, 3, padding="same", **first), layers.BatchNormalization(axis=1),
            layers.ReLU(), layers.ZeroPadding2D(((1, 0), (2, 1)), **first),
            layers.DepthwiseConv2D(3, depth_multiplier=2, **first), layers.AveragePooling2D(2, **first),
            layers.Flatten(data_format=flattened), layers.Dropout(0.1), layers.Dense(6, activation="tanh"),
            layers.Dense(5),
        ]
    )  # fmt: skip
    randomize(model, 1)
    images = images_for((12, 11, 3))
    inputs = images.transpose(0, 3, 1, 2).astype(np.float32) / 255
    assert_same(model, [*models_of(reread(model, tmp_path)), from_keras(model, scaling=cs.Scaling())], images, inputs)
