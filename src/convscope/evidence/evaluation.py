"""A model's evaluation on a data set: the predictions and the figures computed from them, as text and as a record."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from math import isfinite
from typing import Any, Literal

import numpy as np
from msgspec import UNSET, UnsetType
from numpy.typing import NDArray

from convscope.base import metrics
from convscope.base.records import (
    Count,
    Fraction,
    FractionInterval,
    NonNegative,
    Positive,
    Record,
    Recorded,
    from_attributes,
)
from convscope.base.tables import Tint, clip, html_table, percent_with_interval, printable, text_table
from convscope.evidence.class_metrics import CLASS_HEADER, ClassMetrics, class_rows
from convscope.evidence.confusion_colours import confusion_hue, confusion_opacities
from convscope.training.views import Views

_MAX_PAIRS_SHOWN = 10
_MAX_MISTAKES_IN_RECORD = 1000
NEARLY_CERTAIN = 0.99  # a prediction with this confidence or more
_MAX_CLASSES_IN_MATRIX = 20  # beyond it a printed matrix is wider than any terminal
_WIDEST_NAME = 24
_MAX_NAMES = 5
_WIDE, _FEW = 0.1, 10  # cautions are given for an interval wider than this, and for classes with fewer images
_MATRIX_CAPTION = "Confusion matrix (rows: true class, columns: predicted class)"
_NO_IMAGES = "·"  # so that errors stand out among the zeros
_PAIRS_CAPTION = "Most confused pairs"
_PAIR_HEADER = ("True", "Predicted", "Images")


class ConfusedPair(Record):
    """The number of images with the label `true` that were classified as `predicted`."""

    true: Count
    predicted: Count
    count: Count


class Mistake(Record):
    """An image that was classified wrongly.

    Attributes:
        index: the index of the image in the data set.
        probability: the probability of the predicted class.
        probability_of_true: the probability of the true class.
    """

    index: Count
    true: Count
    predicted: Count
    probability: Fraction
    probability_of_true: Fraction


class EvaluationRecord(Record, kw_only=True):
    """An evaluation without the single predictions; the attributes are those of `Evaluation`.

    Attributes:
        mistakes: the worst 1,000.
        num_nearly_certain: the number of predictions, correct or wrong, with a confidence of 99 % or higher; missing in
            evaluations made before it was counted.
        views: left out for a single view.
    """

    num_images: Positive
    dataset: str
    split: str
    class_names: tuple[str, ...]
    loss: NonNegative
    accuracy: Fraction
    accuracy_interval: FractionInterval
    balanced_accuracy: Fraction
    balanced_accuracy_interval: FractionInterval
    macro_f1: Fraction
    macro_f1_interval: FractionInterval
    cautions: tuple[str, ...]
    confusion_matrix: tuple[tuple[Count, ...], ...]
    classes: tuple[ClassMetrics, ...]
    confused_pairs: tuple[ConfusedPair, ...]
    num_mistakes: Count
    mistakes: tuple[Mistake, ...]
    num_nearly_certain: Count | UnsetType = UNSET
    views: Literal[5, 9] | UnsetType = UNSET


@dataclass(frozen=True, eq=False)
class Evaluation(Recorded):
    """A model's predictions on a data set, and the figures computed from them.

    The intervals cover the noise of a finite number of images; they say nothing about other training seeds.

    Attributes:
        y_true: (N,) int64, the labels.
        y_pred: (N,) int64, the predictions.
        y_prob: (N, K) float32, the probabilities.
        loss: the mean cross-entropy in nats.
        accuracy: the fraction of correct predictions.
        accuracy_interval: (low, high), its 95 % Wilson interval.
        confusion_matrix: (K, K) int64, rows are the truth.
        classes: K of them, in the order of the labels.
        confused_pairs: the 20 most frequent pairs of a wrong prediction, most frequent first, then by label.
        mistakes: all of them, the most confident first.
        views: number of views of each image over which the probabilities are averaged, see `convscope.training.views`.

    Raises:
        ValueError: if the confusion matrix does not sum to N, the accuracy is not its trace over its sum, an array has
            another shape, or the loss is not finite.
    """

    dataset_name: str
    split: str
    class_names: tuple[str, ...]
    y_true: NDArray[np.int64] = field(repr=False)
    y_pred: NDArray[np.int64] = field(repr=False)
    y_prob: NDArray[np.float32] = field(repr=False)
    loss: float
    accuracy: float
    accuracy_interval: tuple[float, float]
    confusion_matrix: NDArray[np.int64] = field(repr=False)
    classes: tuple[ClassMetrics, ...] = field(repr=False)
    confused_pairs: tuple[ConfusedPair, ...] = field(repr=False)
    mistakes: tuple[Mistake, ...] = field(repr=False)
    views: Views = 1

    def __post_init__(self) -> None:
        count, num_classes = len(self.y_true), len(self.class_names)
        shapes = {"y_pred": (count,), "y_prob": (count, num_classes), "confusion_matrix": (num_classes, num_classes)}
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name} has shape {getattr(self, name).shape}; it must be {shape}")
        total, trace = int(self.confusion_matrix.sum()), int(self.confusion_matrix.trace())
        if total != count:
            raise ValueError(f"the confusion matrix sums to {total}; it must sum to the {count} images")
        # 1e-12 is far above the rounding of a division, and far below one image of any data set.
        if abs(self.accuracy - trace / total) > 1e-12:
            raise ValueError(f"accuracy is {self.accuracy}; by the confusion matrix it must be {trace} / {total}")
        if len(self.mistakes) != total - trace:
            raise ValueError(f"{len(self.mistakes)} mistakes; by the confusion matrix there must be {total - trace}")
        if not isfinite(self.loss):
            raise ValueError(f"loss is {self.loss}; it must be finite")

    @property
    def num_images(self) -> int:
        return len(self.y_true)

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @cached_property
    def balanced_accuracy(self) -> float:
        """The mean recall over the classes that have images: each class counts alike."""
        return metrics.balanced_accuracy(self.confusion_matrix)[0]

    @cached_property
    def balanced_accuracy_interval(self) -> tuple[float, float]:
        """(low, high), its 95 % interval."""
        return metrics.balanced_accuracy(self.confusion_matrix)[1]

    @cached_property
    def macro_f1(self) -> float:
        """The mean F1 over the classes that occur."""
        return metrics.macro_f1(self.confusion_matrix)[0]

    @cached_property
    def macro_f1_interval(self) -> tuple[float, float]:
        """(low, high), its 95 % interval."""
        return metrics.macro_f1(self.confusion_matrix)[1]

    @cached_property
    def cautions(self) -> tuple[str, ...]:
        """Sentences about conclusions that too few or unevenly spread images do not allow; often none."""
        return tuple(_CAUTIONS[kind](**facts) for kind, facts in caution_facts(self).items())

    def to_record(self) -> EvaluationRecord:
        """Build the record without the single predictions, with the worst 1,000 mistakes."""
        return from_attributes(
            EvaluationRecord,
            self,
            dataset=self.dataset_name,
            num_mistakes=len(self.mistakes),
            mistakes=self.mistakes[:_MAX_MISTAKES_IN_RECORD],
            num_nearly_certain=int((self.y_prob.max(axis=1) >= NEARLY_CERTAIN).sum()),
            views=self.views if self.views > 1 else UNSET,
        )

    @property
    def summary(self) -> str:
        """The accuracy and other means in two lines, and a line for each caution."""
        return "\n".join([_format_headline(self), _format_details(self), *self.cautions])

    @property
    def brief(self) -> str:
        """The accuracy in a line, a line for each caution, and the most confused pairs."""
        parts = ["\n".join([_format_headline(self), *self.cautions])]
        return "\n\n".join([*parts, _format_pairs(self)] if self.confused_pairs else parts)

    def __str__(self) -> str:
        names = [clip(name, _WIDEST_NAME) for name in self.class_names]
        parts = [self.summary]
        if self.num_classes <= _MAX_CLASSES_IN_MATRIX:
            # The K columns share 100 characters, two of each for the gap before it: 8 a name for 10 classes. The counts
            # are never clipped, so a name may be as wide as the longest of them.
            width = max(len(f"{self.confusion_matrix.max()}"), 100 // self.num_classes - 2)
            rows = zip(names, self.confusion_matrix.tolist(), strict=True)
            counts = [[name, *(str(count) if count else _NO_IMAGES for count in row)] for name, row in rows]
            header = ("", *(clip(name, width) for name in self.class_names))
            parts.append(f"{_MATRIX_CAPTION}\n{text_table(header, counts)}")
        else:
            parts.append(_matrix_left_out(self))
        parts.append(text_table(CLASS_HEADER, class_rows(self.classes, names)))
        if self.confused_pairs:
            parts.append(_format_pairs(self))
        return "\n\n".join(parts)

    def _repr_html_(self) -> str:
        names = self.class_names
        lines = [_format_headline(self), _format_details(self), *self.cautions]
        parts = [f"<p>{'<br>'.join(map(escape, lines))}</p>"]
        if self.num_classes <= _MAX_CLASSES_IN_MATRIX:
            parts.append(html_table(("", *names), _tint_rows(self), _MATRIX_CAPTION))
        else:
            parts.append(f"<p>{escape(_matrix_left_out(self))}</p>")
        parts.append(html_table(CLASS_HEADER, class_rows(self.classes, names)))
        if self.confused_pairs:
            parts.append(html_table(_PAIR_HEADER, _pair_rows(self, names), _PAIRS_CAPTION, left=2))
        return "".join(parts)


def _format_headline(evaluation: Evaluation) -> str:
    num_correct = evaluation.num_images - len(evaluation.mistakes)
    correct = f"{num_correct:,} of {evaluation.num_images:,} images correct"
    accuracy = percent_with_interval(evaluation.accuracy, evaluation.accuracy_interval)
    part = "all images" if evaluation.split == "all" else f"the {evaluation.split} split"
    where = f"{part} of {printable(evaluation.dataset_name)}"
    views = f", mean of {evaluation.views} views of each image" if evaluation.views > 1 else ""
    return f"Accuracy on {where}: {accuracy} (95 % Wilson interval), {correct}{views}"


def _format_details(evaluation: Evaluation) -> str:
    balanced = percent_with_interval(evaluation.balanced_accuracy, evaluation.balanced_accuracy_interval)
    macro = percent_with_interval(evaluation.macro_f1, evaluation.macro_f1_interval)
    return f"Balanced accuracy: {balanced}, macro F1: {macro}, loss: {evaluation.loss:.4f}"


def caution_facts(evaluation: Evaluation) -> dict[str, dict[str, Any]]:
    """Collect the numbers of each caution about too few or unevenly spread images, by its kind.

    The sentences stand apart, since the report has its own in several languages: "few" with {"n": 2, ...} is "2 of 10
    classes have fewer than 10 images" in `_CAUTIONS`.
    """
    low, high = evaluation.accuracy_interval
    support = evaluation.confusion_matrix.sum(axis=1)
    facts = dict[str, dict[str, Any]]()
    if high - low > _WIDE:
        facts["wide"] = {"images": evaluation.num_images, "points": round(100 * (high - low))}
    if few := int(np.count_nonzero((support > 0) & (support < _FEW))):
        facts["few"] = {"n": few, "classes": evaluation.num_classes, "least": _FEW}
    if none := [clip(evaluation.class_names[label], _WIDEST_NAME) for label in np.flatnonzero(support == 0)]:
        names = ", ".join(map(repr, none[:_MAX_NAMES])) + (", ..." if len(none) > _MAX_NAMES else "")
        facts["none"] = {"n": len(none), "classes": evaluation.num_classes, "names": names}
    largest = int(support.argmax())
    # The share of the largest class is the accuracy of always predicting that class.
    if low <= support[largest] / evaluation.num_images:
        name = repr(clip(evaluation.class_names[largest], _WIDEST_NAME))
        facts["always"] = {"name": name, "share": float(support[largest] / evaluation.num_images)}
    return facts


_CAUTIONS: Mapping[str, Callable[..., str]] = {
    "wide": lambda images, points: (
        f"With {images:,} images, the 95 % interval of the accuracy is {points} points wide. "
        "To compare networks, use the same images and convscope compare."
    ),
    "few": lambda n, classes, least: (
        f"{_of_classes(n, classes)} fewer than {least} images, so the figures of "
        f"{'this class' if n == 1 else 'these classes'} are unreliable."
    ),
    "none": lambda n, classes, names: f"{_of_classes(n, classes)} no images and cannot be measured: {names}.",
    "always": lambda name, share: (
        f"Always answering {name} would be correct for {100 * share:.2f} % of the images. "
        "This accuracy is not significantly better."
    ),
}


def _of_classes(count: int, classes: int) -> str:
    return f"{count:,} of {classes:,} classes {'has' if count == 1 else 'have'}"


def _matrix_left_out(evaluation: Evaluation) -> str:
    size = f"{evaluation.num_classes} x {evaluation.num_classes}"
    return f"The confusion matrix ({size}) is too large to print; the most confused pairs are its largest errors."


def _tint_rows(evaluation: Evaluation) -> list[list[str | Tint]]:
    """Make the rows of the confusion matrix: the name of the true class, and a coloured cell for each prediction."""
    opacities = confusion_opacities(evaluation.confusion_matrix).tolist()
    rows = [list[str | Tint]([name]) for name in evaluation.class_names]
    for label, counts in enumerate(evaluation.confusion_matrix.tolist()):
        for column, count in enumerate(counts):
            text = str(count) if count else ""
            rows[label].append(Tint(text, confusion_hue(label, column), opacities[label][column]))
    return rows


def _format_pairs(evaluation: Evaluation) -> str:
    names = [clip(name, _WIDEST_NAME) for name in evaluation.class_names]
    return f"{_PAIRS_CAPTION}\n{text_table(_PAIR_HEADER, _pair_rows(evaluation, names), left=2)}"


def _pair_rows(evaluation: Evaluation, names: Sequence[str]) -> list[tuple[str, ...]]:
    return [
        (names[pair.true], names[pair.predicted], f"{pair.count:,}")
        for pair in evaluation.confused_pairs[:_MAX_PAIRS_SHOWN]
    ]
