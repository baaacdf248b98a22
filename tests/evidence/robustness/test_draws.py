import numpy as np
from scipy.stats import norm

from convscope.evidence.robustness.draws import normals, uniforms


def test_an_images_numbers_do_not_depend_on_the_images_beside_it():
    whole = uniforms(3, "fog", np.arange(40), 7)
    for indices in ([0], [39, 5, 5], [12, 13, 14]):
        np.testing.assert_array_equal(uniforms(3, "fog", np.array(indices), 7), whole[indices])


def test_the_numbers_are_those_of_one_stream_without_a_gap():
    numbers = uniforms(3, "fog", np.arange(2000), 5)
    assert len(np.unique(numbers)) == numbers.size
    assert abs(numbers.mean() - 0.5) < 4 / np.sqrt(12 * numbers.size)
    assert abs(np.corrcoef(numbers[:-1, -1], numbers[1:, 0])[0, 1]) < 4 / np.sqrt(len(numbers))


def test_other_seeds_and_purposes_give_other_numbers():
    first = uniforms(0, "fog", np.arange(3), 4)
    assert not np.isin(first, uniforms(1, "fog", np.arange(3), 4)).any()
    assert not np.isin(first, uniforms(0, "mud", np.arange(3), 4)).any()


def test_normal_numbers_are_the_quantiles():
    chances = np.array([0.0, 1e-9, 0.025, 0.5, 0.9])
    np.testing.assert_allclose(normals(chances)[1:], norm.ppf(chances[1:]), rtol=1e-12)
    assert np.isfinite(normals(chances)).all()
