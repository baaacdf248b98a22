"""The loss that training minimises, in NumPy and float64, forward and backward."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.metrics import softmax

Array = NDArray[np.float64]
Labels = NDArray[np.uint8] | NDArray[np.int64]


def loss_factors(
    labels: Labels, class_weights: Sequence[float] | None, weights: NDArray[np.float32] | None
) -> Array | None:
    """Compute the factor (N,) of each image's loss, its class's weight times its own; None if all are 1."""
    if class_weights is None:
        return None if weights is None else weights.astype(np.float64)
    factors = np.asarray(class_weights, np.float64)[labels]
    return factors if weights is None else factors * weights


def cross_entropy(logits: Array, labels: Labels, smoothing: float = 0.0, factors: Array | None = None) -> float:
    """Compute the mean cross-entropy of the softmax of logits z (N, K) with labels (N,), in nats.

    loss = 1/N · Σ_n -log p[n, label n] = 1/N · Σ_n (log Σ_j exp(z[n,j]) - z[n, label n])

    With smoothing ε the label counts for 1 - ε, and in addition every class for ε/K:

    loss = 1/N · Σ_n (log Σ_j exp(z[n,j]) - (1 - ε) · z[n, label n] - ε/K · Σ_k z[n,k])

    With factors (N,), the term of image n is multiplied by factor n. The sum is still divided by N.

    Source: Szegedy and others 2016, section 7.
    """
    shifted = logits - logits.max(axis=1, keepdims=True)  # cancels in the difference below, see `softmax`
    targets = shifted[np.arange(len(labels)), labels]
    if smoothing:
        targets = (1 - smoothing) * targets + smoothing * shifted.mean(axis=1)
    losses = np.log(np.exp(shifted).sum(axis=1)) - targets
    return float(np.mean(losses if factors is None else losses * factors))


def cross_entropy_backward(
    logits: Array, labels: Labels, smoothing: float = 0.0, factors: Array | None = None
) -> Array:
    """Compute dlogits (N, K), the gradient of `cross_entropy` with respect to the logits: p minus the targets.

    dz[n,k] = 1/N · (p[n,k] - ε/K - (1 - ε if k is label n else 0))
    """
    dlogits = softmax(logits) - smoothing / logits.shape[1]
    dlogits[np.arange(len(labels)), labels] -= 1 - smoothing
    if factors is not None:
        dlogits *= factors[:, None]
    return np.asarray(dlogits / len(labels))


def dlogits_of_logit(labels: NDArray[np.integer[Any]], num_classes: int) -> Array:
    """Make dlogits (N, K) for the gradient of the logit `labels` (N,) of each image: a one there, and zeros.

    Raises:
        ValueError: if a label is not one of the K classes.
    """
    check_labels(labels, num_classes)
    return np.asarray(np.eye(num_classes)[labels])


def dlogits_of_loss(logits: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]]) -> Array:
    """Compute dlogits (N, K) of each image's own cross-entropy with `labels` (N,), for its logits (N, K).

    dz[n,k] = p[n,k] - (1 if k is label n else 0), N times that of the mean over the images.

    Raises:
        ValueError: if there is not one label for each row, or one is not one of the K classes.
    """
    if labels.shape != logits.shape[:1]:
        raise ValueError(f"labels have shape {labels.shape} for logits of shape {logits.shape}; give one label per row")
    return softmax(np.asarray(logits, np.float64)) - dlogits_of_logit(labels, logits.shape[1])


def check_labels(labels: NDArray[np.integer[Any]], num_classes: int) -> None:
    """Raise `ValueError` unless `labels` are (N,) whole numbers from 0 to `num_classes` - 1."""
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise ValueError(f"labels are {labels.dtype} of shape {labels.shape}; they must be whole numbers (N,)")
    if len(labels) and not 0 <= labels.min() <= labels.max() < num_classes:
        raise ValueError(f"labels run from {labels.min()} to {labels.max()}; they must be from 0 to {num_classes - 1}")
