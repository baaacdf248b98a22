"""Gradients with respect to images and layer outputs: `reference` is compared with finite differences."""

from dataclasses import replace

import numpy as np
import pytest
from tests.noise import random_dataset

from convscope.architecture import Architecture, Dense, Dropout, Flatten, Input, presets
from convscope.engine import initial_weights, open_network, reference_passes
from convscope.engine.loss import cross_entropy_backward, dlogits_of_logit, dlogits_of_loss
from convscope.engine.native import NativeNetwork
from convscope.engine.reference import ReferenceNetwork

from .epochs import assert_same_bits, train

ENGINES = ["native", "reference"]


def random_dlogits(architecture, count):
    return np.random.default_rng(5).normal(size=(count, architecture.num_classes))


def list_names(architecture):
    return ["input", *(layer.name for layer in architecture.layers)]


def test_the_references_gradients_agree_with_finite_differences(architecture, weights, images, monkeypatch):
    # Layers' outputs are moved by `offsets`; a first layer that does nothing makes this possible for the image too.
    first = Dropout(0.0, name="image")
    images = images[:2]
    layers = (
        replace(layer, from_layer="image") if getattr(layer, "from_layer", "") == "input" else layer
        for layer in architecture.layers
    )
    network = ReferenceNetwork(replace(architecture, layers=(first, *layers)), weights)
    dlogits = random_dlogits(architecture, len(images))
    offsets = {}
    monkeypatch.setattr(reference_passes, "_ablate", lambda y, layer, _: y + offsets.get(layer.name, 0.0))
    gradients = network.layer_gradients(images, dlogits, ["input", "image", *list_names(architecture)[1:]])
    np.testing.assert_array_equal(gradients["input"], gradients["image"])

    def sum_weighted_logits(name, index, step):
        offsets[name] = np.zeros(gradients[name].shape)
        offsets[name][index] = step
        value = (network._forward(images)[-1] * dlogits).sum()
        del offsets[name]
        return value

    stream, few = np.random.default_rng(6), []
    for row in network.architecture.table:
        name, num_compared = row.layer.name, 0
        assert gradients[name].shape == (2, *row.output_shape)
        for _ in range(20):
            index = tuple(stream.integers(size) for size in gradients[name].shape)
            below, here, above = (sum_weighted_logits(name, index, step) for step in (-1e-6, 0.0, 1e-6))
            is_smooth = (above - here) == pytest.approx(here - below, rel=1e-4, abs=1e-13)
            if is_smooth:  # no kink of a relu and no tie of a pooling lies between the steps
                num_compared += 1
                assert gradients[name][index] == pytest.approx((above - below) / 2e-6, rel=1e-5, abs=1e-8)
            if num_compared == 5:
                break
        if num_compared < 3:
            few.append(name)
    assert len(few) <= 2, few  # a layer whose outputs are all 0 may lie at the kink of a relu everywhere


@pytest.mark.parametrize("engine", ENGINES)
def test_the_gradients_with_respect_to_the_logits_are_those_passed_in(architecture, weights, images, engine):
    network, last = open_network(architecture, weights, engine), architecture.layers[-1].name
    dlogits = random_dlogits(architecture, len(images)).astype(np.float32)
    np.testing.assert_array_equal(network.layer_gradients(images, dlogits, [last])[last], dlogits)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_gradient_of_an_image_does_not_depend_on_other_images(architecture, weights, images, engine):
    network, names = open_network(architecture, weights, engine), list_names(architecture)
    dlogits = random_dlogits(architecture, len(images))
    together = network.layer_gradients(images, dlogits, names)
    alone = network.layer_gradients(images[3:4], dlogits[3:4], names)
    tolerance = 0 if engine == "native" else 1e-13
    for name in names:
        np.testing.assert_allclose(together[name][3:4], alone[name], rtol=tolerance, atol=tolerance)


def test_gradients_are_the_same_bits_on_any_number_of_threads(architecture, weights, images):
    dlogits, names = random_dlogits(architecture, len(images)), list_names(architecture)
    expected = NativeNetwork(architecture, weights, 1).layer_gradients(images, dlogits, names)
    for threads in (2, 3):
        gradients = NativeNetwork(architecture, weights, threads).layer_gradients(images, dlogits, names)
        assert_same_bits(gradients, expected)


