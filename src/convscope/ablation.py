"""What a filter is worth: `ablate` takes a model and a data set to an `Ablation`, the accuracy without each filter.

A lesion makes one filter give the same value everywhere, zero or its mean over the data set, and leaves the rest of
the trained network as it is. It shows what this network loses at once, not what a filter is for: others may stand in
for it, and a network trained without it may do as well.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from html import escape
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Conv2D, Dense, DepthwiseConv2D
from convscope.datasets import Dataset
from convscope.engine import Replacement, lesion_effects
from convscope.metrics import paired_interval
from convscope.model import Model
from convscope.tables import html_table, printable, text_table

Replaced = Literal["zero", "mean"]
"""By what a filter's output is replaced: zero, or its own mean over the data set."""

_BLOCK_BYTES = 1 << 26  # of the activations that are held at once
_LEAST_IMAGES = 1000  # before filters are left out: fewer tell a network's filters hardly apart
_HEADER = ("Layer", "Filters", "Replaced", "Worst", "Filter", "95 % interval")


@dataclass(frozen=True)
class FilterLesion:
    """What a network loses with one of its filters.

    Attributes:
        filter: a channel of the layer's map, or a number of its vector, from 0.
        accuracy_change: the accuracy with the lesion less that without, -1 to 1: below zero where the filter is missed.
        accuracy_change_by_class: (K,), the same over the images of each class; 0.0 for a class without images.
        interval: (low, high), the 95 % score interval of `accuracy_change` (see `metrics.paired_interval`): the luck of
            the images, not of the seed. Of twenty filters without effect, one interval leaves zero out.
    """

    layer: str
    filter: int
    replacement: Replaced
    accuracy_change: float
    accuracy_change_by_class: tuple[float, ...] = field(repr=False)
    interval: tuple[float, float]

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain JSON."""
        lists = {"accuracy_change_by_class": list(self.accuracy_change_by_class), "interval": list(self.interval)}
        return asdict(self) | lists


@dataclass(frozen=True)
class Ablation:
    """The accuracy of a network without each of its filters.

    Attributes:
        num_images: on how many images all was measured, evenly taken from the data set.
        num_images_left_out: how many more the data set has.
        accuracy: of the whole network on these images.
        num_filters_left_out: how many of the filters in question were not tried, evenly spread.
        filters: a lesion each, by layer and filter; empty where there is neither a convolution nor a hidden layer.
    """

    dataset_name: str
    split: str
    class_names: tuple[str, ...]
    num_images: int
    num_images_left_out: int
    accuracy: float
    num_filters_left_out: int
    filters: tuple[FilterLesion, ...] = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain JSON."""
        return {
            "dataset": self.dataset_name,
            "split": self.split,
            "class_names": list(self.class_names),
            "num_images": self.num_images,
            "num_images_left_out": self.num_images_left_out,
            "accuracy": self.accuracy,
            "num_filters_left_out": self.num_filters_left_out,
            "filters": [lesion.to_dict() for lesion in self.filters],
        }

    def __str__(self) -> str:
        return f"{self._headline()}\n\n{text_table(_HEADER, self._rows())}"

    def _repr_html_(self) -> str:
        return f"<p>{escape(self._headline())}</p>{html_table(_HEADER, self._rows())}"

    def _headline(self) -> str:
        where = f"{self.num_images:,} {self.split} images of {self.dataset_name}"
        return printable(f"Accuracy {self.accuracy:.4f} on {where}; what one filter less changes at worst:")

    def _rows(self) -> list[tuple[str, ...]]:
        groups = dict[tuple[str, Replaced], list[FilterLesion]]()
        for lesion in self.filters:
            groups.setdefault((lesion.layer, lesion.replacement), []).append(lesion)
        rows = list[tuple[str, ...]]()
        for (layer, replacement), lesions in groups.items():
            worst = min(lesions, key=lambda lesion: lesion.accuracy_change)
            interval = f"[{worst.interval[0]:+.4f}, {worst.interval[1]:+.4f}]"
            change = f"{worst.accuracy_change:+.4f}"
            rows.append((layer, f"{len(lesions)}", f"by {replacement}", change, f"{worst.filter}", interval))
        return rows


