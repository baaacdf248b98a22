"""The engine `keras` compared with `reference` and `native`, on the backend that KERAS_BACKEND names."""

import json
from dataclasses import replace

import numpy as np
import pytest

import convscope as cs
from convscope.architecture import Architecture, Dense, Dropout, Flatten, Input
from convscope.base.errors import DivergedError, RecipeError
from convscope.base.streams import random_stream
from convscope.cli import main
from convscope.engine import EpochOptions, Replacement, initial_weights, open_network
from convscope.engine.keras import load_keras, versions
from convscope.experiment import RunSpec
from convscope.recipes import SGD, Adam, Augmentation

pytestmark = pytest.mark.filterwarnings("default")  # warnings of the backends are not errors here

CLOSE = 5e-6
"""Tolerance for float32's rounding of outputs and gradients, relative to the largest."""

OPTIONS = {
    "Adam": EpochOptions(),
    "AdamW, class weights": EpochOptions(Adam(weight_decay=0.1), class_weights=[0.5, 3.0]),
    "SGD, weights of images": EpochOptions(SGD()),
    "SGD, smoothed labels": EpochOptions(SGD(), label_smoothing=0.2),
    "momentum, clipped": EpochOptions(SGD(momentum=0.9, weight_decay=0.05), clip_norm=0.1),
    "AdamW of kernels": EpochOptions(Adam(weight_decay=0.5, decayed="kernels")),
    "Nesterov, averaged": EpochOptions(SGD(momentum=0.9, nesterov=True), averaging=0.9),
    "augmented": EpochOptions(
        SGD(momentum=0.5), augmentation=Augmentation(shift=2, rotation=20, cutout=2), augmentation_key=2**63 + 5
    ),
}
RATES = np.array([0.01, 0.02, 0.005], np.float32)


def distance(actual, expected):
    """Return the largest difference as a share of the largest expected number."""
    return float(np.abs(np.asarray(actual, np.float64) - expected).max() / np.abs(expected).max())


def relative_distance(a, b, start):
    """Return the distance of two sets of weights, relative to the distance from `start` to `a`."""
    return np.sqrt(sum(((a[n] - b[n]) ** 2).sum() for n in a) / sum(((a[n] - start[n]) ** 2).sum() for n in a))


def make_dataset(architecture, count=70):
    stream = np.random.default_rng(4)
    images = stream.integers(0, 256, (count, *architecture.input.shape), np.uint8)
    labels = stream.integers(0, architecture.num_classes, count)
    return cs.Dataset(images, labels, tuple(f"class {k}" for k in range(architecture.num_classes)))


def epoch(network, data, options, rates=RATES, **arguments):
    order = random_stream(0, "shuffle").permutation(len(data))
    # Of 70 images, batches of 32, 32 and 6.
    return network.train_epoch(data, order=order, batch_size=32, learning_rates=rates, options=options, **arguments)


@pytest.fixture
def residual(architectures):
    return architectures["residual"]


def test_outputs_equal_the_reference(architecture, weights, images):
    keras, reference = (open_network(architecture, weights, engine) for engine in ("keras", "reference"))
    assert distance(keras.logits(images), reference.logits(images)) < CLOSE
    names = [layer.name for layer in architecture.layers]
    outputs, expected = keras.activations(images, names), reference.activations(images, names)
    assert {name: outputs[name].shape for name in names} == {name: expected[name].shape for name in names}
    assert max(distance(outputs[name], expected[name]) for name in names) < CLOSE


def test_gradients_equal_the_reference(architecture, weights, images):
    keras, reference = (open_network(architecture, weights, engine) for engine in ("keras", "reference"))
    labels = np.random.default_rng(1).integers(0, architecture.num_classes, len(images))
    (loss, gradients), (expected_loss, expected) = keras.gradients(images, labels), reference.gradients(images, labels)
    assert loss == pytest.approx(expected_loss, rel=1e-6)
    assert list(gradients) == list(expected)
    largest = max(np.abs(gradient).max() for gradient in expected.values())
    assert all(np.abs(gradients[name] - expected[name]).max() < CLOSE * largest for name in expected)


def test_gradients_by_layers_equal_the_reference(architecture, weights, images):
    keras, reference = (open_network(architecture, weights, engine) for engine in ("keras", "reference"))
    names = ["input", *(layer.name for layer in architecture.layers)]
    dlogits = np.random.default_rng(3).normal(size=(len(images), architecture.num_classes))
    gradients, expected = (network.layer_gradients(images, dlogits, names) for network in (keras, reference))
    assert max(distance(gradients[name], expected[name]) for name in names) < CLOSE


