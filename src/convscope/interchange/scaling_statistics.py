"""Compare a scaling with the statistics of a network's first batch normalisation.

The layer keeps the mean and the variance of its input in training. With the network's own scaling, training images
give it nearly the same numbers again; with most other scalings they do not.
"""

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import BatchNormalization
from convscope.data.datasets import Dataset
from convscope.data.datasets.disk.images import blocks
from convscope.interchange.imported import Imported
from convscope.interchange.scaling import Scaling

_BLOCK_BYTES = 2**18  # images in memory at once; their activations take about a hundred times as much


def measure_misfit(imported: Imported, scaling: Scaling, images: Dataset) -> float | None:
    """Compute how far `images` are from the kept statistics of the first batch normalisation, in nats.

    It is the mean over all channels of the Kullback-Leibler divergence of two normal distributions, with the measured
    and with the kept mean and variance: (v / v₀ - 1 - ln(v / v₀) + (m - m₀)² / v₀) / 2. None if there is no batch
    normalisation, or it was never trained (mean 0 and variance 1).
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
    mean, variance = _measure_input(imported, scaling, images, layer.name)
    variance += layer.epsilon  # as in the layer; it also keeps the logarithm finite for a constant channel
    ratio = variance / kept_variance
    return float(np.mean(ratio - 1 - np.log(ratio) + (mean - kept_mean) ** 2 / kept_variance) / 2)


def _measure_input(
    imported: Imported, scaling: Scaling, images: Dataset, name: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Measure mean and variance of each channel that the layer called `name` reads."""
    model = imported.apply_scaling(scaling).to_model()
    image, names = model.architecture.input, [None, *(layer.name for layer in model.architecture.layers)]
    previous = names[names.index(name) - 1]  # the layer that it reads; None for the image
    sums, squares, count = np.zeros(1), np.zeros(1), 0
    for block in blocks(images.images, _BLOCK_BYTES):
        outputs = model.activations(block, [previous])[previous] if previous else block * image.scale + image.offset
        rows = outputs.reshape(-1, outputs.shape[-1]).astype(np.float64)
        sums, squares, count = sums + rows.sum(axis=0), squares + (rows**2).sum(axis=0), count + len(rows)
    mean = np.asarray(sums / count)
    return mean, np.maximum(squares / count - mean**2, 0)
