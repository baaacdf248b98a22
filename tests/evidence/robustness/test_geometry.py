"""Corruptions that move pixels: translation, rotation, shear and scale."""

import numpy as np
import pytest
from scipy.ndimage import affine_transform

from convscope.evidence.robustness.geometry import rotate, rotate_by, scale, scale_by, shear, translate, warp


def constant(value):
    """Replace the random numbers of one image by `value`: below 0.5 a corruption goes one way, else the other way."""
    return lambda numbers: np.full((1, numbers), value)


def draw_noise(shape=(1, 9, 9, 1)):
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


def draw_dot(row=14, column=14):
    images = np.zeros((1, 28, 28, 1), np.uint8)
    images[0, row, column] = 255
    return images


@pytest.mark.parametrize("angle", [0.3, -1.2, 3.0])
def test_a_warp_is_scipys_linear_interpolation_with_zeros_outside(angle):
    images, shift = draw_noise((3, 11, 8, 2)), np.array([1.3, -0.6])
    inverse = np.array([[np.cos(angle), 0.4], [-np.sin(angle), 1.1]])
    centre = np.array([5, 3.5])
    expected = np.zeros(images.shape)
    # Padded, because scipy does not interpolate between the outermost pixels and the black beyond them.
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0))).astype(float)
    # SciPy reads inverse @ position + offset: the centre, one further in where padded, comes to centre + shift.
    offset = centre + 1 - inverse @ (centre + 1 + shift)
    for image in range(len(images)):
        for channel in range(2):
            moved = affine_transform(padded[image, :, :, channel], inverse, offset, order=1, mode="constant")
            expected[image, :, :, channel] = moved[1:-1, 1:-1]
    np.testing.assert_allclose(warp(images, inverse, tuple(shift)), expected, atol=1e-3)


@pytest.mark.parametrize(("value", "row", "column"), [(0.2, 11, 11), (0.8, 17, 17)])
def test_translation_moves_a_dot_by_whole_pixels_along_both_axes(value, row, column):
    np.testing.assert_array_equal(translate(draw_dot(), 3, constant(value)), draw_dot(row, column))


def test_a_quarter_turn_is_counterclockwise_and_exact():
    images = draw_noise((2, 9, 9, 1))
    np.testing.assert_allclose(rotate_by(images, 90), np.rot90(images, axes=(1, 2)), atol=1e-3)


def test_rotation_goes_either_way_by_the_angle():
    images = draw_noise()
    np.testing.assert_allclose(rotate(images, np.pi / 2, constant(0.2)), np.rot90(images, -1, (1, 2)), atol=1e-3)
    np.testing.assert_allclose(rotate(images, np.pi / 2, constant(0.8)), np.rot90(images, 1, (1, 2)), atol=1e-3)


def test_shear_moves_each_row_by_its_distance_from_the_middle():
    images = np.zeros((1, 9, 9, 1), np.uint8)
    images[0, :, 4] = 255  # an upright line becomes a diagonal one
    for value, expected in ((0.8, np.eye(9)[::-1]), (0.2, np.eye(9))):
        np.testing.assert_allclose(shear(images, 1.0, constant(value))[0, :, :, 0], 255 * expected, atol=1e-3)


def test_half_the_size_takes_every_second_pixel_and_black_around_it():
    images = draw_noise()
    small = scale(images, 0.5, constant(0))[0, :, :, 0]
    np.testing.assert_array_equal(small[2:7, 2:7], images[0, ::2, ::2, 0])
    assert small[[0, 1, 7, 8]].max() == small[:, [0, 1, 7, 8]].max() == 0


def test_twice_the_size_keeps_the_middle_and_means_between():
    images = draw_noise()
    large, middle = scale_by(images, 2)[0, :, :, 0], images[0, 2:7, 2:7, 0].astype(float)
    np.testing.assert_array_equal(large[::2, ::2], middle)
    np.testing.assert_allclose(large[::2, 1::2], (middle[:, :-1] + middle[:, 1:]) / 2)
