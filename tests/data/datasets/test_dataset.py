"""`Dataset` and `Splits`: digests, parts, JSON, their form in a notebook, errors, and that they cannot be changed."""

import copy
import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
from tests.report.test_render import Page

import convscope as cs
from convscope.data.datasets import Dataset, SourceFile, Splits

NAMES = ("cat <b>", "Æ" * 60, "猫")


def make(count=30, shape=(4, 5, 3), names=NAMES, dtype=np.uint8, seed=0, **arguments):
    stream = np.random.default_rng(seed)
    images = stream.integers(0, 256, (count, *shape), dtype=np.uint8)
    labels = (np.arange(count) % len(names)).astype(dtype)
    return Dataset(images, labels, names, **arguments)


# --- Its digest -------------------------------------------------------------------------------------------------------


def test_the_digest_does_not_depend_on_name_split_and_type_of_labels():
    dataset = make()
    again = replace(dataset, name="other", split="test", labels=dataset.labels.astype(np.int64))
    assert again.sha256 == dataset.sha256


def test_any_change_of_the_data_changes_the_digest():
    dataset = make()
    pixel, labels = dataset.images.copy(), dataset.labels.copy()
    pixel[7, 1, 2, 0] ^= 1
    labels[0] = 1
    changed = [
        replace(dataset, images=pixel), replace(dataset, labels=labels), replace(dataset, class_names=("a", "b", "c")),
        replace(dataset, images=dataset.images.reshape(-1, 5, 4, 3)), dataset.take(np.arange(29)),
    ]  # fmt: skip
    changed += [replace(dataset, weights=np.full(30, weight, np.float32)) for weight in (1, 2)]
    assert len({data.sha256 for data in [dataset, *changed]}) == 8


# --- Parts ------------------------------------------------------------------------------------------------------------


def test_take_returns_images_in_the_requested_order():
    dataset = make(name="zoo")
    part = dataset.take(np.array([5, 0, 5]), "validation")
    np.testing.assert_array_equal(part.images, dataset.images[[5, 0, 5]])
    np.testing.assert_array_equal(part.labels, dataset.labels[[5, 0, 5]])
    assert (part.name, part.split, part.class_names) == ("zoo", "validation", NAMES)
    assert dataset.take(np.array([1])).split == "train"


def test_divide_parts_the_images_without_loss():
    images = np.arange(90, dtype=np.uint8).reshape(90, 1, 1, 1)
    dataset = replace(make(90), images=images, weights=images.ravel().astype(np.float32))
    train, validation = dataset.divide(0.2)
    for part in (train, validation):
        np.testing.assert_array_equal(part.weights, part.images.ravel())
    assert (train.split, validation.split) == ("train", "validation")
    assert sorted([*train.images.ravel(), *validation.images.ravel()]) == list(range(90))


def test_divide_holds_out_the_same_fraction_of_each_class():
    labels = np.repeat([0, 1, 2], [100, 50, 10])
    dataset = Dataset(np.zeros((160, 1, 1, 1), np.uint8), labels, ("a", "b", "c"))
    _, validation = dataset.divide(0.2)
    np.testing.assert_array_equal(validation.class_counts, [20, 10, 2])


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
    assert value["source"] == [{"name": "zoo.npz", "sha256": "ab" * 32, "num_damaged": 0, "damaged": []}]


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
        (IMAGES, LABELS[:2], ("a", "b"), "there are 3 images but 2 labels; there must be one label per image"),
        (IMAGES[:0], LABELS[:0], ("a", "b"), r"images have shape \(0, 4, 5, 1\); there must be at least one pixel"),
        (IMAGES, LABELS * 0, ("a",), "class_names has 1 names; there must be at least two"),
        (IMAGES, LABELS + 1, ("a", "b"), "labels run from 1 to 2, but there are 2 class names"),
    ],
)
def test_a_dataset_rejects_invalid_arguments(images, labels, names, message):
    with pytest.raises(ValueError, match=message):
        Dataset(images, labels, names)


@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        (np.ones(3), ValueError, r"weights are float64 of shape \(3,\); they must be float32 \(3,\)"),
        (np.ones(2, np.float32), ValueError, r"weights are float32 of shape \(2,\); they must be float32 \(3,\)"),
        (np.array([1, -2, -3], np.float32), ValueError, r"weights\[1\] is -2.0; a weight must be a finite number, 0"),
        (np.array([1, 2, np.nan], np.float32), ValueError, r"weights\[2\] is nan"),
        ("many", TypeError, "weights is 'many'"),
    ],
)
def test_a_dataset_rejects_invalid_weights(weights, error, message):
    with pytest.raises(error, match=message):
        Dataset(IMAGES, LABELS, ("a", "b"), weights=weights)


@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        ([1, 1e300, 1], ValueError, r"weights\[1\] is inf"),
        ([1, 2], ValueError, r"of shape \(2,\)"),
        (["a", "b", "c"], TypeError, "weights is"),
    ],
)
def test_arrays_reject_invalid_weights(weights, error, message):
    with pytest.raises(error, match=message):
        Dataset.from_arrays(IMAGES, LABELS, weights=weights)


