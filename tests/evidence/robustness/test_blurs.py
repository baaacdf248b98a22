import numpy as np
import pytest

from convscope.evidence.robustness.blurs import glass_blur, motion_blur, shuffle


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


def test_pixels_change_places_with_those_that_their_numbers_name_from_the_last_to_the_first():
    images = np.arange(25.0).reshape(1, 5, 5, 1)
    chances = np.zeros((1, 1, 25))  # all others stay
    # Reach 1 has four places: (-1, -1), (-1, 0), (0, -1) and its own.
    chances[0, 0, [24, 23, 18]] = 0.5 + (np.array([0, 2, 1]) + 0.5) / 8
    expected = images.copy()
    for (row, column), (y, x) in (((4, 4), (3, 3)), ((4, 3), (4, 2)), ((3, 3), (2, 3))):
        expected[0, [row, y], [column, x]] = expected[0, [y, row], [x, column]]
    np.testing.assert_array_equal(shuffle(images, 1, chances), expected)


def test_the_first_rows_and_columns_have_no_turn_of_their_own():
    images = np.arange(36.0).reshape(1, 6, 6, 1)
    edge = np.ones((6, 6), bool)
    edge[2:, 2:] = False
    chances = np.where(edge, 0.99, 0.0).reshape(1, 1, 36)
    np.testing.assert_array_equal(shuffle(images, 1, chances), images)


def test_a_number_below_a_half_leaves_a_pixel_where_it_is():
    images = np.random.default_rng(0).normal(size=(2, 6, 6, 1))
    np.testing.assert_array_equal(shuffle(images, 2, np.full((2, 3, 36), 0.499)), images)


def smoothed_down(image, deviation):
    """Return (H, W) smoothed along each column, its ends repeated: the filter as it is defined, pixel by pixel."""
    reach = int(4 * deviation + 0.5)
    bell = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * deviation**2))
    bell /= bell.sum()
    height = len(image)
    return np.stack(
        [
            sum(weight * image[min(max(row + step - reach, 0), height - 1)] for step, weight in enumerate(bell))
            for row in range(height)
        ]
    )


@pytest.mark.parametrize(("deviation", "reach", "passes"), [(0.7, 1, 2), (0.9, 2, 1)])
def test_glass_is_the_published_definition_pixel_by_pixel(mnist, deviation, reach, passes):
    image = mnist.test.images[7]
    chances = np.random.default_rng(3).random((1, passes * 28 * 28))
    blurred = glass_blur(image[None], (deviation, reach, passes), lambda _: chances)
    expected = (smoothed_down(image[..., 0].astype(np.float64), deviation) + 1e-6).astype(np.uint8)
    for one in chances.reshape(passes, 28, 28):
        for row in range(28 - reach, reach, -1):
            for column in range(28 - reach, reach, -1):
                if one[row, column] >= 0.5:
                    down, right = divmod(int((2 * one[row, column] - 1) * (2 * reach) ** 2), 2 * reach)
                    here, there = (row, column), (row + down - reach, column + right - reach)
                    expected[here], expected[there] = expected[there], expected[here]
    np.testing.assert_allclose(blurred[0, ..., 0], smoothed_down(expected.astype(float), deviation), atol=1e-3)


def test_glass_smooths_no_row():
    images = np.zeros((1, 28, 28, 1), np.uint8)
    images[0, 14, 14] = 255
    still = glass_blur(images, (0.7, 1, 2), constant(0.0, 1))[0, ..., 0]
    assert still[:, [13, 15]].max() == 0
    assert still[[13, 15], 14].min() > 0


def test_glass_leaves_an_even_picture_as_it_is():
    images = np.full((2, 9, 12, 3), 77, np.uint8)
    chances = np.random.default_rng(0)
    blurred = glass_blur(images, (0.9, 2, 2), lambda numbers: chances.random((2, numbers)))
    np.testing.assert_allclose(blurred, 77, rtol=1e-5)


def test_motion_smears_a_dot_to_one_side_with_half_a_gaussian():
    images = np.zeros((1, 28, 28, 1), np.uint8)
    images[0, 10, 20] = 255
    blurred = motion_blur(images, 2.0, constant(0.5, 1))  # 0.5 is 0 degrees: along the row
    weights = np.exp(-(np.arange(9) ** 2) / 8)
    expected = np.zeros((28, 28))
    expected[10, 20 - np.arange(9)] = 255 * weights / weights.sum()
    np.testing.assert_allclose(blurred[0, :, :, 0], expected, rtol=1e-5)


def test_motion_at_the_steepest_angle_goes_along_the_diagonal():
    images = np.zeros((1, 28, 28, 1), np.uint8)
    images[0, 14, 14] = 255
    rows, columns = np.nonzero(motion_blur(images, 1.0, constant(0.0, 1))[0, :, :, 0])  # -45 degrees
    np.testing.assert_array_equal(14 - rows, 14 - columns)
    assert len(rows) == 4  # steps of 0, 0.71, 1.41, 2.12 and 2.83 pixels along each axis, rounded


def test_motion_leaves_an_even_picture_as_it_is():
    images = np.full((3, 10, 8, 3), 90, np.uint8)
    chances = np.random.default_rng(0)
    np.testing.assert_allclose(motion_blur(images, 4, lambda numbers: chances.random((3, numbers))), 90, rtol=1e-5)


def test_motion_is_the_published_definition_pixel_by_pixel(mnist):
    """ImageMagick's motion blur with radius 10 and deviation 3, as MNIST-C calls it: 21 points along the line."""
    image, angle = mnist.test.images[7], np.radians(-27)
    blurred = motion_blur(image[None], 3, constant((45 - 27 + 0.5) / 91, 1))
    weights = np.exp(-(np.arange(21) ** 2) / 18)
    expected = np.zeros((28, 28))
    for row, column in np.ndindex(28, 28):
        for step, weight in enumerate(weights / weights.sum()):
            y, x = row - np.ceil(step * np.sin(angle) - 0.5), column + np.ceil(step * np.cos(angle) - 0.5)
            expected[row, column] += weight * image[int(np.clip(y, 0, 27)), int(np.clip(x, 0, 27)), 0]
    np.testing.assert_allclose(blurred[0, ..., 0], expected, atol=0.1)  # grey levels


def test_motion_takes_every_whole_angle_to_45_degrees_alike():
    images = np.zeros((91, 28, 28, 1), np.uint8)
    images[:, 14, 14] = 255
    blurred = motion_blur(images, 3, lambda _: (np.arange(91)[:, None] + 0.5) / 91)
    ends = [np.argwhere(one[..., 0] > 0)[:, 1].min() for one in blurred]
    assert ends == ends[::-1]  # as far to the left for either side
    assert min(ends) == 14 - 12
