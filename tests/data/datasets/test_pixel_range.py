"""Pixels of any range as bytes."""

import numpy as np
import pytest

from convscope.data.datasets.pixel_range import learn_range

BYTES = np.arange(256, dtype=np.uint8).reshape(64, 4)


def convert_to_bytes(rows, channels=None):
    return learn_range(rows, channels).to_bytes(rows)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int16, np.int64])
def test_images_of_0_to_255_are_the_same_bytes_in_any_type(dtype):
    np.testing.assert_array_equal(convert_to_bytes(BYTES.astype(dtype), 1), BYTES)


@pytest.mark.parametrize(("scale", "offset"), [(1 / 255, 0.0), (2 / 255, -1.0)])
def test_images_of_0_to_1_and_of_minus_1_to_1_are_the_bytes_they_were(scale, offset):
    np.testing.assert_array_equal(convert_to_bytes(BYTES * scale + offset, 1), BYTES)


@pytest.mark.parametrize(
    ("lowest", "highest", "range_"),
    [
        (0, 200, (0, 255)),
        (30, 200, (0, 255)),
        (0, 16, (0, 16)),  # as scikit-learn's digits
        (0, 0.9, (0, 1)),
        (0, 0.3, (0, 0.3)),
        (-0.9, 0.8, (-1, 1)),
        (0, 1, (0, 1)),
        (-3.5, 2, (-3.5, 2)),
        (0, 256, (0, 256)),
        (5, 5, (5, 5)),
        (-1, -1, (-1, -1)),
    ],
)
def test_the_pixel_range_is_a_usual_one_or_that_of_the_images(lowest, highest, range_):
    learned = learn_range(np.array([[lowest, highest]], np.float64), 1)
    assert (learned.low.tolist(), learned.high.tolist()) == ([range_[0]] * 2, [range_[1]] * 2)


def test_each_channel_of_images_and_each_column_of_a_table_has_its_range():
    rows = np.array([[0, 1000, 5, 3000], [2, 1000, 3, 2000]], np.float64)
    by_channel, by_column = learn_range(rows, 2), learn_range(rows, None)  # columns 0 and 2 are channel 0
    assert (by_channel.low.tolist(), by_channel.high.tolist()) == ([0, 1000, 0, 1000], [5, 3000, 5, 3000])
    assert (by_column.low.tolist(), by_column.high.tolist()) == ([0, 1000, 3, 2000], [2, 1000, 5, 3000])


def test_a_range_is_linear_and_cuts_off_what_lies_beyond():
    learned = learn_range(np.array([[-10.0], [30.0]]), None)
    values = np.array([[-np.finfo(float).max], [-10], [0], [10], [29.9], [30], [31], [np.finfo(float).max]])
    assert learned.to_bytes(values)[:, 0].tolist() == [0, 0, 64, 128, 254, 255, 255, 255]


def test_the_whole_range_of_float64_has_256_levels():
    largest = np.finfo(np.float64).max
    rows = np.linspace(-1, 1, 256)[:, None] * largest
    assert convert_to_bytes(rows)[:, 0].tolist() == list(range(256))


def test_rows_do_not_depend_on_the_number_of_blocks():
    rows = np.random.default_rng(0).normal(size=(3000, 3))
    learned = learn_range(rows, None)
    np.testing.assert_array_equal(learned.to_bytes(rows), np.concatenate([learned.to_bytes(row[None]) for row in rows]))
    expected = np.rint((rows - rows.min(0)) / np.ptp(rows, axis=0) * 255)
    assert np.abs(learned.to_bytes(rows) - expected).max() <= 1  # halves may round either way
    assert (learned.to_bytes(rows) != expected).mean() < 0.001
