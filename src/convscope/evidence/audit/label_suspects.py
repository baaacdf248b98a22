"""Find doubtful labels by confident learning, from out-of-sample probabilities and the given labels.

An image belongs confidently to class k if its probability of k reaches the mean over images labelled k. If this is not
the given class, the label is a suspect; so it is if the given class is less probable than by chance. The list needs a
look: a hard image or a mistake of the model is no wrong label, and a wrong label that the model shares stays hidden.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from msgspec import UNSET, UnsetType
from numpy.typing import NDArray

from convscope.base.arguments import checked
from convscope.base.records import Count, Fraction, Positive, Record, Recorded, from_attributes
from convscope.base.tables import Tabular, clip
from convscope.data.datasets import Dataset
from convscope.evidence.records import Label, Split

MAX_LISTED = 1000
"""The most suspects of a split that a record lists."""

_MAX_SHOWN = 10  # suspects in a table
_MAX_NAME_WIDTH = 24  # characters of a class's name in the table
_BLOCK = 1 << 22  # probabilities that are compared at once
_SLACK = 1e-6  # tolerance when a probability is compared with a threshold or another one, as in cleanlab


class Suspect(Record, kw_only=True):
    """An image whose label is in doubt.

    Attributes:
        rank: the position in the list, from 1, the most doubtful.
        index: the index of the image in its split.
        file: the picture that it was read from, if it has one of its own.
        given_label: its label.
        suggested_label: the class that it confidently belongs to; the most probable class if there is none.
        self_confidence: the probability of the given label.
        probability: the probability of the suggested label.
        neighbours: the nearest training images, see `add_neighbours`.
    """

    rank: Positive
    index: Count
    given_label: Label
    suggested_label: Label
    self_confidence: Fraction
    probability: Fraction
    file: str | UnsetType = UNSET
    neighbours: tuple[Count, ...] | UnsetType = UNSET


class LabelSuspectsRecord(Record, kw_only=True):
    """The first 1,000 suspects; the attributes are those of `LabelSuspects`.

    An infinite threshold is None.
    """

    split: Split
    num_images: Positive
    num_confident: Count
    num_suspects: Count
    thresholds: tuple[Fraction | None, ...]
    suspects: tuple[Suspect, ...]


@dataclass(frozen=True, eq=False)
class LabelSuspects(Tabular, Recorded):
    """The doubtful labels of a split.

    Attributes:
        thresholds: (K,) float64, the mean probability of the given label over the images of each class; infinite for a
            class without images.
        confident_joint: (K, K) int64, images by given label and by the class they confidently belong to; an image that
            reaches no threshold is in no cell.
        suspects: the most doubtful first, by the probability of the given label divided by that of the suggested one.
    """

    _header = ("Rank", "Image", "Given", "Suggested", "P(given)", "P(suggested)")

    dataset_name: str
    split: str
    class_names: tuple[str, ...]
    num_images: int
    thresholds: NDArray[np.float64] = field(repr=False)
    confident_joint: NDArray[np.int64] = field(repr=False)
    suspects: tuple[Suspect, ...] = field(repr=False)

    @property
    def num_confident(self) -> int:
        """Images that reach a threshold."""
        return int(self.confident_joint.sum())

    def to_record(self) -> LabelSuspectsRecord:
        return from_attributes(
            LabelSuspectsRecord,
            self,
            num_suspects=len(self.suspects),
            thresholds=tuple(value if np.isfinite(value) else None for value in self.thresholds.tolist()),
            suspects=self.suspects[:MAX_LISTED],
        )

    def _headline(self) -> str:
        shown = f"; the first {_MAX_SHOWN}:" if len(self.suspects) > _MAX_SHOWN else ""
        return (
            f"{len(self.suspects):,} of {self.num_images:,} labels of the {self.split} split of {self.dataset_name} "
            f"are suspect{shown}"
        )

    def _rows(self) -> Iterator[tuple[str, ...]]:
        names = [clip(name, _MAX_NAME_WIDTH) for name in self.class_names]
        for suspect in self.suspects[:_MAX_SHOWN]:
            given, suggested = names[suspect.given_label], names[suspect.suggested_label]
            probabilities = (f"{suspect.self_confidence:.4f}", f"{suspect.probability:.4f}")
            yield f"{suspect.rank}", suspect.file or f"{suspect.index}", given, suggested, *probabilities


@checked
def label_suspects(y_prob: NDArray[np.floating[Any]], dataset: Dataset) -> LabelSuspects:
    """Find the labels of `dataset` that `y_prob` makes doubtful.

    With t_k the mean of p_k over the images labelled k, an image confidently belongs to class k if p_k >= t_k; where
    that is so of several classes, to the most probable class. The confident joint C counts images by label and by this
    class. Suspects are the images off its diagonal, and those that reach no threshold where p of the given label is at
    most 1 / K, what guessing would give; but none whose given label is the most probable one after all. They are ranked
    by p of the given label divided by p of the suggested one, an order that hardly depends on the temperature. No share
    of wrong labels is estimated from C, which also counts the model's mistakes and depends on how sure the recipe makes
    the model.

    Source: Northcutt, Jiang and Chuang 2021, "Confident Learning", JAIR 70, equations 1 to 3, and their method 2
    ("confident joint", off its diagonal) for pruning; with cleanlab's slack of 1e-6. The limit of 1 / K and the order
    are ours: `benchmarks/own_pictures/cleaning.py` measures both.

    >>> from convscope.data.datasets import Dataset
    >>> data = Dataset(np.zeros((4, 8, 8, 1), np.uint8), np.array([0, 0, 1, 1]), ("no", "yes"))
    >>> doubtful = label_suspects(np.array([[0.9, 0.1], [0.1, 0.9], [0.2, 0.8], [0.1, 0.9]]), data)
    >>> [(suspect.index, suspect.given_label, suspect.suggested_label) for suspect in doubtful.suspects]
    [(1, 0, 1)]

    There t_0 is the mean of 0.9 and 0.1, 0.5, and t_1 is 0.85. Image 1 is labelled 0, but its 0.9 reaches t_1.

    Args:
        y_prob: (N, K), a model's probabilities for images that it was not trained on, such as those of `crossfit` for
            training images and its own for test images, at the temperature fitted for it.

    Raises:
        ValueError: if `y_prob` has another shape, a value is not from 0 to 1, or a row does not sum to 1.
    """
    check_probabilities("y_prob", y_prob, dataset)
    labels = dataset.labels.astype(np.int64)
    self_confidence = y_prob[np.arange(len(labels)), labels].astype(np.float64)
    counts = dataset.class_counts
    sums = np.bincount(labels, self_confidence, minlength=dataset.num_classes)
    # The mean of p_k over the images labelled k; infinite without such images, so that no image is confident of k.
    thresholds = np.divide(sums, counts, out=np.full(len(counts), np.inf), where=counts > 0)
    # A class that the model never predicts may have a threshold near 0, which every image would reach.
    thresholds = np.maximum(thresholds, 2 * _SLACK)
    confident = _confident_classes(y_prob, thresholds)
    joint = _count(labels, confident, dataset.num_classes)
    is_most_probable = y_prob.max(axis=1) <= self_confidence + _SLACK  # the given label, after all
    # Two or three classes may share an image, so that it is confident of none, and yet leave its label hardly any
    # probability. Without such images, up to a quarter of planted wrong labels is missing.
    is_in_doubt = (confident >= 0) | (self_confidence <= 1 / dataset.num_classes)
    indices = np.flatnonzero((confident != labels) & is_in_doubt & ~is_most_probable)
    suggested = np.where(confident >= 0, confident, y_prob.argmax(axis=1))
    probability = y_prob[np.arange(len(labels)), suggested].astype(np.float64)
    # The most doubtful first. A suggested class is never of probability 0, so nothing divides by it.
    indices = indices[np.argsort(self_confidence[indices] / probability[indices], kind="stable")]
    return LabelSuspects(
        dataset_name=dataset.name,
        split=dataset.split,
        class_names=dataset.class_names,
        num_images=len(dataset),
        thresholds=thresholds,
        confident_joint=joint,
        suspects=tuple(
            Suspect(
                rank=rank,
                index=int(index),
                file=dataset.file_of(int(index)) or UNSET,
                given_label=int(labels[index]),
                suggested_label=int(suggested[index]),
                self_confidence=min(float(self_confidence[index]), 1.0),  # `_SLACK` lets it be 1e-6 above 1
                probability=min(float(probability[index]), 1.0),
            )
            for rank, index in enumerate(indices, 1)
        ),
    )


def check_probabilities(name: str, y_prob: NDArray[np.floating[Any]], dataset: Dataset) -> None:
    """Check that `y_prob` holds a row of probabilities for each image of `dataset`.

    Raises:
        ValueError: naming `name`, if it has another shape, a value is not from 0 to 1, or a row does not sum to 1.
    """
    expected = (len(dataset), dataset.num_classes)
    if y_prob.shape != expected:
        raise ValueError(f"{name} has shape {y_prob.shape}; the {dataset.split} split needs {expected}")
    if not (y_prob.min() >= 0 and y_prob.max() <= 1 + _SLACK):
        raise ValueError(f"{name} runs from {y_prob.min()} to {y_prob.max()}; probabilities lie from 0 to 1")
    sums = y_prob.sum(axis=1, dtype=np.float64)
    worst = int(np.abs(sums - 1).argmax())
    if abs(sums[worst] - 1) > 1e-3:
        raise ValueError(f"row {worst} of {name} sums to {sums[worst]:.6g}; probabilities sum to 1")


def _confident_classes(y_prob: NDArray[np.floating[Any]], thresholds: NDArray[np.float64]) -> NDArray[np.int64]:
    """Find the class (N,) that each image confidently belongs to; -1 if it reaches no threshold."""
    confident = np.empty(len(y_prob), np.int64)
    step = max(1, _BLOCK // len(thresholds))
    for start in range(0, len(y_prob), step):
        block = y_prob[start : start + step]
        is_reached = block >= thresholds - _SLACK
        num_reached = is_reached.sum(axis=1)
        # If an image reaches several thresholds, it belongs to the most probable of all classes, even if that one has
        # not reached its own; this is cleanlab's rule.
        classes = np.where(num_reached > 1, block.argmax(axis=1), is_reached.argmax(axis=1))
        confident[start : start + step] = np.where(num_reached > 0, classes, -1)
    return confident


def _count(labels: NDArray[np.int64], classes: NDArray[np.int64], num_classes: int) -> NDArray[np.int64]:
    """Count images by label and class (K, K), without those of class -1."""
    # The cell (label, class) of the matrix is number label · K + class, row by row.
    cells = labels[classes >= 0] * num_classes + classes[classes >= 0]
    return np.bincount(cells, minlength=num_classes**2).astype(np.int64).reshape(num_classes, num_classes)
