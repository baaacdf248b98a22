import json
from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from convscope.data.datasets import Dataset, SourceFile, Splits, evenly

NAMES = ("cat <b>", "Æ" * 60, "猫")


def make(count=30, shape=(4, 5, 3), names=NAMES, dtype=np.uint8, seed=0, **arguments):
    stream = np.random.default_rng(seed)
    images = stream.integers(0, 256, (count, *shape), dtype=np.uint8)
    labels = (np.arange(count) % len(names)).astype(dtype)
    return Dataset(images, labels, names, **arguments)


# --- What it is -------------------------------------------------------------------------------------------------------


def test_a_dataset_knows_its_sizes():
    dataset = make(31)
    assert len(dataset) == 31
    assert dataset.image_shape == (4, 5, 3)
    assert dataset.num_classes == 3


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
def test_class_counts_name_every_class_even_an_empty_one(dtype):
    dataset = Dataset(np.zeros((4, 2, 2, 1), np.uint8), np.array([2, 0, 2, 2], dtype), ("a", "b", "c", "d"))
    np.testing.assert_array_equal(dataset.class_counts, [1, 0, 3, 0])
    assert dataset.class_counts.dtype == np.int64


def test_pixel_range_is_that_of_the_images():
    images = np.full((2, 3, 3, 1), 7, np.uint8)
    images[1, 2, 2] = 200
    assert Dataset(images, np.array([0, 1]), ("a", "b")).pixel_range == (7, 200)


def test_a_dataset_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        make().name = "other"


# --- Its digest -------------------------------------------------------------------------------------------------------


def test_equal_data_have_equal_digests_whatever_they_are_called():
    dataset = make()
    again = replace(dataset, name="other", split="test", labels=dataset.labels.astype(np.int64))
    assert again.sha256 == dataset.sha256


def test_memory_layout_does_not_change_the_digest():
    dataset = make()
    assert replace(dataset, images=np.asfortranarray(dataset.images)).sha256 == dataset.sha256


def test_any_change_of_the_data_changes_the_digest():
    dataset = make()
    pixel, labels = dataset.images.copy(), dataset.labels.copy()
    pixel[7, 1, 2, 0] ^= 1
    labels[0] = 1
    changed = [
        replace(dataset, images=pixel),
        replace(dataset, labels=labels),
        replace(dataset, class_names=("a", "b", "c")),
        replace(dataset, images=dataset.images.reshape(-1, 5, 4, 3)),
        dataset.take(np.arange(29)),
    ]
    assert len({each.sha256 for each in [dataset, *changed]}) == 6


# --- Parts ------------------------------------------------------------------------------------------------------------


def test_take_gives_the_images_in_the_order_asked_for():
    dataset = make(name="zoo")
    part = dataset.take(np.array([5, 0, 5]), "validation")
    np.testing.assert_array_equal(part.images, dataset.images[[5, 0, 5]])
    np.testing.assert_array_equal(part.labels, dataset.labels[[5, 0, 5]])
    assert (part.name, part.split, part.class_names) == ("zoo", "validation", NAMES)
    assert dataset.take(np.array([1])).split == "train"


def test_divide_parts_the_images_without_loss():
    dataset = replace(make(90), images=np.arange(90, dtype=np.uint8).reshape(90, 1, 1, 1))
    train, validation = dataset.divide(0.2)
    assert (train.split, validation.split) == ("train", "validation")
    assert sorted([*train.images.ravel(), *validation.images.ravel()]) == list(range(90))


def test_divide_holds_out_the_same_fraction_of_each_class():
    labels = np.repeat([0, 1, 2], [100, 50, 10])
    dataset = Dataset(np.zeros((160, 1, 1, 1), np.uint8), labels, ("a", "b", "c"))
    _, validation = dataset.divide(0.2)
    np.testing.assert_array_equal(validation.class_counts, [20, 10, 2])


def test_divide_is_the_same_for_one_seed_and_another_for_another():
    dataset = make(90)
    first, again, other = (dataset.divide(0.5, seed)[1].sha256 for seed in (1, 1, 2))
    assert first == again != other


