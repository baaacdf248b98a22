"""Drawn letters, which a network of digits should refuse."""

import string

import numpy as np
import pytest

from convscope.data.handwriting import Handwriting
from convscope.evidence.rejection.letters import LETTERS, LOOK_ALIKES, draw_letters, letter_fonts

MNIST_LIKE = Handwriting("light", 20)  # light strokes in a box of 20 pixels


def test_every_letter_is_either_drawn_or_resembles_a_digit():
    assert sorted(LETTERS + LOOK_ALIKES) == sorted(string.ascii_letters)


def test_no_letter_is_drawn_that_reads_as_a_digit():
    _, drawn = draw_letters((28, 28, 1), MNIST_LIKE, 200, letter_fonts()[:1])
    assert set(drawn).isdisjoint("OoQDlIiJjZzYySsGbBgq")
    assert set("OoQDlIiJjZzYySsGbBgq") <= set(LOOK_ALIKES)


def test_letters_are_prepared_as_mnists_digits_are():
    images, drawn = draw_letters((28, 28, 1), MNIST_LIKE, 64, letter_fonts())
    assert drawn == tuple(LETTERS * 2)  # 64 = 2 · 32 letters
    for image in images[..., 0]:
        rows, columns = np.nonzero(image)
        assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
        centre_of_mass = np.average(np.arange(28), weights=image.sum(axis=1))
        assert abs(centre_of_mass - 14) <= 0.5  # moved by whole pixels
        assert image.max() == 255


@pytest.mark.parametrize("shape", [(8, 8, 1), (64, 48, 3), (32, 32, 4)])
def test_other_sizes_and_photos_get_letters_too(shape):
    images, _ = draw_letters(shape, Handwriting("dark", 6, centre=False), 5, letter_fonts())
    assert images.shape == (5, *shape)
    assert (images == images[..., :1]).all()
    assert all(np.ptp(image) > 100 for image in images)


def test_the_fonts_are_part_of_matplotlib():
    assert len(letter_fonts()) == 5
    assert all(font.is_file() for font in letter_fonts())


@pytest.mark.parametrize(("fonts", "some"), [([], LETTERS), (letter_fonts(), "")])
def test_without_letters_or_fonts_nothing_can_be_drawn(fonts, some):
    with pytest.raises(ValueError, match="at least one of each is needed"):
        draw_letters((28, 28, 1), MNIST_LIKE, 3, fonts, letters=some)
