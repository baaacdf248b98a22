"""Blurs beside their published definitions, written out pixel by pixel."""

import numpy as np
import pytest

from convscope.evidence.robustness.blurs import glass_blur, motion_blur


def smooth_columns(image, deviation):
    """Smooth an image (H, W) along each column by the Gaussian filter's definition; its ends are repeated."""
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
    expected = (smooth_columns(image[..., 0].astype(np.float64), deviation) + 1e-6).astype(np.uint8)
    for pass_chances in chances.reshape(passes, 28, 28):
        for row in range(28 - reach, reach, -1):
            for column in range(28 - reach, reach, -1):
                if pass_chances[row, column] >= 0.5:  # the chance chooses one of (2 reach)² pixels around this one
                    choice = int((2 * pass_chances[row, column] - 1) * (2 * reach) ** 2)
                    down, right = divmod(choice, 2 * reach)
                    here, there = (row, column), (row + down - reach, column + right - reach)
                    expected[here], expected[there] = expected[there], expected[here]
    np.testing.assert_allclose(blurred[0, ..., 0], smooth_columns(expected.astype(float), deviation), atol=1e-3)


def test_motion_is_the_published_definition_pixel_by_pixel(mnist):
    """ImageMagick's motion blur with radius 10 and deviation 3, as MNIST-C calls it: 21 points along the line."""
    image, angle = mnist.test.images[7], np.radians(-27)
    chance = (45 - 27 + 0.5) / 91  # chooses -27° of the 91 whole angles from -45° to 45°
    blurred = motion_blur(image[None], 3, lambda numbers: np.full((1, numbers), chance))
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
    ends = [np.argwhere(streak[..., 0] > 0)[:, 1].min() for streak in blurred]
    assert ends == ends[::-1]  # a streak reaches as far to the left at -a° as at a°
    assert min(ends) == 14 - 12  # a streak is four standard deviations of 3 pixels long
