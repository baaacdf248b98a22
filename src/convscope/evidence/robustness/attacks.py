"""How little it takes to fool a network: `measure_attacks` takes a model and a data set to `Attacks`.

The attacks know the weights and are made for this network alone: what they show need not hold for another one, and a
network that withstands them may fall to others. Noise of the same size is measured beside them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from convscope.base.arguments import Seed, checked
from convscope.base.metrics import wilson_interval
from convscope.base.plain import PlainFields
from convscope.base.tables import html_table, percent_with_interval, printable, text_table
from convscope.data.datasets import DatasetLike, evenly
from convscope.evidence.robustness.gradients import fgsm, pgd, random_signs
from convscope.evidence.robustness.noise import Pictures
from convscope.evidence.robustness.pictures import pack_small
from convscope.training.model import Model, dataset_for

Method = Literal["noise", "fgsm", "pgd"]
METHODS: tuple[Method, ...] = ("noise", "fgsm", "pgd")
EPSILONS = (0, 2, 4, 8, 16, 25, 38, 51, 76)
"""Grey levels; 25.5, 51 and 76.5 are the 0.1, 0.2 and 0.3 of the literature."""

_SHOWN = (8, 25, 76)  # grey levels of the examples
_MOST_EXAMPLES = 6
_EXAMPLES_ROOM = 40_000  # bytes of JSON
_LEAST_IMAGES = 50  # that are measured however much it costs, if there are as many
_MOST_MACS = 4e12  # that it costs about: a minute or two
_PASSES = 4  # that a step of an attack costs, in forward passes: two forward, one backward of twice the work
_HEADER = ("ε (grey levels)", "Noise", "FGSM", "PGD", "PGD: 95 % interval", "Predictions changed")


@dataclass(frozen=True)
class Attacked(PlainFields):
    """The accuracy under one attack.

    Attributes:
        method: "noise" (random signs), "fgsm" or "pgd".
        epsilon: by how many grey levels a value is moved at most.
        interval: (low, high), the 95 % Wilson interval of `accuracy`.
        changed: the fraction of all images whose answer is another than without the attack.
    """

    method: Method
    epsilon: int
    accuracy: float
    interval: tuple[float, float]
    changed: float


@dataclass(frozen=True, eq=False)
class AttackExamples:
    """A few images that are classified correctly, as they are and after PGD.

    Attributes:
        indices: (M,) of the images in the data set, with their `labels` (M,).
        epsilons: the E sizes of attack.
        pictures: (M, 1 + E, H, W, C) uint8, the first of each as it is.
        answers: (M, 1 + E) labels, and `probabilities` (M, 1 + E) what the network gives them.
    """

    indices: NDArray[np.int64]
    labels: NDArray[np.int64]
    epsilons: tuple[int, ...]
    pictures: Pictures
    answers: NDArray[np.int64]
    probabilities: NDArray[np.float64]

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain JSON, the pictures packed, and smaller where they would take too much room."""
        return {
            "indices": self.indices.tolist(),
            "labels": self.labels.tolist(),
            "epsilons": list(self.epsilons),
            "pictures": pack_small(self.pictures, _EXAMPLES_ROOM),
            "answers": self.answers.tolist(),
            "probabilities": np.round(self.probabilities, 4).tolist(),
        }


