import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from convscope.service.refusal import RequestRefusedError
from convscope.service.tensors import INPUT_TYPES, read_images, write_tensor

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


GOOD = [0] * 12


@pytest.mark.parametrize(
    ("shape", "data", "status", "reason"),
    [
        ((1, 2, 3, 2), GOOD, 400, r"shape of images is \(1, 2, 3, 2\); this model needs \(N, 3, 2, 2\)"),
        ((12,), GOOD, 400, "this model needs"),
        ((1,) * 20, GOOD, 400, "…"),
        ((0, *SHAPE), [], 400, "there are 0 images; a request may have 1 to 2"),
        ((3, *SHAPE), GOOD * 3, 413, "there are 3 images; a request may have 1 to 2"),
        (
            (1, *SHAPE),
            GOOD[1:],
            400,
            r"has the shape \(11\); nest it as its shape \(1, 3, 2, 2\) says, or send a flat list of 12",
        ),
        ((1, *SHAPE), [], 400, r"has the shape \(0\)"),
        ((1, *SHAPE), [*GOOD[1:], 256], 400, "value 11 of images is 256.0; pixels are whole numbers from 0 to 255"),
        ((1, *SHAPE), [-1, *GOOD[1:]], 400, "value 0 of images is -1.0"),
        ((1, *SHAPE), [0.5, *GOOD[1:]], 400, "value 0 of images is 0.5"),
        ((1, *SHAPE), [float("nan"), *GOOD[1:]], 400, "value 0 of images is nan"),
        ((1, *SHAPE), [10**400, *GOOD[1:]], 400, "far too large"),
        ((1, *SHAPE), ["1", *GOOD[1:]], 400, "holds str; pixels"),
        ((1, *SHAPE), [0, [0], *GOOD[2:]], 400, "holds list"),
        ((2, *SHAPE), [[[[0, 0]] * 2] * 3], 400, r"has the shape \(1, 3, 2, 2\)"),
        ((1, *SHAPE), [[[[0, 0]] * 2] * 2], 400, r"has the shape \(1, 2, 2, 2\)"),
        ((1, *SHAPE), [[[[0, 0], [0]]] * 3], 400, r"has the shape \(1, 3, 2\)|holds list"),
        ((1, *SHAPE), [[[[0, [0]]] * 2] * 3], 400, "has the shape|holds list"),
        ((1, *SHAPE), b"\0" * 13, 400, "have 13 bytes, but 12 values of UINT8 have 12"),
    ],
)
def test_what_is_no_image_is_refused(shape: tuple[int, ...], data: list | bytes, status: int, reason: str):
    with pytest.raises(RequestRefusedError, match=reason) as refused:
        read_images(shape, "UINT8", data, SHAPE, 2)
    assert refused.value.status == status


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 255.5, 1e30])
def test_bytes_that_are_no_pixels_are_refused(value: float):
    data = np.full(12, value, "<f4").tobytes()
    with pytest.raises(RequestRefusedError, match="whole numbers from 0 to 255"):
        read_images((1, *SHAPE), "FP32", data, SHAPE, 2)


@pytest.mark.parametrize(
    ("array", "datatype"),
    [
        (np.array([[0.5, 1]], np.float32), "FP32"),
        (np.array([3, 4], np.int64), "INT64"),
        (np.array([True, False]), "BOOL"),
    ],
)
def test_an_output_stands_in_the_json_or_as_bytes(array: np.ndarray, datatype: str):
    tensor, raw = write_tensor("x", array, binary=False)
    assert tensor == {"name": "x", "shape": [*array.shape], "datatype": datatype, "data": array.reshape(-1).tolist()}
    assert raw == b""
    tensor, raw = write_tensor("x", array, binary=True)
    assert tensor["parameters"] == {"binary_data_size": array.nbytes}
    assert np.array_equal(np.frombuffer(raw, array.dtype).reshape(array.shape), array)
