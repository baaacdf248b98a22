"""Predictions for each training image by a network that was not trained on it."""

import json
from dataclasses import replace

import numpy as np
import pytest

import convscope as cs
from convscope.training.crossfit import crossfit, deal

ONE_EPOCH = cs.Recipe(epochs=1)


def make_noise(labels, num_classes, shape=(8, 9, 1)):
    """Make random images with these labels."""
    images = np.random.default_rng(0).integers(0, 256, (len(labels), *shape), np.uint8)
    return cs.Dataset(images, np.asarray(labels, np.int64), tuple(map(str, range(num_classes))), "noise")


def make_uneven_data():
    """Make 50 images of seven classes: 20, 15, 8, 4, 2, 1 and none."""
    labels = np.repeat(np.arange(7), [20, 15, 8, 4, 2, 1, 0])
    return make_noise(np.random.default_rng(1).permutation(labels), 7)


def test_each_prediction_equals_a_network_trained_on_the_other_folds():
    data = make_uneven_data()
    cross = crossfit(cs.presets.ann, data, ONE_EPOCH, folds=4, seed=3, threads=1)
    assert cross.num_folds == 4
    for number in range(4):
        inside = np.flatnonzero(cross.fold == number)
        outside = np.setdiff1d(np.arange(50), inside)
        sibling, _ = cs.train(cs.presets.ann, data.take(outside), ONE_EPOCH, seed=3, threads=1)
        assert cross.models[number].weights_sha256 == sibling.weights_sha256
        np.testing.assert_array_equal(cross.logits[inside], sibling.logits(data.images[inside]))


def test_parts_hold_every_image_out_once_and_never_in_training():
    data = make_uneven_data()
    cross = crossfit(cs.presets.ann, data, ONE_EPOCH, folds=4, threads=1)
    whole = sorted(image.tobytes() for image in data.images)
    seen = []
    for model, trained_on, held_out in cross.parts(data):
        inside = {image.tobytes() for image in held_out.images}
        assert inside.isdisjoint(image.tobytes() for image in trained_on.images)
        assert sorted([*inside, *(image.tobytes() for image in trained_on.images)]) == whole
        assert (trained_on.split, held_out.split) == ("train", "validation")
        assert model.provenance["num_images"] == len(trained_on)
        seen += inside
    assert sorted(seen) == whole


def test_logits_are_in_the_order_of_the_data_set(small_mnist):
    data = small_mnist.train.take(np.arange(400))
    cross = crossfit(cs.presets.ann, data, cs.Recipe(epochs=5), folds=3, threads=1)
    assert cross.logits.dtype == np.float32
    assert cross.logits.shape == (400, 10)
    assert cross.fold.dtype == np.uint8
    assert cross.accuracy == (cross.logits.argmax(axis=1) == data.labels).mean() > 0.6  # chance is 0.1


def test_the_sizes_of_folds_differ_by_at_most_one_image_in_all_and_in_each_class():
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(6), [1000, 301, 9, 4, 1, 0]))
    fold = deal(labels, 5, seed=0)
    for members in (np.ones(len(labels), bool), *(labels == label for label in range(6))):
        counts = np.bincount(fold[members], minlength=5)
        assert counts.max() - counts.min() <= 1


def test_folds_follow_from_their_own_seed_or_else_from_that_of_the_training():
    data = make_uneven_data()
    assert (deal(data.labels, 2, seed=4) != deal(data.labels, 2, seed=5)).any()
    for seeds in ({"seed": 4}, {"seed": 5, "folds_seed": 4}):
        cross = crossfit(cs.presets.ann, data, ONE_EPOCH, folds=2, threads=1, **seeds)
        np.testing.assert_array_equal(cross.fold, deal(data.labels, 2, seed=4))
        assert cross.seed == seeds["seed"]


def test_the_logits_are_the_same_bytes_for_any_number_of_threads(small_mnist):
    data = small_mnist.train.take(np.arange(300))
    serial, two = (crossfit(cs.presets.cnn, data, cs.recipes.fast, folds=2, threads=threads) for threads in (1, 2))
    assert serial.logits.tobytes() == two.logits.tobytes()
    assert serial.fold.tobytes() == two.fold.tobytes()


