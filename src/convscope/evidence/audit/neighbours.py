"""Find the training images nearest to each suspect, which help a person to judge its label.

Near means near in the activations before the last dense layer, of a network that was not trained on the suspect: of a
training image the sibling of its fold, of a test image the run's own network.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from convscope.base.blas import one_blas_thread
from convscope.data.datasets import Dataset
from convscope.data.datasets.disk.images import blocks
from convscope.evidence.audit.label_suspects import MAX_LISTED, LabelSuspects
from convscope.evidence.explanation.embedding import find_embedded_layer
from convscope.training.model import Model

NUM_NEIGHBOURS = 5
_BLOCK_BYTES = 1 << 20  # of training images whose activations are in memory together


def add_neighbours(
    result: LabelSuspects,
    dataset: Dataset,
    train: Dataset,
    models: Sequence[Model],
    fold: NDArray[np.integer[Any]] | None = None,
) -> LabelSuspects:
    """Add to each suspect that the record lists the indices of its nearest training images, the nearest first.

    Args:
        dataset: the split of the suspects; if it is `train` itself, no image is its own neighbour.
        models: the networks.
        fold: (N,) the index of the model that was not trained on each image; by default that of the first.
    """
    listed = result.suspects[:MAX_LISTED]
    neighbours = dict[int, tuple[int, ...]]()  # by the index of the suspect
    with one_blas_thread():  # the same bits with any number of cores
        for number, model in enumerate(models):
            indices = np.array([s.index for s in listed if fold is None or fold[s.index] == number], np.int64)
            if len(indices):
                nearest = _find_nearest(model, dataset.images[indices], train, indices if dataset is train else None)
                neighbours |= zip(indices.tolist(), nearest, strict=True)
    suspects = [structs.replace(suspect, neighbours=neighbours[suspect.index]) for suspect in listed]
    return replace(result, suspects=(*suspects, *result.suspects[MAX_LISTED:]))


def _find_nearest(
    model: Model, images: NDArray[np.uint8], train: Dataset, own: NDArray[np.int64] | None
) -> Iterator[tuple[int, ...]]:
    """Yield the nearest training images of each of `images` (S, H, W, C), which are at `own` (S,) among them or not."""
    points = _compute_activations(model, images)
    distances: NDArray[np.float64] = np.empty((len(points), 0))
    nearest: NDArray[np.int64] = np.empty((len(points), 0), np.int64)
    start = 0
    for block in blocks(train.images, _BLOCK_BYTES):
        hidden = _compute_activations(model, block)
        # |p - h|² = |p|² - 2 p·h + |h|², of which |p|² is the same for all training images.
        block_distances = (hidden**2).sum(axis=1) - 2 * points @ hidden.T
        indices = np.arange(start, start + len(block))
        if own is not None:
            block_distances[own[:, None] == indices] = np.inf
        distances = np.concatenate([distances, block_distances], axis=1)
        nearest = np.concatenate([nearest, np.broadcast_to(indices, block_distances.shape)], axis=1)
        order = np.argsort(distances, axis=1, kind="stable")[:, :NUM_NEIGHBOURS]
        distances, nearest = np.take_along_axis(distances, order, axis=1), np.take_along_axis(nearest, order, axis=1)
        start += len(block)
    for row, row_distances in zip(nearest, distances, strict=True):
        yield tuple(row[np.isfinite(row_distances)].tolist())


def _compute_activations(model: Model, images: NDArray[np.uint8]) -> NDArray[np.float64]:
    layer = find_embedded_layer(model.architecture)
    return model.activations(images, [layer])[layer].reshape(len(images), -1).astype(np.float64)
