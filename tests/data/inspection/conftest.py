"""Data sets that are made up, right but for what a test plants in them."""

from collections.abc import Callable

import numpy as np
import pytest

import convscope as cs

Make = Callable[..., cs.Splits]


def half(images, labels, names, split: str) -> cs.Dataset:
    return cs.Dataset(np.ascontiguousarray(images), np.asarray(labels, np.int64), tuple(names), "made up", split)


@pytest.fixture
def make() -> Make:
    """Return noise of two to any classes, in as many images as are asked for."""

    def make_splits(num_train=60, num_test=40, shape=(8, 9, 1), num_classes=3, seed=0, high=256) -> cs.Splits:
        random = np.random.default_rng(seed)
        names = tuple(f"class {label}" for label in range(num_classes))
        pixels = random.integers(0, high, (num_train + num_test, *shape), dtype=np.uint8)
        return cs.Splits(
            half(pixels[:num_train], np.arange(num_train) % num_classes, names, "train"),
            half(pixels[num_train:], np.arange(num_test) % num_classes, names, "test"),
        )

    return make_splits


def with_images(splits: cs.Splits, train=None, test=None) -> cs.Splits:
    """Return the same data set with other images."""
    return cs.Splits(
        splits.train if train is None else half(train, splits.train.labels, splits.class_names, "train"),
        splits.test if test is None else half(test, splits.test.labels, splits.class_names, "test"),
    )
