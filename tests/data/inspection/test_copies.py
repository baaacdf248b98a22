"""`find_copies` counts copies that are planted within a split and across both."""

import numpy as np
import pytest
from tests.data.inspection.conftest import make_split, with_images

from convscope.data.inspection.copies import find_copies

NO_BLANK = {"train": np.empty(0, np.int64), "test": np.empty(0, np.int64)}


@pytest.fixture
def planted(make):
    """Training image 0 three times (labels 0, 0, 1); training image 5 in the test set, with its label and another."""
    splits = make(num_train=60, num_test=40)
    train, test, labels = splits.train.images.copy(), splits.test.images.copy(), splits.train.labels.copy()
    train[30], train[31] = train[0], train[0]
    labels[[0, 30, 31]] = 0, 0, 1
    test[2], test[9] = train[5], train[5]  # labels: train 5 is 2, test 2 is 2, test 9 is 0
    train_split = make_split(train, labels, splits.class_names, "train")
    return type(splits)(train_split, make_split(test, splits.test.labels, splits.class_names, "test"))


def test_copies_are_counted_by_split(planted):
    copies = find_copies(planted, NO_BLANK)
    assert copies.num_extra == (2, 1)
    assert (copies.num_leaked, copies.num_leaked_otherwise) == (2, 1)
    assert copies.num_conflicts == 2  # the groups of training images 0 and 5 have several labels
    assert copies.num_near_leaked == 0


def test_equal_images_within_a_group_of_near_ones_are_counted_as_equal(make):
    splits = make(shape=(20, 20, 1), high=200)
    train, test = splits.train.images.copy(), splits.test.images.copy()
    near = train[5].copy()
    near[3, 3] ^= 1
    test[2], test[9] = train[5], near
    copies = find_copies(with_images(splits, train, test), NO_BLANK)
    assert not copies.duplicates.groups[0].is_equal
    assert (copies.num_leaked, copies.num_near_leaked) == (1, 1)


def test_blank_images_are_no_conflict(make):
    splits = make()
    train = splits.train.images.copy()
    train[[1, 2]] = 0
    copies = find_copies(with_images(splits, train), {"train": np.array([1, 2]), "test": np.empty(0, np.int64)})
    assert (copies.num_extra, copies.num_conflicts) == ((1, 0), 0)
