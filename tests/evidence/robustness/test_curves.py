import numpy as np
import pytest

from convscope.base.metrics import paired_interval, wilson_interval
from convscope.evidence.robustness.curves import PARAMETERS, lost_at, measure_curve, measured, shifted, thickened
from convscope.evidence.robustness.geometry import scaled, turned


def parameter(name):
    return next(one for one in PARAMETERS if one.name == name)


def test_a_shift_goes_one_of_four_ways_by_whole_pixels():
    images = np.zeros((4, 9, 9, 1), np.uint8)
    images[:, 4, 4] = 255
    moved = shifted(images, 3, lambda _: np.array([[0.1], [0.3], [0.6], [0.9]]))
    places = [tuple(np.argwhere(image[..., 0] == 255)[0]) for image in moved]
    assert places == [(1, 4), (4, 7), (7, 4), (4, 1)]


def test_strokes_grow_to_a_disc_and_shrink_to_their_middle():
    images = np.zeros((1, 9, 9, 1), np.uint8)
    images[0, 4, 4] = 200
    rows, columns = np.indices((9, 9)) - 4
    for radius in (1, 1.5, 2, 2.5):
        expected = 200 * (rows**2 + columns**2 <= radius**2)
        grown = thickened(images, radius)
        np.testing.assert_array_equal(grown[0, :, :, 0], expected)
        np.testing.assert_array_equal(thickened(grown.astype(np.uint8), -radius), images)


def test_a_stroke_half_a_pixel_wider_is_the_mean_with_one_a_pixel_wider(digits):
    images = digits.images[:3]
    for sign in (1, -1):
        expected = (images + thickened(images, sign)) / 2
        np.testing.assert_allclose(thickened(images, sign / 2), expected)
    np.testing.assert_array_equal(thickened(images, 0), images)


@pytest.mark.parametrize("side", [8, 28, 64])
def test_the_values_rise_and_hold_the_neutral_one(side):
    for one in PARAMETERS:
        values = list(one.values(side))
        assert values == sorted(set(values))
        assert one.neutral in values
        assert len(values) >= 3


def test_the_neutral_value_leaves_the_images_as_they_are(digits):
    for one in PARAMETERS:
        changed = one.change(digits.images, one.neutral, lambda count: np.full((60, count), 0.3))
        np.testing.assert_allclose(changed, digits.images, atol=1e-3)


def test_a_curve_is_the_accuracy_on_the_changed_images(model, digits):
    clean = model.predict(digits.images) == digits.labels
    indices = np.arange(60)
    for name, change in (("rotation", turned), ("scale", scaled)):
        curve = measure_curve(model, digits, indices, clean, parameter(name), seed=0)
        for value, accuracy in zip(curve.values, curve.accuracies, strict=True):
            images = np.clip(np.rint(change(digits.images, value)), 0, 255).astype(np.uint8)
            assert accuracy == (model.predict(images) == digits.labels).mean()


def test_a_curve_of_random_changes_depends_on_the_images_places(model, digits):
    clean = model.predict(digits.images) == digits.labels
    noise = parameter("noise")
    first = measure_curve(model, digits, np.arange(60), clean, noise, seed=0)
    assert first == measure_curve(model, digits, np.arange(60), clean, noise, seed=0)
    other = measure_curve(model, digits, np.arange(60) + 1000, clean, noise, seed=0)
    assert first.accuracies[-1] != other.accuracies[-1] or first.accuracies != other.accuracies


def test_accuracies_and_changes_have_the_intervals_of_the_metrics():
    clean = np.array([True] * 8 + [False] * 2)
    right = np.array([[True] * 5 + [False] * 3 + [True, False]])
    accuracies, intervals, changes, change_intervals = measured(clean, right)
    assert accuracies == (0.6,)
    assert intervals == (wilson_interval(6, 10),)
    assert changes == pytest.approx((-0.2,))
    low, high = paired_interval(np.array([1]), np.array([3]), 10)
    assert change_intervals == ((low[0], high[0]),)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([0.0, 0.0, 0.0, 0.0, 0.0], (None, None)),
        ([-0.03, -0.01, 0.0, -0.005, -0.015], (-1.0, 1.5)),  # just a point, and between two values
        ([-0.5, -0.02, 0.0, 0.01, -0.03], (-0.5, 1.5)),  # the first crossing; from a gain on
        ([-0.02, 0.0, 0.0, -0.02, 0.0], (-1.5, 0.5)),  # what comes back later has been lost before
    ],
)
def test_a_point_is_lost_where_the_line_between_two_values_crosses_it(changes, expected):
    assert lost_at([-2, -1, 0, 1, 2], changes, 0) == pytest.approx(expected)