# --- As data ----------------------------------------------------------------------------------------------------------


def test_to_dict_is_plain_json_without_pixels():
    dataset = make(name="zoo", split="test", source=(SourceFile("zoo.npz", "ab" * 32),))
    value = dataset.to_dict()
    assert json.loads(json.dumps(value, allow_nan=False)) == value
    assert value["num_images"] == 30
    assert value["image_shape"] == [4, 5, 3]
    assert value["class_names"] == list(NAMES)
    assert value["class_counts"] == [10, 10, 10]
    assert value["sha256"] == dataset.sha256
    assert value["source"] == [{"name": "zoo.npz", "sha256": "ab" * 32}]


def test_splits_to_dict_holds_both_halves():
    splits = Splits(make(split="train"), make(9, split="test"))
    value = splits.to_dict()
    assert json.loads(json.dumps(value, allow_nan=False)) == value
    assert (value["train"]["num_images"], value["test"]["num_images"]) == (30, 9)


def test_splits_speak_for_both_halves():
    splits = Splits(make(name="zoo"), make(9, name="zoo"))
    assert (splits.name, splits.image_shape, splits.class_names, splits.num_classes) == ("zoo", (4, 5, 3), NAMES, 3)


# --- Errors -----------------------------------------------------------------------------------------------------------

IMAGES = np.zeros((3, 4, 5, 1), np.uint8)
LABELS = np.array([0, 1, 0])


@pytest.mark.parametrize(
    ("images", "labels", "names", "message"),
    [
        (IMAGES.astype(float), LABELS, ("a", "b"), r"images are float64 of shape \(3, 4, 5, 1\); they must be uint8"),
        (
            IMAGES[..., 0],
            LABELS,
            ("a", "b"),
            r"images are uint8 of shape \(3, 4, 5\); they must be uint8 \(N, H, W, C\)",
        ),
        (IMAGES, LABELS.astype(np.int32), ("a", "b"), r"labels are int32 of shape \(3,\); they must be uint8 or int64"),
        (IMAGES, LABELS.reshape(3, 1), ("a", "b"), r"labels are int64 of shape \(3, 1\)"),
        (IMAGES, LABELS[:2], ("a", "b"), "3 images but 2 labels; there must be as many of each"),
        (IMAGES[:0], LABELS[:0], ("a", "b"), r"images have shape \(0, 4, 5, 1\); there must be at least one pixel"),
        (IMAGES[:, :0], LABELS, ("a", "b"), r"images have shape \(3, 0, 5, 1\)"),
        (IMAGES, LABELS * 0, ("a",), "class_names has 1 names; there must be at least two"),
        (IMAGES, LABELS + 1, ("a", "b"), "labels run from 1 to 2, but there are 2 class names"),
        (IMAGES, LABELS - 1, ("a", "b"), "labels run from -1 to 0, but there are 2 class names"),
    ],
)
def test_a_dataset_rejects(images, labels, names, message):
    with pytest.raises(ValueError, match=message):
        Dataset(images, labels, names)


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan")])
def test_divide_rejects_a_fraction_out_of_range(fraction):
    with pytest.raises(ValueError, match=f"fraction is {fraction}; it must lie between 0 and 1"):
        make().divide(fraction)


@pytest.mark.parametrize("fraction", [0.01, 0.99])
def test_divide_rejects_a_fraction_that_leaves_one_side_empty(fraction):
    with pytest.raises(ValueError, match=f"fraction {fraction} of 30 images leaves one side empty"):
        make(30).divide(fraction)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (make(shape=(5, 4, 3)), r"train images are \(4, 5, 3\), but test images \(5, 4, 3\)"),
        (make(names=("a", "b", "c")), "train and test have different class names"),
    ],
    ids=["size", "names"],
)
def test_splits_reject(other, message):
    with pytest.raises(ValueError, match=message):
        Splits(make(), other)


def test_places_are_taken_evenly():
    assert evenly(10, 4).tolist() == [0, 3, 6, 9]
    assert evenly(3, 4).tolist() == [0, 1, 2]
