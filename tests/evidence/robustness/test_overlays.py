"""Corruptions that draw on an image: light, stripes, dotted lines and zigzags."""

import numpy as np

from convscope.evidence.robustness.overlays import brightness, draw_dotted_line, draw_zigzag, stripe


def constant(value):
    """Replace the random numbers of one image by `value`."""
    return lambda numbers: np.full((1, numbers), value)


def make_black(side=28, channels=1):
    return np.zeros((1, side, side, channels), np.uint8)


def test_brightness_adds_the_same_to_every_value():
    images = np.array([0, 100, 250], np.uint8).reshape(1, 1, 1, 3)
    assert brightness(images, 0.2, constant(0)).ravel().tolist() == [51, 151, 301]  # 0.2 · 255 = 51; clipped later


def test_stripes_invert_the_outer_quarters():
    images = np.random.default_rng(0).integers(0, 256, (2, 28, 28, 1)).astype(np.uint8)
    striped = stripe(images, 7, constant(0))
    np.testing.assert_array_equal(striped[:, :, 7:21], images[:, :, 7:21])
    for outer in (slice(0, 7), slice(21, 28)):
        np.testing.assert_array_equal(striped[:, :, outer], 255 - images[:, :, outer].astype(int))


def test_a_dotted_line_is_two_columns_on_and_two_off_and_falls_off_by_the_logarithm():
    drawn = draw_dotted_line(make_black(), (1, 1.0), constant(10 / 27))[0, :, :, 0]  # both ends in row 10
    one_pixel_off = 255 * (1 + np.log(1 - 1 / 2.3))  # brightness at a distance d: 1 + log(1 - d / 2.3), as in MNIST-C
    for column in range(28):
        expected = np.zeros(28)
        if column // 2 % 2 == 1:
            expected[9:12] = one_pixel_off, 255, one_pixel_off
        np.testing.assert_allclose(drawn[:, column], expected, atol=0.01)


def test_a_dotted_line_runs_from_one_edge_to_the_other():
    ends = np.array([[0, 1, 0, 0, 0, 0.0]])  # of the first line: the upper left and the lower right
    drawn = draw_dotted_line(make_black(), (1, 1.0), lambda _: ends)[0, :, :, 0]
    lit = np.arange(28) // 2 % 2 == 1
    np.testing.assert_allclose(np.diagonal(drawn)[lit], 255)


def test_a_zigzag_turns_every_four_columns_two_pixels_from_its_line():
    drawn = draw_zigzag(make_black(), (1, 1.0), constant(0.5))[0, :, :, 0]  # level, at row 13.5
    middle = drawn.argmax(axis=0)
    # It starts in column 2 and turns in columns 4, 8, 12, ...: up, down, up.
    assert [int(middle[column]) for column in (4, 8, 12, 16, 20, 24)] == [11, 15, 11, 15, 11, 15]
    assert not drawn[:, [0, 1, 26, 27]].any()
    assert not drawn[:9].any()
    assert not drawn[18:].any()


def test_lines_are_drawn_in_all_channels_and_seen_in_the_smallest_images():
    for draw in (draw_dotted_line, draw_zigzag):
        drawn = draw(make_black(8, 3), (1, 1.0), constant(0.4))
        assert drawn.max() > 100
        np.testing.assert_array_equal(drawn[..., 0], drawn[..., 2])
