"""The loss in NumPy and float64, forward and backward: what `reference` has training make small."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Labels = NDArray[np.uint8] | NDArray[np.int64]


def softmax(logits: Array) -> Array:
    """Return the probabilities (N, K) of logits z (N, K).

    p[n,k] = exp(z[n,k]) / Σ_j exp(z[n,j])

    The largest logit is subtracted first: it cancels, and no exponential overflows.
    """
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def cross_entropy(
    logits: Array, labels: Labels, smoothing: float = 0.0, class_weights: Sequence[float] | None = None
) -> float:
    """Return the mean cross-entropy of the softmax of logits z (N, K) with labels (N,), in nats.

    loss = 1/N · Σ_n -log p[n, label n] = 1/N · Σ_n (log Σ_j exp(z[n,j]) - z[n, label n])

    With smoothing ε a label counts for 1 - ε, and every class besides for ε/K:

    loss = 1/N · Σ_n (log Σ_j exp(z[n,j]) - (1 - ε) · z[n, label n] - ε/K · Σ_k z[n,k])

    and with class weights each image's part is multiplied by that of its label.

    Source: Szegedy and others 2016, section 7.
    """
    shifted = logits - logits.max(axis=1, keepdims=True)
    targets = shifted[np.arange(len(labels)), labels]
    if smoothing:
        targets = (1 - smoothing) * targets + smoothing * shifted.mean(axis=1)
    losses = np.log(np.exp(shifted).sum(axis=1)) - targets
    return float(np.mean(losses if class_weights is None else losses * np.asarray(class_weights)[labels]))


def cross_entropy_backward(
    logits: Array, labels: Labels, smoothing: float = 0.0, class_weights: Sequence[float] | None = None
) -> Array:
    """Return dlogits (N, K), the gradient of `cross_entropy` by the logits: what was said, less what is true.

    dz[n,k] = 1/N · (p[n,k] - ε/K - (1 - ε if k is label n else 0))
    """
    dlogits = softmax(logits) - smoothing / logits.shape[1]
    dlogits[np.arange(len(labels)), labels] -= 1 - smoothing
    if class_weights is not None:
        dlogits *= np.asarray(class_weights, np.float64)[labels, None]
    return np.asarray(dlogits / len(labels))
