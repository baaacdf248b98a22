import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from convscope.service.refusal import RequestRefusedError
from convscope.service.tensors import INPUT_TYPES, read_images

SHAPE = (3, 2, 2)


def images_of(count: int = 2) -> st.SearchStrategy[np.ndarray]:
    return arrays(np.uint8, (count, *SHAPE))


@given(images_of())
def test_flat_and_nested_numbers_and_whole_floats_are_the_same_images(images: np.ndarray):
    for data in (images.reshape(-1).tolist(), images.tolist(), images.astype(float).tolist()):
        assert np.array_equal(read_images(images.shape, "UINT8", data, SHAPE, 2), images)


@pytest.mark.slow
@given(images_of(), st.sampled_from(sorted(INPUT_TYPES)))
def test_bytes_of_every_type_are_the_same_images(images: np.ndarray, datatype: str):
    images = images // 2 if datatype == "INT8" else images
    data = images.astype(INPUT_TYPES[datatype]).tobytes()
    assert np.array_equal(read_images(images.shape, datatype, data, SHAPE, 2), images)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ([*[0] * 11, 256], "value 11 of images is 256.0; pixels are whole numbers from 0 to 255"),
        ([0.5, *[0] * 11], "value 0 of images is 0.5"),
        ([10**400, *[0] * 11], "far too large"),
        ([0, [0], *[0] * 10], "holds list"),
        ([[[[0, 0]] * 2] * 2], r"has the shape \(1, 2, 2, 2\)"),
        ([[[[0, [0]]] * 2] * 3], "has the shape|holds list"),
        (b"\0" * 13, "have 13 bytes, but 12 values of UINT8 have 12"),
    ],
)
def test_what_is_no_image_is_refused(data: list | bytes, reason: str):
    with pytest.raises(RequestRefusedError, match=reason):
        read_images((1, *SHAPE), "UINT8", data, SHAPE, 2)
