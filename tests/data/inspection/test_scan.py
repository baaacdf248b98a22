"""What a pass counts, against NumPy over all images at once."""

import numpy as np
import pytest

from convscope.data.datasets.disk import images as disk
from convscope.data.inspection import scan
from convscope.data.inspection.scan import scan_classes, scan_split


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    """Blocks of a few images, so that sums run over many of them."""
    monkeypatch.setattr(disk.blocks, "__defaults__", (700,))


@pytest.mark.parametrize("shape", [(8, 9, 1), (5, 7, 3), (6, 6, 4), (3, 4, 2), (1, 1, 1)])
def test_counts_and_class_images_are_those_of_numpy(make, shape):
    train = make(shape=shape, num_classes=4).train
    counted, of_classes = scan_classes(train)
    images = train.images.astype(np.float64)
    for channel in range(shape[2]):
        np.testing.assert_array_equal(
            counted.histogram[channel], np.bincount(train.images[..., channel].reshape(-1), minlength=256)
        )
    for label in range(4):
        own = images[train.labels == label]
        np.testing.assert_allclose(of_classes.means[label], own.mean(axis=0), atol=1e-4)
        np.testing.assert_allclose(of_classes.variances[label], own.var(axis=0), atol=1e-2)
        brightness = own.mean(axis=(1, 2, 3))
        assert counted.intensity_means[label] == pytest.approx(brightness.mean())
        assert counted.intensity_variances[label] == pytest.approx(brightness.var(ddof=1))


def test_blank_images_are_those_of_one_value_in_each_channel(make):
    train = make(shape=(5, 7, 3)).train
    images = train.images.copy()
    images[3], images[41] = (10, 20, 30), 0
    images[7, ..., 0] = 5  # only one of its channels
    assert scan_split(type(train)(images, train.labels, train.class_names)).blank.tolist() == [3, 41]


def test_grey_images_stored_as_colour_are_counted(make):
    train = make(shape=(5, 7, 3)).train
    images = train.images.copy()
    images[:10] = images[:10, ..., :1]
    assert scan_split(type(train)(images, train.labels, train.class_names)).num_grey == 10


def test_images_of_one_channel_are_not_called_grey_stored_as_colour(make):
    assert scan_split(make().train).num_grey == 0


def test_light_and_dark_grounds_are_counted(make):
    train = make(high=100).train
    images = train.images.copy()
    images[:7] = 255 - images[:7]
    assert scan_split(type(train)(images, train.labels, train.class_names)).num_light_ground == 7


def test_a_class_without_images_has_no_mean(make):
    splits = make(num_classes=3)
    train = type(splits.train)(splits.train.images, splits.train.labels % 2, splits.class_names)
    counted, of_classes = scan_classes(train)
    assert np.isnan(of_classes.means[2]).all()
    assert np.isnan(of_classes.variances[2]).all()
    assert np.isnan(counted.intensity_means[2])


def test_class_images_of_very_many_values_are_taken_of_shrunk_images(make, monkeypatch):
    train = make(shape=(40, 70, 1), num_classes=3).train
    monkeypatch.setattr(scan, "MOST_CLASS_VALUES", 3 * 40 * 70 - 1)
    _, of_classes = scan_classes(train)
    assert (of_classes.factor, of_classes.means.shape) == (3, (3, 14, 24, 1))
    own = train.images[train.labels == 1][:, 3:6, 6:9].mean()
    assert of_classes.means[1, 1, 2, 0] == pytest.approx(own, abs=0.5)


def test_images_on_disk_give_the_same_and_are_never_read_as_a_whole(make, tmp_path, monkeypatch):
    train = make(num_train=500, shape=(28, 28, 1)).train
    path = tmp_path / "images"
    path.write_bytes(train.images.tobytes())
    on_disk = disk.as_images(disk.DiskImages(path, 0, train.images.shape))
    monkeypatch.setattr(disk.blocks, "__defaults__", (50_000,))
    monkeypatch.setattr(disk, "_most_at_once", lambda: 60_000)  # beyond it reading is an error
    counted, of_classes = scan_classes(type(train)(on_disk, train.labels, train.class_names))
    expected, expected_images = scan_classes(train)
    np.testing.assert_array_equal(counted.histogram, expected.histogram)
    np.testing.assert_array_equal(of_classes.means, expected_images.means)
