"""How a picture is prepared for a model, by its record or by its data."""

import numpy as np
import pytest

from convscope.architecture import presets
from convscope.data.handwriting import Handwriting, handwriting_of, prepare
from convscope.engine import initial_weights
from convscope.prediction import is_as_made, preparation_of
from convscope.training.model import Model

MNIST_LIKE = Handwriting("light", 20)


def make_model(shape=(28, 28, 1), **more):
    network = presets.ann(shape, 3)
    return Model(network, initial_weights(network, 0), ("a", "b", "c"), **more)


def stroke(size=28, height=20, dark=False):
    """Draw an upright stroke in the middle of a square image, light on black or dark on white."""
    image = np.zeros((size, size, 1), np.uint8)
    top = (size - height) // 2
    image[top : top + height, size // 2 - 2 : size // 2 + 2] = 255
    return 255 - image if dark else image


def test_the_handwriting_of_a_model_is_used_for_preparation():
    known = preparation_of(make_model(handwriting=MNIST_LIKE))
    assert known.handwriting == MNIST_LIKE
    assert not known.is_assumed


@pytest.mark.parametrize(
    ("shape", "name", "centre", "target"),
    [
        ((28, 28, 1), "mnist", True, 20),
        ((14, 14, 1), "EMNIST letters", True, 10),
        ((28, 28, 1), "fashion-mnist", False, 20),
        ((28, 28, 1), "medmnist:path", False, 20),
        ((32, 32, 3), "mnist in colours", False, 23),
        ((28, 28, 1), None, False, 20),
    ],
)
def test_unknown_preparation_is_inferred_from_the_data_set(shape, name, centre, target):
    """Check that names of digits and letters mean centred ones, as large as in MNIST: 20 of 28 pixels."""
    preparation = preparation_of(make_model(shape, provenance={} if name is None else {"dataset": name}))
    assert preparation.is_assumed
    assert preparation.handwriting == Handwriting("light", target, centre=centre)


def test_images_of_the_data_set_are_as_made(mnist):
    images = mnist.test.images[:500]
    handwriting = handwriting_of(mnist.train.images[:1000])
    assert np.mean([is_as_made(image, (28, 28, 1), handwriting) for image in images]) >= 0.995


def test_prepared_images_need_no_preparation():
    picture = np.full((90, 120), 250, np.uint8)
    picture[20:60, 30:36] = 10
    image = prepare(picture, 28, 28, 1, MNIST_LIKE).image
    assert is_as_made(image, (28, 28, 1), MNIST_LIKE)


def test_dark_ink_needs_no_inversion_for_a_data_set_with_dark_ink():
    assert is_as_made(stroke(dark=True), (28, 28, 1), Handwriting("dark", 20))


@pytest.mark.parametrize(
    "picture",
    [
        stroke(dark=True), stroke(32), stroke(height=14), np.roll(stroke(), 3, axis=0), np.roll(stroke(), -3, axis=1),
        np.maximum(stroke(), 40), np.zeros((28, 28, 1), np.uint8), stroke().repeat(3, axis=2),
    ],
    ids=["dark", "of another size", "small", "low", "left", "on grey", "empty", "in colours"],
)  # fmt: skip
def test_pictures_unlike_the_images_of_the_data_set_need_preparation(picture):
    assert is_as_made(stroke(), (28, 28, 1), MNIST_LIKE)
    assert not is_as_made(picture, (28, 28, 1), MNIST_LIKE)


def test_a_picture_of_the_image_size_needs_no_preparation_without_centring():
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    plain = Handwriting("light", 20, centre=False)
    assert is_as_made(noise, (32, 32, 3), plain)
    assert is_as_made(noise[..., :1], (32, 32, 3), plain)
    assert not is_as_made(noise[:31], (32, 32, 3), plain)
    assert not is_as_made(noise, (32, 32, 1), plain)
