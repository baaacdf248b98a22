"""Images as rows of pixels, and rows as images."""

import numpy as np
import pytest

from convscope.data.datasets.image_rows import as_rows, image_shape_of


@pytest.mark.parametrize("shape", [(5, 4, 3), (5, 4, 3, 2), (0, 4, 3, 1)])
def test_images_become_rows_in_the_order_row_column_channel(shape):
    images = np.arange(np.prod(shape)).reshape(shape)
    rows, shown = as_rows(images)
    assert shown == (*shape[1:], 1)[:3]
    np.testing.assert_array_equal(rows, images.reshape(shape[0], np.prod(shape[1:])))


@pytest.mark.parametrize(
    ("num_features", "wanted", "shape"),
    [
        (1, None, (1, 1, 1)),
        (784, None, (28, 28, 1)),
        (30, None, (1, 30, 1)),
        (4095, None, (1, 4095, 1)),
        (10000, None, (100, 100, 1)),
        (64, (4, 16), (4, 16, 1)),
        (48, [4, 4, 3], (4, 4, 3)),
        (48, np.array([1, 16, 3]), (1, 16, 3)),
    ],
)
def test_rows_are_square_images_or_images_of_one_row_unless_a_shape_is_stated(num_features, wanted, shape):
    assert image_shape_of(num_features, None, wanted) == shape


@pytest.mark.parametrize(
    ("num_features", "shown", "wanted", "message"),
    [
        (64, None, (8,), "image_shape is"),
        (64, None, (8, 8, 1, 1), "whole numbers above 0"),
        (64, None, (8.0, 8), "whole numbers above 0"),
        (64, None, (-8, -8), "whole numbers above 0"),
        (64, None, (8, 9), "which has 72 numbers, but X has 64 features"),
        (64, (8, 8, 1), (4, 16), r"but the images in X are \(8, 8, 1\)"),
        (5000, None, None, "X has 5000 features"),
    ],
)
def test_an_impossible_shape_is_refused(num_features, shown, wanted, message):
    with pytest.raises(ValueError, match=message):
        image_shape_of(num_features, shown, wanted)
