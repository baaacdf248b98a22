"""Several characters in one picture: lines are read, touching digits are cut apart, and boxes are drawn."""

import json
from dataclasses import replace

import numpy as np
import pytest
from tests.photos import photograph_rows, photograph_string

import convscope as cs
from convscope.base.errors import ConvscopeError
from convscope.data.handwriting import Handwriting
from convscope.data.handwriting.segments import Blob, Segments
from convscope.prediction.strings import read_strings, reading as strings
from convscope.prediction.strings.lattice import find_cheapest, make_lattice
from convscope.prediction.strings.result import join_names


@pytest.fixture(scope="module")
def model(reader):
    return reader


def first_images(mnist, label, count):
    return list(mnist.train.images[mnist.train.labels == label][:count])


def true_lines(dataset, rows):
    """Return the text of each row of images."""
    return tuple("".join(dataset.class_names[label] for label in dataset.labels[row]) for row in rows)


@pytest.mark.slow
def test_three_in_four_photographed_strings_of_five_are_read_without_error(model, mnist):
    random, num_correct = np.random.default_rng(3), 0
    for number in range(4):
        chosen = random.choice(len(mnist.test), 5, replace=False)
        picture, _ = photograph_string(list(mnist.test.images[chosen]), 3000 + number, touching=0.03)
        num_correct += read_strings(model, picture).lines == true_lines(mnist.test, [chosen])
    assert num_correct >= 3


@pytest.mark.slow
@pytest.mark.parametrize("rules", ["", "lines", "grid", "form"])
def test_rows_of_a_page_are_read_line_by_line_whatever_is_printed_on_it(model, mnist, rules):
    rows = [[7, 2, 1, 0, 4], [14, 13, 12, 11, 10]]  # indices of images
    images = mnist.test.images
    picture, boxes = photograph_rows([list(images[row]) for row in rows], 5, rules=rules)
    reading = read_strings(model, picture, name="page.png")
    assert reading.file == "page.png"
    assert [len(line) for line in reading.lines] == [5, 5]
    truth = "".join(true_lines(mnist.test, rows))
    assert sum(read == true for read, true in zip("".join(reading.lines), truth, strict=True)) >= 9
    for digit, box in zip(reading.digits, boxes, strict=True):
        middle = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        assert digit.box[0] < middle[0] < digit.box[2]
        assert digit.box[1] < middle[1] < digit.box[3]
    if rules == "":
        assert reading.num_rules == 0
    elif rules != "lines":  # printed lines may be too pale to be seen
        assert reading.num_rules > 0


@pytest.mark.slow
def test_touching_digits_are_cut_apart(model, mnist):
    threes, twos = first_images(mnist, 3, 4), first_images(mnist, 2, 4)
    pictures = [photograph_string([threes[n], twos[n]], 40 + n, touching=1)[0] for n in range(4)]
    assert sum(read_strings(model, picture).lines == ("32",) for picture in pictures) >= 2


@pytest.mark.slow
def test_a_single_wide_digit_is_not_cut(model, mnist):
    read = [read_strings(model, photograph_string([image], 60)[0]).lines for image in first_images(mnist, 0, 4)]
    assert sum(lines == ("0",) for lines in read) >= 3


def test_a_sheet_without_ink_says_so(model):
    reading = read_strings(model, np.full((200, 300, 3), 240, np.uint8))
    assert (reading.lines, reading.digits, reading.notices) == ((), (), ("no ink",))
    assert reading.to_dict()["text"] == ""


def test_the_reading_is_plain_json(model, mnist):
    picture, _ = photograph_string(first_images(mnist, 7, 2), 70)
    value = read_strings(model, picture, name="a.png").to_dict()
    json.dumps(value, allow_nan=False)
    assert value["size"] == list(picture.shape[:2])
    for digit in value["digits"]:
        assert digit["file"] == "a.png"
        assert digit["line"] == 0
        left, top, right, bottom = digit["box"]
        assert 0 <= left < right <= picture.shape[1]
        assert 0 <= top < bottom <= picture.shape[0]


@pytest.mark.slow
def test_grey_pictures_read_as_colours_do(model, mnist):
    grey = photograph_string(first_images(mnist, 4, 3), 80)[0].mean(axis=2).astype(np.uint8)
    lines = {read_strings(model, form).lines for form in (grey, grey[..., None], np.repeat(grey[..., None], 3, axis=2))}
    assert len(lines) == 1


