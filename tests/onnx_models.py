"""Random models, images and a tolerance for the tests of ONNX files."""

from dataclasses import replace

import numpy as np
from tests import random_networks

import convscope as cs
from convscope.engine import initial_weights

SEEDS = range(24)


def random_model(seed: int) -> cs.Model:
    """Return a random network with random weights; every fourth reads its images inverted."""
    model = random_networks.random_model(np.random.default_rng(seed))
    if seed % 4 < 3:
        return model
    image = replace(model.architecture.input, scale=-0.004, offset=0.9)
    return replace(model, architecture=replace(model.architecture, input=image))


def make_model(architecture: cs.Architecture, seed: int = 0) -> cs.Model:
    """Make a model whose biases and normalisations are random, too, and not the initialiser's 0 and 1."""
    rng = np.random.default_rng(seed)
    weights = dict(initial_weights(architecture, seed))
    for name, array in weights.items():
        if name.endswith("/moving_variance"):
            weights[name] = rng.uniform(0.3, 2, array.shape).astype(np.float32)
        elif not name.endswith("/kernel"):
            weights[name] = rng.normal(name.endswith("/gamma"), 0.2, array.shape).astype(np.float32)
    names = tuple(f"<{i}>\n✓" for i in range(architecture.num_classes))
    return cs.Model(architecture, weights, names, {"seed": seed, "recipe": "ü"})


def random_images(model: cs.Model, number: int = 5) -> np.ndarray:
    shape = (number, *model.architecture.input.shape)
    return np.random.default_rng(99).integers(0, 256, shape, dtype=np.uint8)


def spread(logits: np.ndarray) -> float:
    """Return the range of the logits, at least 1, to which tolerances are relative."""
    return max(float(np.ptp(logits)), 1.0)
