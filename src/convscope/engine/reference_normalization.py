"""The mathematics of normalisations in NumPy and float64, forward and backward, as that of `reference_layers`."""

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


def group_normalization(x: Array, gamma: Array, beta: Array, groups: int, epsilon: float) -> Array:
    """Normalise each of G groups of channels of x (N, ..., C) by itself, then scale and shift by γ and β (C,).

    x̂[n,p,c] = (x[n,p,c] - μ[n,g]) / √(σ²[n,g] + ε)      g = ⌊c / (C/G)⌋
    y[n,p,c] = γ[c] · x̂[n,p,c] + β[c]

    where μ[n,g] and σ²[n,g] are mean and variance of the numbers of group g, over all pixels p. A layer normalisation
    has each pixel as an image of its own, and one group.

    Source: Wu and He 2018, equations 1 to 3.
    """
    normalized, _ = _normalize_groups(x, groups, epsilon)
    return gamma * normalized.reshape(x.shape) + beta


def group_normalization_backward(
    dy: Array, x: Array, gamma: Array, groups: int, epsilon: float
) -> tuple[Array, Array, Array]:
    """Compute dx (N, ..., C), dgamma (C,) and dbeta (C,) for dy (N, ..., C).

    dx[n,p,c] = (h - mean of h - x̂[n,p,c] · mean of h · x̂) / √(σ²[n,g] + ε)      h[n,p,c] = dy[n,p,c] · γ[c]
    dγ[c]     = Σ dy[n,p,c] · x̂[n,p,c]
    dβ[c]     = Σ dy[n,p,c]

    where the means are over the numbers of a group.
    """
    normalized, deviation = _normalize_groups(x, groups, epsilon)
    axes = tuple(range(x.ndim - 1))
    h = (dy * gamma).reshape(normalized.shape)
    means = [part.mean(axis=(1, 3), keepdims=True) for part in (h, h * normalized)]
    dx = (h - means[0] - normalized * means[1]) / deviation
    return dx.reshape(x.shape), (dy * normalized.reshape(x.shape)).sum(axis=axes), dy.sum(axis=axes)


def _normalize_groups(x: Array, groups: int, epsilon: float) -> tuple[Array, Array]:
    """Compute x̂ (N, pixels, G, C/G) and √(σ² + ε) (N, 1, G, 1)."""
    parts = x.reshape(len(x), -1, groups, x.shape[-1] // groups)
    deviation = np.sqrt(parts.var(axis=(1, 3), keepdims=True) + epsilon)
    return (parts - parts.mean(axis=(1, 3), keepdims=True)) / deviation, deviation


def _normalize(x: Array, mean: Array, variance: Array, epsilon: float) -> Array:
    return np.asarray((x - mean) / np.sqrt(variance + epsilon))
