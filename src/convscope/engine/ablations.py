"""Predictions under many ablations, block by block, so that the logits fit into memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.metrics import cross_entropies
from convscope.engine.network import Ablation, Network

BLOCK_BYTES = 1 << 22
"""Images and logits held at once: enough work for every thread, and little compared with a data set."""


@dataclass(frozen=True, eq=False)
class AblationEffects:
    """A network's predictions and losses under each of L ablations.

    Attributes:
        predictions: (L, N) int64, the label with the largest logit, the first of equals.
        losses: (L, N) float64, the cross-entropy of each image in nats; (0, N) without losses.
    """

    predictions: NDArray[np.int64]
    losses: NDArray[np.float64]


def compute_ablation_effects(
    network: Network,
    images: NDArray[np.uint8],
    labels: NDArray[np.integer[Any]],
    ablations: Sequence[Ablation],
    *,
    with_losses: bool = True,
) -> AblationEffects:
    """Compute the predictions on images (N, H, W, C) uint8 with labels (N,) under each ablation, and the losses.

    Only one block's logits are in memory at a time.

    Raises:
        ValueError, KeyError: as `Network.ablation_logits`.
        ValueError: if there is not one label for each image, or one has no output.
    """
    if labels.shape != images.shape[:1]:
        raise ValueError(f"labels have shape {labels.shape} for {len(images)} images; give one label per image")
    num_classes = network.architecture.num_classes
    predictions = np.empty((len(ablations), len(images)), np.int64)
    losses = np.empty((len(ablations) if with_losses else 0, len(images)))
    image_bytes = images.nbytes // max(len(images), 1)  # they may have to be read from disk
    logits_bytes = 4 * len(ablations) * num_classes  # of an image, in float32
    # At least 64 images, even if their logits under all ablations take more than a block: enough for every thread.
    step = max(64, BLOCK_BYTES // max(logits_bytes, image_bytes, 1))
    for start in range(0, len(images), step):
        block = slice(start, start + step)
        for ablation, logits in enumerate(network.ablation_logits(images[block], ablations)):
            predictions[ablation, block] = logits.argmax(axis=1)
            if with_losses:
                losses[ablation, block] = cross_entropies(logits, labels[block])
    return AblationEffects(predictions, losses)
