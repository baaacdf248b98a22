"""What lesions do to a network's answers, for more of them and more images than whose logits fit into memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.metrics import cross_entropies
from convscope.engine.network import Lesion, Network

BLOCK_BYTES = 1 << 22
"""How much of images and of all lesions' logits is held at once: enough for every thread, little beside a data set."""


@dataclass(frozen=True, eq=False)
class LesionEffects:
    """What a network answers with each of L lesions.

    Attributes:
        predictions: (L, N) int64, the label with the largest logit, the first of equals.
        losses: (L, N) float64, the cross-entropy of each image in nats; (0, N) where they were not asked for.
    """

    predictions: NDArray[np.int64]
    losses: NDArray[np.float64]


def lesion_effects(
    network: Network,
    images: NDArray[np.uint8],
    labels: NDArray[np.integer[Any]],
    lesions: Sequence[Lesion],
    *,
    with_losses: bool = True,
) -> LesionEffects:
    """Return the predictions, and losses if wanted, of images (N, H, W, C) uint8 with labels (N,) under each lesion.

    The logits are computed for a block of images at a time, and block after block forgotten.

    Raises:
        ValueError, KeyError: as `Network.lesioned_logits`.
        ValueError: if there is not one label for each image, or one has no output.
    """
    if labels.shape != images.shape[:1]:
        raise ValueError(f"labels have shape {labels.shape} for {len(images)} images; give one label per image")
    num_classes = network.architecture.num_classes
    predictions = np.empty((len(lesions), len(images)), np.int64)
    losses = np.empty((len(lesions) if with_losses else 0, len(images)))
    image_bytes = images.nbytes // max(len(images), 1)  # they may have to be read from disk
    step = max(64, BLOCK_BYTES // max(4 * len(lesions) * num_classes, image_bytes, 1))
    for start in range(0, len(images), step):
        block = slice(start, start + step)
        logits = network.lesioned_logits(images[block], lesions)
        for lesion, one in enumerate(logits):
            predictions[lesion, block] = one.argmax(axis=1)
            if with_losses:
                losses[lesion, block] = cross_entropies(one, labels[block])
    return LesionEffects(predictions, losses)
