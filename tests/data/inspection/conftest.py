"""Data sets of noise without faults, in which the tests plant theirs."""

from collections.abc import Callable

import numpy as np
import pytest

import convscope as cs

Make = Callable[..., cs.Splits]


def make_split(images, labels, names, split: str) -> cs.Dataset:
    return cs.Dataset(np.ascontiguousarray(images), np.asarray(labels, np.int64), tuple(names), "made up", split)


@pytest.fixture
def make() -> Make:
    """A function that makes a data set of noise with these numbers of images and classes."""

    def make_splits(num_train=60, num_test=40, shape=(8, 9, 1), num_classes=3, seed=0, high=256) -> cs.Splits:
        random = np.random.default_rng(seed)
        names = tuple(f"class {label}" for label in range(num_classes))
        pixels = random.integers(0, high, (num_train + num_test, *shape), dtype=np.uint8)
        return cs.Splits(
            make_split(pixels[:num_train], np.arange(num_train) % num_classes, names, "train"),
            make_split(pixels[num_train:], np.arange(num_test) % num_classes, names, "test"),
        )

    return make_splits


def with_images(splits: cs.Splits, train=None, test=None) -> cs.Splits:
    """Return the same data set with other images."""
    return cs.Splits(
        splits.train if train is None else make_split(train, splits.train.labels, splits.class_names, "train"),
        splits.test if test is None else make_split(test, splits.test.labels, splits.class_names, "test"),
    )
