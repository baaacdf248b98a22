"""Differences that were planted, and p-values against SciPy's own tests."""

import numpy as np
import pytest
from scipy import stats
from tests.data.inspection.conftest import half, with_images

from convscope.data.inspection.scan import scan_split
from convscope.data.inspection.shift import find_shift


def brighter(images, by: int):
    return np.clip(images.astype(int) + by, 0, 255).astype(np.uint8)


def test_p_values_and_effects_are_those_of_scipy(make):
    splits = make(num_train=90, num_test=31, num_classes=3, high=200)
    test = splits.test.images.copy()
    test[::2] = brighter(test[::2], 3)
    splits = with_images(splits, test=test)
    found = find_shift(scan_split(splits.train), scan_split(splits.test))
    p_values = []
    for label, one in enumerate(found.brightness):
        a, b = (h.images[h.labels == label].mean(axis=(1, 2, 3)) for h in (splits.train, splits.test))
        p_values.append(stats.ttest_ind(a, b, equal_var=False).pvalue)
        pooled = ((len(a) - 1) * a.var(ddof=1) + (len(b) - 1) * b.var(ddof=1)) / (len(a) + len(b) - 2)
        assert one.effect == pytest.approx((b.mean() - a.mean()) / np.sqrt(pooled))
    order = np.argsort(p_values)
    corrected = np.maximum.accumulate(np.array(p_values)[order] * [3, 2, 1]).clip(max=1)
    np.testing.assert_allclose(np.array([one.p_value for one in found.brightness])[order], corrected)


def test_the_shares_are_tested_as_scipy_does():
    a, b = np.array([50, 30, 20, 0]), np.array([10, 30, 20, 0])
    images = np.zeros((int(a.sum()), 2, 2, 1), np.uint8)
    names = "abcd"
    train = half(images, np.repeat(np.arange(4), a), names, "train")
    test = half(images[: b.sum()], np.repeat(np.arange(4), b), names, "test")
    found = find_shift(scan_split(train), scan_split(test))
    assert found.shares_p_value == pytest.approx(stats.chi2_contingency(np.stack([a, b])[:, :3], correction=False)[1])
    assert found.shares_distance == pytest.approx(abs(a / a.sum() - b / b.sum()).sum() / 2)


def test_splits_made_alike_are_not_said_to_differ(make):
    splits = make(num_train=600, num_test=300)
    found = find_shift(scan_split(splits.train), scan_split(splits.test))
    assert found.relevant == ()


def test_a_brighter_class_is_found_and_named_first(make):
    splits = make(num_train=90, num_test=60, high=200)
    test = splits.test.images.copy()
    test[splits.test.labels == 1] = brighter(test[splits.test.labels == 1], 20)
    found = find_shift(scan_split(splits.train), scan_split(with_images(splits, test=test).test))
    assert [one.label for one in found.relevant] == [1]
    assert found.relevant[0].effect > 1


def test_classes_of_one_shade_that_differs_have_no_effect_but_are_certain():
    images = np.full((4, 3, 3, 1), 10, np.uint8)
    train = half(images, [0, 0, 1, 1], "ab", "train")
    test = half(np.full((4, 3, 3, 1), 12, np.uint8), [0, 0, 1, 1], "ab", "test")
    found = find_shift(scan_split(train), scan_split(test))
    assert [(one.effect, one.p_value) for one in found.relevant] == [(None, 0.0)] * 2


def test_classes_with_one_image_are_left_out():
    images = np.random.default_rng(0).integers(0, 255, (3, 3, 3, 1), dtype=np.uint8)
    train, test = half(images, [0, 0, 1], "ab", "train"), half(images, [0, 0, 1], "ab", "test")
    assert [one.label for one in find_shift(scan_split(train), scan_split(test)).brightness] == [0]
