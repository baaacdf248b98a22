"""Whether attributions hold: `check_attributions` takes a model and images to each method's results in three tests.

Deletion and insertion of pixels in the map's order, against random orders; and the control with random weights, whose
maps must differ from the network's own. A method that passes is not proved
right: the tests show where one is wrong.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from convscope.base.arguments import Seed, checked
from convscope.base.metrics import average_ranks, softmax
from convscope.base.packing import Packed
from convscope.base.records import Change, Count, Fraction, Interval, Record, to_tuple
from convscope.base.statistics import mean_interval
from convscope.base.streams import random_stream
from convscope.base.tables import Tabular
from convscope.data.datasets import DatasetLike, evenly
from convscope.engine import initial_weights
from convscope.evidence.explanation.attributions import (
    Maps,
    Method,
    attribute,
    background_of,
    logits_of_distinct,
    methods_for,
)
from convscope.evidence.records import ClassesRecord, Label, check_labels, check_lengths, check_packed, describe_images
from convscope.training.model import Model, dataset_for

_STEPS = 20  # of a deletion or insertion curve
_RANDOM_ORDERS = 4  # an image
_MOST_EXAMPLES = 6
_IMAGES_AT_ONCE = 2000  # answered by one call


class MethodCheck(Record, kw_only=True):
    """What one method's maps are worth.

    Attributes:
        deletion: the mean area under the curve of the target's probability while pixels are blanked, those first that
            count most for it; lower is better.
        deletion_gain: the same less that of random orders, over the same images, with its 95 % t interval, which is
            None of one image: below zero where the map knows more than chance.
        insertion: the mean area while pixels come back onto the blank image; higher is better.
        insertion_gain: less that of random orders: above zero where the map knows more than chance.
        similarity: the mean rank correlation, over the pixels that are not background, of the sizes in the map with
            those of a network that has random weights in all layers: near zero where the map depends on the weights,
            near one where it shows the image alone.
        num_compared: of how many images that is defined, which it is not for a map of equal numbers.
    """

    method: Method
    deletion: Fraction
    deletion_gain: Change
    deletion_gain_interval: Interval | None
    insertion: Fraction
    insertion_gain: Change
    insertion_gain_interval: Interval | None
    similarity: Change | None
    num_compared: Count


class AttributionChecks(Tabular, ClassesRecord, kw_only=True):
    """The methods that a network allows, each with its checks, and the maps of a few images.

    Attributes:
        background: the grey level that blanked pixels get.
        example_indices: of the E images in `examples`, in the data set.
        example_images: (E, H, W, C) uint8.
        examples: by method, (E, H, W) int8, the map of each image as a share of its largest size, in 127 steps, for the
            model's own answers `example_predictions`.
    """

    _header = ("Method", "Deletion", "minus random", "Insertion", "minus random", "Random weights")

    background: Annotated[int, Meta(ge=0, le=255)]
    methods: Annotated[tuple[MethodCheck, ...], Meta(min_length=1)]
    example_indices: tuple[Count, ...]
    example_predictions: tuple[Label, ...]
    example_images: Packed
    examples: dict[Method, Packed]

    def __post_init__(self) -> None:
        check_lengths(example_indices=self.example_indices, example_predictions=self.example_predictions)
        check_labels(self.class_names, self.example_predictions, "example_predictions")
        check_packed("example_images", self.example_images, "uint8", len(self.example_indices), None, None, None)
        for method, maps in self.examples.items():
            check_packed(method, maps, "int8", *self.example_images.shape[:3])

    def _headline(self) -> str:
        where = f"{self.num_images:,} {self.split} images of {self.dataset_name}"
        return f"Attributions of the predicted class on {where}, each method against random orders of pixels:"

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                check.method,
                f"{check.deletion:.3f}",
                f"{check.deletion_gain:+.3f}",
                f"{check.insertion:.3f}",
                f"{check.insertion_gain:+.3f}",
                "-" if check.similarity is None else f"{check.similarity:.2f}",
            )
            for check in self.methods
        ]


@checked
def check_attributions(
    model: Model,
    dataset: DatasetLike,
    *,
    methods: Sequence[Method] | None = None,
    most_images: int = 100,
    seed: Seed = 0,
) -> AttributionChecks:
    """Return what each of `methods` (all that the network allows by default) is worth on images of `dataset`.

    The target is the model's own answer, right or wrong.

    Args:
        most_images: beyond it, images are taken evenly.
        seed: of the random orders, the random weights and the noise of `smoothgrad`.

    Raises:
        ValueError: if there is no method or one is unknown or not possible, `most_images` is below 1, the images are
            not of the size the model reads, or the classes are not the model's.
    """
    dataset = dataset_for(model, dataset)
    if most_images < 1:
        raise ValueError(f"most_images is {most_images}; it must be at least 1")
    methods = methods_for(model) if methods is None else methods
    if not methods:
        raise ValueError("methods is empty; name at least one")
    model.check_classes(dataset)
    chosen = evenly(len(dataset), most_images)
    images = dataset.images[chosen]
    targets, background = model.predict(images), background_of(images)
    random_curves = _random_curves(model, images, targets, background, seed)
    randomised = _randomised(model, seed)
    checks, examples = [], dict[Method, Packed]()
    for method in methods:
        maps, other = (
            attribute(one, images, targets, method, background=background, seed=seed) for one in (model, randomised)
        )
        examples[method] = Packed.from_array(_in_steps(maps[:_MOST_EXAMPLES]))
        checks.append(_check(model, images, targets, background, method, maps, other, random_curves))
    return AttributionChecks(
        **describe_images(dataset, len(images)),
        background=background,
        methods=tuple(checks),
        example_indices=to_tuple(chosen[:_MOST_EXAMPLES]),
        example_predictions=to_tuple(targets[:_MOST_EXAMPLES]),
        example_images=Packed.from_array(images[:_MOST_EXAMPLES]),
        examples=examples,
    )


def _check(
    model: Model,
    images: NDArray[np.uint8],
    targets: NDArray[np.int64],
    background: int,
    method: Method,
    maps: Maps,
    of_random: Maps,
    random_curves: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> MethodCheck:
    order = np.argsort(-maps.reshape(len(maps), -1), axis=1, kind="stable")
    curves = perturbation_curves(model, images, targets, order, background)
    areas = [area_under(curve) for curve in curves]
    gains = [area - area_under(curve) for area, curve in zip(areas, random_curves, strict=True)]
    drawn = (images != background).any(axis=3)
    correlations = rank_correlations(np.abs(maps), np.abs(of_random), drawn)
    defined = correlations[np.isfinite(correlations)]
    return MethodCheck(
        method=method,
        deletion=float(areas[0].mean()),
        deletion_gain=float(gains[0].mean()),
        deletion_gain_interval=mean_interval(gains[0].tolist()),
        insertion=float(areas[1].mean()),
        insertion_gain=float(gains[1].mean()),
        insertion_gain_interval=mean_interval(gains[1].tolist()),
        similarity=float(defined.mean()) if len(defined) else None,
        num_compared=len(defined),
    )


def perturbation_curves(
    model: Model,
    images: NDArray[np.uint8],
    targets: NDArray[np.integer[Any]],
    order: NDArray[np.int64],
    background: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (deletion, insertion), each (N, steps + 1), the probability of each image's target (N,).

    Args:
        order: (N, H · W), the places of the pixels, those first that are blanked or brought back first.

    Source: Petsiuk and others 2018 (RISE), with the background in place of their blurred image.
    """
    count, places = order.shape
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.broadcast_to(np.arange(places), order.shape), axis=1)
    ranks = ranks.reshape(*images.shape[:3], 1)
    curves = np.empty((2, count, _STEPS + 1))
    at_once = max(1, _IMAGES_AT_ONCE // (2 * count))  # steps: a call for a few images would keep few threads busy
    for first in range(0, _STEPS + 1, at_once):
        steps = range(first, min(first + at_once, _STEPS + 1))
        changed = np.stack([ranks < round(places * step / _STEPS) for step in steps])
        masks = np.stack([changed, ~changed])  # (2, steps, N, H, W, 1)
        seen = np.where(masks, np.uint8(background), images).reshape(-1, *images.shape[1:])
        answers = softmax(logits_of_distinct(model, seen)).reshape(2, len(steps), count, -1)
        curves[:, :, first : first + len(steps)] = answers[:, :, np.arange(count), targets].swapaxes(1, 2)
    return curves[0], curves[1]


def area_under(curves: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (N,), the area under each of `curves` (N, steps + 1) over 0 to 1, by trapezoids."""
    return np.asarray((curves[:, 1:] + curves[:, :-1]).mean(axis=1) / 2)


def _random_curves(
    model: Model, images: NDArray[np.uint8], targets: NDArray[np.int64], background: int, seed: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the means of the curves of a few random orders of each image, (N, steps + 1) each."""
    places = images.shape[1] * images.shape[2]
    deletion, insertion = np.zeros((2, len(images), _STEPS + 1))
    for number in range(_RANDOM_ORDERS):
        random = random_stream(seed, "attribution orders", number).random((len(images), places))
        one = perturbation_curves(model, images, targets, random.argsort(axis=1), background)
        deletion += one[0] / _RANDOM_ORDERS
        insertion += one[1] / _RANDOM_ORDERS
    return deletion, insertion


def _randomised(model: Model, seed: int) -> Model:
    """Return `model` with weights as before training.

    Source: Adebayo and others 2018.
    """
    # The model itself may have begun at this seed.
    return replace(model, weights=initial_weights(model.architecture, seed + 1))


def rank_correlations(a: Maps, b: Maps, drawn: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return (N,), Spearman's rank correlation of each pair of maps over the pixels that are `drawn` (N, H, W).

    On the background x - x0 is zero in any network, and a method that multiplies by it would seem to agree there. NaN
    where fewer than two pixels are drawn or one of the maps is the same on all of them.
    """
    found = np.full(len(a), np.nan)
    for number, mask in enumerate(drawn):
        first, second = (average_ranks(maps[number][mask]) for maps in (a, b))
        if len(first) > 1 and np.ptp(first) > 0 and np.ptp(second) > 0:
            found[number] = np.corrcoef(first, second)[0, 1]
    return found


def _in_steps(maps: Maps) -> NDArray[np.int8]:
    largest = np.abs(maps).max(axis=(1, 2), keepdims=True)
    shares = np.divide(maps, largest, out=np.zeros_like(maps), where=largest > 0)
    return np.asarray(np.rint(127 * shares), np.int8)
