"""The weights a network starts from."""

from math import prod, sqrt

import numpy as np
from numpy.typing import NDArray

from convscope.architecture import Architecture
from convscope.base.streams import random_stream

_CONSTANTS = {"bias": 0, "gamma": 1, "beta": 0, "moving_mean": 0, "moving_variance": 1}


def initial_weights(architecture: Architecture, seed: int) -> dict[str, NDArray[np.float32]]:
    """Return Glorot-uniform kernels, each drawn from its own stream "initialize LAYER/kernel", and all else constant.

    A kernel's values lie within ±sqrt(6 / (fan_in + fan_out)), where a convolution's fans count the kernel's positions.
    Biases are zero; a batch normalisation starts as none would be, with gamma and variance one, beta and mean zero.
    Source: Glorot and Bengio 2010, equation 16.
    """
    weights = {}
    for name, shape in architecture.weight_shapes.items():
        if (weight := name.partition("/")[2]) != "kernel":
            weights[name] = np.full(shape, _CONSTANTS[weight], np.float32)
            continue
        positions = prod(shape[:-2])
        limit = sqrt(6 / (positions * (shape[-2] + shape[-1])))
        values = random_stream(seed, f"initialize {name}").uniform(-limit, limit, shape)
        weights[name] = values.astype(np.float32)
    return weights
