"""Shuffle the images of an epoch, and read them in that order in large pieces.

Up to `POOL_BYTES` of images are shuffled as a whole. More images are shuffled in two steps: blocks of neighbours come
in random order, and the images of as many blocks as fill a pool are shuffled with each other:

    file    | block 0 | block 1 | block 2 | block 3 | ...
    epoch   | block 2, block 0: shuffled together | block 3, block 1: shuffled together | ...

So a set of any size is read a block at a time, with two pools in memory: the network trains on one, while a thread
reads the next. The order follows from the seed, the epoch and the sizes alone, so that images on disk train to the same
bits as in memory.
"""

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from threading import Event

import numpy as np
from numpy.typing import NDArray

from convscope.base.streams import random_stream
from convscope.data.datasets.data_file import Images
from convscope.data.datasets.dataset import Dataset
from convscope.data.datasets.disk.images import DiskImages, is_on_disk

POOL_BYTES = 1 << 27  # two pools are in memory; changing it changes the order, and so the bits of trained networks
BLOCK_BYTES = 1 << 17
"""Large enough for a disk to read quickly, and 1/1024 of a pool: so a pool mixes about a thousand parts of the file,
even if that is sorted by class."""
_PIECE_BYTES = 1 << 23  # after each piece, the reading thread checks whether it should stop


@dataclass(frozen=True, eq=False)
class Pool:
    """A piece of an epoch: images to train on in one order.

    Attributes:
        dataset: contains the images of the piece, and perhaps further ones.
        order: (n,) int64, indices in `dataset`, each of the piece's images once.
        suffix: end of the names of its random streams; "" for the first piece.
    """

    dataset: Dataset
    order: NDArray[np.int64]
    suffix: str


def epoch_pools(dataset: Dataset, batch_size: int, seed: int, epoch: int) -> Generator[Pool, None, None]:
    """Yield the pieces of an epoch, which together hold each image once; all but the last are full batches.

    The next piece may overwrite the images of this one. Close the iterator if you do not run it to its end: that ends
    its thread.

    Raises:
        DatasetError: if images on disk cannot be read, or have changed.
    """
    pools = _pools(dataset, batch_size, seed, epoch)
    if not is_on_disk(dataset.images):
        for suffix, indices, shuffled in pools:
            yield Pool(dataset, indices[shuffled], suffix)
        return
    yield from _read_pools(dataset, pools, pool_images(dataset.images, batch_size))


