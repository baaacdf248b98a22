import numpy as np

from convscope.robustness.blurs import glass_blur, motion_blur, shuffle


def constant(value, count):
    """Return random numbers that are all `value`."""
    return lambda numbers: np.full((count, numbers), value)


def test_pixels_that_change_places_stay_the_same_pixels():
    images = np.random.default_rng(0).normal(size=(5, 9, 7, 3))
    chances = np.random.default_rng(1).random((5, 2, 63))
    shuffled = shuffle(images, 2, chances)
    assert (shuffled != images).any()
    for before, after in zip(images.reshape(5, 63, 3), shuffled.reshape(5, 63, 3), strict=True):
        assert sorted(map(tuple, before)) == sorted(map(tuple, after))


def test_a_pixel_changes_places_with_the_one_that_its_number_names():
    images = np.arange(4.0).reshape(1, 1, 4, 1)
    # Reach 1 has nine places; above a half, number 5 of 0 to 8 is the next pixel to the right.
    chances = np.array([[[0.5 + 5.5 / 18, 0.2, 0.49, 0.0]]])
    assert shuffle(images, 1, chances).ravel().tolist() == [1, 0, 2, 3]
    # One after the other: the first pixel is handed on to the end, where it stays.
    assert shuffle(images, 1, np.full((1, 1, 4), 0.5 + 5.5 / 18)).ravel().tolist() == [1, 2, 3, 0]


def test_a_number_below_a_half_leaves_a_pixel_where_it_is():
    images = np.random.default_rng(0).normal(size=(2, 6, 6, 1))
    np.testing.assert_array_equal(shuffle(images, 2, np.full((2, 3, 36), 0.499)), images)


def test_glass_without_shuffling_smooths_twice():
    images = np.zeros((1, 28, 28, 1), np.uint8)
    images[0, 14, 14] = 200
    blurred = glass_blur(images, (1.0, 1, 1), constant(0.0, 1))
    offsets = np.arange(28) - 14
    bell = np.exp(-(offsets**2) / 2) * (abs(offsets) <= 4)
    twice = np.convolve(bell / bell.sum(), np.exp(-(np.arange(-4, 5) ** 2) / 2) / bell.sum(), "same")
    np.testing.assert_allclose(blurred[0, :, :, 0], 200 * np.outer(twice, twice), atol=1e-3)


def test_glass_leaves_an_even_picture_as_it_is():
    images = np.full((2, 9, 12, 3), 77, np.uint8)
    chances = np.random.default_rng(0)
    blurred = glass_blur(images, (0.9, 2, 2), lambda numbers: chances.random((2, numbers)))
    np.testing.assert_allclose(blurred, 77, rtol=1e-5)


def test_motion_smears_a_dot_to_one_side_with_half_a_gaussian():
    images = np.zeros((1, 28, 28, 1), np.uint8)
    images[0, 10, 20] = 255
    blurred = motion_blur(images, 2.0, constant(0.5, 1))  # 0.5 is 0 degrees: along the row
    weights = np.exp(-(np.arange(7) ** 2) / 8)
    expected = np.zeros((28, 28))
    expected[10, 20 - np.arange(7)] = 255 * weights / weights.sum()
    np.testing.assert_allclose(blurred[0, :, :, 0], expected, rtol=1e-5)


def test_motion_at_the_steepest_angle_goes_along_the_diagonal():
    images = np.zeros((1, 28, 28, 1), np.uint8)
    images[0, 14, 14] = 255
    rows, columns = np.nonzero(motion_blur(images, 1.0, constant(0.0, 1))[0, :, :, 0])  # -45 degrees
    np.testing.assert_array_equal(14 - rows, 14 - columns)
    assert len(rows) == 3  # steps of 0, 0.71, 1.41 and 2.12 pixels along each axis, rounded


def test_motion_leaves_an_even_picture_as_it_is():
    images = np.full((3, 10, 8, 3), 90, np.uint8)
    chances = np.random.default_rng(0)
    np.testing.assert_allclose(motion_blur(images, 4, lambda numbers: chances.random((3, numbers))), 90, rtol=1e-5)
