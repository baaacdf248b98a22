"""The mathematics of batch normalisation in NumPy and float64, forward and backward, as that of `reference_layers`."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def batch_statistics(x: Array) -> tuple[Array, Array]:
    """Compute mean μ (C,) and variance σ² (C,) of each channel of x (..., C), over its M numbers.

    μ[c] = 1/M · Σ x[...,c]        σ²[c] = 1/M · Σ (x[...,c] - μ[c])²
    """
    axes = tuple(range(x.ndim - 1))  # all but the channels
    return x.mean(axis=axes), x.var(axis=axes)


def batch_normalization(x: Array, gamma: Array, beta: Array, mean: Array, variance: Array, epsilon: float) -> Array:
    """Normalise x (..., C) by mean μ and variance σ² (C,), then scale and shift its channels by γ and β (C,).

    x̂[...,c] = (x[...,c] - μ[c]) / √(σ²[c] + ε)
    y[...,c] = γ[c] · x̂[...,c] + β[c]

    Source: Ioffe and Szegedy 2015, algorithm 1.
    """
    return gamma * _normalize(x, mean, variance, epsilon) + beta


def batch_normalization_backward(
    dy: Array, x: Array, gamma: Array, mean: Array, variance: Array, epsilon: float
) -> tuple[Array, Array, Array]:
    """Compute dx (..., C), dgamma (C,) and dbeta (C,) for dy (..., C), as if μ and σ² were constants.

    dx[...,c] = dy[...,c] · γ[c] / √(σ²[c] + ε)
    dγ[c]     = Σ dy[...,c] · x̂[...,c]
    dβ[c]     = Σ dy[...,c]

    If they are those of the batch, dγ and dβ are the same, and `batch_statistics_backward` corrects dx.
    """
    axes = tuple(range(x.ndim - 1))
    dgamma = (dy * _normalize(x, mean, variance, epsilon)).sum(axis=axes)
    return dy * gamma / np.sqrt(variance + epsilon), dgamma, dy.sum(axis=axes)


def batch_statistics_backward(dx: Array, x: Array, epsilon: float) -> Array:
    """Correct dx (..., C), computed as if μ and σ² were constants, for their dependence on x.

    dx[...,c] ← dx[...,c] - 1/M · Σ dx[...,c] - x̂[...,c] · 1/M · Σ dx[...,c] · x̂[...,c]

    The two terms take out the parts of dx that would shift or stretch a whole channel, since the normalisation undoes
    such a change.

    Source: Ioffe and Szegedy 2015, section 3, the equations after algorithm 1, put together.
    """
    axes = tuple(range(x.ndim - 1))
    normalized = _normalize(x, *batch_statistics(x), epsilon)
    return np.asarray(dx - dx.mean(axis=axes) - normalized * (dx * normalized).mean(axis=axes))


def _normalize(x: Array, mean: Array, variance: Array, epsilon: float) -> Array:
    return np.asarray((x - mean) / np.sqrt(variance + epsilon))
