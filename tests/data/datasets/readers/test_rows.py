"""The shape of images and the columns of a table of pixels."""

import pytest

from convscope.data.datasets.readers.rows import RowLayout, is_pixel_name, layout_of, row_shape


@pytest.mark.parametrize(
    ("number", "size", "shape"),
    [
        (784, None, (28, 28, 1)),
        (1, None, (1, 1, 1)),
        (4096, None, (64, 64, 1)),
        (3 * 32 * 32, None, (32, 32, 3)),
        (3, None, (1, 1, 3)),
        (54, (6, 9), (6, 9, 1)),
        (54, (9, 6), (9, 6, 1)),
        (108, (6, 9), (6, 9, 2)),
        (216, (6, 9), (6, 9, 4)),
    ],
)
def test_the_number_of_pixels_tells_the_shape(number, size, shape):
    assert row_shape(number, size) == shape


@pytest.mark.parametrize("name", ["pixel0", "pixel_783", "px12", "7", "x3", "1x28", "pixel3x4", "p 3", "0,1", "px1_2"])
def test_names_of_pixels_are_known(name):
    assert is_pixel_name(name)


@pytest.mark.parametrize("name", ["label", "", "file", "pixel", "a1b", "0.5"])
def test_unknown_names_give_none(name):
    assert not is_pixel_name(name)


@pytest.mark.parametrize(
    ("names", "layout"),
    [
        (("label", "pixel0", "pixel1"), RowLayout(0, (1, 2))),
        (("pixel0", "pixel1", "label"), RowLayout(2, (0, 1))),
        (("", "Label", "pixel0", "pixel1"), RowLayout(1, (2, 3))),
        (("id", "0", "1", "species"), RowLayout(3, (1, 2))),
        (("pixel0", "pixel1"), RowLayout(None, (0, 1))),
        (("label", "1x1", "1x2", "2x1", "2x2"), RowLayout(0, (1, 2, 3, 4))),
    ],
)
def test_names_tell_the_columns(names, layout):
    assert layout_of(names) == layout
