"""Cutting a data set without splits into training and test images."""

import numpy as np
import pytest
from hypothesis import given, strategies as st

from convscope.data.datasets.raw_splits import cut_test


@pytest.mark.slow
@given(
    counts=st.lists(st.integers(0, 30), min_size=2, max_size=20),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 99),
)
def test_each_class_gives_its_share_and_keeps_an_image(counts, fraction, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    train, test = cut_test(labels, len(counts), fraction, seed)
    np.testing.assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(len(labels)))
    assert (np.diff(train) > 0).all()
    assert (np.diff(test) > 0).all()
    available = np.maximum(np.array(counts) - 1, 0)  # each class keeps an image for training
    num_test = np.bincount(labels[test], minlength=len(counts))
    assert (num_test <= available).all()
    shares = np.minimum(fraction * np.array(counts), available)
    # A share is rounded up or down, so it moves by less than 1 but for float64. If all shares together are below 1, a
    # single class gives the only image.
    assert (np.abs(num_test - shares) < 1.0001).all() or sum(counts) * fraction < 1
    total = max(round(fraction * len(labels)), min(len(labels), 1))
    assert len(test) <= max(total, 1)
    if available.sum() >= len(labels) * fraction and 1 not in counts and fraction <= 0.5:
        assert len(test) == total


def test_many_small_classes_give_their_share_together():
    labels = np.repeat(np.arange(1000), 2)
    train, test = cut_test(labels, 1000, 0.2, 0)
    assert len(test) == 400
    assert len(np.unique(labels[train])) == 1000
    # Of two images a class gives none or one; which classes give one is drawn, so about half of them are below 500.
    assert 150 < np.count_nonzero(labels[test] < 500) < 250


def test_the_seed_decides_and_nothing_else():
    labels = np.arange(100) % 10
    first = cut_test(labels, 10, 0.2, 1)[1]
    np.testing.assert_array_equal(first, cut_test(labels, 10, 0.2, 1)[1])
    assert first.tolist() != cut_test(labels, 10, 0.2, 2)[1].tolist()


def test_one_image_a_class_leaves_no_test():
    assert len(cut_test(np.arange(5), 5, 0.5, 0)[1]) == 0
