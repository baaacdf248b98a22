"""Evaluate a model on a data set, or predictions that were made before.

`evaluate` and `evaluate_together` compute logits; `evaluate_predictions` starts from those. All end in
`evaluate_labels`, which starts from predictions and probabilities and computes every figure.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base import metrics
from convscope.base.arguments import checked
from convscope.base.errors import DivergedError
from convscope.data.datasets import Dataset, DatasetLike
from convscope.evidence.class_metrics import measure_classes
from convscope.evidence.evaluation import ConfusedPair, Evaluation, Mistake
from convscope.training.model import Model, dataset_for
from convscope.training.views import Views

_MAX_PAIRS = 20


@checked
def evaluate(
    model: Model,
    dataset: DatasetLike,
    batch_size: int = 1000,
    on_progress: Callable[[int, int], None] | None = None,
    views: Views = 1,
) -> Evaluation:
    """Evaluate `model` on `dataset`, `batch_size` images at a time.

    Args:
        on_progress: called after each batch with the images done and in all.
        views: 5 or 9 average the probabilities of each image and its shifts by one pixel (test-time augmentation), at
            as many times the cost; see `Model.logits`.

    Raises:
        ValueError: if the images are not of the size the model reads, the classes are not the model's, a logit is not
            finite, `batch_size` is below 1, or `views` is not 1, 5 or 9.
    """
    dataset = dataset_for(model, dataset)
    logits = _compute_logits(model, dataset, batch_size, on_progress, views)
    return replace(evaluate_predictions(logits, dataset), views=views)


def evaluate_together(
    model: Model, parts: Sequence[Dataset], split: str, batch_size: int = 1000, views: Views = 1
) -> Evaluation:
    """Evaluate `model` on all images of `parts` together, as the `split` of the first part's data set.

    Raises:
        ValueError: as `evaluate`, or if there is no part.
    """
    if not parts:
        raise ValueError("parts is empty; give at least one data set")
    logits = np.concatenate([_compute_logits(model, part, batch_size, views=views) for part in parts])
    labels = np.concatenate([part.labels for part in parts]).astype(np.int64)
    return replace(_measure(logits, labels, parts[0].class_names, parts[0].name, split), views=views)


def evaluate_predictions(logits: NDArray[np.floating[Any]], dataset: Dataset) -> Evaluation:
    """Evaluate the predictions of `logits` (N, K), a row for each image, on `dataset`.

    Raises:
        ValueError: if the logits have another shape.
        DivergedError: if one is not finite; this is a ValueError too.
    """
    expected = (len(dataset), dataset.num_classes)
    if logits.shape != expected:
        raise ValueError(f"logits have shape {logits.shape}; this data set needs {expected}")
    return _measure(logits, dataset.labels.astype(np.int64), dataset.class_names, dataset.name, dataset.split)


def _compute_logits(
    model: Model,
    dataset: Dataset,
    batch_size: int,
    on_progress: Callable[[int, int], None] | None = None,
    views: Views = 1,
) -> NDArray[np.float32]:
    """Compute the logits (N, K) batch by batch; raises `ValueError` if the batches or classes do not fit."""
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}; it must be at least 1")
    model.check_classes(dataset)
    logits = []
    for start in range(0, len(dataset), batch_size):
        logits.append(model.logits(dataset.images[start : start + batch_size], views))
        if on_progress is not None:
            on_progress(min(start + batch_size, len(dataset)), len(dataset))
    return np.concatenate(logits)


def _measure(
    logits: NDArray[np.floating[Any]], y_true: NDArray[np.int64], class_names: tuple[str, ...], name: str, split: str
) -> Evaluation:
    check_finite(logits)
    y_pred = logits.argmax(axis=1).astype(np.int64)
    y_prob = metrics.softmax(logits).astype(np.float32)
    return evaluate_labels(y_true, y_pred, y_prob, metrics.cross_entropy(logits, y_true), class_names, name, split)


def evaluate_labels(
    y_true: NDArray[np.int64],
    y_pred: NDArray[np.int64],
    y_prob: NDArray[np.float32],
    loss: float,
    class_names: tuple[str, ...],
    dataset_name: str,
    split: str,
) -> Evaluation:
    """Evaluate stored predictions of a model, see `Evaluation`.

    Raises:
        ValueError: as `Evaluation` does.
    """
    matrix = metrics.confusion_matrix(y_true, y_pred, len(class_names))
    num_correct = int(matrix.trace())  # the diagonal
    return Evaluation(
        dataset_name=dataset_name,
        split=split,
        class_names=class_names,
        y_true=y_true,
        y_pred=y_pred,
        y_prob=y_prob,
        loss=loss,
        accuracy=num_correct / len(y_true),
        accuracy_interval=metrics.wilson_interval(num_correct, len(y_true)),
        confusion_matrix=matrix,
        classes=measure_classes(matrix, class_names),
        confused_pairs=_find_confused_pairs(matrix),
        mistakes=_find_mistakes(y_true, y_pred, y_prob),
    )


def check_finite(logits: NDArray[np.floating[Any]]) -> None:
    """Raise `DivergedError` unless all `logits` (N, K) are finite numbers."""
    finite = np.isfinite(logits).all(axis=1)
    if not finite.all():
        first = int(np.flatnonzero(~finite)[0])
        raise DivergedError(
            f"the logits of {int((~finite).sum())} of {len(logits)} images are not finite, the first at index {first}; "
            "the weights may have diverged in training, so train again with a lower learning rate"
        )


def _find_confused_pairs(matrix: NDArray[np.int64]) -> tuple[ConfusedPair, ...]:
    wrong = matrix - np.diag(matrix.diagonal())
    true, predicted = np.nonzero(wrong)
    counts = wrong[true, predicted]
    order = np.argsort(-counts, kind="stable")[:_MAX_PAIRS]
    return tuple(ConfusedPair(int(true[i]), int(predicted[i]), int(counts[i])) for i in order)


def _find_mistakes(
    y_true: NDArray[np.int64], y_pred: NDArray[np.int64], y_prob: NDArray[np.float32]
) -> tuple[Mistake, ...]:
    wrong = np.flatnonzero(y_true != y_pred)
    confidence, p_true = y_prob[wrong, y_pred[wrong]], y_prob[wrong, y_true[wrong]]
    # lexsort's last key counts first: the most confident first; of equal ones that with the least probable label first.
    order = np.lexsort((wrong, p_true, -confidence))
    return tuple(
        Mistake(int(wrong[i]), int(y_true[wrong[i]]), int(y_pred[wrong[i]]), float(confidence[i]), float(p_true[i]))
        for i in order
    )