def test_the_gradient_of_the_last_kernel_follows_from_that_of_its_layer(small_mnist):
    architecture = presets.cnn()
    network = NativeNetwork(architecture, initial_weights(architecture, 0))
    images, labels = small_mnist.test.images[:50], small_mnist.test.labels[:50]
    inputs = network.activations(images, ["dense"])["dense"].astype(np.float64)
    dlogits = dlogits_of_loss(network.logits(images), labels)
    by_layer = network.layer_gradients(images, dlogits, ["dense_1"])["dense_1"]
    _, by_weight = network.gradients(images, labels.astype(np.int64))
    np.testing.assert_allclose(inputs.T @ by_layer / 50, by_weight["dense_1/kernel"], atol=1e-6)


def test_layer_gradients_do_not_change_training_and_use_the_trained_weights(architecture, weights):
    # The backward pass to every layer reads copies of the weights that training alone would not keep.
    dataset = random_dataset(40, architecture.input.shape, architecture.num_classes)
    images = dataset.images
    dlogits, names = random_dlogits(architecture, 40), list_names(architecture)
    examined, plain = NativeNetwork(architecture, weights, 2), NativeNetwork(architecture, weights, 2)
    for layers in (["input"], names):
        examined.layer_gradients(images, dlogits, layers)
    train(examined, dataset, 16)
    train(plain, dataset, 16)
    assert_same_bits(examined.weights(), plain.weights())
    fresh = NativeNetwork(architecture, examined.weights())
    for layers in (["input"], names):
        assert_same_bits(*(network.layer_gradients(images, dlogits, layers) for network in (examined, fresh)))


@pytest.mark.parametrize("engine", ENGINES)
def test_no_images_and_no_layers_give_nothing(engine):
    architecture = presets.cnn()
    network = open_network(architecture, initial_weights(architecture, 0), engine)
    none = np.empty((0, 28, 28, 1), np.uint8)
    gradients = network.layer_gradients(none, np.empty((0, 10)), ["input", "conv2d"])
    assert [value.shape for value in gradients.values()] == [(0, 28, 28, 1), (0, 26, 26, 16)]
    assert network.layer_gradients(np.zeros((2, 28, 28, 1), np.uint8), np.zeros((2, 10)), []) == {}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("dlogits", "layers", "error", "message"),
    [
        (np.zeros((2, 3)), ["input"], ValueError, r"dlogits have shape \(2, 3\); they must be \(2, 4\)"),
        (np.zeros((1, 4)), ["input"], ValueError, r"dlogits have shape \(1, 4\); they must be \(2, 4\)"),
        (np.full((2, 4), np.nan), ["input"], ValueError, "dlogits hold a value that is not finite"),
        (np.zeros((2, 4)), ["conv2d"], KeyError, "no layer 'conv2d'; the layers are flatten, dense"),
    ],
)
def test_layer_gradients_reject_invalid_arguments(engine, dlogits, layers, error, message):
    architecture = Architecture(Input(3, 3), (Flatten(), Dense(4)))
    network = open_network(architecture, initial_weights(architecture, 0), engine)
    with pytest.raises(error, match=message):
        network.layer_gradients(np.zeros((2, 3, 3, 1), np.uint8), dlogits, layers)


def test_dlogits_of_a_logit_are_one_at_its_class():
    np.testing.assert_array_equal(dlogits_of_logit(np.array([2, 0]), 3), [[0, 0, 1], [1, 0, 0]])


def test_dlogits_of_the_loss_equal_those_of_single_images():
    logits, labels = np.random.default_rng(0).normal(size=(5, 3)), np.array([0, 2, 1, 1, 0])
    np.testing.assert_allclose(dlogits_of_loss(logits, labels), 5 * cross_entropy_backward(logits, labels), rtol=1e-14)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.array([0, 3]), "labels run from 0 to 3; they must be from 0 to 2"),
        (np.array([-1, 0]), "labels run from -1 to 0"),
        (np.array([0.0, 1.0]), "labels are float64"),
        (np.array([0]), r"labels have shape \(1,\) for logits of shape \(2, 3\)"),
    ],
)
def test_dlogits_of_the_loss_reject_invalid_arguments(labels, message):
    with pytest.raises(ValueError, match=message):
        dlogits_of_loss(np.zeros((2, 3)), labels)


def test_dlogits_of_a_logit_reject_an_invalid_label():
    with pytest.raises(ValueError, match="labels run from 3 to 3"):
        dlogits_of_logit(np.array([3]), 3)
