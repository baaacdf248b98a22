"""Setting leaning strokes upright."""

import numpy as np
import pytest


def leaning(slope, ground=0, ink=255):
    """Draw a stroke of 40 rows, five pixels wide, that moves by `slope` pixels a row."""
    picture = np.full((60, 100, 1), ground, np.uint8)
    for i in range(10, 50):
        start = 50 + round(slope * (i - 30))
        picture[i, start - 2 : start + 3] = ink
    return picture


@pytest.mark.parametrize("slope", [-0.8, -0.3, 0.2, 0.6])
def test_a_leaning_stroke_is_set_upright(slope, after_step):
    columns = after_step("deslant", leaning(slope))[..., 0].max(axis=0) > 127
    assert 5 <= columns.sum() <= 7  # the stroke is five pixels wide


def test_ink_is_moved_and_not_lost(after_step):
    picture = leaning(-0.5)
    upright = after_step("deslant", picture)
    assert upright.shape[0] == 60
    assert upright.shape[1] > 100
    assert upright.sum() == pytest.approx(picture.sum(), rel=0.001)
    by_row = upright.sum(axis=(1, 2)).astype(int)
    assert np.abs(by_row - picture.sum(axis=(1, 2))).max() <= 1


def test_dark_ink_is_set_upright_on_its_ground(after_step):
    dark, light = after_step("deslant", leaning(0.5, 255, 0), "dark"), after_step("deslant", leaning(0.5))
    assert np.abs(255 - dark.astype(int) - light).max() <= 1  # halves are rounded up in both


def test_a_stroke_is_turned_by_at_most_45_degrees(after_step):
    picture = np.zeros((20, 90, 1), np.uint8)
    for i in range(20):
        picture[i, 4 * i : 4 * i + 8] = 255
    upright = after_step("deslant", picture)
    assert upright.shape == (20, 90 + 2 * 10, 1)  # the first and the last row are 9.5 rows from the middle
    # The first full pixel: the margin of 10, its column before, and the shift to the right or left.
    assert [row.argmax() for row in upright[..., 0][[0, 19]]] == [10 + 0 + 10, 10 + 76 - 9]


@pytest.mark.parametrize("rows", [slice(3, 17), slice(4, 5), slice(0, 0)])
def test_an_upright_digit_is_not_changed(rows, after_step):
    picture = np.zeros((20, 20, 3), np.uint8)
    picture[rows, 8:12] = 90
    assert np.array_equal(after_step("deslant", picture), picture)
