"""How many filters a network can lose: `removal_curves` takes them away one after another, the least important first.

Single ablations understate what filters carry together, because others stand in for the one that is lost (Meyes and
others 2019). Here more and more of a layer go at once: in the order of their importance, in the reverse, and in random
orders as the control. Importance is measured on training images, the curves on test images; nothing is retrained. The
order with the least important filters first has more images than the controls, as it says how many filters can go.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from convscope.base.arguments import Seed, checked
from convscope.base.metrics import paired_interval, wilson_interval
from convscope.base.records import ChangeInterval, Count, Fraction, FractionInterval, Record, to_tuple
from convscope.base.streams import random_stream
from convscope.base.tables import Tabular
from convscope.data.datasets import Dataset, Splits, evenly
from convscope.engine import Lesion, Replacement, lesion_effects
from convscope.evidence.ablation.parts import (
    Part,
    Replaced,
    check_replacements,
    filter_means,
    layer_kinds,
    layers_with_filters,
    macs_behind,
)
from convscope.evidence.records import ImagesRecord, check_lengths
from convscope.training.model import Model

_MOST_POINTS = 9  # of a curve, with none and all of the filters
_MOST_RANKING_IMAGES = 10_000
_LEAST_IMAGES = 100  # before orders and layers are left out
_LEAST_ORDERS = 5  # before layers are left out
_LESIONS_AT_ONCE = 256  # whose losses of all images are held together
_ANSWERS_AT_ONCE = 1 << 22  # of some lesions to all images
_RANKING_SHARE, _LEAST_SHARE = 0.2, 0.4  # of the multiply-adds; the controls have the rest
_BAND = (2.5, 97.5)  # percentiles of the random orders


class RemovalCurve(Record, kw_only=True):
    """The accuracy with more and more filters of some layers removed at once, at P points.

    Attributes:
        layers: those whose filters are removed: one, or all of them.
        counts: how many filters are removed, from none to all.
        most_important_first: the accuracy, 0 to 1.
        most_important_first_interval: its 95 % Wilson interval, for the choice of the images.
        least_important_first: and its interval likewise; on `Removal.num_images`, the others on the controls'.
        least_important_first_change_interval: the 95 % score interval of its accuracy minus the whole
            network's (see `metrics.paired_interval`).
        random_mean: the mean of the accuracies in random orders.
        random_interval: from the 2.5th to the 97.5th percentile of the orders.
        order: the filters, the most important first: those whose loss alone raises the cross-entropy of training images
            most.
    """

    layers: Annotated[tuple[str, ...], Meta(min_length=1)]
    replacement: Replaced
    counts: Annotated[tuple[Count, ...], Meta(min_length=2)]
    most_important_first: tuple[Fraction, ...]
    most_important_first_interval: tuple[FractionInterval, ...]
    least_important_first: tuple[Fraction, ...]
    least_important_first_interval: tuple[FractionInterval, ...]
    least_important_first_change_interval: tuple[ChangeInterval, ...]
    random_mean: tuple[Fraction, ...]
    random_interval: tuple[FractionInterval, ...]
    order: tuple[tuple[str, Count], ...]

    def __post_init__(self) -> None:
        names = [name for name in self.__struct_fields__ if name not in ("layers", "replacement", "order")]
        check_lengths(**{name: getattr(self, name) for name in names})


class Removal(Tabular, ImagesRecord, kw_only=True):
    """The removal curves of a network.

    Attributes:
        num_images: on how many images of `split` the order with the least important first was measured, sampled evenly.
        num_images_left_out: how many more there are.
        num_control_images: on how many the other orders were measured, sampled evenly.
        accuracy: of the whole network on these images.
        num_ranking_images: on how many training images importance was measured.
        num_orders: how many random orders there are.
        layer_kinds: the kind of each layer in question, such as "Conv2D".
        layers_left_out: layers that would cost too much.
        curves: by layers and replacement; the last ones of all layers together, where there are several.
    """

    _header = ("Layers", "Filters", "Replaced", "Removed", "Least important", "Random (95 % band)", "Most important")

    num_control_images: Count
    accuracy: Fraction
    num_ranking_images: Count
    num_orders: Count
    seed: int
    layer_kinds: dict[str, str]
    layers_left_out: tuple[str, ...]
    curves: tuple[RemovalCurve, ...]

    def _lines(self) -> list[str]:
        return [f"Left out because it would take too long: {layer}" for layer in self.layers_left_out]

    def _headline(self) -> str:
        where = f"{self.num_images:,} {self.split} images of {self.dataset_name}"
        return f"Accuracy {self.accuracy:.4f} on {where}. Accuracy after removing half of the filters at once:"

    def _rows(self) -> list[tuple[str, ...]]:
        rows = list[tuple[str, ...]]()
        for curve in self.curves:
            half = int(np.abs(2 * np.array(curve.counts) - curve.counts[-1]).argmin())
            low, high = curve.random_interval[half]
            rows.append(
                (
                    curve.layers[0] if len(curve.layers) == 1 else "all",
                    f"{curve.counts[-1]}",
                    f"by {curve.replacement}",
                    f"{curve.counts[half]}",
                    f"{curve.least_important_first[half]:.4f}",
                    f"{curve.random_mean[half]:.4f} [{low:.4f}, {high:.4f}]",
                    f"{curve.most_important_first[half]:.4f}",
                )
            )
        return rows


@checked
def removal_curves(
    model: Model,
    splits: Splits,
    replacements: Sequence[Replaced] = ("zero", "mean"),
    *,
    units: bool = False,
    means: Mapping[str, NDArray[np.floating[Any]]] | None = None,
    num_orders: int = 20,
    seed: Seed = 0,
    most_macs: float = 5e11,
) -> Removal:
    """Return the accuracy of `model` on the test images with more and more filters of each layer removed.

    Args:
        replacements: by what the outputs of removed filters are replaced, a curve each.
        units: whether dense layers are tried beside convolutions; without a convolution they are anyway.
        means: what `filter_means` gives for the test images, where it is known already.
        num_orders: how many random orders are tried, the same ones on every call with this `seed`.
        most_macs: how many multiply-adds it may cost, about: beyond it images are left out evenly, down to 100, then
            random orders, down to 5, and then layers, the costliest first. The default takes some seconds.

    Raises:
        ValueError: if there is no replacement or an unknown one, there is no order, the images are not of the size the
            model reads, or the classes are not the model's.
    """
    check_replacements(replacements)
    if num_orders < 1:
        raise ValueError(f"num_orders is {num_orders}; it must be at least 1")
    model.check_classes(splits.test)
    plan = _plan(model, layers_with_filters(model, units=units), len(replacements), num_orders, most_macs)
    ranking = splits.train.take(evenly(len(splits.train), min(plan.num_ranking_images, _MOST_RANKING_IMAGES)))
    measured, control = (
        splits.test.take(evenly(len(splits.test), count)) for count in (plan.num_images, plan.num_control_images)
    )
    if "mean" in replacements and means is None:
        means = filter_means(model, splits.test.images)
    groups = [(layer,) for layer in plan.layers] + ([tuple(plan.layers)] if len(plan.layers) > 1 else [])
    orders = {one: _by_importance(model, ranking, plan.layers, one) for one in replacements}
    removals = [
        _Removed(
            group,
            replacement,
            [part for part, _ in orders[replacement] if part[0] in group],
            means if replacement == "mean" else None,
        )
        for group in groups
        for replacement in replacements
    ]
    # All at once: the layers before what is removed are then computed once for each image.
    whole, *least = _right(model, measured, [[[]], *(one.lesions(one.order[::-1]) for one in removals)])
    curves = [
        _curve(model, one, right, control, plan.num_orders, seed) for one, right in zip(removals, least, strict=True)
    ]
    return Removal(
        dataset_name=splits.test.name,
        split=splits.test.split,
        num_images=len(measured),
        num_images_left_out=len(splits.test) - len(measured),
        num_control_images=len(control),
        accuracy=float(whole.mean()),
        num_ranking_images=len(ranking),
        num_orders=plan.num_orders,
        seed=seed,
        layer_kinds=layer_kinds(model, [*plan.layers, *plan.layers_left_out]),
        layers_left_out=tuple(plan.layers_left_out),
        curves=tuple(curves),
    )


@dataclass(frozen=True)
class _Plan:
    """What is tried with what the multiply-adds allow."""

    layers: Mapping[str, int]
    layers_left_out: Sequence[str]
    num_ranking_images: int
    num_images: int
    num_control_images: int
    num_orders: int


def _plan(model: Model, filters: Mapping[str, int], num_replacements: int, num_orders: int, most_macs: float) -> _Plan:
    behind, kept, left_out = macs_behind(model), dict(filters), list[str]()
    for_ranking, for_least = _RANKING_SHARE * most_macs, _LEAST_SHARE * most_macs
    for_controls = most_macs - for_ranking - for_least
    least_orders = min(num_orders, _LEAST_ORDERS)

    def macs_to_rank() -> int:
        """For an image, without each filter."""
        return max(1, num_replacements * sum(count * behind[layer] for layer, count in kept.items()))

    def macs_of_an_order() -> int:
        """For an image, at each point of the curves, the one of all layers together too."""
        lesions = [behind[layer] for layer in kept]
        lesions += [max(lesions)] if len(lesions) > 1 else []
        return max(1, num_replacements * (_MOST_POINTS - 2) * sum(lesions))

    while kept and (
        _LEAST_IMAGES * macs_to_rank() > for_ranking
        or _LEAST_IMAGES * (1 + least_orders) * macs_of_an_order() > for_controls
    ):
        left_out.append(max(kept, key=lambda layer: kept[layer] * behind[layer]))
        del kept[left_out[-1]]
    affordable = int(for_controls / (_LEAST_IMAGES * macs_of_an_order())) - 1
    orders = min(num_orders, max(least_orders, affordable))
    counts = (
        for_ranking / macs_to_rank(),
        for_least / macs_of_an_order(),
        for_controls / ((1 + orders) * macs_of_an_order()),
    )
    ranking, least, controls = (max(1, int(count)) for count in counts)
    return _Plan(kept, left_out, ranking, least, controls, orders)


def _by_importance(
    model: Model, dataset: Dataset, layers: Mapping[str, int], replacement: Replaced
) -> list[tuple[Part, float]]:
    """Return the filters of all layers with the mean cross-entropy without each, the largest first."""
    parts: list[Part] = [(layer, number) for layer, count in layers.items() for number in range(count)]
    means = filter_means(model, dataset.images) if replacement == "mean" and parts else None
    losses = list[float]()
    for start in range(0, len(parts), _LESIONS_AT_ONCE):
        lesions = [_lesion([part], means) for part in parts[start : start + _LESIONS_AT_ONCE]]
        losses += lesion_effects(model.network, dataset.images, dataset.labels, lesions).losses.mean(axis=1).tolist()
    return sorted(zip(parts, losses, strict=True), key=lambda one: -one[1])


@dataclass(frozen=True)
class _Removed:
    """What a curve removes: the filters of `layers`. In `order` the most important comes first."""

    layers: tuple[str, ...]
    replacement: Replaced
    order: Sequence[Part]
    means: Mapping[str, NDArray[np.floating[Any]]] | None

    @property
    def counts(self) -> NDArray[np.int64]:
        """(P,), how many filters are removed at each point."""
        return evenly(len(self.order) + 1, _MOST_POINTS)

    def lesions(self, sequence: Sequence[Part]) -> list[list[Replacement]]:
        """Return what is replaced at each point, where the filters are removed in the order of `sequence`."""
        return [_lesion(sequence[:count], self.means) for count in self.counts.tolist()]


def _curve(
    model: Model, removed: _Removed, least: NDArray[np.bool_], control: Dataset, num_orders: int, seed: int
) -> RemovalCurve:
    """Return a curve; `least` (P, N) is which images are right with the least important filters removed first."""
    order, counts, num_images = removed.order, removed.counts, least.shape[1]
    purpose = f"removal {' '.join(removed.layers)}"
    by_number = sorted(order)  # so that an order is the same one whatever is important
    shuffled = [
        [by_number[place] for place in random_stream(seed, purpose, number).permutation(len(order))]
        for number in range(num_orders)
    ]
    # With none and all removed the order does not matter.
    inner = [lesion for sequence in shuffled for lesion in removed.lesions(sequence)[1:-1]]
    most, rest = _right(model, control, [removed.lesions(order), inner])
    random = np.tile(most.mean(axis=1), (num_orders, 1))  # (orders, P)
    random[:, 1:-1] = rest.mean(axis=1).reshape(num_orders, len(counts) - 2)
    num_correct, most_right = least.sum(axis=1), most.sum(axis=1)
    lost, gained = (least[0] & ~least).sum(axis=1), (~least[0] & least).sum(axis=1)
    return RemovalCurve(
        layers=removed.layers,
        replacement=removed.replacement,
        counts=to_tuple(counts),
        most_important_first=to_tuple(most.mean(axis=1)),
        most_important_first_interval=_interval(most_right, len(control)),
        least_important_first=to_tuple(num_correct / num_images),
        least_important_first_interval=_interval(num_correct, num_images),
        least_important_first_change_interval=to_tuple(np.stack(paired_interval(gained, lost, num_images), axis=1)),
        random_mean=to_tuple(random.mean(axis=0)),
        random_interval=to_tuple(np.percentile(random, _BAND, axis=0).T),
        order=tuple(order),
    )


def _right(model: Model, dataset: Dataset, groups: Sequence[Sequence[Lesion]]) -> list[NDArray[np.bool_]]:
    """Return for each group of L lesions (L, N), which images are right with each lesion."""
    lesions = [lesion for group in groups for lesion in group]
    right, at_once = np.empty((len(lesions), len(dataset)), bool), max(1, _ANSWERS_AT_ONCE // len(dataset))
    for start in range(0, len(lesions), at_once):
        some = lesions[start : start + at_once]
        effects = lesion_effects(model.network, dataset.images, dataset.labels, some, with_losses=False)
        right[start : start + at_once] = effects.predictions == dataset.labels
    return np.split(right, np.cumsum([len(group) for group in groups])[:-1])


def _interval(num_correct: NDArray[np.int64], num_images: int) -> tuple[FractionInterval, ...]:
    return to_tuple(np.stack(wilson_interval(num_correct, np.full(len(num_correct), num_images)), axis=1))


def _lesion(parts: Sequence[Part], means: Mapping[str, NDArray[np.floating[Any]]] | None) -> list[Replacement]:
    """Return the replacement of each part, by zero where there are no means."""
    return [
        Replacement(layer, number, 0.0 if means is None else float(means[layer][number])) for layer, number in parts
    ]
