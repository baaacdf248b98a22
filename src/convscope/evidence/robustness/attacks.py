"""Measure how small a change of the pixels fools a network.

A change of size ε moves no value of an image by more than ε of 255 grey levels. A method chooses which:

    noise    every value moves by ε, up or down at random
    pgd      projected gradient descent: many steps along the signs of the gradient, from several random starts
    fgsm     a single such step of ε; only in files of earlier versions

The attacks know the weights and are made for this network alone. The results need not hold for another network, and a
network that withstands them may fall to other attacks. Noise of the same size is measured, too.
"""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Literal

import numpy as np
from msgspec import UNSET, Meta, UnsetType
from numpy.typing import NDArray

from convscope.base.arguments import Seed, checked
from convscope.base.metrics import wilson_interval
from convscope.base.packing import Packed
from convscope.base.records import (
    Count,
    Fraction,
    FractionInterval,
    NonNegative,
    OpenInterval,
    Positive,
    Record,
    to_tuple,
)
from convscope.base.tables import Tabular, percent_with_interval
from convscope.data.datasets import Dataset, DatasetLike, evenly
from convscope.evidence.records import ClassesRecord, Label, check_labels, check_lengths, check_packed, describe_images
from convscope.evidence.robustness.gradients import pgd, random_signs
from convscope.evidence.robustness.noise import Pictures
from convscope.evidence.robustness.pictures import pack_small
from convscope.training.model import Model, dataset_for

Method = Literal["noise", "fgsm", "pgd"]
METHODS: tuple[Method, ...] = ("noise", "pgd")
EPSILONS = (0, 2, 4, 8, 16, 25, 38, 51, 76)
"""Grey levels; 25.5, 51 and 76.5 are the 0.1, 0.2 and 0.3 of the literature."""

_SHOWN = (8, 25, 76)  # grey levels of the examples
_MAX_EXAMPLES = 6
_MAX_EXAMPLE_BYTES = 40_000  # JSON of the example pictures
_MIN_IMAGES = 50  # images to measure whatever the cost
_MAX_MACS = 4e12  # approximate cost: a minute or two
_PASSES = 4  # cost of a step in forward passes: two forward, and one backward with twice the work


GreyLevels = Annotated[int, Meta(ge=0, le=255)]


class Attacked(Record, kw_only=True):
    """The accuracy under one attack.

    Attributes:
        method: "noise" (random signs) or "pgd"; files of earlier versions also have "fgsm".
        epsilon: the largest change of a value in grey levels.
        interval: (low, high), the 95 % Wilson interval of `accuracy`.
        changed: the fraction of all images whose prediction differs from that without the attack.
    """

    method: Method
    epsilon: GreyLevels
    accuracy: Fraction
    interval: FractionInterval
    changed: Fraction


class AttackExamples(Record, kw_only=True):
    """A few correctly classified images, original and after PGD.

    Attributes:
        indices: the indices of the M images in the data set, with their `labels`.
        epsilons: the E sizes of attack.
        pictures: (M, 1 + E, h, w, C) uint8, the original first; large images are shrunk.
        predictions: (M, 1 + E) labels, and `probabilities` (M, 1 + E) of them, in four digits.
    """

    indices: tuple[Count, ...]
    labels: tuple[Label, ...]
    epsilons: Annotated[tuple[GreyLevels, ...], Meta(min_length=1)]
    pictures: Packed
    predictions: tuple[tuple[Label, ...], ...]
    probabilities: tuple[tuple[Fraction, ...], ...]

    def __post_init__(self) -> None:
        check_lengths(**{name: getattr(self, name) for name in ("indices", "labels", "predictions", "probabilities")})
        sizes = len(self.epsilons) + 1
        if {len(row) for row in (*self.predictions, *self.probabilities)} - {sizes}:
            raise ValueError(f"there are not {sizes} predictions of each image")
        if self.indices:
            check_packed("pictures", self.pictures, "uint8", len(self.indices), sizes, None, None, None)


