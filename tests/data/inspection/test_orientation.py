"""Images that were turned on purpose are found to be, and what cannot be told is not told."""

from pathlib import Path

import matplotlib
import numpy as np
import pytest
from sklearn.datasets import load_digits
from tests.data.inspection.conftest import half, with_images

import convscope as cs
from convscope.data.inspection.letters import LETTERS, draw_letters
from convscope.data.inspection.orientation import ORIENTATIONS, UNKNOWN, find_orientations
from convscope.data.inspection.references import FORM, _characters, references_for
from convscope.data.inspection.scan import scan_classes


def found_in(splits: cs.Splits):
    return {
        (one.split, one.reference): one.verdict
        for one in find_orientations(splits, scan_classes(splits.train)[1])
    }  # fmt: skip


def changed(splits: cs.Splits, orientation: str, *, test_only: bool = False) -> cs.Splits:
    change = ORIENTATIONS[orientation]
    return with_images(splits, None if test_only else change(splits.train.images), change(splits.test.images))


BACK = {"rotated by 90°": "rotated by 270°", "rotated by 270°": "rotated by 90°"}


@pytest.mark.slow
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_every_orientation_of_mnist_is_told(small_mnist, orientation):
    verdicts = found_in(changed(small_mnist, orientation))
    wanted = BACK.get(orientation, orientation)  # in which they are upright again
    assert verdicts["train", "MNIST's digits"] == verdicts["test", "MNIST's digits"] == wanted
    assert verdicts["test", "the training images"] == "as they are"


@pytest.mark.slow
@pytest.mark.parametrize("transposed", [False, True])
def test_other_people_s_digits_of_another_size_and_polarity_are_told(transposed):
    digits = load_digits()
    images = 255 - np.rint(digits.images * 255 / 16).astype(np.uint8)[..., None]
    images = images.swapaxes(1, 2) if transposed else images
    names = [str(digit) for digit in range(10)]
    splits = cs.Splits(half(images[:1200], digits.target[:1200], names, "train"),
                       half(images[1200:], digits.target[1200:], names, "test"))  # fmt: skip
    verdicts = found_in(splits)
    wanted = "transposed" if transposed else "as they are"
    assert verdicts["train", "MNIST's digits"] == verdicts["test", "MNIST's digits"] == wanted


@pytest.mark.slow
@pytest.mark.parametrize(("names", "transposed"), [("letters", True), ("numbers from 1", False)])
def test_letters_in_fonts_that_are_no_reference_are_told(names, transposed):
    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    others = [fonts / name for name in ("cmb10.ttf", "STIXGeneralBolIta.ttf", "DejaVuSerif-BoldItalic.ttf")]
    images, letters = draw_letters((28, 28, 1), FORM, 6 * len(LETTERS), others, seed=5)
    images = images.swapaxes(1, 2) if transposed else images
    labels = [ord(letter.upper()) - ord("A") for letter in letters]
    class_names = [chr(ord("A") + label) for label in range(26)]
    if names == "numbers from 1":
        labels, class_names = [label + 1 for label in labels], [str(label) for label in range(27)]
    cut = 4 * len(LETTERS)
    splits = cs.Splits(half(images[:cut], labels[:cut], class_names, "train"),
                       half(images[cut:], labels[cut:], class_names, "test"))  # fmt: skip
    verdicts = found_in(splits)
    assert verdicts["train", "letters of fonts"] == ("transposed" if transposed else "as they are")


def test_a_test_split_that_lies_otherwise_is_told_for_any_classes(small_mnist):
    names = tuple(f"thing {digit}" for digit in range(10))
    splits = cs.Splits(half(small_mnist.train.images, small_mnist.train.labels, names, "train"),
                       half(small_mnist.test.images, small_mnist.test.labels, names, "test"))  # fmt: skip
    assert found_in(changed(splits, "transposed", test_only=True)) == {("test", "the training images"): "transposed"}


@pytest.mark.slow
def test_noise_that_is_called_digits_is_not_said_to_lie_anyhow(make):
    splits = make(num_train=400, num_test=200, shape=(28, 28, 1), num_classes=10)
    names = [str(digit) for digit in range(10)]
    renamed = cs.Splits(half(splits.train.images, splits.train.labels, names, "train"),
                        half(splits.test.images, splits.test.labels, names, "test"))  # fmt: skip
    assert set(found_in(renamed).values()) == {UNKNOWN}


def test_images_that_are_not_square_are_held_against_the_training_images_in_four_orientations(make):
    splits = make(num_train=60, shape=(8, 12, 3), num_classes=2)
    (one,) = find_orientations(splits, scan_classes(splits.train)[1])
    assert len(one.readings) == 4
    assert one.verdict == UNKNOWN


def test_blank_images_and_two_channels_do_no_harm(make):
    splits = make(shape=(28, 28, 2), num_classes=10)
    names = [str(digit) for digit in range(10)]
    blank = np.zeros_like(splits.train.images)
    renamed = cs.Splits(half(blank, splits.train.labels, names, "train"),
                        half(splits.test.images, splits.test.labels, names, "test"))  # fmt: skip
    assert set(found_in(renamed).values()) == {UNKNOWN}


@pytest.mark.parametrize(
    ("name", "characters"),
    [
        ("7", "7"),
        (" a ", "a"),
        ("A/a", "Aa"),
        ("Cc", "Cc"),
        ("Three", "3"),
        ("ab", ""),
        ("10", ""),
        ("靴", ""),
        ("", ""),
    ],
)
def test_a_class_s_name_is_read_as_the_characters_it_shows(name, characters):
    assert _characters(name) == characters


def test_clothes_and_too_few_characters_have_no_reference():
    assert references_for(["Trouser", "Bag", "Coat", "Dress"]) == []
    assert references_for(["0", "1"]) == []
