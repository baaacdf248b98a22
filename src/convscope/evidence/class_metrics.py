"""Compute the metrics of each class from a confusion matrix; a metric without images is None."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from convscope.base import metrics
from convscope.base.records import Count, Fraction, FractionInterval, Record
from convscope.base.tables import percent, percent_interval

CLASS_HEADER = ("Class", "Images", "Precision", "Recall", "95 % interval", "F1")
_NO_NUMBER = "-"


class ClassMetrics(Record):
    """The metrics of a class; without images of the class, all but `support` are None.

    Attributes:
        support: number of images of the class.
        precision: None also for a class that was never predicted.
        recall_interval: (low, high), the 95 % Wilson interval of the recall.
    """

    class_name: str
    support: Count
    precision: Fraction | None
    recall: Fraction | None
    recall_interval: FractionInterval | None
    f1: Fraction | None


def measure_classes(matrix: NDArray[np.int64], class_names: tuple[str, ...]) -> tuple[ClassMetrics, ...]:
    """Compute the metrics of each class from the confusion matrix (K, K), whose rows are the truth."""
    support, predicted = matrix.sum(axis=1).tolist(), matrix.sum(axis=0).tolist()
    scores = (values.tolist() for values in metrics.class_metrics(matrix))
    columns = zip(class_names, support, predicted, *scores, strict=True)
    classes = []
    for label, (name, images, num_predicted, precision, recall, f1) in enumerate(columns):
        if images:
            interval = metrics.wilson_interval(int(matrix[label, label]), images)
            # A class that is never predicted has no precision: 0 of 0.
            classes.append(ClassMetrics(name, images, precision if num_predicted else None, recall, interval, f1))
        else:
            classes.append(ClassMetrics(name, 0, None, None, None, None))
    return tuple(classes)


def class_rows(classes: Sequence[ClassMetrics], names: Sequence[str]) -> list[tuple[str, ...]]:
    """Format the classes as rows under `CLASS_HEADER`, with `names` in the first column."""
    return [
        (
            name,
            f"{metric.support:,}",
            _format_fraction(metric.precision),
            _format_fraction(metric.recall),
            _NO_NUMBER if metric.recall_interval is None else percent_interval(metric.recall_interval),
            _format_fraction(metric.f1),
        )
        for name, metric in zip(names, classes, strict=True)
    ]


def _format_fraction(value: float | None) -> str:
    return _NO_NUMBER if value is None else percent(value)
