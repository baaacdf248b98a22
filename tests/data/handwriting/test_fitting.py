import numpy as np
import pytest

from convscope.data.handwriting.fitting import _slope, deslant
from convscope.data.handwriting.pictures import strength


def leaning(slope, ground=0, ink=255):
    picture = np.full((60, 100, 1), ground, np.uint8)
    for i in range(10, 50):
        start = 50 + round(slope * (i - 30))
        picture[i, start - 2 : start + 3] = ink
    return picture


@pytest.mark.parametrize("slope", [-0.8, -0.3, 0.2, 0.6])
def test_a_leaning_stroke_is_set_upright(slope):
    upright = deslant(leaning(slope), "light")
    assert _slope(strength(upright, "light"))[0] == pytest.approx(0, abs=0.02)
    columns = upright[..., 0].max(axis=0) > 127
    assert 5 <= columns.sum() <= 7  # the stroke is five pixels wide


def test_ink_is_moved_and_not_lost():
    picture = leaning(-0.5)
    upright = deslant(picture, "light")
    assert upright.shape[0] == 60
    assert upright.shape[1] > 100
    assert upright.sum() == pytest.approx(picture.sum(), rel=0.001)
    by_row = upright.sum(axis=(1, 2)).astype(int)
    assert np.abs(by_row - picture.sum(axis=(1, 2))).max() <= 1


def test_dark_ink_is_set_upright_on_its_ground():
    dark = deslant(leaning(0.5, 255, 0), "dark")
    assert np.abs(255 - dark.astype(int) - deslant(leaning(0.5), "light")).max() <= 1  # halves are rounded up in both


def test_it_is_at_most_45_degrees():
    picture = np.zeros((20, 90, 1), np.uint8)
    for i in range(20):
        picture[i, 4 * i : 4 * i + 8] = 255
    assert _slope(strength(picture, "light"))[0] == 1


@pytest.mark.parametrize("rows", [slice(3, 17), slice(4, 5), slice(0, 0)])
def test_what_does_not_lean_stays_as_it_is(rows):
    picture = np.zeros((20, 20, 3), np.uint8)
    picture[rows, 8:12] = 90
    assert deslant(picture, "light") is picture