class Attacks(Tabular, ClassesRecord, kw_only=True):
    """The accuracy of a network under attacks of growing size.

    Attributes:
        steps: steps of PGD from each of at most `restarts` random starts (see `pgd`); at ε grey levels at most 8 ε.
        accuracy: that on the original images.
        attacks: a result for each method at each size. An image that PGD fools at some size counts as fooled at larger
            ones, which allow the same picture. An image that is classified wrongly counts as wrong throughout, and PGD
            leaves it alone.
        median_epsilon: the size at which PGD fools half of the correctly classified images, interpolated linearly
            between two sizes; None if no size fools half, or no image is classified correctly.
        median_epsilon_interval: (low, high), 95 %, over other images: the sizes at which Wilson's interval of the
            fooled share contains a half. An end beyond the largest size is None; files of earlier versions have none.
    """

    _header = ("ε (grey levels)", "Noise", "PGD", "PGD: 95 % interval", "Predictions changed")
    _left = 0

    seed: int
    steps: Positive
    restarts: Positive
    accuracy: Fraction
    accuracy_interval: FractionInterval
    attacks: Annotated[tuple[Attacked, ...], Meta(min_length=1)]
    median_epsilon: NonNegative | None
    examples: AttackExamples
    median_epsilon_interval: OpenInterval | UnsetType | None = UNSET

    def __post_init__(self) -> None:
        # All sizes of the first method, then the same sizes of the next: noise 0, noise 2, ..., pgd 0, pgd 2, ...
        settings = [(attack.method, attack.epsilon) for attack in self.attacks]
        methods = dict.fromkeys(method for method, _ in settings)
        sizes = [size for method, size in settings if method == METHODS[0]]
        if not set(METHODS) <= set(methods) or settings != [(name, size) for name in methods for size in sizes]:
            raise ValueError("attacks are not those of each method at each size")
        predictions = [label for row in self.examples.predictions for label in row]
        check_labels(self.class_names, [*self.examples.labels, *predictions], "examples")

    def _headline(self) -> str:
        where = f"{self.num_images:,} {self.split} images of {self.dataset_name}"
        clean = percent_with_interval(self.accuracy, self.accuracy_interval)
        return f"Accuracy {clean} on {where}. Accuracy when each pixel changes by at most ε of 255 grey levels:"

    def _rows(self) -> list[tuple[str, ...]]:
        by_epsilon = dict[int, dict[Method, Attacked]]()
        for attack in self.attacks:
            by_epsilon.setdefault(attack.epsilon, {})[attack.method] = attack
        return [
            (
                f"{epsilon}",
                *(f"{100 * attacks[method].accuracy:.2f} %" for method in METHODS),
                f"[{100 * attacks['pgd'].interval[0]:.2f}, {100 * attacks['pgd'].interval[1]:.2f}]",
                f"{100 * attacks['pgd'].changed:.2f} %",
            )
            for epsilon, attacks in by_epsilon.items()
        ]


@checked
def measure_attacks(
    model: Model,
    dataset: DatasetLike,
    *,
    epsilons: Sequence[int] = EPSILONS,
    steps: int = 200,
    restarts: int = 10,
    max_images: int = 500,
    seed: Seed = 0,
) -> Attacks:
    """Measure the accuracy of `model` on `dataset` under attacks on its pixels, and under noise of the same size.

    Args:
        epsilons: largest changes in grey levels, rising whole numbers from 0 to 255.
        steps: steps of PGD from each of at most `restarts` random starts (see `pgd`); at ε grey levels at most 8 ε.
        max_images: limit; other images are left out evenly, and more if the model costs much time.
        seed: draws the random starts and signs.

    Raises:
        ValueError: if `epsilons` are not rising whole numbers from 0 to 255, `max_images`, `steps` or `restarts` is
            below 1, the images are not of the size the model reads, or the classes are not the model's.
    """
    dataset = dataset_for(model, dataset)
    sizes = tuple(epsilons)
    if not sizes or list(sizes) != sorted(set(sizes)) or not 0 <= sizes[0] <= sizes[-1] <= 255:
        raise ValueError(f"epsilons are {sizes}; give rising whole numbers from 0 to 255")
    for name, value in (("max_images", max_images), ("steps", steps), ("restarts", restarts)):
        if value < 1:
            raise ValueError(f"{name} is {value}; it must be at least 1")
    model.check_classes(dataset)
    # Fooled images, and after three starts images that are far from it, are left alone: about a fifth of the steps.
    cost = max(model.architecture.macs, 1) * len(sizes) * steps * restarts * _PASSES / 5
    indices = evenly(len(dataset), min(max_images, max(_MIN_IMAGES, int(_MAX_MACS / cost))))
    used = dataset.take(indices)
    labels = used.labels.astype(np.int64)
    predicted = model.predict(used.images)
    is_correct = predicted == labels
    results = _predict_under_attacks(model, used, predicted, sizes, steps, restarts, seed, indices)
    shown = _choose_examples(labels, is_correct, model.architecture.num_classes)
    # Among correctly classified images alone: the others need no attack.
    median, interval = _find_median(sizes, np.array([results["pgd", size] != labels for size in sizes])[:, is_correct])
    return Attacks(
        **describe_images(dataset, len(used)),
        seed=seed,
        steps=steps,
        restarts=restarts,
        accuracy=float(is_correct.mean()),
        accuracy_interval=wilson_interval(int(is_correct.sum()), len(is_correct)),
        attacks=tuple(
            _make_attack(method, size, results[method, size], labels, predicted) for method in METHODS for size in sizes
        ),
        median_epsilon=median,
        median_epsilon_interval=interval,
        examples=_make_examples(model, used.images[shown], labels[shown], indices[shown], steps, restarts, seed),
    )


