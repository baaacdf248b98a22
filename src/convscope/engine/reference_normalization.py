"""The mathematics of batch normalisation in NumPy and float64, forward and backward, as that of `reference_layers`."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def batch_statistics(x: Array) -> tuple[Array, Array]:
    """Return mean μ (C,) and variance σ² (C,) of each channel of x (..., C), over the M numbers that it has.

    μ[c] = 1/M · Σ x[...,c]        σ²[c] = 1/M · Σ (x[...,c] - μ[c])²
    """
    axes = tuple(range(x.ndim - 1))
    return x.mean(axis=axes), x.var(axis=axes)


def batch_normalization(x: Array, gamma: Array, beta: Array, mean: Array, variance: Array, epsilon: float) -> Array:
    """Return y, x (..., C) with its channels shifted and scaled by γ and β (C,), given mean μ and variance σ² (C,).

    x̂[...,c] = (x[...,c] - μ[c]) / √(σ²[c] + ε)
    y[...,c] = γ[c] · x̂[...,c] + β[c]

    Source: Ioffe and Szegedy 2015, algorithm 1.
    """
    return gamma * _normalize(x, mean, variance, epsilon) + beta


def batch_normalization_backward(
    dy: Array, x: Array, gamma: Array, mean: Array, variance: Array, epsilon: float
) -> tuple[Array, Array, Array]:
    """Return dx (..., C), dgamma (C,) and dbeta (C,) for dy (..., C), as if μ and σ² were constants.

    dx[...,c] = dy[...,c] · γ[c] / √(σ²[c] + ε)
    dγ[c]     = Σ dy[...,c] · x̂[...,c]
    dβ[c]     = Σ dy[...,c]

    Where they are the batch's, dγ and dβ stay, and `batch_statistics_backward` makes dx whole.
    """
    axes = tuple(range(x.ndim - 1))
    dgamma = (dy * _normalize(x, mean, variance, epsilon)).sum(axis=axes)
    return dy * gamma / np.sqrt(variance + epsilon), dgamma, dy.sum(axis=axes)


def batch_statistics_backward(dx: Array, x: Array, epsilon: float) -> Array:
    """Return dx (..., C) with what x does through the batch's own μ and σ², for dx as if these were constants.

    dx[...,c] ← dx[...,c] - 1/M · Σ dx[...,c] - x̂[...,c] · 1/M · Σ dx[...,c] · x̂[...,c]

    It is what is left of dx: shifting or stretching a whole channel changes next to nothing that leaves the layer.

    Source: Ioffe and Szegedy 2015, section 3, the equations after algorithm 1, put together.
    """
    axes = tuple(range(x.ndim - 1))
    normalized = _normalize(x, *batch_statistics(x), epsilon)
    return np.asarray(dx - dx.mean(axis=axes) - normalized * (dx * normalized).mean(axis=axes))


def _normalize(x: Array, mean: Array, variance: Array, epsilon: float) -> Array:
    return np.asarray((x - mean) / np.sqrt(variance + epsilon))
