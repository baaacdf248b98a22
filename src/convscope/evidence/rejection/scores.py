"""Scores of how much an image is like one of the known classes: logits (N, K) to (N,), higher for more alike.

They say nothing about which class it is, and none is a probability of being known: each needs a threshold.
"""

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from convscope.base.metrics import Floats, softmax

ScoreName = Literal["energy", "max_logit", "mahalanobis", "max_probability", "image_statistics"]
SCORES: tuple[ScoreName, ...] = get_args(ScoreName)
"""`mahalanobis` is computed in the module `distance`, and `image_statistics` in a module of its own."""

TITLES: dict[ScoreName, str] = {
    "energy": "energy",
    "max_logit": "largest logit",
    "mahalanobis": "hidden-layer distance",
    "max_probability": "largest probability",
    "image_statistics": "image statistics",
}


def score_of_logits(name: ScoreName, logits: Floats) -> NDArray[np.float64]:
    """Return (N,), the score of that name of each row of `logits` (N, K): one of the three that need no more."""
    return {"energy": energy, "max_logit": max_logit, "max_probability": max_probability}[name](logits)


def energy(logits: Floats) -> NDArray[np.float64]:
    """Return (N,), log Σ exp(logit) of each row of `logits` (N, K): the negative free energy at temperature 1.

    Source: Liu, Wang, Owens and Li 2020, equation 4, its sign turned so that known images score higher.

    >>> energy(np.zeros((1, 4))).round(6).tolist()  # log 4
    [1.386294]
    """
    numbers = np.asarray(logits, np.float64)
    largest = numbers.max(axis=1)
    return np.asarray(largest + np.log(np.exp(numbers - largest[:, None]).sum(axis=1)))


def max_logit(logits: Floats) -> NDArray[np.float64]:
    """Return (N,), the largest of each row of `logits` (N, K).

    Source: Hendrycks and others 2022, "Scaling out-of-distribution detection for real-world settings", section 3.
    """
    return np.asarray(np.asarray(logits, np.float64).max(axis=1))


def max_probability(logits: Floats) -> NDArray[np.float64]:
    """Return (N,), the largest softmax probability of each row of `logits` (N, K): the baseline.

    Source: Hendrycks and Gimpel 2017.
    """
    return np.asarray(softmax(logits).max(axis=1))
