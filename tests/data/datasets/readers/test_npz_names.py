"""Which arrays of an .npz file are the images and labels of which split."""

import pytest

from convscope.data.datasets.data_file import DataFileError
from convscope.data.datasets.readers.npz_names import choose_arrays

NAMES = {
    "Keras": ["x_train", "y_train", "x_test", "y_test"],
    "capitals": ["X_train", "y_train", "X_test", "y_test"],
    "split first": ["train_X", "train_y", "test_X", "test_y"],
    "images and labels": ["train_images", "train_labels", "test_images", "test_labels"],
    "split last": ["images_train", "labels_train", "images_test", "labels_test"],
    "training": ["training_images", "training_labels", "testing_images", "testing_labels"],
    "data and targets": ["train-data", "train-targets", "test-data", "test-targets"],
}


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_both_splits_are_found_in_any_order(names):
    for held in (names, names[::-1]):
        choice = choose_arrays(held)
        assert (choice.train, choice.test) == (tuple(names[:2]), tuple(names[2:]))


@pytest.mark.parametrize("names", [("images", "labels"), ("X", "y"), ("data", "target"), ("arr_0", "arr_1")])
def test_one_split_is_found(names):
    choice = choose_arrays([*names, "notes"])
    assert choice.train == names
    assert choice.test is None


def test_validation_arrays_of_medmnist_are_left_out():
    kinds = [f"{split}_{kind}" for split in ("train", "val", "test") for kind in ("images", "labels")]
    choice = choose_arrays(kinds)
    assert (choice.train, choice.test) == (("train_images", "train_labels"), ("test_images", "test_labels"))


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ([], r"has no array x_train \(it holds nothing\)"),
        (["a", "b"], r"has no array x_train \(it holds 'a', 'b'\); save x_train, y_train"),
        (["x_train"], "has no array y_train"),
        (["images"], "has no array y_train"),
        (["arr_0"], "has no array x_train"),
        (["x_train", "y_train", "y_test"], "has no array x_test"),
        (["x_train_test", "y_train"], "has no array x_train"),
    ],
)
def test_half_of_a_pair_is_refused(held, message):
    with pytest.raises(DataFileError, match=message):
        choose_arrays(held)
