"""Fog and splatter."""

import numpy as np
from scipy.stats import norm

from convscope.evidence.robustness.weather import fog, spatter


def random_numbers(count):
    """Return a function that draws (count, n) random numbers."""
    stream = np.random.default_rng(0)
    return lambda numbers: stream.random((count, numbers))


def test_even_fog_mixes_the_image_with_one_grey():
    images = np.random.default_rng(1).integers(0, 256, (2, 13, 13, 1)).astype(np.uint8)
    foggy = fog(images, (3.0, 0.5), lambda numbers: np.full((2, numbers), 0.6))
    np.testing.assert_allclose(foggy, (images + 3 * 255 * 0.6) / (1 + 3), rtol=1e-5)


def test_fog_is_smooth_where_small_clouds_are_faint():
    def roughness(ratio):
        clouds = fog(np.zeros((20, 28, 28, 1), np.uint8), (1.0, ratio), random_numbers(20))
        return np.abs(np.diff(clouds, axis=1)).mean() / clouds.std()

    assert roughness(0.25) < roughness(0.5) < roughness(1.0)


def test_mud_is_one_dark_grey_and_covers_or_leaves_the_image():
    images = np.full((30, 28, 28, 1), 200, np.uint8)
    dirty = spatter(images, (1.0, 0.0, 1.5), random_numbers(30))
    faintest = 0.8 * 63 + 0.2 * 200  # the mud has the grey level 63 and an opacity from 0.8
    assert ((dirty == 200) | ((dirty >= 63) & (dirty <= faintest + 0.01))).all()
    assert 0.02 < (dirty < 200).mean() < 0.3


def test_there_is_as_much_liquid_as_the_level_says():
    images = np.full((200, 20, 20, 1), 255, np.uint8)
    for level in (-0.5, 1.0):
        # With edges that are hardly smoothed, mud is exactly where the liquid is above the level.
        share = (spatter(images, (1.5, level, 1e-3), random_numbers(200)) < 255).mean()
        assert abs(share - norm.sf(level)) < 0.03


def test_mud_leaves_black_no_darker_and_lies_in_all_channels():
    dirty = spatter(np.zeros((5, 16, 16, 3), np.uint8), (1.0, -0.5, 1.5), random_numbers(5))
    assert dirty.min() == 0
    assert dirty.max() <= 63.01
    np.testing.assert_array_equal(dirty[..., 0], dirty[..., 1])
