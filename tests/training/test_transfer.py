"""Starting a training from another model's weights: kept and new classes, other sizes, and refusals."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from tests.noise import init_model

import convscope as cs
from convscope.architecture import Conv2D, GlobalAveragePooling2D, MaxPooling2D
from convscope.base.errors import ArchitectureError

SHAPE = (12, 10, 1)
NAMES = ("a", "b", "c")
make_model = partial(init_model, seed=3)


@pytest.fixture
def model():
    return make_model(cs.presets.cnn(SHAPE, 3), NAMES)


@pytest.fixture
def convolutional():
    """A network without a dense layer: it reads images of any size."""
    layers = (Conv2D(4, (3, 3), activation="relu"), MaxPooling2D(), Conv2D(3, (3, 3)), GlobalAveragePooling2D())
    return make_model(cs.Architecture(cs.Input(*SHAPE), layers, "convolutional"), NAMES)


def random_images(shape, count=5):
    return np.random.default_rng(0).integers(0, 256, (count, *shape), np.uint8)


def test_the_same_classes_start_from_the_same_weights(model):
    start = cs.transfer(model, SHAPE, NAMES)
    assert start.architecture == model.architecture
    assert start.new_classes == ()
    assert all((start.weights[name] == weight).all() for name, weight in model.weights.items())


def test_classes_are_known_by_their_names_in_whatever_order(model):
    start = cs.transfer(model, SHAPE, ("c", "a", "b"))
    again = cs.Model(start.architecture, start.weights, ("c", "a", "b"))
    images = random_images(SHAPE)
    np.testing.assert_array_equal(again.logits(images), model.logits(images)[:, [2, 0, 1]])


def test_a_new_class_starts_at_random_and_the_others_keep_their_weights(model):
    start = cs.transfer(model, SHAPE, ("b", "new", "a", "other"), seed=5)
    assert (start.kept_classes, start.new_classes) == (("b", "a"), ("new", "other"))
    images = random_images(SHAPE)
    logits = cs.Model(start.architecture, start.weights, ("b", "new", "a", "other")).logits(images)
    np.testing.assert_allclose(logits[:, [0, 2]], model.logits(images)[:, [1, 0]], rtol=1e-5, atol=1e-6)
    others = cs.transfer(model, SHAPE, ("b", "new", "a", "other"), seed=6)
    last = model.architecture.layers[-1].name
    assert (start.weights[f"{last}/kernel"][:, 1] != others.weights[f"{last}/kernel"][:, 1]).any()
    assert all((weight == others.weights[name]).all() for name, weight in start.weights.items() if last not in name)


def test_all_outputs_may_be_new_whatever_the_classes_are_called(model):
    start = cs.transfer(model, SHAPE, NAMES, new_output=True)
    assert (start.kept_classes, start.new_classes) == ((), NAMES)
    changed = {name for name, weight in start.weights.items() if (weight != model.weights[name]).any()}
    assert changed == {f"{model.architecture.layers[-1].name}/kernel"}  # biases start at zero in both


def test_a_convolutional_network_takes_other_sizes_and_classes(convolutional):
    start = cs.transfer(convolutional, (20, 30, 1), ("b", "d"))
    assert start.architecture.input.shape == (20, 30, 1)
    logits = cs.Model(start.architecture, start.weights, ("b", "d")).logits(random_images((20, 30, 1)))
    assert logits.shape == (5, 2)
    same = cs.transfer(convolutional, SHAPE, ("b", "d"))
    images = random_images(SHAPE)
    logits = cs.Model(same.architecture, same.weights, ("b", "d")).logits(images)
    # The class "b" is the first of the new model and was the second.
    np.testing.assert_allclose(logits[:, 0], convolutional.logits(images)[:, 1], rtol=1e-5, atol=1e-6)


def test_training_continues_from_the_transferred_weights(small_mnist):
    first, history = cs.train(cs.presets.cnn, small_mnist, cs.Recipe(epochs=3))
    start = cs.transfer(first, (28, 28, 1), first.class_names)
    _, further = cs.train(start.architecture, small_mnist, cs.Recipe(epochs=1), state=start.state)
    _, fresh = cs.train(cs.presets.cnn, small_mnist, cs.Recipe(epochs=1))
    assert further.loss[0] < history.loss[2] < fresh.loss[0]


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((12, 10, 3), "the images have 3 channels, but the model needs 1"),
        ((28, 28, 1), r"images of \(28, 28, 1\) need dense/kernel of .* has"),
        ((2, 2, 1), r"cnn does not fit images of \(2, 2, 1\)"),
    ],
)
def test_transfer_refuses_images_that_the_weights_do_not_fit(model, shape, message):
    with pytest.raises(ArchitectureError, match=message):
        cs.transfer(model, shape, NAMES)


def test_transfer_refuses_unknown_output_layers(convolutional):
    layers = (Conv2D(3, (3, 3), padding="same"), cs.DepthwiseConv2D((3, 3)), GlobalAveragePooling2D())
    depthwise = make_model(replace(convolutional.architecture, layers=layers))
    with pytest.raises(ArchitectureError, match="depthwise_conv2d is part of the output"):
        cs.transfer(depthwise, SHAPE, ("a", "c"))
    layers = (Conv2D(2, (3, 3)), cs.Flatten())
    flat = make_model(cs.Architecture(cs.Input(4, 4, 1), layers), tuple("abcdefgh"))
    with pytest.raises(ArchitectureError, match="its outputs do not come from a single"):
        cs.transfer(flat, (4, 4, 1), ("a", "b", "c"))


@pytest.mark.parametrize("after", [(), (cs.BatchNormalization(),)])
def test_images_of_another_size_need_a_new_output_layer(after):
    layers = (Conv2D(4, 3), cs.Flatten(), cs.Dense(3), *after)
    source = make_model(cs.Architecture(cs.Input(8, 8), layers), ("a", "b", "c"))
    # The convolution leaves maps of 6 x 6 or 7 x 5 pixels with four channels: 144 or 140 numbers.
    message = r"images of \(9, 7, 1\) need dense/kernel of \(140, 2\), .* has \(144, 3\); use .* `new_output`, or"
    with pytest.raises(ArchitectureError, match=message):
        cs.transfer(source, (9, 7, 1), ("a", "x"))
    start = cs.transfer(source, (9, 7, 1), ("a", "x"), new_output=True)
    assert start.kept_classes == ()
    assert start.weights["dense/kernel"].shape == (140, 2)
    assert (start.weights["conv2d/kernel"] == source.weights["conv2d/kernel"]).all()
