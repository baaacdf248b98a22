"""Data sets from NumPy arrays of any type, and from tables."""

import numpy as np
import pytest

import convscope as cs

BYTES = np.random.default_rng(0).integers(0, 256, (6, 4, 5, 1), np.uint8)
BYTES[0, 0, :2, 0] = 0, 255
LABELS = [3, 1, 2, 3, 1, 2]


@pytest.mark.parametrize(
    ("images", "stated"),
    [
        (BYTES, {}),
        (BYTES[..., 0], {}),
        (BYTES[..., 0].tolist(), {}),
        (BYTES.reshape(6, 20), {"image_shape": (4, 5)}),
        (BYTES.reshape(6, 20).astype(float), {"image_shape": (4, 5, 1)}),
        (BYTES / 255, {}),
        (BYTES.astype(np.float32) / 127.5 - 1, {}),
        (BYTES.astype(np.int64), {}),
        (BYTES / 51 + 3, {"value_range": (3, 8)}),
    ],
)
def test_images_of_any_form_become_the_same_bytes(images, stated):
    dataset = cs.Dataset.from_arrays(images, LABELS, **stated)
    np.testing.assert_array_equal(dataset.images, BYTES)


def test_truth_values_become_black_and_white():
    images = np.zeros((2, 3, 3), bool)
    assert not cs.Dataset.from_arrays(images, [0, 1]).images.any()
    assert (cs.Dataset.from_arrays(~images, [0, 1]).images == 255).all()


@pytest.mark.parametrize(
    ("labels", "names", "indices", "class_names"),
    [
        ([10, 9, 10], None, [1, 0, 1], ("9", "10")),
        ([2.0, 1.0, 2.0], None, [1, 0, 1], ("1", "2")),
        (["b", "a", "b"], None, [1, 0, 1], ("a", "b")),
        (np.array([True, False, True]), None, [1, 0, 1], ("False", "True")),
        (["b", "a", "b"], ["b", "x", "a"], [0, 2, 0], ("b", "x", "a")),
        ([2, 1, 2], ("1", "2", "3"), [1, 0, 1], ("1", "2", "3")),
        (np.array([2, 0, 2], np.uint8), ("x", "y", "z"), [2, 0, 2], ("x", "y", "z")),
    ],
)
def test_labels_are_class_names_or_indices(labels, names, indices, class_names):
    dataset = cs.Dataset.from_arrays(BYTES[:3], labels, class_names=names)
    assert (dataset.labels.tolist(), dataset.class_names) == (indices, class_names)


@pytest.mark.parametrize(
    ("images", "labels", "stated", "message"),
    [
        (BYTES.astype(float) / 16, LABELS, {}, r"images are float64 .* not clearly .* value_range=\(0, 16\)"),
        (BYTES / 255, LABELS, {"value_range": (0, 0.5)}, "images run from 0 to 1, outside of value_range"),
        (BYTES / 255, LABELS, {"value_range": (1, 0)}, "value_range is .*; the first number must be below"),
        (BYTES / 255, LABELS, {"value_range": 255}, "value_range is 255; it must be"),
        (np.full((6, 2, 2), np.nan), LABELS, {}, "images hold a value that is not finite"),
        (BYTES.reshape(6, 20), LABELS, {}, r"images are rows of 20 numbers; state their size"),
        (BYTES.reshape(6, 20)[:, :16], LABELS, {}, r"such as image_shape=\(4, 4\)"),
        (BYTES.reshape(6, 20), LABELS, {"image_shape": (3, 5)}, r"image_shape is \(3, 5\), which has 15 numbers"),
        (BYTES, LABELS, {"image_shape": (5, 4)}, r"image_shape is \(5, 4\), but the images in X are \(4, 5, 1\)"),
        (BYTES[0, 0, 0], LABELS, {}, "images have shape"),
        ([[[1, 2]], [[1]]], [0, 1], {}, "images are of unequal sizes"),
        (np.full((6, 2, 2), "x"), LABELS, {}, "images are .*; they must be numbers"),
        (BYTES, LABELS[:5], {}, "6 images but 5 labels"),
        (BYTES, np.eye(6), {}, r"labels have shape \(6, 6\); they must be \(N,\)"),
        (BYTES, [0.5, 1, 2, 0.5, 1, 2], {}, "labels hold 0.5; a class is text or a whole number"),
        (BYTES, [1] * 6, {}, "class_names has 1 names; there must be at least two"),
        (BYTES, list("aabbcc"), {"class_names": ("a", "b")}, r"labels hold 'c'; they must be class names \(a, b\)"),
        (BYTES, LABELS, {"class_names": ("a", "b")}, "labels run from 1 to 3, but there are 2 class names"),
        (BYTES, LABELS, {"class_names": "ab"}, "class_names is 'ab'; it must be"),
    ],
)
def test_ambiguous_tables_are_refused(images, labels, stated, message):
    with pytest.raises((TypeError, ValueError), match=message):
        cs.Dataset.from_arrays(images, labels, **stated)


def test_arrays_train_and_measure_as_the_data_set_of_the_same_bytes(small_mnist):
    train, test = small_mnist.train.take(np.arange(200)), small_mnist.test
    recipe = cs.Recipe(epochs=1)
    model, _ = cs.train("ann", train, recipe, validation=test)
    names = np.array(train.labels, str)
    same, history = cs.train("ann", (train.images[..., 0] / 255, names), recipe, validation=(test.images, test.labels))
    assert same.weights_sha256 == model.weights_sha256
    assert len(history.val_loss) == 1
    few = test.take(np.flatnonzero(test.labels < 3))  # a split that lacks some of the classes
    rows = few.images.reshape(len(few), -1) / 255
    assert cs.evaluate(same, (rows, few.labels.tolist())).accuracy == cs.evaluate(model, few).accuracy
