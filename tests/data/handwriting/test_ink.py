import numpy as np
import pytest

from convscope.data.handwriting.ink import between_classes, drop_specks, part


def strokes(shape=(60, 60)):
    picture = np.zeros((*shape, 1), np.uint8)
    picture[10:50, 28:32] = 200
    return picture


def test_ruled_lines_go_where_they_cross_nothing():
    picture = strokes()
    picture[15::15] = np.maximum(picture[15::15], 60)
    cleaned = part(picture, "light")
    far = np.ones((60, 60), bool)
    far[8:52, 26:34] = False  # a 28th of 60 is two pixels
    assert cleaned[far].max() == 0
    assert np.array_equal(cleaned[10:50, 28:32], picture[10:50, 28:32])


def test_smooth_edges_of_a_drawing_stay():
    picture = strokes()
    picture[10:50, [27, 32]] = 50
    assert np.array_equal(part(picture, "light"), picture)
    assert np.array_equal(part(255 - picture, "dark"), 255 - picture)


def test_noise_of_the_border_is_taken_away():
    noise = np.random.default_rng(0).integers(0, 9, (60, 60, 1), np.uint8)
    cleaned = part(strokes() + noise, "light")
    assert cleaned[:, :24].max() == 0
    assert cleaned[10:50, 28:32].min() > 180


def test_a_busy_border_does_not_take_the_ink_away():
    busy = np.random.default_rng(0).integers(0, 256, (20, 20, 1), np.uint8)
    assert part(busy, "light").max() > 40


def test_colours_are_kept_where_one_channel_has_ink():
    picture = np.zeros((30, 30, 3), np.uint8)
    picture[5:25, 14:16] = (200, 40, 0)
    assert np.array_equal(part(picture, "light"), picture)


@pytest.mark.parametrize(
    ("values", "middle"),
    [
        ([0, 0, 0], 0),
        ([0, 90, 90], 0),  # all alike
        ([0, 50, 200], 125),
        ([0] * 99 + [50, 50, 50, 200], 125),
        ([10, 20, 200, 220], (15 + 210) / 2),
    ],
)
def test_the_middle_between_weak_and_strong(values, middle):
    assert between_classes(np.array([values])) == middle


def test_otsu_parts_as_the_least_variance_within_classes_does():
    values = np.random.default_rng(1).integers(1, 256, 300) ** 2 // 256 + 1
    parts = [(values[values <= t], values[values > t]) for t in range(1, int(values.max()))]
    weak, strong = min(((a, b) for a, b in parts if len(a)), key=lambda two: sum(len(x) * np.var(x) for x in two))
    assert between_classes(values[np.newaxis]) == pytest.approx((weak.mean() + strong.mean()) / 2)


def test_specks_below_a_twentieth_of_the_largest_piece_go():
    picture = strokes()  # 160 pixels
    picture[2:4, 2:6] = 200  # 8
    kept = picture.copy()
    picture[55:56, 50:57] = 200  # 7
    assert np.array_equal(drop_specks(picture, "light"), kept)
    assert np.array_equal(drop_specks(255 - picture, "dark"), 255 - kept)


def test_pieces_that_touch_at_a_corner_are_one():
    picture = strokes()
    picture[9, 32] = picture[8, 33] = 100
    assert np.array_equal(drop_specks(picture, "light"), picture)


@pytest.mark.parametrize("step", [part, drop_specks])
def test_nothing_is_left_of_nothing(step):
    assert step(np.zeros((5, 4, 3), np.uint8), "light").max() == 0
