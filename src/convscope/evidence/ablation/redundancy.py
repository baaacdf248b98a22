"""Filters that say the same: `find_redundancy` names pairs of filters alike, and filters that never change.

Alike are two filters of a layer whose outputs go up and down together, or whose kernels are one the multiple of the
other. One of such a pair may be lost at little cost because the other is still there.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import DepthwiseConv2D
from convscope.base.records import Change, Count, Record
from convscope.data.datasets import evenly
from convscope.evidence.ablation.parts import block_length, layers_with_filters
from convscope.training.model import Model

LEAST_CORRELATION = 0.99
"""Of two filters' outputs that are called alike; with it, one tells 98 % of the other's variance."""
LEAST_COSINE = 0.999
"""Of two kernels that are called the same but for scale: less than 2.6 degrees apart."""

_MOST_FILTERS = 2048  # of a layer, that are compared: 2,048² correlations take 32 MB
_MOST_PAIRS = 100
_MOST_IMAGES = 1000
_ROUNDING = 1e-12  # of a mean square: what a variance may be off by
_MOST_PRODUCTS = 2e10  # multiply-adds of all correlations: about half a second


class FilterPair(Record, kw_only=True):
    """Two filters of a layer that are alike.

    Attributes:
        filters: the two, the lower first.
        correlation: of their outputs over images and places; -1 to 1, and 0 where one never changes.
        kernel_cosine: of the angle between their kernels, -1 to 1: 1 where one is a positive multiple of the other.
            Their biases may differ. 0 for a kernel of zeros, and for kernels that read different channels.
    """

    layer: str
    filters: tuple[Count, Count]
    correlation: Change
    kernel_cosine: Change

    def __str__(self) -> str:
        first, second = self.filters
        alike = f"correlation {self.correlation:.3f}, cosine of the kernels {self.kernel_cosine:.3f}"
        return f"{self.layer}: filters {first} and {second} are redundant ({alike})"


class ConstantFilter(Record, kw_only=True):
    """A filter whose output is always the same."""

    layer: str
    filter: Count


class Redundancy(Record, kw_only=True):
    """Filters that are alike or say nothing.

    Attributes:
        num_images: on how many images the outputs were compared.
        num_filters_left_out: how many filters of very wide layers were not compared.
        num_pairs: how many pairs are alike.
        pairs: the most alike of them, at most 100.
        constant_filters: those whose output is the same at every place of every one of these images.
    """

    num_images: Count
    num_filters_left_out: Count
    num_pairs: Count
    pairs: tuple[FilterPair, ...]
    constant_filters: tuple[ConstantFilter, ...]

    def lines(self) -> list[str]:
        """Return what was found in sentences, one each; none where nothing was."""
        lines = [str(pair) for pair in self.pairs]
        if self.num_pairs > len(self.pairs):
            lines.append(f"and {self.num_pairs - len(self.pairs):,} more pairs")
        layers = dict[str, list[int]]()
        for one in self.constant_filters:
            layers.setdefault(one.layer, []).append(one.filter)
        lines += [
            f"{layer}: always the same output: {', '.join(map(str, numbers))}" for layer, numbers in layers.items()
        ]
        return lines


def find_redundancy(model: Model, images: NDArray[np.uint8], *, units: bool = False) -> Redundancy:
    """Return which filters of `model` are alike on `images` (N, H, W, C) uint8 or by their kernels.

    At most 1,000 images are taken, evenly, and fewer where the layers are very wide.

    Args:
        units: whether the units of dense layers are compared too; without a convolution they are anyway.

    Raises:
        ValueError: if the images are not of the size the model reads.
    """
    layers = layers_with_filters(model, units=units)
    compared = {layer: evenly(count, _MOST_FILTERS) for layer, count in layers.items()}
    places = {layer: int(np.prod(model.architecture.row(layer).output_shape[:-1])) for layer in layers}
    products = sum(places[layer] * len(chosen) ** 2 for layer, chosen in compared.items())
    most = min(_MOST_IMAGES, max(20, int(_MOST_PRODUCTS / max(products, 1))))
    taken = images[evenly(len(images), most)]
    pairs, constant = list[FilterPair](), list[ConstantFilter]()
    for layer, correlations, is_constant in _correlations(model, taken, compared):
        chosen = compared[layer]
        cosines = _kernel_cosines(model, layer)[np.ix_(chosen, chosen)]
        alike = np.triu((correlations >= LEAST_CORRELATION) | (cosines >= LEAST_COSINE), 1)
        for one, other in np.argwhere(alike):
            pairs.append(
                FilterPair(
                    layer=layer,
                    filters=(int(chosen[one]), int(chosen[other])),
                    correlation=float(correlations[one, other]),
                    kernel_cosine=float(cosines[one, other]),
                )
            )
        constant += [ConstantFilter(layer=layer, filter=int(number)) for number in chosen[is_constant]]
    pairs.sort(key=lambda pair: -max(pair.correlation, pair.kernel_cosine))
    return Redundancy(
        num_images=len(taken),
        num_filters_left_out=sum(layers.values()) - sum(map(len, compared.values())),
        num_pairs=len(pairs),
        pairs=tuple(pairs[:_MOST_PAIRS]),
        constant_filters=tuple(constant),
    )


def _correlations(
    model: Model, images: NDArray[np.uint8], compared: dict[str, NDArray[np.int64]]
) -> Iterator[tuple[str, NDArray[np.float64], NDArray[np.bool_]]]:
    """Yield for each layer the correlations (F, F) of its compared filters, and (F,) which of them never change.

    Covariances are taken about the outputs at the first place, so those of a constant are exactly zero.
    """
    origins, sums, products = dict[str, Any](), dict[str, Any](), dict[str, Any]()
    count = dict.fromkeys(compared, 0)
    step = max(1, block_length(model) // 4)  # copies of them in float64 are made
    for start in range(0, len(images), step):
        activations = model.activations(images[start : start + step], list(compared))
        for layer, chosen in compared.items():
            outputs = activations[layer].reshape(-1, activations[layer].shape[-1])[:, chosen].astype(np.float64)
            outputs -= origins.setdefault(layer, outputs[0].copy())
            count[layer] += len(outputs)
            sums[layer] = sums.get(layer, 0.0) + outputs.sum(axis=0)
            products[layer] = products.get(layer, 0.0) + outputs.T @ outputs
    for layer in compared:
        mean, squares = sums[layer] / count[layer], np.diagonal(products[layer]) / count[layer]
        covariance = products[layer] / count[layer] - np.outer(mean, mean)
        variance = np.diagonal(covariance)
        deviation = np.sqrt(np.where(variance > _ROUNDING * squares, variance, 0))
        scale = np.outer(deviation, deviation)
        correlation = np.divide(covariance, scale, out=np.zeros_like(covariance), where=scale > 0)
        yield layer, np.clip(correlation, -1, 1), squares == 0


def _kernel_cosines(model: Model, name: str) -> NDArray[np.float64]:
    """Return the cosines (F, F) of the angles between the kernels of a layer's filters."""
    kernel, layer = model.weights[f"{name}/kernel"].astype(np.float64), model.architecture.row(name).layer
    if isinstance(layer, DepthwiseConv2D):
        kernels = kernel.reshape(-1, kernel.shape[2] * kernel.shape[3]).T
        channels = np.repeat(np.arange(kernel.shape[2]), kernel.shape[3])
    else:
        kernels = kernel.reshape(-1, kernel.shape[-1]).T
        channels = np.zeros(len(kernels), np.int64)
    lengths = np.linalg.norm(kernels, axis=1, keepdims=True)
    directions = np.divide(kernels, lengths, out=np.zeros_like(kernels), where=lengths > 0)
    same_channel = channels[:, None] == channels[None, :]
    return np.where(same_channel, np.clip(directions @ directions.T, -1, 1), 0.0)
