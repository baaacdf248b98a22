"""What a batch normalisation says of the scaling that its network was trained with.

It keeps the mean and the variance of what it was given in training. With the network's own scaling, training images
give the first one about these numbers again; with most other scalings they do not.
"""

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import BatchNormalization
from convscope.data.datasets import Dataset
from convscope.data.datasets.disk.images import blocks
from convscope.interchange.imported import Imported
from convscope.interchange.scaling import Scaling

_BLOCK_BYTES = 2**18  # of images; an image's activations take some hundred times its bytes


def misfit(imported: Imported, scaling: Scaling, images: Dataset) -> float | None:
    """Return how far the statistics of the first batch normalisation are from those of what `images` give it, in nats.

    It is the Kullback-Leibler divergence of two normal distributions, of the measured mean and variance from the kept
    ones, the mean over all channels. It is None if there is no batch normalisation, or its statistics are those of one
    that was never trained, 0 and 1.
    """
    layer = next((layer for layer in imported.architecture.layers if isinstance(layer, BatchNormalization)), None)
    if layer is None:
        return None
    kept_mean, kept_variance = (
        imported.weights[f"{layer.name}/{name}"].astype(np.float64) for name in ("moving_mean", "moving_variance")
    )
    kept_variance = kept_variance + layer.epsilon
    if not kept_mean.any() and (np.abs(kept_variance - 1) <= layer.epsilon).all():
        return None
    mean, variance = _measure(imported, scaling, images, layer.name)
    variance += layer.epsilon
    ratio = variance / kept_variance
    return float(np.mean(ratio - 1 - np.log(ratio) + (mean - kept_mean) ** 2 / kept_variance) / 2)


def _measure(
    imported: Imported, scaling: Scaling, images: Dataset, name: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return mean and variance by channel of what the layer called `name` reads."""
    model = imported.scaled(scaling).to_model()
    image, names = model.architecture.input, [None, *(layer.name for layer in model.architecture.layers)]
    before = names[names.index(name) - 1]
    sums, squares, count = 0.0, 0.0, 0
    for block in blocks(images.images, _BLOCK_BYTES):
        outputs = model.activations(block, [before])[before] if before else block * image.scale + image.offset
        rows = outputs.reshape(-1, outputs.shape[-1]).astype(np.float64)
        sums, squares, count = sums + rows.sum(axis=0), squares + (rows**2).sum(axis=0), count + len(rows)
    mean = np.asarray(sums / count)
    return mean, np.maximum(squares / count - mean**2, 0)