def test_weights_are_a_copy_that_cannot_change():
    weights = np.array([0, 1, 2])
    dataset = Dataset.from_arrays(IMAGES, LABELS, weights=weights)
    weights[:] = 5
    for copied in (dataset, pickle.loads(pickle.dumps(dataset))):
        assert copied.weights.tolist() == [0, 1, 2]
        with pytest.raises(ValueError, match="read-only"):
            copied.weights[0] = 1


@pytest.mark.parametrize("fraction", [0.01, 0.99])
def test_divide_rejects_a_fraction_that_leaves_one_side_empty(fraction):
    with pytest.raises(ValueError, match=f"fraction {fraction} of 30 images leaves one side empty"):
        make(30).divide(fraction)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (make(shape=(5, 4, 3)), "train images are 4 × 5 × 3, but test images 5 × 4 × 3 .height × width × channels."),
        (make(names=("a", "b", "c")), "train and test have different class names"),
    ],
    ids=["size", "names"],
)
def test_splits_reject_invalid_arguments(second, message):
    with pytest.raises(ValueError, match=message):
        Splits(make(), second)


HOSTILE = "</script><img src=x onerror=alert(1)>"


def dataset(num_images: int = 12, names: tuple[str, ...] = ("cat", "dog"), split: str = "train") -> cs.Dataset:
    images = np.random.default_rng(0).integers(0, 256, (num_images, 20, 32, 3), dtype=np.uint8)
    labels = (np.arange(num_images) % len(names)).astype(np.uint8)
    return cs.Dataset(images, labels, names, "pets", split)


def test_mnist_shows_its_sizes_counts_and_first_images(mnist):
    texts = Page(mnist._repr_html_()).texts
    assert ": 10 classes, images of 28 × 28 pixels and 1 channel, uint8 as in the file" in texts
    assert texts[texts.index("all") :][:3] == ["all", "60,000", "10,000"]
    assert texts[texts.index("9") :][:3] == ["9", "5,949", "1,009"]
    assert "train, the first 10: 5, 0, 4, 1, 9, 2, 1, 3, 1, 4" in texts
    assert "test, the first 10: 7, 2, 1, 0, 4, 1, 4, 9, 5, 9" in texts


def test_many_classes_are_folded_away_below_their_extremes():
    names = tuple(f"class {i}" for i in range(100))
    elements = Page(dataset(250, names)._repr_html_())
    assert "details" in elements.tags
    assert "each of the 100 classes" in elements.texts
    assert elements.texts[elements.texts.index("smallest class") + 1] == "2"
    assert elements.texts[elements.texts.index("largest class") + 1] == "3"
    assert "class 99" in elements.texts


def test_hostile_names_are_text():
    hostile = cs.Dataset(dataset().images, dataset().labels, (HOSTILE, '"><b>'), HOSTILE)
    elements = Page(hostile._repr_html_())
    assert set(elements.tags) <= {
        "div", "strong", "table", "thead", "tbody", "tr", "th", "td", "figure", "img", "figcaption",
    }  # fmt: skip
    assert elements.tags["img"] == 1
    assert HOSTILE in elements.texts
    assert not any(name.startswith("on") for _, name, _ in elements.attributes)


# --- Protection from changes ------------------------------------------------------------------------------------------

PIXELS = np.arange(48, dtype=np.uint8).reshape(6, 2, 4)
SHARED = {
    "array": (lambda images: images, {}),
    "view": (lambda images: images[:, ::-1], {}),
    "read-only view": (lambda images: np.broadcast_to(images, images.shape), {}),
    "with channels": (lambda images: images[..., np.newaxis], {}),
    "rows": (lambda images: images.reshape(6, 8), {"image_shape": (2, 4)}),
    "buffer": (lambda images: memoryview(images), {}),
}


@pytest.mark.parametrize("name", SHARED)
def test_later_changes_of_the_callers_arrays_do_not_change_a_dataset(name: str):
    shared, arguments = SHARED[name]
    images, labels = PIXELS.copy(), np.arange(6) % 2
    dataset = Dataset.from_arrays(shared(images), labels, **arguments)
    kept, digest = dataset.images.copy(), dataset.sha256
    images[...], labels[...] = 0, 0
    assert (dataset.images == kept).all()
    assert dataset.labels.tolist() == [0, 1] * 3
    assert Dataset.from_arrays(kept, dataset.labels).sha256 == digest


def test_read_only_images_are_not_copied():
    images = PIXELS.copy()
    images.flags.writeable = False
    assert np.shares_memory(Dataset.from_arrays(images, np.arange(6) % 2).images, images)


@pytest.mark.parametrize("make_copy", [lambda data: data, lambda data: pickle.loads(pickle.dumps(data)), copy.deepcopy])
def test_a_dataset_and_its_copies_are_read_only(make_copy):
    for dataset in (
        make_copy(make()),
        make_copy(make()).take([0, 1]),
        make_copy(Dataset.from_arrays(PIXELS, range(6))),
    ):
        for array in (dataset.images, dataset.labels):
            with pytest.raises(ValueError, match="read-only"):
                array[...] = 0
