"""Compute the confidence, loss and Brier score of each image from its logits at a temperature."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BLOCK = 1 << 21  # probabilities that are in memory at once

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Scores:
    """A number for each image, (N,) each.

    Attributes:
        confidence: the largest probability, that of the prediction.
        doubt: (1 - confidence) / confidence, the odds against the prediction. It still differs between images whose
            confidence is 1 to the last bit.
        is_correct: bool, true if the prediction is the label.
        negative_log_likelihood: -log of the probability of the label, in nats.
        brier: the sum over the classes of (probability - 1 if it is the label)², 0 to 2.
    """

    confidence: Floats
    doubt: Floats
    is_correct: NDArray[np.bool_]
    negative_log_likelihood: Floats
    brier: Floats


def score_images(logits: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]], temperature: float) -> Scores:
    """Score logits (N, K), divided by `temperature`, by labels (N,).

    Of the logits 1, 3, 0 the largest is subtracted: the exponentials of -2, 0, -3 are 0.14, 1, 0.05. The doubt is 0.19,
    the sum of all but the largest, and the confidence 1 / 1.19.
    """
    count, num_classes = logits.shape
    doubt, likelihood, brier = np.empty(count), np.empty(count), np.empty(count)
    for block in blocks(count, num_classes):
        shifted = np.asarray(logits[block], np.float64) / temperature
        shifted -= shifted.max(axis=1, keepdims=True)
        rows, truth = np.arange(len(shifted)), labels[block]
        exponentials = np.exp(shifted)
        predicted = shifted.argmax(axis=1)
        # Summed without the largest exponential, which is exp(0) = 1: a doubt of 1e-20 would be lost in 1 + 1e-20.
        others = exponentials.copy()
        others[rows, predicted] = 0
        doubt[block] = others.sum(axis=1)
        probabilities = exponentials / (1 + doubt[block])[:, None]
        likelihood[block] = np.log1p(doubt[block]) - shifted[rows, truth]
        differences = -probabilities  # truth less probability: 1 - p for the label, -p for other classes
        differences[rows, truth] += 1
        brier[block] = np.square(differences).sum(axis=1)
    return Scores(
        confidence=1 / (1 + doubt),
        doubt=doubt,
        is_correct=np.asarray(logits.argmax(axis=1) == labels),
        negative_log_likelihood=likelihood,
        brier=brier,
    )


def blocks(count: int, num_classes: int) -> Iterator[slice]:
    """Yield `count` rows of `num_classes` numbers in slices of bounded size."""
    step = max(1, _BLOCK // num_classes)
    for start in range(0, count, step):
        yield slice(start, min(start + step, count))


def check_logits(name: str, logits: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]]) -> None:
    """Raise `ValueError` unless logits are finite (N, K) and labels (N,) whole numbers below K, with K at least 2."""
    if logits.ndim != 2 or not len(logits) or logits.shape[1] < 2:
        raise ValueError(f"{name}logits have shape {logits.shape}; they must be (N, K), N at least 1 and K at least 2")
    if labels.shape != logits.shape[:1] or labels.dtype.kind not in "iu":
        raise ValueError(
            f"{name}labels are {labels.dtype} of shape {labels.shape}; they must be {len(logits)} whole numbers"
        )
    if not 0 <= labels.min() <= labels.max() < logits.shape[1]:
        raise ValueError(
            f"{name}labels run from {labels.min()} to {labels.max()}; they must lie from 0 to {logits.shape[1] - 1}"
        )
    finite = np.isfinite(logits).all(axis=1)
    if not finite.all():
        raise ValueError(f"{name}logits of {int((~finite).sum())} of {len(logits)} images are not finite")
