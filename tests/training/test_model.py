"""A model: its predictions, digest, text, copies, and the arguments that it refuses."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest
from tests.noise import init_model

import convscope.training.model
from convscope.architecture import Architecture, BatchNormalization, Conv2D, Dense, Flatten, Input, MaxPooling2D
from convscope.data.datasets import Dataset
from convscope.engine import initial_weights, open_network
from convscope.training.model import Model

NAMES = ("cat <b>", "Æ" * 60, "猫")


def make_model(**arguments):
    layers = (Conv2D(4, 3, activation="relu"), MaxPooling2D(), Flatten(), Dense(3, "softmax"))
    architecture = Architecture(Input(9, 7, 3), layers, "small")
    return Model(architecture, initial_weights(architecture, 0), NAMES, **arguments)


def images(count=20):
    return np.random.default_rng(0).integers(0, 256, (count, 9, 7, 3), dtype=np.uint8)


def test_moving_statistics_are_counted_as_non_trainable():
    model = init_model(Architecture(Input(9, 7, 3), (Flatten(), Dense(3), BatchNormalization())))
    assert "576, and 6 non-trainable" in str(model)  # 9 · 7 · 3 · 3 + 3 of the dense layer, and 3 + 3 twice
    assert "non-trainable" not in str(make_model())


# --- Predictions ------------------------------------------------------------------------------------------------------


def test_probabilities_are_the_softmax_of_the_logits():
    model = make_model()
    exponentials = np.exp(model.logits(images()).astype(np.float64))
    probabilities = model.probabilities(images())
    np.testing.assert_allclose(probabilities, exponentials / exponentials.sum(axis=1, keepdims=True), rtol=1e-12)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)


def test_calibrated_probabilities_are_the_softmax_of_the_logits_over_the_temperature():
    model = make_model(calibration={"temperature": 2.0})
    logits = model.logits(images()).astype(np.float64) / 2
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.calibrated_probabilities(images()), expected, rtol=1e-12)
    plain = make_model()
    np.testing.assert_allclose(plain.calibrated_probabilities(images()), plain.probabilities(images()), rtol=1e-6)


def test_predict_gives_the_label_with_the_largest_logit():
    model = make_model()
    predictions = model.predict(images())
    assert predictions.dtype == np.int64
    np.testing.assert_array_equal(predictions, model.logits(images()).argmax(axis=1))


def test_activations_are_those_of_all_layers_or_of_the_named_ones():
    model = make_model()
    outputs = model.activations(images())
    assert {name: output.shape for name, output in outputs.items()} == {
        "conv2d": (20, 7, 5, 4),
        "max_pooling2d": (20, 3, 2, 4),
        "flatten": (20, 24),
        "dense": (20, 3),
    }
    some = model.activations(images(), ["conv2d"])
    assert list(some) == ["conv2d"]
    np.testing.assert_array_equal(some["conv2d"], outputs["conv2d"])
    np.testing.assert_allclose(outputs["dense"], model.probabilities(images()), atol=1e-6)


def test_a_model_scales_its_images_itself():
    # Half the scale and twice the brightness give the same input.
    model = make_model()
    input_layer = replace(model.architecture.input, scale=model.architecture.input.scale / 2)
    dark = replace(model, architecture=replace(model.architecture, input=input_layer))
    dim = images() // 2
    np.testing.assert_allclose(dark.logits(dim * 2), model.logits(dim), rtol=1e-5, atol=1e-6)


def test_the_network_is_opened_once_and_when_first_needed(monkeypatch):
    opened = []

    def count(*arguments):
        opened.append(arguments)
        return open_network(*arguments, "reference")

    monkeypatch.setattr(convscope.training.model, "open_network", count)
    model = make_model()
    assert opened == []
    model.predict(images())
    model.predict(images())
    assert len(opened) == 1


# --- Digests ----------------------------------------------------------------------------------------------------------


def test_equal_weights_have_equal_digests():
    model = make_model()
    reordered = dict(reversed(model.weights.items()))
    strided = {name: np.asfortranarray(weight) for name, weight in reordered.items()}
    assert replace(model, weights=strided).weights_sha256 == model.weights_sha256
    assert replace(model, provenance={"seed": 3}).weights_sha256 == model.weights_sha256


def test_one_bit_of_one_weight_changes_the_digest():
    model = make_model()
    bias = model.weights["dense/bias"].copy()
    bias[1] = np.nextafter(bias[1], np.float32(1))
    changed = replace(model, weights={**model.weights, "dense/bias": bias})
    assert changed.weights_sha256 != model.weights_sha256


# --- Errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong_images", "message"),
    [
        (images() / 255, r"images are float64 of shape \(20, 9, 7, 3\); this model needs uint8 \(N, 9, 7, 3\)"),
        (images()[0], r"images are uint8 of shape \(9, 7, 3\); this model needs"),
        (images()[..., :1], r"images are uint8 of shape \(20, 9, 7, 1\); this model needs"),
        (images().transpose(0, 2, 1, 3), r"images are uint8 of shape \(20, 7, 9, 3\); this model needs"),
    ],
)
@pytest.mark.parametrize("method", ["logits", "probabilities", "predict", "activations"])
def test_a_model_rejects_images(method, wrong_images, message):
    with pytest.raises(ValueError, match=message):
        getattr(make_model(), method)(wrong_images)


GOOD = make_model().weights


@pytest.mark.parametrize(
    ("weights", "names", "message"),
    [
        (GOOD, NAMES[:2], "2 class names, but the network has 3 outputs"),
        ({n: w for n, w in GOOD.items() if n != "dense/bias"}, NAMES,
         r"dense/bias is missing.*needs it with shape \(3,\)"),
        ({**GOOD, "dense/bias": np.zeros(4)}, NAMES, r"dense/bias has shape \(4,\); the architecture needs \(3,\)"),
        ({**GOOD, "dense/bias": np.full(3, np.nan)}, NAMES, "dense/bias holds a value that is not finite"),
        ({**GOOD, "extra/kernel": np.zeros(4)}, NAMES, "extra/kernel belongs to no layer"),
    ],
    ids=["class names", "missing", "shape", "finite", "unknown"],
)  # fmt: skip
def test_a_model_rejects_invalid_arguments(weights, names, message):
    with pytest.raises(ValueError, match=message):
        Model(make_model().architecture, weights, names)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("a", "b"), "zoo has 2 classes, but this model has 3"),
        ((NAMES[0], NAMES[2], NAMES[1]), f"label 1 is '猫' in zoo, but '{NAMES[1]}' in this model"),
    ],
)
def test_check_classes_rejects_other_classes(names, message):
    dataset = Dataset(images(2), np.array([0, 1]), names, "zoo")
    with pytest.raises(ValueError, match=message):
        make_model().check_classes(dataset)


# --- Text, HTML and copies --------------------------------------------------------------------------------------------


def test_text_and_html_of_a_model_show_its_shapes_and_provenance():
    model = make_model(
        provenance={"dataset": "<i>cats</i>", "num_images": 60000, "recipe": {"name": "classic"}, "seed": 0}
    )
    for fact in ("9 × 7 × 3", "3 classes", "60,000", "classic", model.weights_sha256):
        assert fact in str(model)
        assert fact in model._repr_html_()
    assert "<i>" not in model._repr_html_()
    assert "<b>" not in model._repr_html_()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_of_a_model_with_an_open_network_gives_the_same_logits(copied):
    model = make_model(provenance={"seed": 0}, calibration={"temperature": 2.0})
    logits = model.logits(images())
    duplicate = copied(model)
    assert "network" not in vars(duplicate)
    np.testing.assert_array_equal(duplicate.logits(images()), logits)
    assert (duplicate.provenance, duplicate.calibration, duplicate.weights_sha256) == (
        {"seed": 0}, {"temperature": 2.0}, model.weights_sha256
    )  # fmt: skip


def test_weights_and_digest_of_a_model_are_read_only():
    network = make_model().architecture
    weights = {name: np.ones(shape, np.float32) for name, shape in network.weight_shapes.items()}
    model = Model(network, weights, NAMES)
    digest = model.weights_sha256
    for changed in (model, pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        with pytest.raises(ValueError, match="read-only"):
            changed.weights["dense/kernel"][...] = 0
        with pytest.raises(TypeError, match="item assignment"):
            changed.weights["dense/kernel"] = weights["dense/kernel"]
        assert changed.weights_sha256 == digest
    weights["dense/kernel"][...] = 0  # the caller's own array, which stays writable
    assert (model.weights["dense/kernel"] == 1).all()
    view = weights["dense/kernel"][:]
    view.flags.writeable = False
    shared = replace(model, weights={**model.weights, "dense/kernel": view})
    weights["dense/kernel"][...] = 5
    assert not shared.weights["dense/kernel"].any()
    assert replace(model, provenance={}).weights["dense/bias"] is model.weights["dense/bias"]
