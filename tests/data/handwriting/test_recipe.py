"""How a data set's images were prepared, read off the images."""

import numpy as np
import pytest
from msgspec import ValidationError, convert

from convscope.data.handwriting import Handwriting, handwriting_of

MNIST = Handwriting("light", target=20)


def on_ground(shape, boxes):
    picture = np.zeros(shape, np.uint8)
    for top, bottom, left, right in boxes:
        picture[top:bottom, left:right] = 255
    return picture


def test_mnist_is_light_ink_of_20_pixels_in_the_middle(mnist):
    assert handwriting_of(mnist.train.images) == MNIST


def test_inverted_mnist_is_dark_ink(mnist):
    assert handwriting_of(255 - mnist.train.images[:500]) == Handwriting("dark", target=20)


@pytest.mark.parametrize("kind", ["busy", "in the corner", "blank"])
def test_images_that_are_no_centred_handwriting_are_only_resized(kind):
    images = np.zeros((6, 28, 28, 3), np.uint8)
    if kind == "busy":
        images[:] = np.random.default_rng(0).integers(0, 256, images.shape)
    elif kind == "in the corner":
        images[:, 2:8, 2:8] = 255
    handwriting = handwriting_of(images)
    assert (handwriting.target, handwriting.centre, handwriting.steps) == (20, False, ())


@pytest.mark.parametrize("change", [{"ink": "blue"}, {"target": 0}, {"threshold": 1.0}, {"centre": "yes"}])
def test_bad_handwriting_is_refused_by_name(change):
    with pytest.raises(ValidationError, match=rf"at `\$\.{next(iter(change))}`"):
        convert({**MNIST.to_dict(), **change}, Handwriting)
