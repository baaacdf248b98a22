"""Pools: an epoch shuffles images on disk pool by pool, in the same order as images in memory."""

import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

import convscope as cs
from convscope.base.errors import DatasetError
from convscope.data.datasets.disk import pools
from convscope.data.datasets.disk.images import DiskImages, as_images
from convscope.data.datasets.disk.pools import epoch_bytes, epoch_pools, pool_images

COUNT, BATCH = 1000, 16


@pytest.fixture
def dataset() -> cs.Dataset:
    """Images of 2 × 2 pixels, sorted by class; the first two pixels are the low and the high byte of their index."""
    numbers = np.arange(COUNT, dtype=np.uint16)
    images = np.zeros((COUNT, 2, 2, 1), np.uint8)
    images[:, 0, 0, 0], images[:, 0, 1, 0] = numbers & 255, numbers >> 8
    return cs.Dataset(images, (numbers // 100).astype(np.uint8), tuple("0123456789"))


@pytest.fixture
def on_disk(dataset: cs.Dataset, tmp_path: Path) -> cs.Dataset:
    path = tmp_path / "images"
    path.write_bytes(dataset.images.tobytes())
    return cs.Dataset(as_images(DiskImages(path, 0, dataset.images.shape)), dataset.labels, dataset.class_names)


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(pools, "POOL_BYTES", 4 * 300)  # 300 images, or 256 in whole batches
    monkeypatch.setattr(pools, "BLOCK_BYTES", 4 * 7)  # 7 images


def read_indices(dataset: cs.Dataset, epoch: int = 1, seed: int = 0) -> list[np.ndarray]:
    """Return for each pool the indices of its images, which are read from their pixels."""
    indices = []
    with closing(epoch_pools(dataset, BATCH, seed, epoch)) as epoch_of:
        for pool in epoch_of:
            images = pool.dataset.images[pool.order]
            numbers = images[:, 0, 0, 0] + 256 * images[:, 0, 1, 0].astype(np.int64)
            np.testing.assert_array_equal(pool.dataset.labels[pool.order], numbers // 100)
            indices.append(numbers)
    return indices


def test_an_epoch_holds_each_image_once_in_full_batches(dataset: cs.Dataset):
    indices = read_indices(dataset)
    assert [len(pool) for pool in indices] == [256, 256, 256, 232]
    np.testing.assert_array_equal(np.sort(np.concatenate(indices)), np.arange(COUNT))


def test_images_come_in_the_same_order_from_disk_as_from_memory(dataset: cs.Dataset, on_disk: cs.Dataset):
    for from_memory, from_disk in zip(read_indices(dataset), read_indices(on_disk), strict=True):
        np.testing.assert_array_equal(from_disk, from_memory)


def test_another_epoch_or_seed_gives_another_order_and_other_pools(dataset: cs.Dataset):
    first = read_indices(dataset)
    np.testing.assert_array_equal(np.concatenate(first), np.concatenate(read_indices(dataset)))
    for indices in (read_indices(dataset, epoch=2), read_indices(dataset, seed=1)):
        assert set(indices[0]) != set(first[0])


def test_a_pool_holds_whole_blocks_from_all_over_the_set(dataset: cs.Dataset):
    for indices in read_indices(dataset):
        blocks, counts = np.unique(indices // 7, return_counts=True)
        assert (counts < 7).sum() <= 3  # incomplete: two shared with other pools, and the last block of the set
        assert len(np.unique(indices // 100)) == 10  # all classes, although the set is sorted by class
        assert np.abs(np.corrcoef(np.arange(len(indices)), indices)[0, 1]) < 0.2  # the order is random
        assert len(blocks) < 45  # 256 images fill 37 blocks


def test_the_pools_of_an_epoch_have_streams_of_their_own(dataset: cs.Dataset):
    with closing(epoch_pools(dataset, BATCH, 0, 1)) as epoch_of:
        assert [pool.suffix for pool in epoch_of] == ["", "/1", "/2", "/3"]


@pytest.mark.parametrize("count", [1, 15, 300, 301, 305, 599, 1000])
@pytest.mark.parametrize("batch_size", [1, 7, 64, 299, 5000])
def test_any_count_and_batch_size_is_cut_into_whole_batches(dataset: cs.Dataset, count, batch_size):
    part = dataset.take(np.arange(count))
    size = pool_images(part.images, batch_size)
    assert size == count or size % batch_size == 0
    indices = []
    with closing(epoch_pools(part, batch_size, 0, 1)) as epoch_of:
        for pool in epoch_of:
            assert len(pool.order) == min(size, count - len(indices))
            indices += pool.order.tolist()
    assert sorted(indices) == list(range(count))


def test_an_epoch_that_is_left_early_leaves_no_thread(on_disk: cs.Dataset):
    before = threading.active_count()
    epoch_of = epoch_pools(on_disk, BATCH, 0, 1)
    next(epoch_of)
    epoch_of.close()
    assert threading.active_count() == before


def test_an_error_of_the_reading_thread_reaches_the_caller(on_disk: cs.Dataset):
    epoch_of = epoch_pools(on_disk, BATCH, 0, 1)
    next(epoch_of)
    on_disk.images.path.write_bytes(b"")
    with pytest.raises(DatasetError, match="has changed since the data set was loaded"):
        list(epoch_of)


def test_the_memory_of_an_epoch_does_not_grow_with_a_set_on_disk(tmp_path: Path):
    (tmp_path / "any").touch()
    peaks = []
    for count in (1_000, 100_000):
        images = as_images(DiskImages(tmp_path / "any", 0, (count, 2, 2, 1)))
        peaks.append(epoch_bytes(cs.Dataset(images, np.zeros(count, np.uint8), ("a", "b")), BATCH))
    assert peaks[0] == pytest.approx(peaks[1], rel=0.2)  # pools differ by less than a batch each
    assert peaks[1] < 20 * pools.POOL_BYTES


def test_an_epoch_in_memory_holds_an_order_and_labels(dataset: cs.Dataset, monkeypatch):
    monkeypatch.setattr(pools, "POOL_BYTES", 1 << 20)
    assert epoch_bytes(dataset, BATCH) == 2 * 8 * COUNT