def test_ablations_are_those_of_the_reference(architecture, weights, images):
    keras, reference = (open_network(architecture, weights, engine) for engine in ("keras", "reference"))
    first, last = architecture.layers[1].name, architecture.layers[-1].name
    ablations = [
        [],
        [Replacement(first, 0, 0.5), Replacement(first, 2)],
        [Replacement(first, 1), Replacement(last, 1, -3)],
    ]
    assert distance(keras.ablation_logits(images, ablations), reference.ablation_logits(images, ablations)) < CLOSE


@pytest.mark.parametrize("name", OPTIONS)
def test_an_epoch_gives_the_result_of_the_native_engine(residual, name):
    data, start, options = make_dataset(residual), initial_weights(residual, 0), OPTIONS[name]
    if "weights" in name:
        data = replace(data, weights=np.arange(70, dtype=np.float32) % 4 / 2)
    networks = [open_network(residual, start, engine) for engine in ("keras", "native")]
    for _ in range(2):
        result, expected = (epoch(network, data, options) for network in networks)
        assert result.loss == pytest.approx(expected.loss, rel=1e-4)
        assert result.accuracy == pytest.approx(expected.accuracy, abs=1e-6)
    assert relative_distance(*(network.weights() for network in networks), start) < 2e-3
    states = [network.optimizer_state() for network in networks]
    assert states[0].keys() == states[1].keys()
    assert states[0]["step"] == states[1]["step"] == 6
    if options.averaging:
        unaveraged = [{n: state[f"unaveraged/{n}"] for n in residual.weight_shapes} for state in states]
        assert relative_distance(*unaveraged, start) < 2e-3
        averaged = networks[0].weights()
        assert relative_distance(averaged, {**averaged, **unaveraged[0]}, start) > 0.05


@pytest.mark.parametrize("name", ["Adam", "Nesterov, averaged"])
def test_training_that_goes_on_gives_the_same_bits(residual, name):
    dropping = Architecture(residual.input, (*residual.layers[:-3], Dropout(0.5), Dense(2)))
    data, options = make_dataset(dropping), OPTIONS[name]
    whole = open_network(dropping, initial_weights(dropping, 0), "keras")
    epoch(whole, data, replace(options, dropout_key=5))
    resumed = open_network(dropping, whole.weights(), "keras")
    resumed.set_optimizer_state(whole.optimizer_state())
    for network in (whole, resumed):
        epoch(network, data, replace(options, dropout_key=2**64 - 1))
    for name, weight in whole.weights().items():
        np.testing.assert_array_equal(resumed.weights()[name], weight)
    for name, value in whole.optimizer_state().items():
        np.testing.assert_array_equal(resumed.optimizer_state()[name], value)


def test_the_key_determines_the_dropped_values():
    network = Architecture(Input(6, 6), (Flatten(), Dense(40, "relu"), Dropout(0.5), Dense(3)))
    data, start = make_dataset(network, 32), initial_weights(network, 0)

    def train_steps(key):
        opened = open_network(network, start, "keras")
        epoch(opened, data, EpochOptions(SGD(), dropout_key=key), RATES[:1])
        return opened.weights()["dense_1/kernel"]

    np.testing.assert_array_equal(train_steps(7), train_steps(7))
    assert (train_steps(7) != train_steps(8)).any()
    assert (train_steps(7) != train_steps(7 + 2**40)).any()


def test_an_interrupt_leaves_the_network_as_it_was_before_the_epoch(residual):
    data, progress = make_dataset(residual), []

    def interrupt(completed, loss, accuracy):
        progress.append((completed, loss, accuracy))
        if completed == 64:
            raise KeyboardInterrupt

    networks = [open_network(residual, initial_weights(residual, 0), "keras") for _ in range(2)]
    for network in networks:
        epoch(network, data, OPTIONS["Nesterov, averaged"])
    with pytest.raises(KeyboardInterrupt):
        epoch(networks[0], data, OPTIONS["Nesterov, averaged"], progress=interrupt)
    assert [completed for completed, _, _ in progress] == [32, 64]
    for network in networks:
        epoch(network, data, OPTIONS["Nesterov, averaged"])
    for name, weight in networks[0].weights().items():
        np.testing.assert_array_equal(networks[1].weights()[name], weight)


def test_training_by_a_recipe_learns_and_says_which_engine(small_mnist):
    recipe = cs.Recipe(epochs=2, batch_size=50, class_weights="balanced", label_smoothing=0.1)
    progress = []
    model, history = cs.train(
        cs.presets.cnn, small_mnist, recipe, engine="keras", on_progress=lambda *so_far: progress.append(so_far)
    )
    native, _ = cs.train(cs.presets.cnn, small_mnist, recipe)
    assert model.provenance["engine"] == "keras"
    assert history.val_accuracy[-1] > 0.7
    assert abs(cs.evaluate(model, small_mnist.test).accuracy - cs.evaluate(native, small_mnist.test).accuracy) < 0.03
    assert progress[-1][:2] == (2, 1000)


