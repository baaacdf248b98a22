"""The mathematics of a training step in NumPy and float64, from gradients to new weights.

Each function returns new arrays, so an interrupt finds a network before a step or after it.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from convscope.recipes import SGD, Adam, Optimizer

Array = NDArray[np.float64]


def take_step(
    name: str, weight: Array, gradient: Array, m: Array, v: Array, step: int, learning_rate: float, optimizer: Optimizer
) -> tuple[Array, Array, Array]:
    """Compute the weight `name`, and its m and v in the optimizer, after step number `step` (from 1)."""
    if not is_decayed(optimizer, name):
        optimizer = replace(optimizer, weight_decay=0.0)
    match optimizer:
        case Adam():
            return adam(weight, gradient, m, v, step, learning_rate, optimizer)
        case SGD():
            weight, m = momentum(weight, gradient, m, learning_rate, optimizer)
            return weight, m, v  # v stays zero


def is_decayed(optimizer: Optimizer, name: str) -> bool:
    """True if weight decay applies to the weight with this full name, such as `conv2d/kernel`."""
    return optimizer.decayed == "all" or name.endswith("/kernel")


def adam(
    weight: Array, gradient: Array, m: Array, v: Array, step: int, learning_rate: float, optimizer: Adam
) -> tuple[Array, Array, Array]:
    """Take a step of Adam: compute the weight and its moving averages m and v after step number `step` (from 1).

    m     ← m + (1 - β₁) · (gradient  - m)
    v     ← v + (1 - β₂) · (gradient² - v)
    α     = learning_rate · √(1 - β₂^step) / (1 - β₁^step)
    weight ← weight · (1 - learning_rate · weight_decay) - α · m / (√v + ε)

    Source: Kingma and Ba 2015, algorithm 1 in the order of computation that the end of their section 2 gives; the decay
    as Loshchilov and Hutter 2019, algorithm 2.
    """
    m = m + (1 - optimizer.beta_1) * (gradient - m)
    v = v + (1 - optimizer.beta_2) * (gradient**2 - v)
    alpha = learning_rate * np.sqrt(1 - optimizer.beta_2**step) / (1 - optimizer.beta_1**step)
    decay = 1 - learning_rate * optimizer.weight_decay
    return weight * decay - alpha * m / (np.sqrt(v) + optimizer.epsilon), m, v


def momentum(
    weight: Array, gradient: Array, velocity: Array, learning_rate: float, optimizer: SGD
) -> tuple[Array, Array]:
    """Take a step of gradient descent with momentum μ: compute the weight and its velocity.

    velocity ← μ · velocity - learning_rate · gradient
    weight   ← weight · (1 - learning_rate · weight_decay) + velocity

    Nesterov's looks one step ahead: instead of the velocity it adds μ · velocity - learning_rate · gradient.

    Source: Sutskever and others 2013, equations 1 to 4.
    """
    velocity = optimizer.momentum * velocity - learning_rate * gradient
    step = optimizer.momentum * velocity - learning_rate * gradient if optimizer.nesterov else velocity
    return weight * (1 - learning_rate * optimizer.weight_decay) + step, velocity


def clip_gradients(gradients: dict[str, Array], max_norm: float) -> dict[str, Array]:
    """Shorten the gradients by one common factor if the Euclidean norm of all together is above `max_norm`.

    Source: Pascanu and others 2013, algorithm 1.
    """
    norm = np.sqrt(sum(np.sum(gradient**2) for gradient in gradients.values()))
    if norm <= max_norm:
        return gradients
    return {name: gradient * (max_norm / norm) for name, gradient in gradients.items()}
