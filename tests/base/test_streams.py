import hashlib
from itertools import product

import numpy as np
import pytest

from convscope.base.streams import random_stream, stream_key


def test_no_two_streams_have_one_key():
    keys = {
        stream_key(*parts) for parts in product(range(50), ("shuffle", "split", "initialize dense/kernel"), range(50))
    }
    assert len(keys) == 50 * 3 * 50


def test_a_key_is_the_start_of_a_published_digest():
    # So that another program can draw the same stream.
    digest = hashlib.sha256(b"7/shuffle/2").digest()
    assert stream_key(7, "shuffle", 2) == sum(byte << (8 * i) for i, byte in enumerate(digest[:8]))


def test_a_key_never_changes():
    assert stream_key(0, "shuffle", 1) == 13178116320608052218
    assert random_stream(0, "shuffle", 1).integers(0, 100, 5).tolist() == [20, 68, 91, 3, 80]


def test_streams_leave_the_global_generator_alone():
    np.random.seed(1)
    expected = np.random.random(3)
    np.random.seed(1)
    random_stream(0, "shuffle").random(100)
    np.testing.assert_array_equal(np.random.random(3), expected)


@pytest.mark.parametrize("epoch", [1, 2, 9])
def test_near_seeds_and_epochs_give_unrelated_numbers(epoch):
    a, b = random_stream(0, "shuffle", epoch).random(10_000), random_stream(1, "shuffle", epoch).random(10_000)
    c = random_stream(0, "shuffle", epoch + 1).random(10_000)
    # Five standard deviations of the correlation of independent numbers.
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.05
    assert abs(np.corrcoef(a, c)[0, 1]) < 0.05
