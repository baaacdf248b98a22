"""What a network loses on spoiled pictures: `measure_robustness` takes a model and a data set to a `Robustness`.

The corruptions are rebuilt from the definitions of MNIST-C and are not its pictures, so the numbers stand beside
published ones, not in one list with them. They say what this network loses by these changes and not by others.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.arguments import Seed, checked
from convscope.base.metrics import wilson_interval
from convscope.base.plain import PlainFields
from convscope.base.tables import html_table, percent_with_interval, printable, text_table
from convscope.data.datasets import Dataset, DatasetLike, evenly
from convscope.evidence.robustness.corruptions import CORRUPTIONS, STRENGTHS, corrupt
from convscope.evidence.robustness.curves import PARAMETERS, Curve, measure_curve, measured
from convscope.evidence.robustness.noise import Pictures
from convscope.evidence.robustness.pictures import pack_small
from convscope.training.model import Model, dataset_for

_LEAST_IMAGES = 100  # that are measured however much it costs, if there are as many
_MOST_VALUES = 3.2e6  # of all images together, about 2,000 of 40 x 40 pixels: some ten seconds on one core
_MOST_MACS = 1e12  # that all answers together cost, about: half a minute
_SETTINGS = len(CORRUPTIONS) * len(STRENGTHS) + 50
_EXAMPLES_ROOM = 80_000  # bytes of JSON
_HEADER = ("Corruption", *(f"Strength {strength}" for strength in STRENGTHS), "Mean")


@dataclass(frozen=True)
class Corrupted(PlainFields):
    """The accuracy on images spoiled in one way.

    Attributes:
        is_mnist_c: whether the constants of this strength are MNIST-C's.
        interval: (low, high), the 95 % Wilson interval of `accuracy`.
        change: `accuracy` less that on the same images as they are, with its 95 % score interval `change_interval`.
    """

    name: str
    strength: int
    is_mnist_c: bool
    accuracy: float
    interval: tuple[float, float]
    change: float
    change_interval: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Example:
    """One image spoiled in all ways, with the network's answers.

    Attributes:
        index: of the image in the data set.
        clean: (H, W, C) uint8, and `pictures` (15, 5, H, W, C) in the order of `CORRUPTIONS` and strengths.
        answers: (15, 5) labels, and `probabilities` (15, 5) what the network gives them.
    """

    index: int
    label: int
    clean: Pictures
    pictures: Pictures
    answers: NDArray[np.int64]
    probabilities: NDArray[np.float64]

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain JSON, the pictures packed, and smaller where they would take too much room."""
        return {
            "index": self.index,
            "label": self.label,
            "clean": pack_small(self.clean, _EXAMPLES_ROOM // 10),
            "pictures": pack_small(self.pictures, _EXAMPLES_ROOM),
            "answers": self.answers.tolist(),
            "probabilities": np.round(self.probabilities, 4).tolist(),
        }


@dataclass(frozen=True, eq=False)
class Robustness:
    """The accuracy of a network on spoiled images.

    Attributes:
        num_images: on how many images all was measured, sampled evenly from the data set.
        num_images_left_out: how many more the data set has.
        accuracy: on these images as they are.
        corruptions: fifteen of them in five strengths each.
        curves: the accuracy over shift, rotation, scale, stroke width and noise.
    """

    dataset_name: str
    split: str
    class_names: tuple[str, ...]
    num_images: int
    num_images_left_out: int
    seed: int
    accuracy: float
    accuracy_interval: tuple[float, float]
    corruptions: tuple[Corrupted, ...] = field(repr=False)
    curves: tuple[Curve, ...] = field(repr=False)
    example: Example = field(repr=False)

    @property
    def mean_accuracy(self) -> float:
        """The plain mean over all corruptions and strengths."""
        return _mean(self.corruptions)

    @property
    def mean_accuracy_by_strength(self) -> tuple[float, ...]:
        """The plain mean over the corruptions, for each strength."""
        return tuple(_mean(one for one in self.corruptions if one.strength == strength) for strength in STRENGTHS)

    @property
    def mean_accuracy_mnist_c(self) -> float:
        """The plain mean over the corruptions, each in the strength that MNIST-C has.

        MNIST-C's own mean corruption error divides each error by that of a network of its authors first.
        """
        return _mean(one for one in self.corruptions if one.is_mnist_c)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain JSON."""
        return {
            "dataset": self.dataset_name,
            "split": self.split,
            "class_names": list(self.class_names),
            "num_images": self.num_images,
            "num_images_left_out": self.num_images_left_out,
            "seed": self.seed,
            "accuracy": self.accuracy,
            "accuracy_interval": list(self.accuracy_interval),
            "mean_accuracy": self.mean_accuracy,
            "mean_accuracy_by_strength": list(self.mean_accuracy_by_strength),
            "mean_accuracy_mnist_c": self.mean_accuracy_mnist_c,
            "corruptions": [one.to_dict() for one in self.corruptions],
            "curves": [curve.to_dict() for curve in self.curves],
            "example": self.example.to_dict(),
        }

    def __str__(self) -> str:
        return f"{self._headline()}\n\n{text_table(_HEADER, self._rows())}"

    def _repr_html_(self) -> str:
        return f"<p>{escape(self._headline())}</p>{html_table(_HEADER, self._rows())}"

    def _headline(self) -> str:
        where = f"{self.num_images:,} {self.split} images of {self.dataset_name}"
        clean = percent_with_interval(self.accuracy, self.accuracy_interval)
        mean = f"{100 * self.mean_accuracy:.2f} %"
        return printable(f"Accuracy {clean} on {where}; {mean} on average over corruptions and strengths:")

    def _rows(self) -> list[tuple[str, ...]]:
        rows = list[tuple[str, ...]]()
        for name in CORRUPTIONS:
            found = [one for one in self.corruptions if one.name == name]
            cells = [f"{100 * one.accuracy:.2f} %" + ("*" if one.is_mnist_c else " ") for one in found]
            rows.append((name.replace("_", " "), *cells, f"{100 * _mean(found):.2f} %"))
        means = [f"{100 * mean:.2f} % " for mean in self.mean_accuracy_by_strength]
        return [*rows, ("mean (* as in MNIST-C)", *means, f"{100 * self.mean_accuracy:.2f} %")]


@checked
def measure_robustness(model: Model, dataset: DatasetLike, *, seed: Seed = 0, most_images: int = 2000) -> Robustness:
    """Return what `model` loses on `dataset` by fifteen corruptions in five strengths, and over five numbers.

    Args:
        seed: of the random numbers of the corruptions, not of the model.
        most_images: beyond it images are left out evenly, as where their pixels or the model would cost too much time.

    Raises:
        ValueError: if `most_images` is below 1, the images are not of the size the model reads, or the classes are not
            the model's.
    """
    dataset = dataset_for(model, dataset)
    if most_images < 1:
        raise ValueError(f"most_images is {most_images}; it must be at least 1")
    model.check_classes(dataset)
    values, macs = int(np.prod(dataset.image_shape)), max(model.architecture.macs, 1)
    affordable = max(_LEAST_IMAGES, int(min(_MOST_VALUES / values, _MOST_MACS / (macs * _SETTINGS))))
    indices = evenly(len(dataset), min(most_images, affordable))
    used = dataset.take(indices)
    clean = model.predict(used.images) == used.labels
    settings = [(name, strength) for name in CORRUPTIONS for strength in STRENGTHS]
    right = np.empty((len(settings), len(used)), bool)
    for row, (name, strength) in zip(right, settings, strict=True):
        row[:] = model.predict(corrupt(used.images, name, strength, seed, indices=indices)) == used.labels
    return Robustness(
        dataset_name=dataset.name,
        split=dataset.split,
        class_names=dataset.class_names,
        num_images=len(used),
        num_images_left_out=len(dataset) - len(used),
        seed=seed,
        accuracy=float(clean.mean()),
        accuracy_interval=wilson_interval(int(clean.sum()), len(clean)),
        corruptions=tuple(
            Corrupted(
                name, strength, CORRUPTIONS[name].mnist_c == strength, accuracy, interval, change, change_interval
            )
            for (name, strength), accuracy, interval, change, change_interval in zip(
                settings, *measured(clean, right), strict=True
            )
        ),
        curves=tuple(measure_curve(model, used, indices, clean, parameter, seed) for parameter in PARAMETERS),
        example=_example(model, dataset, int(indices[clean.argmax()]), seed),
    )


def _example(model: Model, dataset: Dataset, index: int, seed: int) -> Example:
    image, place = dataset.images[index][None], np.array([index])
    pictures = np.concatenate(
        [corrupt(image, name, strength, seed, indices=place) for name in CORRUPTIONS for strength in STRENGTHS]
    )
    probabilities = model.probabilities(pictures)
    shape = len(CORRUPTIONS), len(STRENGTHS)
    return Example(
        index,
        int(dataset.labels[index]),
        clean=image[0],
        pictures=pictures.reshape(*shape, *image.shape[1:]),
        answers=probabilities.argmax(axis=1).reshape(shape),
        probabilities=probabilities.max(axis=1).reshape(shape),
    )


def _mean(found: Iterable[Corrupted]) -> float:
    return float(np.mean([one.accuracy for one in found]))
