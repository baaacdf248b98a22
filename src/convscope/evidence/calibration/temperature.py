"""One number that makes a network less sure or surer without changing an answer: the temperature of its softmax."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.base.arguments import checked
from convscope.evidence.calibration.scores import blocks, check_logits

LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE = 0.05, 20.0
_Z = 1.959963984540054  # of 95 %


@checked
def fit_temperature(logits: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]]) -> float:
    """Return the temperature T, 0.05 to 20, at which the probabilities softmax(logits / T) make the labels likeliest.

    Above 1 it makes a network less sure, below 1 surer; the order of an image's classes, and so every answer, stays as
    it is. Fit it on images that the network was not trained on: on its own training images it is nearly always right,
    and T would only make it surer. The negative log-likelihood is convex in 1 / T, so it has one valley; where it falls
    all the way to a bound, T is that bound (0.05 if every answer is right), and these images do not tell T. Where no T
    is better than 1, it is 1.

    Source: Guo, Pleiss, Sun and Weinberger 2017, section 4.2; by Brent's bounded search over log T.

    Args:
        logits: (N, K), of images held out of training.
        labels: (N,) whole numbers below K.

    Raises:
        ValueError: if a shape or a label does not fit, or a logit is not finite.

    >>> logits = np.array([[2.0, 0.0]] * 4)
    >>> round(fit_temperature(logits, np.array([0, 0, 0, 1])), 4)  # 3 of 4 are right: T = 2 / log 3
    1.8205
    """
    check_logits("", logits, labels)
    # Here and not above: scipy is slow to load, and reading a stored temperature does not need it.
    from scipy.optimize import minimize_scalar

    shifted = np.asarray(logits, np.float64)
    shifted = shifted - shifted[np.arange(len(labels)), labels][:, None]  # the label's own is zero

    def cost(log_temperature: float) -> float:
        return _mean_loss(shifted, float(np.exp(log_temperature)))

    minimum = minimize_scalar(
        cost,
        bounds=(np.log(LOWEST_TEMPERATURE), np.log(HIGHEST_TEMPERATURE)),
        method="bounded",
        options={"xatol": 1e-7},
    )
    candidates = (1.0, LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE, float(np.exp(minimum.x)))  # the first of equals
    return min(candidates, key=lambda temperature: _mean_loss(shifted, temperature))


def temperature_interval(
    logits: NDArray[np.floating[Any]], labels: NDArray[np.integer[Any]], temperature: float
) -> tuple[float, float] | None:
    """Return (low, high), the 95 % interval of the temperature that `fit_temperature` found for these images.

    It covers the choice of the images alone. None where they do not tell the temperature: at a bound, or where no
    probability depends on it.

    Source: White 1982, the sandwich variance of b = 1 / T: Σ s² / (Σ v)², with s an image's logit of the label less its
    mean logit under softmax(b · logits), and v the variance of its logits there; the interval is taken on log T.
    """
    if temperature in (LOWEST_TEMPERATURE, HIGHEST_TEMPERATURE):
        return None
    squares = curvature = 0.0
    for block in blocks(*logits.shape):
        values = np.asarray(logits[block], np.float64)
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
    """Return the mean negative log-likelihood of logits (N, K) less that of the label, in nats."""
    total = 0.0
    for block in blocks(*shifted.shape):
        scaled = shifted[block] / temperature
        largest = scaled.max(axis=1)
        total += float((np.log(np.exp(scaled - largest[:, None]).sum(axis=1)) + largest).sum())
    return total / len(shifted)
