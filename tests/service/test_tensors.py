"""Images as tensors in the JSON of a request."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from convscope.service.refusal import RequestRefusedError
from convscope.service.tensors import read_images

SHAPE = (3, 2, 2)


def images_of(count: int = 2) -> st.SearchStrategy[np.ndarray]:
    return arrays(np.uint8, (count, *SHAPE))


@given(images_of())
def test_flat_and_nested_numbers_and_whole_floats_are_the_same_images(images: np.ndarray):
    for data in (images.reshape(-1).tolist(), images.tolist(), images.astype(float).tolist()):
        assert np.array_equal(read_images(images.shape, data, SHAPE, 2), images)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ([*[0] * 11, 256], "value 11 of images is 256.0; pixels are whole numbers from 0 to 255"),
        ([0.5, *[0] * 11], "value 0 of images is 0.5"),
        ([10**400, *[0] * 11], "far too large"),
        ([0, [0], *[0] * 10], "holds list"),
        ([[[[0, 0]] * 2] * 2], r"has the shape \(1, 2, 2, 2\)"),
        ([[[[0, [0]]] * 2] * 3], "has the shape|holds list"),
    ],
)
def test_values_that_are_not_pixels_of_that_shape_are_refused(data: list, reason: str):
    with pytest.raises(RequestRefusedError, match=reason):
        read_images((1, *SHAPE), data, SHAPE, 2)