def _pools(
    dataset: Dataset, batch_size: int, seed: int, epoch: int
) -> Iterator[tuple[str, NDArray[np.int64], NDArray[np.int64]]]:
    """Yield for each pool the suffix of its streams, its indices in the data set, ascending, and their order.

    For 12 images in blocks of 4, in the order of blocks 2 0 1, and pools of 6 images:

        position   0  1  2  3  4  5 |  6  7  8  9 10 11
        image      8  9 10 11  0  1 |  2  3  4  5  6  7
        block      2           0    |  0     1

        starts 8 0 4, the first image of each block; begins 0 4 8 and ends 4 8 12, its positions in the epoch

    The first pool has all of block 2 and half of block 0, so its indices are 0 1 8 9 10 11.
    """
    count, size = len(dataset), pool_images(dataset.images, batch_size)
    if size == count:
        yield "", np.arange(count), random_stream(seed, "shuffle", epoch).permutation(count)
        return
    step = max(1, BLOCK_BYTES // (dataset.images.nbytes // count))
    starts = step * random_stream(seed, "shuffle blocks", epoch).permutation(-(-count // step))
    ends = np.cumsum(np.minimum(step, count - starts))  # the position in the epoch after each block
    begins = np.concatenate([[0], ends[:-1]])
    for number, first in enumerate(range(0, count, size)):
        stop = min(first + size, count)
        # A block that overlaps positions `first` to `stop` - 1 of the epoch gives the pool its images there. As it
        # begins at position b of the epoch and at image s of the file, position p is image s + p - b: position 5, in
        # the block with b = 4 and s = 0, is image 1.
        # The blocks are those from the first that ends after `first` to the first that ends at `stop` or later.
        blocks = range(int(np.searchsorted(ends, first, "right")), int(np.searchsorted(ends, stop)) + 1)
        parts = [np.arange(max(first, begins[b]), min(stop, ends[b])) + starts[b] - begins[b] for b in blocks]
        indices = np.sort(np.concatenate(parts))
        suffix = f"/{number}" if number else ""
        yield suffix, indices, random_stream(seed, f"shuffle{suffix}", epoch).permutation(stop - first)


def _read_pools(
    dataset: Dataset, pools: Iterator[tuple[str, NDArray[np.int64], NDArray[np.int64]]], size: int
) -> Generator[Pool, None, None]:
    """Read each pool into one of two buffers while the network trains on the other."""
    images = dataset.images
    assert is_on_disk(images), "an array needs no reading"
    num_pools = -(-len(dataset) // size)
    buffers = [np.empty((size, *images.shape[1:]), np.uint8) for _ in range(min(2, num_pools))]
    step, is_stopped = max(1, _PIECE_BYTES // images.image_bytes), Event()

    def read(number: int) -> Pool:
        """Read the next pool in the thread, into the buffer that the network does not use."""
        suffix, indices, order = next(pools)
        pixels = buffers[number % 2][: len(indices)]
        for start in range(0, len(indices), step):
            if is_stopped.is_set():
                break
            images.read(indices[start : start + step], pixels[start : start + step])
        weights = None if dataset.weights is None else dataset.weights[indices]
        piece = replace(dataset, images=pixels, labels=dataset.labels[indices], files=(), weights=weights)
        return Pool(piece, order, suffix)

    with ThreadPoolExecutor(1, "convscope-reader") as reader:
        try:
            upcoming = reader.submit(read, 0)
            for number in range(num_pools):
                pool = upcoming.result()
                if number + 1 < num_pools:  # into the buffer of the pool before this one, which nobody uses any more
                    upcoming = reader.submit(read, number + 1)
                yield pool
        finally:  # also if the caller closes this generator: leaving the pool waits for its thread
            is_stopped.set()


def pool_images(images: Images | DiskImages, batch_size: int) -> int:
    """Compute the number of images in a pool: all, or an even share of them in whole batches."""
    count = len(images)
    max_images = max(1, POOL_BYTES // (images.nbytes // count) // batch_size) * batch_size
    if images.nbytes <= POOL_BYTES or count <= max_images:
        return count
    # As few pools as fit, all of about the same size: ceil(count / pools), rounded up to whole batches. 10,000 images
    # in batches of 100, of which 3,000 images fit, become four pools of 2,500.
    pools = -(-count // max_images)
    return -(-count // (pools * batch_size)) * batch_size


def epoch_bytes(dataset: Dataset, batch_size: int) -> int:
    """Compute the most bytes that an epoch takes besides data set and network: its order and its pools."""
    count = pool_images(dataset.images, batch_size)
    on_disk = is_on_disk(dataset.images)
    num_labels = count if on_disk else len(dataset)  # the engine takes int64
    image_bytes = dataset.images.nbytes // len(dataset)
    pool_bytes = 0
    if on_disk:  # at most two pools are in memory, with their labels and weights
        num_pools = min(2, -(-len(dataset) // count))
        weight_bytes = 0 if dataset.weights is None else dataset.weights.itemsize
        pool_bytes = num_pools * count * (image_bytes + dataset.labels.itemsize + weight_bytes)
    # A single pool in memory has only its order. Others also have arrays for drawing, sorting and reading, 5 at most.
    num_indices = count if count == len(dataset) and not on_disk else 5 * count
    return 8 * (num_indices + num_labels) + pool_bytes
