"""Random images and untrained models, for tests that need the right shapes but no accuracy."""

from typing import Any

import numpy as np

import convscope as cs
from convscope.engine import initial_weights


def random_dataset(
    count: int,
    shape: tuple[int, ...] = (9, 11, 1),
    num_classes: int = 5,
    seed: int = 0,
    split: Any = "train",
    class_names: tuple[str, ...] | None = None,
) -> cs.Dataset:
    stream = np.random.default_rng(seed)
    images = stream.integers(0, 256, (count, *shape), np.uint8)
    names = class_names or tuple(map(str, range(num_classes)))
    return cs.Dataset(images, stream.integers(0, num_classes, count), names, "noise", split)


def init_model(
    architecture: cs.Architecture, class_names: tuple[str, ...] | None = None, seed: int = 0, **arguments: Any
) -> cs.Model:
    names = class_names or tuple(map(str, range(architecture.num_classes)))
    return cs.Model(architecture, initial_weights(architecture, seed), names, **arguments)
