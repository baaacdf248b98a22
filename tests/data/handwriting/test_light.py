import numpy as np
import pytest

from convscope.data.handwriting.light import even_light, has_light_ground, means, turn


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
def test_a_shadow_is_divided_out_however_hard_and_wherever_it_lies(angle, softness):
    values, ink = paper()
    picture = turn(as_picture(values * shadow(values.shape, angle, softness)), True, "light")
    even = even_light(picture, "light")[..., 0].astype(int)
    off = np.abs(even[ink] - 255 * 170 / 220)  # ink is 197
    assert np.median(off) <= 6
    assert off.max() <= 100  # a corner of the window reaches into a stroke that leaves the shadow
    assert even[~ink].max() <= 40  # a slanting edge of whole pixels has steps


def test_an_even_picture_stays_as_it_is():
    _, ink = paper()
    drawing = np.where(ink, 180, 0).astype(np.uint8)[..., np.newaxis]
    assert np.array_equal(even_light(drawing, "light"), drawing)
    assert np.array_equal(even_light(255 - drawing, "dark"), 255 - drawing)


def test_coloured_light_is_divided_out_of_each_channel():
    values, ink = paper()
    warm = as_picture(values) * np.array([1, 0.8, 0.6])
    even = even_light(255 - warm.astype(np.uint8), "light").astype(int)
    assert even[~ink].max() == 0
    assert np.ptp(even[ink], axis=-1).max() <= 2


def test_darkness_is_not_enlarged_beyond_measure():
    night = np.full((40, 40, 1), 4, np.uint8)
    night[20, 20] = 0
    assert even_light(night, "dark").min() == 255 - 16  # 255 · 4 / 64, where 4 is all the light there is


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("share", [0.15, 0.5, 0.85])
def test_polarity_is_found_under_a_shadow(inverted, share):
    values, _ = paper()
    lit = np.where(np.arange(values.shape[1]) < share * values.shape[1], 1, 0.4)
    picture = as_picture(values * lit)
    assert has_light_ground(255 - picture if inverted else picture) is not inverted


@pytest.mark.parametrize(("value", "is_light"), [(0, False), (127, False), (128, True), (255, True)])
def test_an_even_picture_is_light_from_128_on(value, is_light):
    assert has_light_ground(np.full((5, 6, 1), value, np.uint8)) is is_light


@pytest.mark.parametrize("light_ground", [True, False])
@pytest.mark.parametrize("ink", ["light", "dark"])
def test_only_the_wrong_polarity_is_turned(light_ground, ink):
    picture = np.array([[[10]]], np.uint8)
    assert turn(picture, light_ground, ink).item() == (245 if light_ground == (ink == "light") else 10)


def test_means_are_those_of_windows_with_the_edge_going_on():
    values = np.random.default_rng(0).integers(0, 256, (7, 9))
    wide = np.pad(values, 2, mode="edge")
    expected = [[wide[i : i + 5, j : j + 5].mean() for j in range(9)] for i in range(7)]
    assert np.array_equal(means(values, 2), np.floor(np.array(expected) + 0.5))
    assert means(values, 0) is values
