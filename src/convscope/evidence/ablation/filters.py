"""Measure the accuracy of a trained network without each of its filters.

An ablation replaces the output of a filter by a constant, zero or its mean over the data set, and leaves the rest of
the network as it is. It shows what this network loses at once, not what a filter is for: others may stand in for it,
and a network trained without it may do as well.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.arguments import checked
from convscope.base.metrics import difference_interval
from convscope.base.packing import Packed
from convscope.base.records import Change, ChangeInterval, Count, Fraction, Record, to_tuple
from convscope.base.tables import Tabular
from convscope.data.datasets import Dataset, DatasetLike, evenly
from convscope.engine import Replacement, compute_ablation_effects
from convscope.evidence.ablation.parts import (
    Part,
    Replaced,
    check_replacements,
    filter_means,
    layer_kinds,
    layers_with_filters,
    macs_after,
)
from convscope.evidence.ablation.significance import FALSE_DISCOVERY_RATE, Marking, mark, p_values
from convscope.evidence.records import ClassesRecord, check_packed, describe_images
from convscope.training.model import Model, dataset_for

Floats = NDArray[np.float64]

_MIN_IMAGES = 1000  # filters are left out before there are fewer images, which would hardly tell filters apart


class FilterAblation(Record, kw_only=True):
    """The change of the accuracy without one of the filters.

    Attributes:
        filter: a channel of the layer's map, or a number of its vector, from 0.
        accuracy_change: the accuracy with the ablation less that without, -1 to 1; below zero if the network needs the
            filter.
        interval: (low, high), the 95 % score interval of `accuracy_change` (see `metrics.difference_interval`). It
            covers the choice of the images, not of the seed. Of twenty filters without effect, one interval leaves zero
            out.
        p_value: McNemar's exact, for no change at all.
        is_significant: whether the change is marked among those of all ablations; see `Ablation`.
        accuracy_change_by_class: the change over the images of each class, in six digits; 0.0 for a class without
            images.
    """

    layer: str
    filter: Count
    replacement: Replaced
    accuracy_change: Change
    accuracy_change_by_class: tuple[Change, ...]
    interval: ChangeInterval
    p_value: Fraction
    is_significant: bool


class Ablation(Tabular, ClassesRecord, kw_only=True):
    """The accuracy of a network without each of its filters.

    A change is marked as significant by Benjamini and Hochberg's rule over all ablations, and by class over all
    ablations and classes with images: of the marked ones, at most one in twenty is expected to be a false positive.

    Attributes:
        accuracy: the accuracy of the whole network on these images.
        num_filters_left_out: candidates that were not tried, evenly spread.
        layer_kinds: the kind of each layer with candidates, such as "Conv2D".
        filters: L ablations, by layer and filter; empty if there is neither a convolution nor a hidden layer.
        interval_by_class: (L, K, 2) float32, the interval of each filter's change by class; -1 and 1 for a class
            without images.
        is_significant_by_class: (L, K) uint8, whether each change by class is marked.
        marking: how many of the ablations are marked.
        marking_by_class: how many of the ablations' changes by class.
    """

    _header = ("Layer", "Filters", "Replaced", "Significant losses", "Largest loss", "Filter", "95 % interval")

    accuracy: Fraction
    num_filters_left_out: Count
    layer_kinds: dict[str, str]
    filters: tuple[FilterAblation, ...]
    interval_by_class: Packed
    is_significant_by_class: Packed
    false_discovery_rate: Fraction
    marking: Marking
    marking_by_class: Marking

    def __post_init__(self) -> None:
        # Pages read the ablations as a table, a row for each filter and a column for each replacement, written row by
        # row: (conv, 0) zero, (conv, 0) mean, (conv, 1) zero, (conv, 1) mean, ...
        cells = [((ablation.layer, ablation.filter), ablation.replacement) for ablation in self.filters]
        rows, columns = dict.fromkeys(row for row, _ in cells), dict.fromkeys(column for _, column in cells)
        if cells != [(row, column) for row in rows for column in columns]:
            raise ValueError("filters do not all have the same replacements")
        shape = (len(self.filters), len(self.class_names))
        if any(len(ablation.accuracy_change_by_class) != shape[1] for ablation in self.filters):
            raise ValueError(f"filters have no {shape[1]} changes by class")
        check_packed("interval_by_class", self.interval_by_class, "float32", *shape, 2)
        check_packed("is_significant_by_class", self.is_significant_by_class, "uint8", *shape)

    def _headline(self) -> str:
        where = f"{self.num_images:,} {self.split} images of {self.dataset_name}"
        return f"Accuracy {self.accuracy:.4f} on {where}. Largest accuracy change from removing one filter:"

    def _rows(self) -> list[tuple[str, ...]]:
        groups = dict[tuple[str, Replaced], list[FilterAblation]]()
        for ablation in self.filters:
            groups.setdefault((ablation.layer, ablation.replacement), []).append(ablation)
        rows = list[tuple[str, ...]]()
        for (layer, replacement), group in groups.items():
            worst = min(group, key=lambda ablation: ablation.accuracy_change)
            interval = f"[{worst.interval[0]:+.4f}, {worst.interval[1]:+.4f}]"
            losses = sum(ablation.is_significant and ablation.accuracy_change < 0 for ablation in group)
            change = f"{worst.accuracy_change:+.4f}"
            rows.append((layer, f"{len(group)}", f"by {replacement}", f"{losses}", change, f"{worst.filter}", interval))
        return rows


@checked
def ablate(
    model: Model,
    dataset: DatasetLike,
    replacements: Sequence[Replaced] = ("zero", "mean"),
    *,
    units: bool = False,
    means: Mapping[str, NDArray[np.floating[Any]]] | None = None,
    most_ablations: int = 512,
    most_macs: float = 4e11,
) -> Ablation:
    """Measure the accuracy of `model` on `dataset` without each filter of its convolutions.

    A network without a convolution has each unit of its hidden dense layers tried. The output is replaced after the
    activation, so a layer that follows, such as a batch normalisation, changes the replacement as any other value.

    Args:
        replacements: the values that replace each filter's output, with an ablation for each.
        units: whether each unit of the hidden dense layers is tried besides the filters.
        means: the result of `filter_means` for `dataset`, if it is known already.
        most_ablations: limit; filters are left out, evenly over all layers.
        most_macs: approximate limit for multiply-adds: images are left out evenly down to 1,000, then filters down to
            one. The default takes a few seconds.

    Raises:
        ValueError: if there is no replacement or an unknown one, the images are not of the size the model reads, or
            the classes are not the model's.
    """
    dataset = dataset_for(model, dataset)
    check_replacements(replacements)
    model.check_classes(dataset)
    layers = layers_with_filters(model, units=units)
    candidates: list[Part] = [(layer, number) for layer, count in layers.items() for number in range(count)]
    chosen = [candidates[index] for index in evenly(len(candidates), max(1, most_ablations // len(replacements)))]
    chosen, num_images = _limit_macs(model, chosen, len(dataset), most_macs / len(replacements))
    measured = dataset.take(evenly(len(dataset), num_images)) if num_images < len(dataset) else dataset
    if "mean" in replacements and means is None:
        # Over all images, even if fewer are measured.
        means = filter_means(model, dataset.images)
    named = [(layer, number, replacement) for layer, number in chosen for replacement in replacements]
    ablations: list[list[Replacement]] = [[]]  # the first without a replacement: the whole network
    for layer, number, replacement in named:
        value = float(means[layer][number]) if means is not None and replacement == "mean" else 0.0
        ablations.append([Replacement(layer, number, value)])
    effects = compute_ablation_effects(model.network, measured.images, measured.labels, ablations, with_losses=False)
    is_correct = effects.predictions == measured.labels  # (1 + L, N), the whole network first
    # The images are the same, so a change is a paired difference: only images that become correct or wrong count.
    gained, lost = ~is_correct[0] & is_correct[1:], is_correct[0] & ~is_correct[1:]
    by_class, fields_by_class = _measure_classes(gained, lost, measured)
    filters, marking = _measure_filters(gained, lost, named, by_class)
    return Ablation(
        **describe_images(dataset, len(measured)),
        accuracy=float(is_correct[0].mean()),
        num_filters_left_out=len(candidates) - len(chosen),
        layer_kinds=layer_kinds(model, layers),
        filters=filters,
        marking=marking,
        **fields_by_class,
        false_discovery_rate=FALSE_DISCOVERY_RATE,
    )


def _limit_macs(model: Model, parts: list[Part], num_images: int, most_macs: float) -> tuple[list[Part], int]:
    """Leave out images evenly, down to 1,000, and then filters, so that ablations take at most about `most_macs`.

    An ablation computes for each image only the layers after the filter's own. If all filters take 10 million
    multiply-adds an image, 40 billion are enough for 4,000 images; 5 billion are enough for 1,000 images and half the
    filters.
    """
    macs = macs_after(model)
    image_macs = max(sum(macs[layer] for layer, _ in parts), 1)
    num_images = min(num_images, max(_MIN_IMAGES, int(most_macs / image_macs)))
    max_filters = int(len(parts) * most_macs / (image_macs * num_images))
    return [parts[index] for index in evenly(len(parts), max(1, max_filters))], num_images


def _measure_filters(
    gained: NDArray[np.bool_], lost: NDArray[np.bool_], named: Sequence[tuple[str, int, Replaced]], by_class: Floats
) -> tuple[tuple[FilterAblation, ...], Marking]:
    """Measure the change of each of L ablations, and mark the significant ones.

    Args:
        gained, lost: (L, N), true for images that become correct, or wrong, by the ablation.
        named: layer, filter and replacement of each ablation.
        by_class: (L, K), the changes by class.
    """
    num_gained, num_lost, num_images = gained.sum(axis=1), lost.sum(axis=1), gained.shape[1]
    intervals = np.stack(difference_interval(num_gained, num_lost, num_images), axis=1)
    values = p_values(num_gained, num_lost)
    is_significant, marking = mark(values)
    filters = [
        FilterAblation(
            layer=layer,
            filter=number,
            replacement=replacement,
            accuracy_change=int(num_gained[index] - num_lost[index]) / num_images,
            accuracy_change_by_class=tuple(round(change, 6) for change in by_class[index].tolist()),
            interval=to_tuple(intervals[index]),
            p_value=float(values[index]),
            is_significant=bool(is_significant[index]),
        )
        for index, (layer, number, replacement) in enumerate(named)
    ]
    return tuple(filters), marking


def _measure_classes(
    gained: NDArray[np.bool_], lost: NDArray[np.bool_], dataset: Dataset
) -> tuple[Floats, dict[str, Any]]:
    """Measure the changes over the images of each class: (L, K), and the fields of `Ablation` by class."""
    counts = dataset.class_counts
    num_gained, num_lost = (
        np.stack([flags[:, dataset.labels == label].sum(axis=1) for label in range(dataset.num_classes)], axis=1)
        for flags in (gained, lost)
    )  # (L, K) each: images of class k that become correct, or wrong, by ablation l
    # A class without images has a change of 0 and the interval from -1 to 1, and is not tested.
    changes = (num_gained - num_lost) / np.maximum(counts, 1)
    intervals = np.tile((-1.0, 1.0), (*changes.shape, 1))
    for label in np.flatnonzero(counts):
        interval = difference_interval(num_gained[:, label], num_lost[:, label], int(counts[label]))
        intervals[:, label] = np.stack(interval, axis=1)
    is_tested = np.broadcast_to(counts > 0, changes.shape)
    is_significant, marking = mark(p_values(num_gained, num_lost), is_tested)
    return changes, {
        "interval_by_class": Packed.from_array(intervals.astype(np.float32)),
        "is_significant_by_class": Packed.from_array(is_significant.astype(np.uint8)),
        "marking_by_class": marking,
    }
