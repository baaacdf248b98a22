"""The random numbers of corruptions, and shot and impulse noise."""

import numpy as np
from scipy.stats import norm, poisson

from convscope.evidence.robustness.noise import impulse_noise, normals, shot_noise, uniforms


def test_the_numbers_of_an_image_do_not_depend_on_other_images():
    whole = uniforms(3, "fog", np.arange(40), 7)
    for indices in ([0], [39, 5, 5], [12, 13, 14]):
        np.testing.assert_array_equal(uniforms(3, "fog", np.array(indices), 7), whole[indices])


def test_the_numbers_form_one_stream_without_a_gap():
    numbers = uniforms(3, "fog", np.arange(2000), 5)
    assert len(np.unique(numbers)) == numbers.size
    assert abs(numbers.mean() - 0.5) < 4 / np.sqrt(12 * numbers.size)  # four standard errors
    assert abs(np.corrcoef(numbers[:-1, -1], numbers[1:, 0])[0, 1]) < 4 / np.sqrt(len(numbers))  # the same


def test_other_seeds_and_purposes_give_other_numbers():
    first = uniforms(0, "fog", np.arange(3), 4)
    assert not np.isin(first, uniforms(1, "fog", np.arange(3), 4)).any()
    assert not np.isin(first, uniforms(0, "mud", np.arange(3), 4)).any()


def test_normal_numbers_are_the_quantiles_of_chances_and_finite():
    chances = np.array([0.0, 1e-9, 0.025, 0.5, 0.9])
    np.testing.assert_allclose(normals(chances)[1:], norm.ppf(chances[1:]), rtol=1e-12)
    assert np.isfinite(normals(chances)).all()


def make_uniform(count):
    """Return a function that draws (count, n) random numbers."""
    return lambda numbers: uniforms(0, "test", np.arange(count), numbers)


def test_shot_noise_counts_photons_by_the_inverse_poisson_distribution():
    images = np.tile(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), (30, 1, 1, 1))  # all grey levels, 30 times
    uniform = make_uniform(30)
    for photons in (60, 3):
        counts = poisson.ppf(uniform(256).reshape(images.shape), images * (photons / 255))
        # Where the mean is zero, scipy's inverse is -1 at a chance of 0 only.
        np.testing.assert_allclose(shot_noise(images, photons, uniform), counts * (255 / photons), atol=1e-9)


def test_impulse_noise_replaces_its_share_of_pixels_half_by_white():
    images = np.full((100, 20, 20, 1), 100, np.uint8)
    noisy = impulse_noise(images, 0.17, make_uniform(100))
    assert set(np.unique(noisy)) == {0, 100, 255}
    for value in (0, 255):
        share = (noisy == value).mean()
        assert abs(share - 0.085) < 4 * np.sqrt(0.085 * 0.915 / noisy.size)  # four standard errors
