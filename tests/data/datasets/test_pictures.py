"""Images of a data set as a strip of pictures."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from convscope.data.datasets.pictures import STRIP_GAP, strip_png


def random_images(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(png), formats=["PNG"]))


@pytest.mark.parametrize("channels", [2, 4, 5])
def test_other_channels_stand_side_by_side(channels):
    image = random_images(5, 4, channels)
    picture = pixels(strip_png(image[np.newaxis]))[::11, ::11, 0]  # 55 of at most 56 pixels for 5 rows
    assert picture.shape == (5, 4 * channels)
    for channel in range(channels):
        np.testing.assert_array_equal(picture[:, 4 * channel : 4 * (channel + 1)], image[:, :, channel])


def test_a_strip_shows_every_image_with_transparent_gaps():
    images = random_images(3, 28, 28, 1)
    strip = pixels(strip_png(images))
    assert strip.shape == (56, 3 * 56 + 2 * STRIP_GAP, 4)
    for index, image in enumerate(images):
        start = index * (56 + STRIP_GAP)
        np.testing.assert_array_equal(strip[::2, start : start + 56 : 2, 0], image[..., 0])
        assert (strip[:, start : start + 56, 3] == 255).all()
    assert (strip[:, 56 : 56 + STRIP_GAP, 3] == 0).all()
