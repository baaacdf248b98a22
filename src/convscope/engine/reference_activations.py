"""The mathematics of the activations in NumPy and float64, forward and backward, as that of `reference_layers`.

All work number by number: y = f(x) and dx = dy · f'(x).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr

from convscope.architecture.layers.activations import SELU_ALPHA, SELU_SCALE

Array = NDArray[np.float64]

LEAKY_SLOPE = 0.2
"""The slope of leaky_relu below zero by default, as in Keras's activation of that name."""


def relu(x: Array) -> Array:
    """Return y = max(x, 0), number by number."""
    return np.maximum(x, 0)


def relu_backward(dy: Array, x: Array) -> Array:
    """Return dx = dy where x > 0, else 0 (also at x = 0, the kink, as all libraries do)."""
    return np.where(x > 0, dy, 0)


def leaky_relu(x: Array, slope: float = LEAKY_SLOPE) -> Array:
    """Return y = x where x > 0, else slope · x, number by number."""
    return np.where(x > 0, x, slope * x)


def leaky_relu_backward(dy: Array, x: Array, slope: float = LEAKY_SLOPE) -> Array:
    """Return dx = dy where x > 0, else slope · dy."""
    return np.where(x > 0, dy, slope * dy)


def relu6(x: Array) -> Array:
    """Return y = min(max(x, 0), 6), number by number."""
    return np.clip(x, 0, 6)


def relu6_backward(dy: Array, x: Array) -> Array:
    """Return dx = dy where 0 < x < 6, else 0."""
    return np.where((x > 0) & (x < 6), dy, 0)


def elu(x: Array) -> Array:
    """Return y = x where x > 0, else exp(x) - 1, number by number.

    Source: Clevert, Unterthiner and Hochreiter 2015, equation 15, with α = 1.
    """
    # `where` computes both values for every x, and exp of a large one would overflow.
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


def elu_backward(dy: Array, x: Array) -> Array:
    """Return dx = dy where x > 0, else dy · exp(x)."""
    return np.asarray(dy * np.exp(np.minimum(x, 0)))


def selu(x: Array) -> Array:
    """Return y = λ · x where x > 0, else λ · α · (exp(x) - 1), number by number.

    With these λ and α, numbers of mean 0 and variance 1 keep both. Source: Klambauer and others 2017, equation 2.
    """
    return np.where(x > 0, SELU_SCALE * x, SELU_SCALE * SELU_ALPHA * np.expm1(np.minimum(x, 0)))


def selu_backward(dy: Array, x: Array) -> Array:
    """Return dx = dy · λ where x > 0, else dy · λ · α · exp(x)."""
    return np.asarray(dy * SELU_SCALE * np.where(x > 0, 1, SELU_ALPHA * np.exp(np.minimum(x, 0))))


def gelu(x: Array) -> Array:
    """Return y = x · Φ(x), where Φ(x) = (1 + erf(x / √2)) / 2 is the normal distribution's share below x.

    Source: Hendrycks and Gimpel 2016, equation 1; not their approximation by tanh.
    """
    return np.asarray(x * ndtr(x))


def gelu_backward(dy: Array, x: Array) -> Array:
    """Return dx = dy · (Φ(x) + x · φ(x)), where φ(x) = exp(-x² / 2) / √(2π) is the normal density."""
    return np.asarray(dy * (ndtr(x) + x * np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)))


def silu(x: Array) -> Array:
    """Return y = x · sigmoid(x), also called swish, number by number.

    Source: Elfwing, Uchibe and Doya 2017, equation 10.
    """
    return np.asarray(x * expit(x))


def silu_backward(dy: Array, x: Array) -> Array:
    """Return dx = dy · s · (1 + x · (1 - s)), where s = sigmoid(x)."""
    return np.asarray(dy * expit(x) * (1 + x * expit(-x)))  # 1 - s = sigmoid(-x), without cancellation