def test_longer_class_names_are_joined_with_spaces(model, mnist):
    named = replace(model, class_names=tuple(f"<b>{name}</b>" for name in model.class_names))
    picture, _ = photograph_string(first_images(mnist, 1, 2), 90)
    plain, reading = read_strings(model, picture), read_strings(named, picture)
    assert reading.text == " ".join(f"<b>{name}</b>" for name in plain.text)


def test_other_image_sizes_and_channels_are_read():
    network = cs.presets.ann((16, 12, 3), 4)
    weights = cs.engine.initial_weights(network, 0)
    model = cs.Model(network, weights, ("α", "β", "γ", "δ"), handwriting=Handwriting("dark", 9))
    picture = np.full((80, 160), 255, np.uint8)
    picture[20:60, 30:38] = picture[20:60, 90:98] = 0
    reading = read_strings(model, picture)
    assert len(reading.digits) == 2
    assert reading.digits[0].prediction.prepared.image.shape == (16, 12, 3)


def test_models_of_other_pictures_are_refused(model):
    light = replace(model, handwriting=Handwriting("light", 20, centre=False))
    with pytest.raises(ConvscopeError, match="do not hold one centred character"):
        read_strings(light, np.zeros((50, 50), np.uint8))


def test_a_picture_of_another_form_is_refused(model):
    with pytest.raises(ValueError, match="picture is"):
        read_strings(model, np.zeros((50, 50, 2), np.uint8))


def test_very_much_ink_is_read_uncut_with_a_notice(model, mnist, monkeypatch):
    monkeypatch.setattr(strings, "MAX_SPANS", 2)
    reading = read_strings(model, photograph_string(first_images(mnist, 8, 3), 95)[0])
    assert reading.notices == ("not cut",)
    assert len(reading.digits) == 3


@pytest.mark.slow
def test_the_drawing_keeps_the_photo_and_puts_boxes_on_it(model, mnist):
    picture, _ = photograph_string(first_images(mnist, 5, 2), 100)
    reading = read_strings(model, picture)
    drawn = reading.draw(picture)
    assert drawn.shape == picture.shape
    changed = (drawn != picture).any(axis=2)
    assert 0 < changed.mean() < 0.2
    left, top, right, _ = reading.digits[0].box
    assert changed[top - 2, left:right].all()


def test_only_the_picture_that_was_read_can_be_drawn_on(model):
    reading = read_strings(model, np.full((60, 60), 255, np.uint8))
    with pytest.raises(ValueError, match="the same picture as before,"):
        reading.draw(np.zeros((61, 60), np.uint8))


@pytest.mark.slow
def test_text_and_html_show_the_lines(model, mnist):
    reading = read_strings(model, photograph_string(first_images(mnist, 1, 3), 110)[0])
    assert reading.lines[0] in str(reading)
    assert "<table" in reading._repr_html_()


def test_single_letters_are_joined_without_spaces():
    assert join_names(["ä", "b"]) == "äb"
    assert join_names([]) == ""


def make_segments(*blobs):
    """Make a line of blobs in a picture of 40 x 200 pixels, whose characters are usually 40 pixels high."""
    ink = np.zeros((40, 200), np.uint8)
    return Segments(ink, scale=1.0, lines=(blobs,), height=40.0, num_specks=0, num_rules=0, num_left_out=0)


def test_the_cheapest_path_takes_two_parts_where_they_cost_less_than_the_whole():
    parts = np.ones((40, 40), np.int16)
    parts[:, 20:] = 2
    lattice = make_lattice(make_segments(Blob(0, 0, parts, cuts=(1.0,))), 0)
    spans = {(span.first, span.last): number for number, span in enumerate(lattice.spans)}
    assert set(spans) == {(0, 1), (1, 2), (0, 2)}
    costs = [0.0] * 3
    costs[spans[0, 2]] = 3.0  # of the whole; the parts cost what a cut through one stroke width costs
    assert find_cheapest(lattice, costs, cut_cost=2.0) == [spans[0, 1], spans[1, 2]]
    assert find_cheapest(lattice, costs, cut_cost=4.0) == [spans[0, 2]]


def test_a_stroke_joins_a_bar_above_it_but_not_another_tall_stroke():
    tall, bar = np.ones((40, 8), np.int16), np.ones((6, 20), np.int16)
    # Blobs 0 to 3 by their tops and left sides: a stroke and a bar, then two strokes.
    lattice = make_lattice(make_segments(Blob(0, 0, tall), Blob(0, 9, bar), Blob(0, 34, tall), Blob(0, 44, tall)), 0)
    spans = {(span.first, span.last) for span in lattice.spans}
    assert (0, 2) in spans
    assert (2, 4) not in spans
