"""Images of a data set as enlarged pictures and strips."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from convscope.data.datasets.pictures import STRIP_GAP, image_png, strip_png


def random_images(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(png), formats=["PNG"]))


def test_a_grey_image_is_enlarged_by_a_whole_multiple():
    image = random_images(28, 28, 1)
    picture = pixels(image_png(image))
    assert picture.shape == (280, 280)
    np.testing.assert_array_equal(picture, np.kron(image[..., 0], np.ones((10, 10), dtype=np.uint8)))


@pytest.mark.parametrize("channels", [2, 4, 5])
def test_other_channels_stand_side_by_side(channels):
    image = random_images(5, 7, channels)
    picture = pixels(image_png(image, at_least=1))
    assert picture.shape == (5, 7 * channels)
    for channel in range(channels):
        np.testing.assert_array_equal(picture[:, 7 * channel : 7 * (channel + 1)], image[:, :, channel])


@pytest.mark.parametrize(
    ("image", "at_least", "message"),
    [
        (np.zeros((5, 7), dtype=np.uint8), 280, r"uint8 of shape \(5, 7\)"),
        (np.zeros((5, 7, 1)), 280, "image is float64"),
        (np.zeros((0, 7, 1), dtype=np.uint8), 280, r"of shape \(0, 7, 1\)"),
        (np.zeros((5, 7, 1), dtype=np.uint8), 0, "at_least is 0"),
    ],
)
def test_values_that_are_no_images_are_refused(image, at_least, message):
    with pytest.raises(ValueError, match=message):
        image_png(image, at_least)


def test_a_strip_shows_every_image_with_transparent_gaps():
    images = random_images(3, 28, 28, 1)
    strip = pixels(strip_png(images))
    assert strip.shape == (56, 3 * 56 + 2 * STRIP_GAP, 4)
    for index, image in enumerate(images):
        start = index * (56 + STRIP_GAP)
        np.testing.assert_array_equal(strip[::2, start : start + 56 : 2, 0], image[..., 0])
        assert (strip[:, start : start + 56, 3] == 255).all()
    assert (strip[:, 56 : 56 + STRIP_GAP, 3] == 0).all()
