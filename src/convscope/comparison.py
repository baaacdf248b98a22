"""Two models on the same images: `compare` takes two candidates to a `Comparison`.

Both answered every image, so they are compared image by image and not by two separate accuracies. One run of each is
compared: what other seeds would give cannot be told from it.
"""

from dataclasses import dataclass
from functools import cached_property
from html import escape
from math import inf
from textwrap import fill
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.evaluation import Evaluation
from convscope.metrics import mcnemar_exact
from convscope.model import Model
from convscope.tables import html_table, percent_with_interval, printable, text_table

_SIGNIFICANCE = 0.05  # below it, the two are said to differ
_SMALLEST_PRINTED_P = 1e-300  # near the smallest float; below it a p-value may have become 0
_KIND_OF_IMAGE = {"train": "training image", "validation": "validation image", "test": "test image"}
_HEADER = ("Model", "Accuracy (95 % interval)", "Errors", "Parameters", "Weights", "MACs", "Training")


@dataclass(frozen=True, eq=False)
class Candidate:
    """A model's evaluation and what it cost.

    Attributes:
        parameters: how many numbers training can change.
        macs: multiply-adds that one image costs on its way forward.
        weights_bytes: the size of the weights as float32.
        training_seconds: None where it is not known.

    Raises:
        ValueError: if a cost is negative or not finite.
    """

    name: str
    evaluation: Evaluation
    parameters: int
    macs: int
    weights_bytes: int
    training_seconds: float | None = None

    def __post_init__(self) -> None:
        for name in ("parameters", "macs", "weights_bytes", "training_seconds"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < inf:
                raise ValueError(f"{name} is {value}; it must be finite and at least 0")

    @classmethod
    def from_model(
        cls, model: Model, evaluation: Evaluation, training_seconds: float | None = None, name: str | None = None
    ) -> "Candidate":
        """Return `model` with its `evaluation`, called by its architecture's name unless another is given."""
        network = model.architecture
        weights_bytes = 4 * (network.parameters + network.non_trainable_parameters)
        return cls(name or model.name, evaluation, network.parameters, network.macs, weights_bytes, training_seconds)

    @property
    def num_errors(self) -> int:
        return len(self.evaluation.mistakes)

    def to_dict(self) -> dict[str, Any]:
        """Return what the candidate costs and how often it is right as plain JSON."""
        return {
            "name": self.name,
            "accuracy": self.evaluation.accuracy,
            "accuracy_interval": list(self.evaluation.accuracy_interval),
            "num_errors": self.num_errors,
            "parameters": self.parameters,
            "macs": self.macs,
            "weights_bytes": self.weights_bytes,
            "training_seconds": self.training_seconds,
        }


@dataclass(frozen=True, eq=False)
class Comparison:
    """Candidates `a` and `b` on the same images.

    Raises:
        ValueError: if the two were evaluated on different data sets, splits, classes or labels.
    """

    a: Candidate
    b: Candidate

    def __post_init__(self) -> None:
        first, second = self.a.evaluation, self.b.evaluation
        for name in ("dataset_name", "split", "class_names"):
            if getattr(first, name) != getattr(second, name):
                raise ValueError(
                    f"{name} is {getattr(first, name)!r} for {self.a.name} but {getattr(second, name)!r} for "
                    f"{self.b.name}; only models evaluated on the same images can be compared"
                )
        if not np.array_equal(first.y_true, second.y_true):
            raise ValueError(
                f"{self.a.name} and {self.b.name} were evaluated on different images of {first.dataset_name}; "
                "evaluate both on the same ones"
            )

    @property
    def num_images(self) -> int:
        return self.a.evaluation.num_images

    @property
    def names(self) -> tuple[str, str]:
        """What the two are called here: their names, told apart where they are the same."""
        if self.a.name == self.b.name:
            return f"{self.a.name} (first)", f"{self.b.name} (second)"
        return self.a.name, self.b.name

    @property
    def accuracy_difference(self) -> float:
        """The accuracy of `a` less that of `b`."""
        return (self.b.num_errors - self.a.num_errors) / self.num_images

    @property
    def error_ratio(self) -> float | None:
        """How many errors `b` makes for each error of `a`; None if `a` makes none."""
        return self.b.num_errors / self.a.num_errors if self.a.num_errors else None

    @cached_property
    def mcnemar_table(self) -> NDArray[np.int64]:
        """McNemar's (2, 2) table of images: rows `a` right and wrong, columns `b` right and wrong."""
        right_a, right_b = (c.evaluation.y_true == c.evaluation.y_pred for c in (self.a, self.b))
        return np.bincount(2 * ~right_a + ~right_b, minlength=4).astype(np.int64).reshape(2, 2)

    @property
    def both_right(self) -> int:
        return int(self.mcnemar_table[0, 0])

    @property
    def only_a_right(self) -> int:
        return int(self.mcnemar_table[0, 1])

    @property
    def only_b_right(self) -> int:
        return int(self.mcnemar_table[1, 0])

    @property
    def both_wrong(self) -> int:
        return int(self.mcnemar_table[1, 1])

    @cached_property
    def p_value(self) -> float:
        """Of McNemar's exact test, two-sided: whether these two networks differ on images of this kind."""
        return mcnemar_exact(self.only_a_right, self.only_b_right)

    @property
    def sentence(self) -> str:
        """What the comparison says and what it cannot say, in words."""
        first, second = map(printable, self.names)
        evaluation = self.a.evaluation
        kind = _KIND_OF_IMAGE.get(evaluation.split, f"{printable(evaluation.split)} image")
        where = f"On the {_count(self.num_images, kind)} of {printable(evaluation.dataset_name)}, with one run each"
        errors_a, errors_b = self.a.num_errors, self.b.num_errors
        if errors_a == errors_b == 0:
            counts = f"neither {first} nor {second} makes an error"
        elif errors_a == errors_b:
            counts = f"{first} and {second} each make {_count(errors_a, 'error')}"
        else:
            ratio = f" ({_ratio(errors_b / errors_a)} times as many)" if errors_a and errors_b else ""
            others = f"{errors_b:,}" if errors_b else "none"
            counts = f"{first} makes {_count(errors_a, 'error')} and {second} {others}{ratio}"
        return f"{where}, {counts}; {self._verdict()}. One run of each says nothing about other seeds."

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as plain JSON, the two candidates under `a` and `b`."""
        return {
            "dataset": self.a.evaluation.dataset_name,
            "split": self.a.evaluation.split,
            "num_images": self.num_images,
            "names": list(self.names),
            "a": self.a.to_dict(),
            "b": self.b.to_dict(),
            "accuracy_difference": self.accuracy_difference,
            "error_ratio": self.error_ratio,
            "both_right": self.both_right,
            "only_a_right": self.only_a_right,
            "only_b_right": self.only_b_right,
            "both_wrong": self.both_wrong,
            "p_value": self.p_value,
            "sentence": self.sentence,
        }

    def __str__(self) -> str:
        rows, (header, counts) = self._candidate_rows(), self._mcnemar_rows()
        return "\n\n".join([fill(self.sentence, 100), text_table(_HEADER, rows), text_table(header, counts)])

    def _repr_html_(self) -> str:
        rows, (header, counts) = self._candidate_rows(), self._mcnemar_rows()
        return f"<p>{escape(self.sentence)}</p>{html_table(_HEADER, rows)}{html_table(header, counts)}"

    def _candidate_rows(self) -> list[tuple[str, ...]]:
        return [
            (
                name,
                percent_with_interval(candidate.evaluation.accuracy, candidate.evaluation.accuracy_interval),
                f"{candidate.num_errors:,}",
                f"{candidate.parameters:,}",
                f"{candidate.weights_bytes / 1024:,.1f} KB",
                f"{candidate.macs:,}",
                "unknown" if candidate.training_seconds is None else f"{candidate.training_seconds:,.2f} s",
            )
            for name, candidate in zip(self.names, (self.a, self.b), strict=True)
        ]

    def _mcnemar_rows(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        first, second = self.names
        return ("Images", f"{second} right", f"{second} wrong"), [
            (f"{first} right", f"{self.both_right:,}", f"{self.only_a_right:,}"),
            (f"{first} wrong", f"{self.only_b_right:,}", f"{self.both_wrong:,}"),
        ]

    def _verdict(self) -> str:
        differing = self.only_a_right + self.only_b_right
        if differing == 0:
            return "they are right and wrong on the very same images, so they cannot be told apart on this split"
        p = f"p = {self.p_value:.2g}" if self.p_value >= _SMALLEST_PRINTED_P else f"p < {_SMALLEST_PRINTED_P}"
        on = f"exactly one of the two is right on {_count(differing, 'image')}"
        if self.p_value < _SIGNIFICANCE:
            return f"{on}, and chance alone would split them so unevenly with {p}"
        return f"{on}, split by chance alone at least so unevenly with {p}: they cannot be told apart on this split"


def compare(a: Candidate, b: Candidate) -> Comparison:
    """Return how `a` and `b` compare on the images that both were evaluated on.

    Raises:
        ValueError: if they were evaluated on different data sets, splits, classes or labels.
    """
    return Comparison(a, b)


def _count(number: int, noun: str) -> str:
    return f"{f'{number:,}' if number else 'no'} {noun}{'' if number == 1 else 's'}"


def _ratio(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.1g}"