def test_a_run_that_goes_on_ends_as_an_unbroken_one(small_mnist):
    recipe = cs.Recipe(epochs=2, batch_size=300, averaging=0.9, augmentation=Augmentation(shift=1))
    states = []
    whole, _ = cs.train(cs.presets.ann, small_mnist, recipe, engine="keras", on_epoch=states.append)
    resumed, _ = cs.train(cs.presets.ann, small_mnist, recipe, engine="keras", state=states[1])
    assert resumed.weights_sha256 == whole.weights_sha256


def test_a_run_names_its_engine_and_belongs_to_its_backend(small_folder, small_mnist, tmp_path, monkeypatch):
    out = tmp_path / "run"
    main(
        ["train", "--dataset", str(small_folder), "--engine", "keras", "--epochs", "1", "--out", str(out)],
        standalone_mode=False,
    )
    record = json.loads((out / "run.json").read_text())
    assert record["engine"] == "keras"
    assert versions().items() <= record["versions"].items()
    assert cs.load_model(out).provenance["engine"] == "keras"
    specs = [RunSpec("", cs.presets.ann(), cs.Recipe(epochs=1), 0, engine) for engine in ("keras", "native")]
    assert specs[0].digest(small_mnist) != specs[1].digest(small_mnist)
    before = specs[0].digest(small_mnist), specs[1].digest(small_mnist)
    monkeypatch.setattr("convscope.experiment.spec.backend_name", lambda: "another")
    assert specs[0].digest(small_mnist) != before[0]
    assert specs[1].digest(small_mnist) == before[1]


def test_settings_of_keras_change_nothing(architecture, weights, images):
    keras = load_keras()
    expected = open_network(architecture, weights, "keras").logits(images)
    before = keras.config.image_data_format(), keras.config.dtype_policy()
    try:
        keras.config.set_image_data_format("channels_first")
        keras.config.set_dtype_policy("mixed_bfloat16")
        np.testing.assert_array_equal(open_network(architecture, weights, "keras").logits(images), expected)
    finally:
        keras.config.set_image_data_format(before[0])
        keras.config.set_dtype_policy(before[1])


def test_the_engine_refuses_invalid_arguments(residual):
    network, data = open_network(residual, initial_weights(residual, 0), "keras"), make_dataset(residual)
    with pytest.raises(RecipeError, match="engine keras computes in float32; use engine native or precision float32"):
        open_network(residual, initial_weights(residual, 0), "keras", precision="bfloat16")
    with pytest.raises(ValueError, match="images are float64"):
        network.logits(np.zeros((2, 9, 8, 1)))
    with pytest.raises(ValueError, match="2 learning rates for 3 batches"):
        epoch(network, data, EpochOptions(), RATES[:2])
    with pytest.raises(ValueError, match="there are no images"):
        network.gradients(data.images[:0], data.labels[:0])
    state = network.optimizer_state()
    for name, value, message in (
        ("step", np.array(-1), "step is -1"),
        ("m/a/kernel", np.zeros(3), "m/a/kernel has shape"),
        ("v/a/kernel", np.full_like(state["v/a/kernel"], np.nan), "v/a/kernel holds a value that is not finite"),
        ("m/other", np.zeros(3), "m/other belongs to no layer"),
    ):
        with pytest.raises(ValueError, match=message):
            network.set_optimizer_state({**state, name: value})
    assert network.logits(data.images[:0]).shape == (0, 2)


# float32 ends at 3.4e38. Pixels of 0 to 2 times `scale` give logits and gradients of about the scale, which are finite;
# a step of SGD is 100 times a gradient, and Adam's v holds its square.
DIVERGING = {  # an optimizer, the averaging of weights, and the scale
    "dense/kernel": (SGD(100.0), 0.0, 1e37),
    "averages": (SGD(100.0), 0.9, 1e37),
    "v/dense/kernel": (Adam(), 0.0, 1e22),
}


@pytest.mark.parametrize("what", DIVERGING)
def test_training_diverges_where_the_loss_is_finite_and_another_number_is_not(what: str):
    optimizer, averaging, scale = DIVERGING[what]
    network = Architecture(Input(2, 2, scale=scale), (Flatten(), Dense(3)))
    data, recipe = make_dataset(network, 3), cs.Recipe(batch_size=3, optimizer=optimizer, averaging=averaging)
    dark = replace(data, images=data.images % 3)
    name = what.replace("averages", "dense/kernel")
    with pytest.raises(DivergedError, match=rf"diverged in epoch 1 \({name} (inf|-inf|nan)\); lower"):
        cs.train(network, dark, recipe, engine="keras")
