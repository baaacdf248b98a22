"""The weights a network starts from."""

from math import prod, sqrt

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Architecture
from convscope.streams import random_stream


def initial_weights(architecture: Architecture, seed: int) -> dict[str, NDArray[np.float32]]:
    """Return Glorot-uniform kernels and zero biases, each kernel drawn from its own stream "initialize LAYER/kernel".

    A kernel's values lie within ±sqrt(6 / (fan_in + fan_out)), where a convolution's fans count the kernel's positions.
    Source: Glorot and Bengio 2010, equation 16.
    """
    weights = {}
    for name, shape in architecture.weight_shapes.items():
        if name.endswith("/bias"):
            weights[name] = np.zeros(shape, np.float32)
            continue
        positions = prod(shape[:-2])
        limit = sqrt(6 / (positions * (shape[-2] + shape[-1])))
        values = random_stream(seed, f"initialize {name}").uniform(-limit, limit, shape)
        weights[name] = values.astype(np.float32)
    return weights