def hard_silu(x: Array) -> Array:
    """Return y = x · relu6(x + 3) / 6, also called hard swish, number by number.

    Source: Howard and others 2019, section 5.2.
    """
    return np.asarray(x * relu6(x + 3) / 6)


def hard_silu_backward(dy: Array, x: Array) -> Array:
    """Return dx = dy · (relu6(x + 3) + x) / 6 where -3 < x < 3, else dy · relu6(x + 3) / 6, which is 0 or dy."""
    return np.asarray((relu6_backward(dy, x + 3) * x + dy * relu6(x + 3)) / 6)


def tanh(x: Array) -> Array:
    """Return y = (exp(x) - exp(-x)) / (exp(x) + exp(-x)), number by number."""
    return np.tanh(x)


def tanh_backward(dy: Array, x: Array) -> Array:
    """Return dx = dy · (1 - tanh²(x))."""
    return np.asarray(dy * (1 - np.tanh(x) ** 2))


def sigmoid(x: Array) -> Array:
    """Return y = 1 / (1 + exp(-x)), number by number."""
    return np.asarray(expit(x))


def sigmoid_backward(dy: Array, x: Array) -> Array:
    """Return dx = dy · y · (1 - y), where y = sigmoid(x)."""
    return np.asarray(dy * expit(x) * expit(-x))


def hard_sigmoid(x: Array) -> Array:
    """Return y = relu6(x + 3) / 6, number by number: a sigmoid of straight lines."""
    return np.asarray(relu6(x + 3) / 6)


def hard_sigmoid_backward(dy: Array, x: Array) -> Array:
    """Return dx = dy / 6 where -3 < x < 3, else 0."""
    return np.asarray(relu6_backward(dy, x + 3) / 6)


def prelu(x: Array, alpha: Array) -> Array:
    """Return y = x where x > 0, else alpha[c] · x, for x (..., C) and alpha (C,)."""
    return np.where(x > 0, x, alpha * x)


def prelu_backward(dy: Array, x: Array, alpha: Array) -> tuple[Array, Array]:
    """Return dx (..., C) and dalpha (C,) for dy (..., C).

    dx[...,c] = dy[...,c] where x[...,c] > 0, else alpha[c] · dy[...,c]
    dalpha[c] = Σ dy[...,c] · x[...,c] where x[...,c] ≤ 0
    """
    dalpha = (dy * np.minimum(x, 0)).sum(axis=tuple(range(x.ndim - 1)))
    return np.where(x > 0, dy, alpha * dy), dalpha


ACTIVATIONS: dict[str, tuple[Callable[[Array], Array], Callable[[Array, Array], Array]]] = {
    "relu": (relu, relu_backward),
    "leaky_relu": (leaky_relu, leaky_relu_backward),
    "relu6": (relu6, relu6_backward),
    "elu": (elu, elu_backward),
    "selu": (selu, selu_backward),
    "gelu": (gelu, gelu_backward),
    "silu": (silu, silu_backward),
    "hard_silu": (hard_silu, hard_silu_backward),
    "tanh": (tanh, tanh_backward),
    "sigmoid": (sigmoid, sigmoid_backward),
    "hard_sigmoid": (hard_sigmoid, hard_sigmoid_backward),
}
"""(forward, backward) of each activation by name. Softmax is not here: it ends a network, and the loss includes its
derivative."""


def activate(x: Array, activation: str, slope: float = LEAKY_SLOPE) -> Array:
    """Return y = f(x) for the activation f of that name; x itself for linear and softmax."""
    if activation == "leaky_relu":
        return leaky_relu(x, slope)
    return ACTIVATIONS[activation][0](x) if activation in ACTIVATIONS else x


def activate_backward(dy: Array, x: Array, activation: str, slope: float = LEAKY_SLOPE) -> Array:
    """Return dx = dy · f'(x) for the activation f of that name."""
    if activation == "leaky_relu":
        return leaky_relu_backward(dy, x, slope)
    return ACTIVATIONS[activation][1](dy, x) if activation in ACTIVATIONS else dy
