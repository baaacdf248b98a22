"""Dividing shadows out of a photo, and finding its polarity."""

import numpy as np
import pytest


def paper(height=90, width=80):
    """Return paper with a pen's stroke on it, and which pixels are ink."""
    ink = np.zeros((height, width), bool)
    ink[20:70, 38:44] = True
    ink[64:70, 38:60] = True
    return np.where(ink, 50, 220).astype(float), ink


def shadow(shape, angle, softness):
    """Return light of 1 on one side and of 0.4 on the other of an edge."""
    rows, columns = np.indices(shape)
    away = (rows - shape[0] / 2) * np.sin(angle) + (columns - shape[1] / 2) * np.cos(angle)
    return 0.4 + 0.6 * np.clip(away / softness + 0.5, 0, 1)


def as_picture(values):
    return np.floor(values + 0.5).astype(np.uint8)[..., np.newaxis]


@pytest.mark.parametrize("angle", np.linspace(0, 2 * np.pi, 12, endpoint=False))
@pytest.mark.parametrize("softness", [0.1, 10, 200])
def test_a_shadow_is_divided_out_at_any_angle_and_softness(angle, softness, after_step):
    values, ink = paper()
    picture = 255 - as_picture(values * shadow(values.shape, angle, softness))
    even = after_step("light", picture)[..., 0].astype(int)
    error = np.abs(even[ink] - 255 * 170 / 220)  # ink of 50 on paper of 220, inverted, becomes 197
    assert np.median(error) <= 6
    assert error.max() <= 100  # where a stroke leaves the shadow, a corner of the window reaches into it
    assert even[~ink].max() <= 40  # a slanting edge of whole pixels has steps


def test_an_even_picture_stays_as_it_is(after_step):
    _, ink = paper()
    drawing = np.where(ink, 180, 0).astype(np.uint8)[..., np.newaxis]
    assert np.array_equal(after_step("light", drawing), drawing)
    assert np.array_equal(after_step("light", 255 - drawing, "dark"), 255 - drawing)


def test_coloured_light_is_divided_out_of_each_channel(after_step):
    values, ink = paper()
    warm = as_picture(values) * np.array([1, 0.8, 0.6])
    even = after_step("light", 255 - warm.astype(np.uint8)).astype(int)
    assert even[~ink].max() == 0
    assert np.ptp(even[ink], axis=-1).max() <= 2


def test_a_dark_picture_is_not_stretched_beyond_a_bound(after_step):
    night = np.full((40, 40, 1), 4, np.uint8)
    night[20, 20] = 0
    assert after_step("light", night, "dark").min() == 255 - 16  # 255 · 4 / 64, where 4 is all the light there is


@pytest.mark.parametrize("is_negative", [False, True])
@pytest.mark.parametrize("share", [0.15, 0.5, 0.85])
def test_polarity_is_found_under_a_shadow(is_negative, share, after_step):
    values, _ = paper()
    lit = np.where(np.arange(values.shape[1]) < share * values.shape[1], 1, 0.4)
    picture = as_picture(values * lit)
    assert np.array_equal(after_step("polarity", 255 - picture if is_negative else picture), 255 - picture)


@pytest.mark.parametrize(("value", "is_light"), [(0, False), (127, False), (128, True), (255, True)])
def test_an_even_picture_is_light_from_128_on(value, is_light, after_step):
    picture = np.full((5, 6, 1), value, np.uint8)
    assert np.array_equal(after_step("polarity", picture), 255 - picture if is_light else picture)


@pytest.mark.parametrize("value", [10, 245])
@pytest.mark.parametrize(("ink", "ground"), [("light", 10), ("dark", 245)])
def test_only_the_wrong_polarity_is_inverted(value, ink, ground, after_step):
    assert after_step("polarity", np.array([[[value]]], np.uint8), ink).item() == ground
