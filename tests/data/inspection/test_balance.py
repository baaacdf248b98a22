"""Counts of classes by hand."""

import numpy as np

from convscope.data.inspection.balance import balance


def test_uneven_classes_by_hand():
    found = balance(np.array([90, 0, 10]))
    assert (found.smallest, found.smallest_count, found.largest, found.largest_count) == (2, 10, 0, 90)
    assert found.ratio == 9
    assert found.missing == (1,)
    assert found.num_classes == 2
