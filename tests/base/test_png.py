"""PNG bytes of arrays, read back with Pillow."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from convscope.base.png import encode_png


@pytest.mark.parametrize(("shape", "mode"), [((5, 7), "L"), ((5, 7, 1), "L"), ((5, 7, 3), "RGB"), ((5, 7, 4), "RGBA")])
def test_a_picture_is_read_back_unchanged_in_the_mode_of_its_channels(shape, mode):
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    with Image.open(BytesIO(encode_png(pixels, compress_level=1)), formats=["PNG"]) as picture:
        assert picture.mode == mode
        np.testing.assert_array_equal(np.asarray(picture).reshape(shape), pixels)
