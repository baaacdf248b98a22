"""Palettes, tiles and frames of the page's pictures."""

import numpy as np
import pytest

from convscope.base.palette import BLUE, ORANGE
from convscope.report.pixels import image_pixels, paint, picture_to_json, tile

from .conftest import picture_from_json


def test_the_signed_palette_is_clear_at_zero_and_full_at_its_ends() -> None:
    pixels = paint(np.array([[-2.0, 0.0, 2.0]]), "signed", -2, 2)
    assert pixels[0, 0].tolist() == [*BLUE, 255]
    assert pixels[0, 1, 3] == 0
    assert pixels[0, 2].tolist() == [*ORANGE, 255]


def test_an_image_of_two_channels_is_shown_as_their_mean() -> None:
    assert image_pixels(np.array([[[10, 20]]], np.uint8))[0, 0].tolist() == [15, 15, 15, 255]


def test_tiles_keep_every_pixel_of_every_picture() -> None:
    pictures = [np.full((2, 3, 4), number + 1, np.uint8) for number in range(5)]
    grid = tile(pictures, columns=2, gap=1)
    assert grid.shape == (3 * 2 + 2, 2 * 3 + 1, 4)  # three rows and two columns, with gaps of one pixel
    assert grid[0:2, 4:7].tolist() == pictures[1].tolist()
    assert grid[6:8, 0:3].tolist() == pictures[4].tolist()
    assert not grid[6:8, 4:7].any()


def test_a_frame_goes_around_a_picture_and_not_over_it() -> None:
    picture = np.full((2, 2, 4), 7, np.uint8)
    grid = tile([picture], columns=1, framed=True)
    assert grid.shape == (4, 4, 4)
    assert grid[1:3, 1:3].tolist() == picture.tolist()


@pytest.mark.parametrize("alpha", [255, 100])
def test_a_picture_survives_its_png(alpha: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 4, 4), dtype=np.uint8)
    pixels[..., 3] = alpha
    assert np.array_equal(picture_from_json(picture_to_json(pixels)), pixels)