def ablate(
    model: Model,
    dataset: Dataset,
    replacements: Sequence[Replaced] = ("zero", "mean"),
    *,
    means: Mapping[str, NDArray[np.floating[Any]]] | None = None,
    most_lesions: int = 512,
    most_macs: float = 4e11,
) -> Ablation:
    """Return what `model` loses on `dataset` with each filter of its convolutions.

    Without a convolution it is each unit of the hidden dense layers. A filter's output is replaced behind its
    activation, so what follows it, such as a batch normalisation, still adds what it adds to any value.

    Args:
        replacements: by what each filter's output is replaced, one lesion each.
        means: what `filter_means` gives for `dataset`, where it is known already.
        most_lesions: beyond it, filters are left out, evenly over all layers.
        most_macs: how many multiply-adds it may cost, about: beyond it images are left out evenly down to 1,000, then
            filters, down to one. The default takes a few seconds.

    Raises:
        ValueError: if there is no replacement or an unknown one, the images are not of the size the model reads, or
            the classes are not the model's.
    """
    if not replacements or not set(replacements) <= set(get_args(Replaced)):
        raise ValueError(f"replacements are {replacements!r}; give some of {', '.join(get_args(Replaced))}")
    model.check_classes(dataset)
    candidates = _filters(model)
    chosen = [candidates[place] for place in _evenly(len(candidates), max(1, most_lesions // len(replacements)))]
    cost = len(replacements) * max(_macs_behind(model, chosen), 1)  # of an image with each lesion
    num_images = min(len(dataset), max(_LEAST_IMAGES, int(most_macs / cost)))
    most_filters = int(len(chosen) * most_macs / (cost * num_images))
    chosen = [chosen[place] for place in _evenly(len(chosen), max(1, most_filters))]
    measured = dataset.take(_evenly(len(dataset), num_images)) if num_images < len(dataset) else dataset
    if "mean" in replacements and means is None:
        means = filter_means(model, dataset.images)
    named = [(layer, number, replacement) for layer, number in chosen for replacement in replacements]

    def value(layer: str, number: int, replacement: Replaced) -> float:
        return float(means[layer][number]) if means is not None and replacement == "mean" else 0.0

    lesions = [[Replacement(one[0], one[1], value(*one))] for one in named]
    effects = lesion_effects(model.network, measured.images, measured.labels, [[], *lesions])
    right = effects.predictions == measured.labels  # (1 + L, N), the whole network first
    return Ablation(
        dataset_name=dataset.name,
        split=dataset.split,
        class_names=dataset.class_names,
        num_images=len(measured),
        num_images_left_out=len(dataset) - len(measured),
        accuracy=float(right[0].mean()),
        num_filters_left_out=len(candidates) - len(chosen),
        filters=_measure(named, right[0], right[1:], measured),
    )


def _measure(
    named: Sequence[tuple[str, int, Replaced]], whole: NDArray[np.bool_], right: NDArray[np.bool_], dataset: Dataset
) -> tuple[FilterLesion, ...]:
    """Return the lesions from which images are answered rightly: `whole` (N,) without, `right` (L, N) with each."""
    broken, mended = (whole & ~right).sum(axis=1), (~whole & right).sum(axis=1)
    low, high = paired_interval(mended, broken, len(dataset))
    by_class = np.zeros((len(named), dataset.num_classes))
    for label in np.unique(dataset.labels):
        members = dataset.labels == label
        by_class[:, label] = (right[:, members].sum(axis=1) - whole[members].sum()) / members.sum()
    return tuple(
        FilterLesion(
            layer,
            number,
            replacement,
            accuracy_change=int(mended[one] - broken[one]) / len(dataset),
            accuracy_change_by_class=tuple(by_class[one].tolist()),
            interval=(float(low[one]), float(high[one])),
        )
        for one, (layer, number, replacement) in enumerate(named)
    )


def _filters(model: Model) -> list[tuple[str, int]]:
    """Return the filters in question by layer and number: of convolutions, or else of all dense layers but the last."""
    table = model.architecture.table
    layers = [row for row in table if isinstance(row.layer, Conv2D | DepthwiseConv2D)]
    layers = layers or [row for row in table if isinstance(row.layer, Dense)][:-1]
    return [(row.layer.name, number) for row in layers for number in range(row.output_shape[-1])]


def _macs_behind(model: Model, filters: Sequence[tuple[str, int]]) -> int:
    """Return the multiply-adds of an image on its way from each of the filters to the logits, added up."""
    behind, macs = dict[str, int](), 0
    for row in reversed(model.architecture.table):
        behind[row.layer.name] = macs
        macs += row.macs
    return sum(behind[layer] for layer, _ in filters)


def _evenly(count: int, most: int) -> NDArray[np.int64]:
    """Return at most `most` of the places 0 to count - 1, evenly spaced from the first to the last."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(np.int64)


def filter_means(model: Model, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """Return by layer the mean output of each filter over the images (N, H, W, C), of maps over all places too.

    The last layer's are means of logits, since a lesion there replaces a logit.
    """
    table = model.architecture.table
    sums = {row.layer.name: np.zeros(row.output_shape[-1]) for row in table}
    last = table[-1].layer.name
    numbers = sum(int(np.prod(row.output_shape)) for row in table)
    step = max(1, _BLOCK_BYTES // (4 * numbers))
    for start in range(0, len(images), step):
        block = images[start : start + step]
        activations = {**model.activations(block, [name for name in sums if name != last]), last: model.logits(block)}
        for name, outputs in activations.items():
            places = outputs.reshape(len(block), -1, outputs.shape[-1])
            sums[name] += places.mean(axis=1, dtype=np.float64).sum(axis=0)
    return {name: (total / len(images)).astype(np.float32) for name, total in sums.items()}
