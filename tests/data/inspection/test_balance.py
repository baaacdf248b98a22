"""Counts of classes by hand."""

import numpy as np
import pytest

from convscope.data.inspection.balance import balance, guessing, resolution


def test_equal_classes_count_in_full():
    found = balance(np.array([50, 50, 50, 50]))
    assert found.ratio == 1
    assert found.missing == ()


def test_uneven_classes_by_hand():
    found = balance(np.array([90, 0, 10]))
    assert (found.smallest, found.smallest_count, found.largest, found.largest_count) == (2, 10, 0, 90)
    assert found.ratio == 9
    assert found.missing == (1,)
    assert found.num_classes == 2


def test_guessing_takes_the_majority_of_the_training_images():
    found = guessing(np.array([5, 80, 15]), np.array([50, 30, 20]))
    assert found.chance == pytest.approx(1 / 3)
    assert (found.majority, found.majority_accuracy) == (1, 0.3)


@pytest.mark.parametrize("number", [1, 2, 9, 10, 1000])
def test_what_a_test_set_tells_narrows_with_its_size(number):
    found = resolution(number)
    assert found.num_correct == round(0.9 * number)
    low, high = found.interval
    assert low < found.num_correct / number <= high
    assert found.width > resolution(10 * number).width
