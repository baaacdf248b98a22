"""In which order an epoch sees the images, and in which pieces they are read for it.

Up to `POOL_BYTES` of images are shuffled as a whole. Of more, neighbours in the file are taken together as a block,
the blocks come in an order drawn again for each epoch, and as many as fill a pool are shuffled image by image. So a set
of any size is read a block at a time, with two pools in memory: one that is trained on, and the next, which a thread
reads meanwhile.

The order follows from the seed, the epoch and the sizes alone, and not from where the images lie: read from a disk,
they train to the same bits as in memory.
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

POOL_BYTES = 1 << 27
BLOCK_BYTES = 1 << 17
"""Small beside a pool, so that even of a file sorted by class each pool has hundreds of places; large for a disk."""
_PIECE_BYTES = 1 << 23  # after so much the reading thread looks whether it is still wanted


@dataclass(frozen=True, eq=False)
class Pool:
    """A piece of an epoch: images to train on in one order.

    Attributes:
        dataset: the images, and perhaps others.
        order: (n,) int64, places in `dataset`, each of the piece's images once.
        suffix: what the names of its random streams end with; "" for the first piece.
    """

    dataset: Dataset
    order: NDArray[np.int64]
    suffix: str


def epoch_pools(dataset: Dataset, batch_size: int, seed: int, epoch: int) -> Generator[Pool, None, None]:
    """Yield the pieces of an epoch, which together hold each image once; all but the last are full batches.

    What a piece holds may be overwritten when the next is asked for. Close the iterator where it is not run to its end:
    that ends its thread.

    Raises:
        DatasetError: if images on disk cannot be read, or have changed.
    """
    pools = _pools(dataset, batch_size, seed, epoch)
    if not is_on_disk(dataset.images):
        for suffix, indices, shuffled in pools:
            yield Pool(dataset, indices[shuffled], suffix)
        return
    yield from _read_pools(dataset, pools, pool_images(dataset.images, batch_size))


def pool_images(images: Images | DiskImages, batch_size: int) -> int:
    """Return how many images a pool has: all, or an even share of them that is whole batches."""
    count = len(images)
    max_images = max(1, POOL_BYTES // (images.nbytes // count) // batch_size) * batch_size
    if images.nbytes <= POOL_BYTES or count <= max_images:
        return count
    pools = -(-count // max_images)
    return -(-count // (pools * batch_size)) * batch_size


def epoch_bytes(dataset: Dataset, batch_size: int) -> int:
    """Return the most that an epoch takes beside the data set and the network: its order, and what is read for it."""
    count = pool_images(dataset.images, batch_size)
    on_disk = is_on_disk(dataset.images)
    labels = count if on_disk else len(dataset)  # as the engine takes them, int64
    one_image = dataset.images.nbytes // len(dataset)
    read = min(2, -(-len(dataset) // count)) * count * (one_image + dataset.labels.itemsize) if on_disk else 0
    num_indices = count if count == len(dataset) and not on_disk else 5 * count  # drawn, sorted and read by them
    return 8 * (num_indices + labels) + read


def _pools(
    dataset: Dataset, batch_size: int, seed: int, epoch: int
) -> Iterator[tuple[str, NDArray[np.int64], NDArray[np.int64]]]:
    """Yield of each pool the suffix of its streams, its places in the data set, ascending, and their order."""
    count, size = len(dataset), pool_images(dataset.images, batch_size)
    if size == count:
        yield "", np.arange(count), random_stream(seed, "shuffle", epoch).permutation(count)
        return
    step = max(1, BLOCK_BYTES // (dataset.images.nbytes // count))
    starts = step * random_stream(seed, "shuffle blocks", epoch).permutation(-(-count // step))
    lengths = np.minimum(step, count - starts)
    ends = np.cumsum(lengths)  # of each block in the epoch
    for number, first in enumerate(range(0, count, size)):
        stop = min(first + size, count)
        blocks = slice(int(np.searchsorted(ends, first, "right")), int(np.searchsorted(ends, stop)) + 1)
        begins = (ends - lengths)[blocks]
        indices = np.repeat(starts[blocks] - begins, lengths[blocks]) + np.arange(begins[0], ends[blocks][-1])
        # The first and the last block may belong to a neighbour in part.
        indices = np.sort(indices[first - begins[0] : stop - begins[0]])
        suffix = f"/{number}" if number else ""
        yield suffix, indices, random_stream(seed, f"shuffle{suffix}", epoch).permutation(stop - first)


def _read_pools(
    dataset: Dataset, pools: Iterator[tuple[str, NDArray[np.int64], NDArray[np.int64]]], size: int
) -> Generator[Pool, None, None]:
    """Read each pool while the one before it is in use, into the one of two buffers that is not."""
    images = dataset.images
    assert is_on_disk(images), "an array needs no reading"
    num_pools = -(-len(dataset) // size)
    buffers = [np.empty((size, *images.shape[1:]), np.uint8) for _ in range(min(2, num_pools))]
    step, stopped = max(1, _PIECE_BYTES // images.image_bytes), Event()

    def read(number: int) -> Pool:
        suffix, indices, order = next(pools)
        held = buffers[number % 2][: len(indices)]
        for start in range(0, len(indices), step):
            if stopped.is_set():
                break
            images.read(indices[start : start + step], held[start : start + step])
        return Pool(replace(dataset, images=held, labels=dataset.labels[indices]), order, suffix)

    with ThreadPoolExecutor(1, "convscope-reader") as reader:
        try:
            upcoming = reader.submit(read, 0)
            for number in range(num_pools):
                pool = upcoming.result()
                if number + 1 < num_pools:
                    upcoming = reader.submit(read, number + 1)
                yield pool
        finally:
            stopped.set()
