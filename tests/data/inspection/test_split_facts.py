"""`scan_split` counts pixel values block by block, as NumPy does over all images at once."""

import numpy as np
import pytest

from convscope.data.datasets.disk import images as disk
from convscope.data.inspection.split_facts import facts_of, scan_split


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    """Blocks of a few images, so that sums run over many of them."""
    monkeypatch.setattr(disk.blocks, "__defaults__", (700,))


@pytest.mark.parametrize("shape", [(8, 9, 1), (5, 7, 3), (6, 6, 4), (3, 4, 2), (1, 1, 1)])
def test_values_are_counted_as_numpy_counts(make, shape):
    train = make(shape=shape, num_classes=4).train
    counted = scan_split(train)
    for channel in range(shape[2]):
        np.testing.assert_array_equal(
            counted.histogram[channel], np.bincount(train.images[..., channel].reshape(-1), minlength=256)
        )
    facts = facts_of(train, counted)
    assert (facts.pixels.low, facts.pixels.high) == (train.images.min(), train.images.max())
    assert facts.pixels.num_values == len(np.unique(train.images))


def test_blank_images_have_one_value_in_each_channel(make):
    train = make(shape=(5, 7, 3)).train
    images = train.images.copy()
    images[3], images[41] = (10, 20, 30), 0
    images[7, ..., 0] = 5  # only one of its channels
    assert scan_split(type(train)(images, train.labels, train.class_names)).blank.tolist() == [3, 41]


def test_images_on_disk_give_the_same_and_are_never_read_as_a_whole(make, tmp_path, monkeypatch):
    train = make(num_train=500, shape=(28, 28, 1)).train
    path = tmp_path / "images"
    path.write_bytes(train.images.tobytes())
    on_disk = disk.as_images(disk.DiskImages(path, 0, train.images.shape))
    monkeypatch.setattr(disk.blocks, "__defaults__", (50_000,))
    monkeypatch.setattr(disk, "_max_read_bytes", lambda: 60_000)  # beyond it reading is an error
    counted = scan_split(type(train)(on_disk, train.labels, train.class_names))
    np.testing.assert_array_equal(counted.histogram, scan_split(train).histogram)
