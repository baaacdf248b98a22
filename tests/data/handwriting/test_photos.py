"""Pictures that were never in MNIST, rendered photos and scikit-learn's digits, classified by a small network."""

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits
from tests.photos import photograph_digit, photograph_string

from convscope.data.handwriting import STEPS, prepare

pytestmark = pytest.mark.slow

COUNT = 40


@pytest.fixture(scope="module")
def pictures(small_mnist):
    return [photograph_digit(image, seed) for seed, image in enumerate(small_mnist.test.images[:COUNT])]


def measure_accuracy(trained, pictures, labels, steps=None):
    images = np.stack([prepare(picture, 28, 28, 1, trained.handwriting, steps).image for picture in pictures])
    return float((trained.predict(images) == labels[: len(images)]).mean())


@pytest.fixture(scope="module")
def photo_accuracy(trained, small_mnist, pictures):
    """The accuracy on the photos with the usual steps of preparation."""
    return measure_accuracy(trained, pictures, small_mnist.test.labels)


def test_photographed_digits_are_read_as_well_as_those_of_the_file(trained, small_mnist, photo_accuracy):
    file_accuracy = (trained.predict(small_mnist.test.images[:COUNT]) == small_mnist.test.labels[:COUNT]).mean()
    assert file_accuracy > 0.85
    assert photo_accuracy >= file_accuracy - 2 / COUNT  # at most two photos worse


@pytest.mark.parametrize(("step", "loss"), [("polarity", 0.3), ("light", 0.1), ("crop", 0.3), ("scale", 0.1)])
def test_photos_need_the_step(trained, small_mnist, pictures, photo_accuracy, step, loss):
    other_steps = [name for name in trained.handwriting.steps if name != step]
    assert measure_accuracy(trained, pictures, small_mnist.test.labels, other_steps) < photo_accuracy - loss


def test_deslanting_reads_photos_too(trained, small_mnist, pictures):
    assert measure_accuracy(trained, pictures, small_mnist.test.labels, STEPS) > 0.7


def test_digits_of_another_data_set_are_read(reader):
    images, labels = (array[::4] for array in load_digits(return_X_y=True))  # 8 × 8 pixels with values from 0 to 16
    framed = [np.pad(np.floor(image.reshape(8, 8) * 255 / 16 + 0.5).astype(np.uint8), 1) for image in images]
    enlarged = [np.asarray(Image.fromarray(picture).resize((100, 100), Image.Resampling.BICUBIC)) for picture in framed]
    assert measure_accuracy(reader, enlarged, labels) > 0.8  # a network trained on all of MNIST has more than 0.9


def test_photos_of_one_digit_have_no_hint_but_their_polarity(trained, pictures):
    hints = [prepare(picture, 28, 28, 1, trained.handwriting).hints for picture in pictures]
    assert np.mean([hint == ("inverted",) for hint in hints]) > 0.98


def test_photos_of_two_digits_are_several(trained, small_mnist):
    pairs = [photograph_string(small_mnist.test.images[i : i + 2], i)[0] for i in range(0, 12, 2)]
    assert np.mean(["several" in prepare(pair, 28, 28, 1, trained.handwriting).hints for pair in pairs]) > 0.5
