"""Fit the temperature of a softmax, which makes a network more or less confident without changing a prediction.

Of the logits 4 and 0, the first has the probability 0.98; divided by a temperature of 2 they are 2 and 0, and it has
0.88.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.arguments import checked
from convscope.evidence.calibration.scores import blocks, check_logits

LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 0.05, 20.0
_Z = 1.959963984540054  # standard deviations on either side of a normal distribution's 95 %


@checked
def fit_temperature(logits: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]]) -> float:
    """Fit the temperature T, 0.05 to 20, at which the probabilities softmax(logits / T) make the labels likeliest.

    Above 1 it makes a network less confident, below 1 more; every prediction stays the same. Fit it on images that the
    network was not trained on: on its training images it is nearly always correct, and T would only make it more
    confident. The negative log-likelihood is convex in 1 / T, so it has a single minimum. If it falls all the way to a
    bound, T is that bound (0.05 if every prediction is correct), and these images do not determine T. If no T is better
    than 1, T is 1.

    Source: Guo, Pleiss, Sun and Weinberger 2017, section 4.2; by Brent's bounded search over log T.

    Args:
        logits: (N, K), of images held out of training.
        labels: (N,) whole numbers below K.

    Raises:
        ValueError: if a shape or a label does not fit, or a logit is not finite.

    >>> logits = np.array([[2.0, 0.0]] * 4)
    >>> round(fit_temperature(logits, np.array([0, 0, 0, 1])), 4)  # 3 of 4 are correct: T = 2 / log 3
    1.8205
    """
    check_logits("", logits, labels)
    # Here and not above: scipy is slow to load, and reading a stored temperature does not need it.
    from scipy.optimize import minimize_scalar

    shifted = np.asarray(logits, np.float64)
    # With the label's logit at 0, an image's loss is log Σ exp(shifted / T), without a term for the label.
    shifted = shifted - shifted[np.arange(len(labels)), labels][:, None]

    def cost(log_temperature: float) -> float:
        return _mean_loss(shifted, float(np.exp(log_temperature)))

    minimum = minimize_scalar(
        cost,
        bounds=(np.log(LOWEST_TEMPERATURE), np.log(HIGHEST_TEMPERATURE)),
        method="bounded",
        options={"xatol": 1e-7},
    )
    # The minimiser never tries the ends exactly. Of equally good temperatures `min` takes the first: 1 leaves the
    # network unchanged.
    candidates = (1.0, LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE, float(np.exp(minimum.x)))
    return min(candidates, key=lambda temperature: _mean_loss(shifted, temperature))


def temperature_interval(
    logits: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]], temperature: float
) -> tuple[float, float] | None:
    """Compute (low, high), the 95 % interval of the temperature that `fit_temperature` found for these images.

    It covers the choice of the images alone. None if they do not determine the temperature: it is at a bound, or no
    probability depends on it.

    With p = softmax(logits / T) of an image, s is its logit of the label less the mean of its logits by p, the slope of
    its log-likelihood in b = 1 / T, and v is the variance of its logits by p, the curvature. The standard error of b is
    sqrt(Σ s²) / Σ v. That of log T is T times as large, and the interval is symmetric in log T.

    Source: White 1982, the sandwich variance.
    """
    if temperature in (LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE):
        return None
    squares = curvature = 0.0
    for block in blocks(*logits.shape):
        values = np.asarray(logits[block], np.float64)
        # With the label's logit at 0, the mean is -s.
        values = values - values[np.arange(len(values)), labels[block]][:, None]
        exponentials = np.exp((values - values.max(axis=1, keepdims=True)) / temperature)
        probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
        means = (probabilities * values).sum(axis=1)
        squares += float(np.square(means).sum())
        curvature += float((probabilities * np.square(values - means[:, None])).sum())
    if curvature <= 0:
        return None
    half = _Z * np.sqrt(squares) / curvature * temperature
    return float(temperature * np.exp(-half)), float(temperature * np.exp(half))


def _mean_loss(shifted: NDArray[np.float64], temperature: float) -> float:
    """Compute the mean negative log-likelihood of logits (N, K) from which the label's was subtracted, in nats."""
    total = 0.0
    for block in blocks(*shifted.shape):
        scaled = shifted[block] / temperature
        # log Σ exp(x) = m + log Σ exp(x - m) with m the largest x, so that no exponential overflows.
        largest = scaled.max(axis=1)
        total += float((np.log(np.exp(scaled - largest[:, None]).sum(axis=1)) + largest).sum())
    return total / len(shifted)
