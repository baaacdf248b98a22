"""Removing ruled lines, noise and specks from around the ink."""

import numpy as np
import pytest


def strokes(shape=(60, 60)):
    picture = np.zeros((*shape, 1), np.uint8)
    picture[10:50, 28:32] = 200
    return picture


def test_ruled_lines_are_removed_except_near_ink(after_step):
    picture = strokes()
    picture[15::15] = np.maximum(picture[15::15], 60)
    cleaned = after_step("ink", picture)
    far = np.ones((60, 60), bool)
    far[8:52, 26:34] = False  # a 28th of 60 is two pixels
    assert cleaned[far].max() == 0
    assert np.array_equal(cleaned[10:50, 28:32], picture[10:50, 28:32])


def test_smooth_edges_of_a_drawing_stay(after_step):
    picture = strokes()
    picture[10:50, [27, 32]] = 50
    assert np.array_equal(after_step("ink", picture), picture)
    assert np.array_equal(after_step("ink", 255 - picture, "dark"), 255 - picture)


def test_noise_of_the_border_is_taken_away(after_step):
    noise = np.random.default_rng(0).integers(0, 9, (60, 60, 1), np.uint8)
    cleaned = after_step("ink", strokes() + noise)
    assert cleaned[:, :24].max() == 0
    assert cleaned[10:50, 28:32].min() > 180


def test_a_busy_border_leaves_the_ink(after_step):
    busy = np.random.default_rng(0).integers(0, 256, (20, 20, 1), np.uint8)
    assert after_step("ink", busy).max() > 40


def test_colours_are_kept_where_one_channel_has_ink(after_step):
    picture = np.zeros((30, 30, 3), np.uint8)
    picture[5:25, 14:16] = (200, 40, 0)
    assert np.array_equal(after_step("ink", picture), picture)


def test_specks_below_a_twentieth_of_the_largest_piece_are_removed(after_step):
    picture = strokes()  # 160 pixels
    picture[2:4, 2:6] = 200  # 8 pixels, a twentieth, which stay
    kept = picture.copy()
    picture[55:56, 50:57] = 200  # 7 pixels, which are removed
    assert np.array_equal(after_step("specks", picture), kept)
    assert np.array_equal(after_step("specks", 255 - picture, "dark"), 255 - kept)


def test_pieces_that_touch_at_a_corner_are_one(after_step):
    picture = strokes()
    picture[9, 32] = picture[8, 33] = 100
    assert np.array_equal(after_step("specks", picture), picture)


@pytest.mark.parametrize("step", ["ink", "specks"])
def test_an_empty_input_leaves_an_empty_output(step, after_step):
    assert after_step(step, np.zeros((5, 4, 3), np.uint8)).max() == 0
