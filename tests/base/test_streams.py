"""Random streams that follow from a text and a seed."""

import hashlib

import numpy as np

from convscope.base.streams import random_stream, stream_key


def test_a_key_is_the_first_eight_bytes_of_a_digest_least_significant_first():
    # Documented, so that another program can draw the same stream.
    digest = hashlib.sha256(b"7/shuffle/2").digest()
    assert stream_key(7, "shuffle", 2) == sum(byte << (8 * i) for i, byte in enumerate(digest[:8]))


def test_a_key_never_changes():
    # Values of the first release: other ones would change every training.
    assert stream_key(0, "shuffle", 1) == 13178116320608052218
    assert random_stream(0, "shuffle", 1).integers(0, 100, 5).tolist() == [20, 68, 91, 3, 80]


def test_streams_leave_the_global_generator_alone():
    np.random.seed(1)
    expected = np.random.random(3)
    np.random.seed(1)
    random_stream(0, "shuffle").random(100)
    np.testing.assert_array_equal(np.random.random(3), expected)