def _predict_under_attacks(
    model: Model,
    dataset: Dataset,
    predicted: NDArray[np.int64],
    sizes: Sequence[int],
    steps: int,
    restarts: int,
    seed: int,
    indices: NDArray[np.int64],
) -> dict[tuple[Method, int], NDArray[np.int64]]:
    """Predict the labels (N,) of the images under noise and under PGD of each size; `predicted` are those without."""
    labels = dataset.labels.astype(np.int64)
    results, attack = dict[tuple[Method, int], NDArray[np.int64]](), partial(pgd, model, restarts=restarts, seed=seed)
    # Images that are wrong without an attack count as fooled from the start.
    under_pgd = predicted.copy()
    for size in sizes:
        # Every pixel moves by the full size up or down by chance: the largest noise of this size.
        results["noise", size] = model.predict(random_signs(dataset.images, size, seed, indices=indices))
        # An image that a smaller change fooled is not attacked again, because that change is within this size, too. So
        # the accuracy never rises with the size.
        active = np.flatnonzero(under_pgd == labels)
        if size and len(active):
            images, num_steps = dataset.images[active], _choose_steps(steps, size)
            attacked = attack(images, labels[active], size, steps=num_steps, indices=indices[active])
            under_pgd[active] = model.predict(attacked)
        results["pgd", size] = under_pgd.copy()
    return results


def _choose_steps(steps: int, size: int) -> int:
    """Choose the number of steps for a size: for a small one, a value has few levels to move."""
    # Eight steps for each grey level of the size: within ±1, a pixel can only have three values.
    return min(steps, max(1, 8 * size))


def _make_attack(
    method: Method, size: int, predicted: NDArray[np.int64], labels: NDArray[np.int64], unattacked: NDArray[np.int64]
) -> Attacked:
    """Compare the labels `predicted` under an attack with the true ones, and with those predicted `unattacked`."""
    num_correct = int((predicted == labels).sum())
    return Attacked(
        method=method,
        epsilon=size,
        accuracy=num_correct / len(labels),
        interval=wilson_interval(num_correct, len(labels)),
        changed=float((predicted != unattacked).mean()),
    )


def _find_median(
    sizes: Sequence[int], wrong: NDArray[np.bool_]
) -> tuple[float | None, tuple[float | None, float | None] | None]:
    """Find the size at which half of the images (S, N) are wrong, and its 95 % interval over images."""
    num_images = wrong.shape[1]
    if not num_images:
        return None, None
    counts = wrong.sum(axis=1)
    lows, highs = wilson_interval(counts, np.full(len(sizes), num_images))
    # More wrong images reach a half at a smaller size: the high end of the shares gives the low end of the size.
    return _find_half_size(sizes, counts / num_images), (_find_half_size(sizes, highs), _find_half_size(sizes, lows))


def _find_half_size(sizes: Sequence[int], shares: NDArray[np.float64]) -> float | None:
    """Find the size at which a share reaches a half, interpolated linearly; None if it does not."""
    last_size, last_share = 0.0, 0.0
    for size, share in zip(sizes, shares, strict=True):
        if share >= 0.5:
            # last_share < 0.5 <= share, so the divisor is above 0.
            return last_size + (0.5 - last_share) / (float(share) - last_share) * (size - last_size)
        last_size, last_share = float(size), float(share)
    return None


def _choose_examples(labels: NDArray[np.int64], is_correct: NDArray[np.bool_], num_classes: int) -> NDArray[np.int64]:
    """Choose correctly classified images: the first of each class, for evenly sampled classes."""
    firsts = [np.flatnonzero(is_correct & (labels == label))[:1] for label in range(num_classes)]
    indices = np.concatenate(firsts).astype(np.int64)
    return indices[evenly(len(indices), _MAX_EXAMPLES)]


def _make_examples(
    model: Model,
    images: Pictures,
    labels: NDArray[np.int64],
    indices: NDArray[np.int64],
    steps: int,
    restarts: int,
    seed: int,
) -> AttackExamples:
    """Attack a few images with each size in `_SHOWN`, and keep the pictures with their predictions."""
    attack = partial(pgd, model, images, labels, restarts=restarts, seed=seed, indices=indices)
    attacked = [attack(size, steps=_choose_steps(steps, size)) for size in _SHOWN]
    # (M, 1 + E, H, W, C): the original first.
    pictures = np.stack([images, *attacked], axis=1)
    shape = *pictures.shape[:2], model.architecture.num_classes
    probabilities = model.probabilities(pictures.reshape(-1, *images.shape[1:])).reshape(shape)
    return AttackExamples(
        indices=to_tuple(indices),
        labels=to_tuple(labels),
        epsilons=_SHOWN,
        pictures=pack_small(pictures, _MAX_EXAMPLE_BYTES),
        predictions=to_tuple(probabilities.argmax(axis=2)),
        probabilities=to_tuple(probabilities.max(axis=2).round(4)),
    )
