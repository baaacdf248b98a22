"""Segments of a picture: lines of blobs, cuts through touching characters, and specks and rules that are left out."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from convscope.base.deadline import Deadline, DeadlineError, within
from convscope.data.handwriting.segments import find_segments, rules as rules_module, sheet as sheet_module
from convscope.data.handwriting.segments.components import find_components
from convscope.data.handwriting.segments.cuts import find_cuts


def sheet(*boxes, size=(300, 500), ink=30, paper=230):
    """Return a picture (h, w, 1) with filled boxes (left, top, right, bottom) of ink."""
    picture = np.full((*size, 1), paper, np.uint8)
    for left, top, right, bottom in boxes:
        picture[top:bottom, left:right] = ink
    return picture


def corners(segments):
    return [[(blob.left, blob.top) for blob in line] for line in segments.lines]


STROKES = [(40, 50, 50, 110), (100, 55, 110, 115), (160, 45, 170, 105)]


def test_strokes_are_found_from_left_to_right():
    segments = find_segments(sheet(*reversed(STROKES)))
    assert corners(segments) == [[(40, 50), (100, 55), (160, 45)]]
    assert segments.scale == 1
    assert abs(segments.height - 60) <= 2


def test_light_ink_is_found_as_dark_ink_is():
    dark, light = find_segments(sheet(*STROKES)), find_segments(sheet(*STROKES, ink=230, paper=30))
    assert corners(light) == corners(dark)


def test_lines_are_ordered_from_top_to_bottom_although_they_are_skewed():
    def line(top):
        return [(40 + 60 * i, top + 5 * i, 50 + 60 * i, top + 60 + 5 * i) for i in range(7)]

    segments = find_segments(sheet(*line(160), *line(40)))
    assert [[left for left, _ in line] for line in corners(segments)] == [[40 + 60 * i for i in range(7)]] * 2
    assert segments.lines[0][0].top < segments.lines[1][0].top


def test_specks_are_left_out_and_counted():
    segments = find_segments(sheet(*STROKES, (250, 80, 255, 85), (300, 60, 304, 64)))
    assert corners(segments) == [[(40, 50), (100, 55), (160, 45)]]
    assert segments.num_specks == 2


def test_an_even_picture_has_no_lines():
    segments = find_segments(np.full((100, 200), 200, np.uint8))
    assert segments.lines == ()
    assert segments.height == 0


def test_a_rule_below_the_line_is_left_out():
    segments = find_segments(sheet(*STROKES, (10, 140, 480, 143)))
    assert corners(segments) == [[(40, 50), (100, 55), (160, 45)]]
    assert segments.num_rules == 1


def test_the_boxes_of_a_form_are_left_out():
    frames = []
    for left in (25, 85, 145):
        frames += [(left, 30, left + 45, 32), (left, 130, left + 45, 132)]
        frames += [(left, 30, left + 2, 132), (left + 43, 30, left + 45, 132)]
    segments = find_segments(sheet(*STROKES, *frames))
    assert corners(segments) == [[(40, 50), (100, 55), (160, 45)]]
    assert segments.num_rules == 3


def test_a_character_that_crosses_a_rule_is_kept():
    segments = find_segments(sheet(*STROKES, (10, 100, 480, 103)))
    assert [blob.left for blob in segments.lines[0]] == [40, 100, 160]
    assert segments.num_rules == 1


def test_large_pictures_are_averaged_down():
    segments = find_segments(sheet((400, 400, 500, 1000), (800, 400, 900, 1000), size=(2000, 4800)))
    assert segments.scale == 2
    assert corners(segments) == [[(200, 200), (400, 200)]]


def test_only_the_largest_of_too_many_blobs_are_kept(monkeypatch):
    monkeypatch.setattr(sheet_module, "MAX_BLOBS", 3)
    segments = find_segments(sheet((220, 50, 230, 90), *STROKES, (280, 50, 290, 95)))
    assert corners(segments) == [[(40, 50), (100, 55), (160, 45)]]
    assert segments.num_left_out == 2


def test_a_loop_is_not_cut_through():
    y, x = np.mgrid[:60, :60]
    distance = np.hypot(y - 30, x - 30)
    parts, _ = find_cuts((distance < 29) & (distance > 22), 60, 7)
    assert parts[30, 4] == parts[30, 55] > 0  # one part on both sides


def test_two_rings_that_touch_can_be_cut_where_they_touch():
    y, x = np.mgrid[:60, :120]
    rings = [(np.hypot(y - 30, x - middle) < 29) & (np.hypot(y - 30, x - middle) > 21) for middle in (31, 87)]
    parts, cuts = find_cuts(rings[0] | rings[1], 60, 8)
    wrong = [np.count_nonzero((parts > number) ^ rings[1]) for number in range(1, len(cuts) + 1)]
    assert min(wrong) <= 0.05 * np.count_nonzero(rings[1])


def test_parts_are_numbered_from_left_to_right_and_hold_all_ink():
    y, x = np.mgrid[:60, :150]
    mask = np.abs(y - 30 - 20 * np.sin(x / 9)) < 5
    parts, cuts = find_cuts(mask, 60, 9)
    assert set(np.unique(parts)) == set(range(len(cuts) + 2))
    np.testing.assert_array_equal(parts > 0, mask)
    middles = [np.nonzero(parts == number)[1].mean() for number in range(1, len(cuts) + 2)]
    assert middles == sorted(middles)


def test_a_narrow_blob_is_not_cut():
    parts, cuts = find_cuts(np.ones((60, 20), bool), 60, 20)
    assert cuts == ()
    assert (parts == 1).all()


@pytest.mark.parametrize("picture", [np.zeros((5, 5), float), np.zeros((5, 5, 2), np.uint8), np.zeros(5, np.uint8)])
def test_a_picture_of_another_form_is_refused(picture):
    with pytest.raises(ValueError, match="picture is"):
        find_segments(picture)


@settings(max_examples=40, deadline=None)
@given(arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3]))))
def test_any_picture_gives_segments_within_it(picture):
    segments = find_segments(picture)
    assert segments.ink.shape == picture.shape[:2]
    for line in segments.lines:
        for blob in line:
            assert 0 <= blob.top < blob.bottom <= picture.shape[0]
            assert 0 <= blob.left < blob.right <= picture.shape[1]
            assert set(np.unique(blob.parts)) <= set(range(blob.num_parts + 1))


def test_the_boxes_of_all_blobs_that_are_kept_have_a_bounded_area(monkeypatch):
    areas = [blob.parts.size for blob in find_segments(sheet(*STROKES)).lines[0]]
    monkeypatch.setattr(sheet_module, "MAX_AREA", sum(areas) - 1)
    segments = find_segments(sheet(*STROKES))
    assert (len(segments.lines[0]), segments.num_left_out) == (len(areas) - 1, 1)
    monkeypatch.setattr(sheet_module, "MAX_AREA", 1)
    assert len(find_segments(sheet(*STROKES)).lines[0]) == 1  # one is read in any case


masks = arrays(bool, st.tuples(st.integers(1, 30), st.integers(1, 30)))


@pytest.mark.slow
@settings(deadline=None)
@given(masks)
def test_components_equal_scipys(mask):
    components = find_components(mask)
    labels, count = ndimage.label(mask, np.ones((3, 3)))
    assert components.numbers.tolist() == list(range(1, count + 1))
    boxes = [(slice(top, bottom), slice(left, right)) for top, left, bottom, right in components.boxes.tolist()]
    assert boxes == ndimage.find_objects(labels)
    for index in range(count):
        np.testing.assert_array_equal(components.mask(index), labels[boxes[index]] == index + 1)
        assert components.pixels[index] == np.count_nonzero(labels == index + 1)


@settings(deadline=None)
@given(masks, st.integers(2, 9))
def test_ink_in_columns_equals_a_morphological_opening(mask, size):
    opened = ndimage.binary_opening(mask, np.ones((size, 1)))
    np.testing.assert_array_equal(rules_module._find_columns(mask, size), opened)


@pytest.mark.slow
@settings(deadline=None, max_examples=30)
@given(masks, st.floats(3, 20), st.floats(0, 4))
def test_lines_equal_those_of_an_exhaustive_search(mask, least, gap):
    np.testing.assert_array_equal(rules_module._find_lines(mask, least, gap), search_lines(mask, least, gap))


def search_lines(thin, least, gap):
    """Search each slope, and each row of the mask sheared by it from the first with ink to the last.

    A stretch of at least `least` columns is a line if 60 % of them have ink in the row or its neighbours, with gaps of
    at most `gap` columns.
    """
    lines = np.zeros_like(thin)
    pixels = np.argwhere(thin)
    if len(pixels) < 0.6 * least:
        return lines
    for slope in rules_module._SLOPES:
        rows = np.rint(pixels[:, 0] - slope * pixels[:, 1])
        for row in range(int(rows.min()), int(rows.max()) + 1):
            near = pixels[abs(rows - row) <= 1]
            columns = sorted({int(x) for _, x in near})
            if len(near) < 0.6 * least:
                continue
            stretch = [columns[0]]
            for x in [*columns[1:], None]:
                if x is not None and x - stretch[-1] <= gap + 1:
                    stretch.append(x)
                    continue
                length = stretch[-1] - stretch[0] + 1
                if length >= least and len(stretch) >= 0.6 * length:
                    for y, column in near:
                        lines[y, column] |= stretch[0] <= column <= stretch[-1]
                stretch = [x]
    return lines


def test_finding_segments_ends_at_a_deadline():
    random = np.random.default_rng(0)
    noise = np.where(random.random((200, 200)) < 0.3, 0, 255).astype(np.uint8)
    with within(Deadline(0)), pytest.raises(DeadlineError):
        find_segments(noise)
