"""The mathematics of `SoftVoting` in NumPy and float64: from the logits of several networks to their ensemble's."""

import numpy as np

# Not from `reference_layers`, which imports SciPy: every command would wait for that.
from convscope.engine.reference_windows import Array


def soft_voting(x: Array, members: int) -> Array:
    """Compute the ensemble's logits y (N, K) from those of its members x (N, members · K), one member after another.

    y[n,k] = log((1 / members) Σ_i p[n,i,k]) + (1 / members) Σ_i s[n,i]

    where s[n,i] = log Σ_k exp(x[n,i,k]) and p[n,i,k] = exp(x[n,i,k] - s[n,i]). The second term changes no probability;
    with it, equal members give their own logits. All is computed with logarithms, so a probability that is too small
    for a float still counts.
    """
    logarithms, sums = _log_probabilities(x, members)
    return np.asarray(np.logaddexp.reduce(logarithms, axis=1) - np.log(members) + sums.mean(axis=1))


def soft_voting_backward(dy: Array, x: Array, members: int) -> Array:
    """Compute dx (N, members · K) for dy (N, K).

    dx[n,i,j] = dy[n,j] · w[n,i,j] - p[n,i,j] · Σ_k dy[n,k] · w[n,i,k] + p[n,i,j] · (1 / members) Σ_k dy[n,k]

    where w[n,i,k] = p[n,i,k] / Σ_h p[n,h,k] is the share of member i in the sum of all members' probabilities.
    """
    logarithms, _ = _log_probabilities(x, members)
    shares = np.exp(logarithms - np.logaddexp.reduce(logarithms, axis=1, keepdims=True))  # w, (N, members, K)
    weighted = dy[:, None] * shares
    mean_part = dy.sum(axis=1)[:, None, None] / members  # from the mean of s, the second term of y
    dx = weighted + np.exp(logarithms) * (mean_part - weighted.sum(axis=2, keepdims=True))
    return np.asarray(dx.reshape(x.shape))


def _log_probabilities(x: Array, members: int) -> tuple[Array, Array]:
    """Compute log p (N, members, K) and s (N, members, 1), see `soft_voting`."""
    logits = x.reshape(len(x), members, -1)
    sums = np.logaddexp.reduce(logits, axis=2, keepdims=True)
    return logits - sums, sums