@dataclass(frozen=True, eq=False)
class Attacks:
    """The accuracy of a network under attacks of growing size.

    Attributes:
        num_images: on how many images all was measured, sampled evenly from the data set.
        num_images_left_out: how many more the data set has.
        steps: of PGD, from each of at most `restarts` random places (see `pgd`); at ε grey levels 8 ε at most.
        accuracy: on these images as they are.
        attacks: for each method at each size. An image that PGD fools at some size counts as fooled at any larger one,
            which allows the same picture; an image classified wrongly as it is counts as wrong throughout, and PGD
            leaves it alone.
        median_epsilon: the size at which PGD fools half of the images that are classified correctly, on a straight line
            between the two sizes beside it; None if none does, or no image is.
    """

    dataset_name: str
    split: str
    class_names: tuple[str, ...]
    num_images: int
    num_images_left_out: int
    seed: int
    steps: int
    restarts: int
    accuracy: float
    accuracy_interval: tuple[float, float]
    attacks: tuple[Attacked, ...] = field(repr=False)
    median_epsilon: float | None
    examples: AttackExamples = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain JSON."""
        return {
            "dataset": self.dataset_name,
            "split": self.split,
            "class_names": list(self.class_names),
            "num_images": self.num_images,
            "num_images_left_out": self.num_images_left_out,
            "seed": self.seed,
            "steps": self.steps,
            "restarts": self.restarts,
            "accuracy": self.accuracy,
            "accuracy_interval": list(self.accuracy_interval),
            "attacks": [one.to_dict() for one in self.attacks],
            "median_epsilon": self.median_epsilon,
            "examples": self.examples.to_dict(),
        }

    def __str__(self) -> str:
        return f"{self._headline()}\n\n{text_table(_HEADER, self._rows(), left=0)}"

    def _repr_html_(self) -> str:
        return f"<p>{escape(self._headline())}</p>{html_table(_HEADER, self._rows(), left=0)}"

    def _headline(self) -> str:
        where = f"{self.num_images:,} {self.split} images of {self.dataset_name}"
        clean = percent_with_interval(self.accuracy, self.accuracy_interval)
        return printable(
            f"Accuracy {clean} on {where}. Accuracy when each pixel changes by at most ε of 255 grey levels:"
        )

    def _rows(self) -> list[tuple[str, ...]]:
        by_epsilon = dict[int, dict[Method, Attacked]]()
        for one in self.attacks:
            by_epsilon.setdefault(one.epsilon, {})[one.method] = one
        return [
            (
                f"{epsilon}",
                *(f"{100 * found[method].accuracy:.2f} %" for method in METHODS),
                f"[{100 * found['pgd'].interval[0]:.2f}, {100 * found['pgd'].interval[1]:.2f}]",
                f"{100 * found['pgd'].changed:.2f} %",
            )
            for epsilon, found in by_epsilon.items()
        ]


@checked
def measure_attacks(
    model: Model,
    dataset: DatasetLike,
    *,
    epsilons: Sequence[int] = EPSILONS,
    steps: int = 200,
    restarts: int = 10,
    most_images: int = 500,
    seed: Seed = 0,
) -> Attacks:
    """Return how often `model` is right on `dataset` under attacks in its pixels, and under noise of the same size.

    Args:
        epsilons: by how many grey levels, rising whole numbers from 0 to 255.
        steps: of PGD, from each of at most `restarts` random places (see `pgd`); at ε grey levels 8 ε at most.
        most_images: beyond it images are left out evenly, as where the model would cost too much time.
        seed: of the random starts and signs.

    Raises:
        ValueError: if `epsilons` are not rising whole numbers from 0 to 255, `most_images`, `steps` or `restarts` is
            below 1, the images are not of the size the model reads, or the classes are not the model's.
    """
    dataset = dataset_for(model, dataset)
    sizes = tuple(epsilons)
    if not sizes or list(sizes) != sorted(set(sizes)) or not 0 <= sizes[0] <= sizes[-1] <= 255:
        raise ValueError(f"epsilons are {sizes}; give rising whole numbers from 0 to 255")
    for name, value in (("most_images", most_images), ("steps", steps), ("restarts", restarts)):
        if value < 1:
            raise ValueError(f"{name} is {value}; it must be at least 1")
    model.check_classes(dataset)
    # What is fooled, and after three starts what is far from it, is left alone: at most about a fifth of the steps.
    cost = max(model.architecture.macs, 1) * len(sizes) * steps * restarts * _PASSES / 5
    indices = evenly(len(dataset), min(most_images, max(_LEAST_IMAGES, int(_MOST_MACS / cost))))
    used = dataset.take(indices)
    labels = used.labels.astype(np.int64)
    answers = model.predict(used.images)
    clean = answers == labels
    found = dict[tuple[Method, int], NDArray[np.int64]]()
    under_pgd = answers.copy()
    for size in sizes:
        found["noise", size] = model.predict(random_signs(used.images, size, seed, indices=indices))
        found["fgsm", size] = model.predict(fgsm(model, used.images, labels, size))
        left = np.flatnonzero(under_pgd == labels)
        if size and len(left):
            attacked = pgd(
                model,
                used.images[left],
                labels[left],
                size,
                steps=_enough(steps, size),
                restarts=restarts,
                seed=seed,
                indices=indices[left],
            )
            under_pgd[left] = model.predict(attacked)
        found["pgd", size] = under_pgd.copy()
    shown = _chosen(labels, clean, model.architecture.num_classes)
    return Attacks(
        dataset_name=dataset.name,
        split=dataset.split,
        class_names=dataset.class_names,
        num_images=len(used),
        num_images_left_out=len(dataset) - len(used),
        seed=seed,
        steps=steps,
        restarts=restarts,
        accuracy=float(clean.mean()),
        accuracy_interval=wilson_interval(int(clean.sum()), len(clean)),
        attacks=tuple(
            _attacked(method, size, found[method, size], labels, answers) for method in METHODS for size in sizes
        ),
        median_epsilon=_median(sizes, clean, [found["pgd", size] != labels for size in sizes]),
        examples=_examples(model, used.images[shown], labels[shown], indices[shown], steps, restarts, seed),
    )


def _enough(steps: int, size: int) -> int:
    """Return how many steps are made at a size: a value has few levels to go where it is small."""
    return min(steps, max(1, 8 * size))


def _attacked(
    method: Method, size: int, answers: NDArray[np.int64], labels: NDArray[np.int64], before: NDArray[np.int64]
) -> Attacked:
    right = int((answers == labels).sum())
    interval = wilson_interval(right, len(labels))
    return Attacked(method, size, right / len(labels), interval, changed=float((answers != before).mean()))


def _median(sizes: Sequence[int], clean: NDArray[np.bool_], wrong: Sequence[NDArray[np.bool_]]) -> float | None:
    """Return at which size half of the `clean` images are `wrong`, on a straight line between two of `sizes`."""
    if not clean.any():
        return None
    before, share_before = 0.0, 0.0
    for size, one in zip(sizes, wrong, strict=True):
        share = float(one[clean].mean())
        if share >= 0.5:
            return before + (0.5 - share_before) / (share - share_before) * (size - before)
        before, share_before = float(size), share
    return None


def _chosen(labels: NDArray[np.int64], clean: NDArray[np.bool_], num_classes: int) -> NDArray[np.int64]:
    """Return places of images that are classified correctly: the first of each class, of evenly sampled classes."""
    firsts = [np.flatnonzero(clean & (labels == label))[:1] for label in range(num_classes)]
    places = np.concatenate(firsts).astype(np.int64)
    return places[evenly(len(places), _MOST_EXAMPLES)]


def _examples(
    model: Model,
    images: Pictures,
    labels: NDArray[np.int64],
    indices: NDArray[np.int64],
    steps: int,
    restarts: int,
    seed: int,
) -> AttackExamples:
    attacked = [
        pgd(model, images, labels, size, steps=_enough(steps, size), restarts=restarts, seed=seed, indices=indices)
        for size in _SHOWN
    ]
    pictures = np.stack([images, *attacked], axis=1)
    shape = *pictures.shape[:2], model.architecture.num_classes
    probabilities = model.probabilities(pictures.reshape(-1, *images.shape[1:])).reshape(shape)
    return AttackExamples(
        indices, labels, _SHOWN, pictures, answers=probabilities.argmax(axis=2), probabilities=probabilities.max(axis=2)
    )
