"""Find the images and classes that activate each filter of a network.

It shows what a filter is active for, not what it is for: an image that activates it need not change the prediction
without it, which `convscope.evidence.ablation` measures.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.arguments import checked
from convscope.base.records import to_tuple
from convscope.data.datasets import Dataset, DatasetLike, evenly
from convscope.evidence.explanation.filter_cards import (
    NUM_EXCITING,
    QUANTILES,
    RARE,
    Exciting,
    FilterCard,
    FilterCards,
    FilterLayerCards,
)
from convscope.evidence.explanation.filter_measures import (
    FilterLayer,
    FilterMeasures,
    class_selectivity,
    filter_layers,
    layer_outputs,
    measure_filters,
    round_six_digits,
)
from convscope.evidence.explanation.filter_pictures import picture_layers
from convscope.evidence.records import describe_images
from convscope.training.model import Model, dataset_for

Indices = NDArray[np.int64]

_MIN_IMAGES = 1000  # as in `convscope.evidence.ablation`: with fewer, class means are mostly chance
_MAX_VALUES = 4e8  # values of feature maps to compute and measure: about five seconds
_MAX_MACS = 2e11  # multiply-adds of the forward passes


@checked
def filter_cards(model: Model, dataset: DatasetLike, *, max_images: int = 10_000) -> FilterCards:
    """Measure which images and classes activate each filter of `model` on `dataset`.

    The filters are those of its convolutions, or without a convolution the units of its hidden dense layers. Pictures
    are kept for at most about a hundred filters, sampled evenly from each layer; figures are of all filters.

    Args:
        max_images: limit; other images are left out evenly, and for large networks more, down to 1,000.

    Raises:
        ValueError: if max_images < 1, the images are not of the size the model reads, or the classes are not the
            model's.

    Source: the images with the highest activations and their positions: Zeiler and Fergus 2014, section 4.
    """
    dataset = dataset_for(model, dataset)
    if max_images < 1:
        raise ValueError(f"max_images is {max_images}; it must be at least 1")
    model.check_classes(dataset)
    layers = filter_layers(model.architecture)
    num_images = min(len(dataset), max_images, max(_MIN_IMAGES, _count_affordable(model, layers)))
    indices = evenly(len(dataset), num_images)
    measured = dataset.take(indices)
    measures = measure_filters(model, layers, measured.images)
    exciting = _find_exciting(model, layers, measures, measured, indices) if layers else []
    pictures = picture_layers(layers, dataset.images, [[images.spots for images in filters] for filters in exciting])
    cards = []
    for layer, values, images_of_filters, layer_pictures in zip(layers, measures, exciting, pictures, strict=True):
        cards.append(
            FilterLayerCards(
                layer=layer.layer,
                kind=model.architecture.row(layer.layer).layer.kind,
                read_at=layer.row.layer.name,
                activation=layer.activation,
                map_size=layer.map_size,
                receptive_field=layer.row.receptive_field,
                filters=_make_cards(layer.layer, values, measured.labels, images_of_filters),
                pictures=layer_pictures,
            )
        )
    return FilterCards(**describe_images(dataset, len(measured)), image_shape=dataset.image_shape, layers=tuple(cards))


def _count_affordable(model: Model, layers: Sequence[FilterLayer]) -> int:
    """Estimate how many images can be measured in a few seconds."""
    values = sum(layer.map_size[0] * layer.map_size[1] * layer.num_filters for layer in layers)
    return int(min(_MAX_VALUES / max(values, 1), _MAX_MACS / max(model.architecture.macs, 1)))


def _find_exciting(
    model: Model, layers: Sequence[FilterLayer], measures: Sequence[FilterMeasures], dataset: Dataset, indices: Indices
) -> list[list[Exciting]]:
    """Find for each layer and filter the images with the highest activations, and where on the map these are.

    `measures` has the highest output of each image, but not its position. So a second pass computes the chosen images,
    a few hundred of many thousands, once more.

    Args:
        dataset: the measured images; `indices` are theirs in the whole data set.
    """
    # chosen[layer][filter] is an array of up to nine images, and cells[layer][filter] one of as many cells of the map.
    chosen = [[_choose_images(measure, index) for index in range(measure.maxima.shape[1])] for measure in measures]
    cells = _locate_maxima(model, layers, dataset.images, chosen)
    exciting = []
    for layer, measure, layer_images, layer_cells in zip(layers, measures, chosen, cells, strict=True):
        of_layer = []
        for index, (images, filter_cells) in enumerate(zip(layer_images, layer_cells, strict=True)):
            rows, columns = np.divmod(filter_cells, layer.map_size[1])
            of_layer.append(
                Exciting(
                    index=to_tuple(indices[images]),
                    row=to_tuple(rows),
                    column=to_tuple(columns),
                    value=tuple(map(round_six_digits, measure.maxima[images, index])),
                )
            )
        exciting.append(of_layer)
    return exciting


def _choose_images(measures: FilterMeasures, index: int) -> Indices:
    """Choose at most nine measured images with the highest outputs of the filter at `index`, the highest first.

    A dead filter has none. Behind a relu zero means inactive, so maxima 0, 0.9, 0.2 give images 1 and 2 only.
    """
    maxima = measures.maxima[:, index]
    best = np.argsort(-maxima, kind="stable")[:NUM_EXCITING]
    is_kept: NDArray[np.bool_] = ~measures.is_constant[index] & (measures.is_signed | (maxima[best] > 0))
    return best[is_kept]


def _locate_maxima(
    model: Model, layers: Sequence[FilterLayer], images: NDArray[np.uint8], chosen: Sequence[Sequence[Indices]]
) -> list[list[Indices]]:
    """Compute the cells, row · width + column, of the filters' highest outputs on their `chosen` images.

    Each layer has a list of pairs of an image and a filter that chose it. If its filter 0 chose the images 3 and 5, and
    filter 1 image 5, they are

        pair_images    3 5 5
        pair_filters   0 0 1

    Each image passes through the network once. When the block with image 5 was computed, the last two cells are filled.
    """
    counts = [[len(filter_images) for filter_images in layer_images] for layer_images in chosen]
    pair_images = [np.concatenate(layer_images) for layer_images in chosen]
    pair_filters = [np.repeat(np.arange(len(lengths)), lengths) for lengths in counts]
    cells = [np.zeros(sum(lengths), np.int64) for lengths in counts]
    for block, outputs in layer_outputs(model, layers, images, np.unique(np.concatenate(pair_images))):
        for maps, image, filter_index, cell in zip(outputs, pair_images, pair_filters, cells, strict=True):
            pairs = np.flatnonzero(np.isin(image, block))
            rows = np.searchsorted(block, image[pairs])  # where the images are in the block, which is sorted
            # (n, H, W, F) becomes (n, H · W, F), and each pair takes one map of it: (pairs, H · W).
            cell[pairs] = maps.reshape(len(block), -1, maps.shape[3])[rows, :, filter_index[pairs]].argmax(axis=1)
    return [np.split(of_layer, np.cumsum(lengths)[:-1]) for of_layer, lengths in zip(cells, counts, strict=True)]


def _make_cards(
    layer: str, measures: FilterMeasures, labels: NDArray[Any], exciting: Sequence[Exciting]
) -> tuple[FilterCard, ...]:
    """Make the card of each filter of a layer from its measures and the images that activate it most."""
    selectivity, selective = class_selectivity(measures.means, labels)
    quantiles = np.quantile(measures.maxima, QUANTILES, axis=0)
    active_fractions = (measures.maxima > 0).mean(axis=0)  # share of images that activate each filter
    cards = list[FilterCard]()
    for index, images in enumerate(exciting):
        is_dead, fraction = bool(measures.is_constant[index]), float(active_fractions[index])
        cards.append(
            FilterCard(
                layer=layer,
                filter=index,
                quantiles=tuple(map(round_six_digits, quantiles[:, index])),
                active_image_fraction=fraction,
                is_dead=is_dead,
                is_rare=not is_dead and fraction < RARE,
                selectivity=round_six_digits(selectivity[index]),
                selective_label=int(selective[index]),
                exciting=images,
            )
        )
    return tuple(cards)
