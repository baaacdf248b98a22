"""The neighbours of a suspect are the nearest training images for a network that did not see it."""

import numpy as np
import pytest

import convscope as cs
from convscope.evidence.audit import label_suspects, neighbours
from convscope.evidence.audit.neighbours import add_neighbours

BRIGHTNESS = np.arange(0, 240, 20)  # of twelve images, which are otherwise alike


@pytest.fixture
def train() -> cs.Dataset:
    images = np.broadcast_to(BRIGHTNESS[:, None, None, None], (12, 2, 2, 1)).astype(np.uint8)
    return cs.Dataset(images, np.arange(12) % 2, ("even", "odd"), "ramp")


def make_model(weight: float) -> cs.Model:
    """Make a network whose hidden layer is the brightness times `weight`, and nothing where that is negative."""
    layers = (cs.Flatten(), cs.Dense(1, "relu", name="hidden"), cs.Dense(2, name="out"))
    weights = {"hidden/kernel": np.full((4, 1), weight / 4, np.float32), "hidden/bias": np.zeros(1, np.float32),
               "out/kernel": np.ones((1, 2), np.float32), "out/bias": np.zeros(2, np.float32)}  # fmt: skip
    return cs.Model(cs.Architecture(cs.Input(2, 2), layers), weights, ("even", "odd"))


def suspect_all(dataset: cs.Dataset, indices: list[int]):
    """Make suspects of these images."""
    y_prob = np.eye(2)[dataset.labels] * 0.8 + 0.1
    y_prob[indices] = y_prob[indices][:, ::-1]
    return label_suspects(y_prob, dataset)


def test_a_training_image_has_the_nearest_others_by_the_network_of_its_fold(train: cs.Dataset):
    result = suspect_all(train, [2, 5])
    fold = np.where(np.arange(12) == 5, 1, 0)
    # For the second network all images are alike, so its neighbours are the first ones.
    with_neighbours = add_neighbours(result, train, train, [make_model(1), make_model(-1)], fold)
    assert {suspect.index: suspect.neighbours for suspect in with_neighbours.suspects} == {
        2: (1, 3, 0, 4, 5),
        5: (0, 1, 2, 3, 4),
    }
    assert with_neighbours.to_record().suspects == with_neighbours.suspects


def test_a_test_image_may_be_near_the_training_image_of_its_index(train: cs.Dataset):
    test = cs.Dataset(train.images, train.labels, train.class_names, "ramp", "test")
    (suspect,) = add_neighbours(suspect_all(test, [11]), test, train, [make_model(1)]).suspects
    assert suspect.neighbours == (11, 10, 9, 8, 7)


def test_blocks_and_few_images_change_nothing(train: cs.Dataset, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(neighbours, "_BLOCK_BYTES", 12)  # three images
    (suspect,) = add_neighbours(suspect_all(train, [7]), train, train, [make_model(1)]).suspects
    assert suspect.neighbours == (6, 8, 5, 9, 4)
    few = train.take(np.arange(3))
    (suspect,) = add_neighbours(suspect_all(few, [0]), few, few, [make_model(1)]).suspects
    assert suspect.neighbours == (1, 2)