def test_a_class_of_one_image_is_predicted_by_a_model_that_never_saw_it():
    data = make_uneven_data()
    cross = crossfit(cs.presets.ann, data, ONE_EPOCH, threads=1)
    assert cross.unseen_labels == (5,)
    only = int(np.flatnonzero(data.labels == 5)[0])
    _, trained_on, held_out = cross.parts(data)[cross.fold[only]]
    assert trained_on.class_counts[5] == 0
    assert held_out.class_counts[5] == 1
    assert "1 of the classes have one image each, so the model that classifies it never saw the class: 5." in str(cross)


def test_of_fewer_images_than_folds_each_is_a_fold():
    cross = crossfit(cs.presets.ann, make_noise([0, 1, 0], 2), ONE_EPOCH, threads=1, folds=5)
    assert sorted(cross.fold.tolist()) == [0, 1, 2]
    assert cross.num_folds == 3


def test_siblings_hold_out_no_validation_images_and_train_all_epochs():
    data = make_uneven_data()
    stopping = replace(ONE_EPOCH, epochs=3, validation_fraction=0.2, early_stopping=cs.EarlyStopping(patience=1))
    stopped = crossfit(cs.presets.ann, data, stopping, folds=2, threads=1)
    plain = crossfit(cs.presets.ann, data, cs.Recipe(epochs=3), folds=2, threads=1)
    assert stopped.logits.tobytes() == plain.logits.tobytes()
    assert (stopped.is_early_stopping_left_out, plain.is_early_stopping_left_out) == (True, False)
    assert stopped.recipe == cs.Recipe(epochs=3)
    assert "The models did not stop early: they trained all 3 epochs." in str(stopped)
    assert "did not stop early" not in str(plain)


def test_colour_images_train_a_custom_architecture():
    data = make_noise(np.arange(40) % 2, 2, (10, 10, 3))
    layers = (cs.Conv2D(4), cs.GlobalAveragePooling2D(), cs.Dense(2))
    cross = crossfit(cs.Architecture(cs.Input(10, 10, 3), layers), data, ONE_EPOCH, folds=2, threads=1)
    assert cross.logits.shape == (40, 2)


def test_each_finished_fold_is_reported():
    folds, data = [], make_noise([0, 1] * 4, 2)
    crossfit(cs.presets.ann, data, ONE_EPOCH, folds=3, threads=1, on_fold=lambda *done: folds.append(done))
    assert folds == [(1, 3), (2, 3), (3, 3)]


def test_to_dict_is_plain_json_and_its_folds_add_up():
    cross = crossfit(cs.presets.ann, make_uneven_data(), ONE_EPOCH, threads=1)
    value = cross.to_dict()
    assert json.loads(json.dumps(value, allow_nan=False)) == value
    assert sum(fold["num_images"] for fold in value["folds"]) == value["num_images"] == 50
    assert sum(fold["num_correct"] for fold in value["folds"]) == round(50 * value["accuracy"])
    low, high = value["accuracy_interval"]
    assert low < value["accuracy"] < high
    assert value["recipe"] == ONE_EPOCH.to_dict()


def test_text_and_html_show_a_row_for_each_fold():
    cross = crossfit(cs.presets.ann, make_uneven_data(), ONE_EPOCH, threads=1)
    rows = str(cross).splitlines()[-5:]
    assert [row.split()[:3] for row in rows] == [[str(number), "40", "10"] for number in range(1, 6)]
    assert cross._repr_html_().count("<tr>") == 6


@pytest.mark.parametrize(
    ("labels", "folds", "message"),
    [
        ([0, 1], 1, "folds is 1; it must be from 2 to 255"),
        ([0, 1], 256, "folds is 256; it must be from 2 to 255"),
        ([0], 2, "noise has 1 image; folds need at least 2"),
    ],
)
def test_crossfit_rejects_invalid_arguments(labels, folds, message):
    with pytest.raises(ValueError, match=message):
        crossfit(cs.presets.ann, make_noise(labels, 2), ONE_EPOCH, folds=folds)


def test_parts_rejects_another_data_set():
    data = make_uneven_data()
    cross = crossfit(cs.presets.ann, data, ONE_EPOCH, folds=2, threads=1)
    with pytest.raises(ValueError, match="it must be the data set of these folds"):
        cross.parts(data.take(np.arange(50)[::-1]))
