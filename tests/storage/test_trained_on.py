"""Which images a network was trained on: their digests, and files that hold other ones."""

from pathlib import Path

import numpy as np
import pytest

import convscope as cs
from convscope.storage import trained_on
from convscope.storage.trained_on import NOTHING, compute_image_digests, read_trained_on, write_trained_on


@pytest.mark.parametrize("shape", [(1, 1, 1), (7, 5, 3), (28, 28, 1)])
def test_digests_are_those_of_the_pixels_alone(shape: tuple[int, int, int]):
    stream = np.random.default_rng(0)
    images = stream.permutation(np.arange(200, dtype=np.uint8))[:, None, None, None] + np.zeros(shape, np.uint8)
    digests = compute_image_digests(cs.Dataset(images, np.arange(200) % 2, ("a", "b")))
    assert len(np.unique(digests)) == 200
    backwards = cs.Dataset(images[::-1], np.zeros(200, np.int64), ("a", "b"))  # not contiguous, other labels
    np.testing.assert_array_equal(compute_image_digests(backwards)[::-1], digests)


def test_a_file_with_digests_of_another_kind_counts_as_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "model.trained_on.safetensors"
    write_trained_on(path, NOTHING)
    assert read_trained_on(path) is not None
    monkeypatch.setattr(trained_on, "_DIGEST", "another")
    assert read_trained_on(path) is None
