"""A small trained network with its training and held-out images, and rules as version 0.1.0 wrote them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import convscope as cs
from convscope.evidence.rejection import fit_rejection
from convscope.evidence.rejection.fitting import Part
from convscope.evidence.rejection.rule import RejectionRule


@pytest.fixture(scope="session")
def part(mnist: cs.Splits) -> Part:
    """A model of 3,000 training images, these, and 300 held-out images, of which it classifies about 95 % correctly."""
    some = mnist.train.take(np.arange(3300))
    train, held_out = some.take(np.arange(3000)), some.take(np.arange(3000, 3300))
    model, _ = cs.train(cs.presets.cnn(), cs.Splits(train, held_out), cs.recipes.fast, seed=1, threads=1)
    return model, train, held_out


@pytest.fixture(scope="session")
def model(part: Part) -> cs.Model:
    return part[0]


@pytest.fixture(scope="session")
def rule(part: Part) -> RejectionRule:
    """The rule fitted to the held-out images of `part`, which keeps 99 % of new digits."""
    return fit_rejection(part[0], [part])


@pytest.fixture(scope="session")
def stored() -> list[dict[str, Any]]:
    """Seven rules that together use all scores, each with the scores it gave to the images of `noise_part`."""
    content: list[dict[str, Any]] = json.loads((Path(__file__).parent / "rules_of_0.1.0.json").read_text())
    return content


@pytest.fixture(scope="session")
def noise_part() -> tuple[cs.Model, np.ndarray[Any, np.dtype[np.uint8]]]:
    """The model to which the stored rules were fitted, and six images."""
    stream = np.random.default_rng(5)
    images = stream.integers(0, 256, (60, 6, 6, 1), np.uint8)
    network = cs.Architecture(cs.Input(6, 6, 1), (cs.Flatten(), cs.Dense(4, "relu"), cs.Dense(3)))
    weights = {
        name: np.round(stream.normal(0, 0.3, shape), 2).astype(np.float32)
        for name, shape in network.weight_shapes.items()
    }
    return cs.Model(network, weights, ("a", "b", "c")), images[:6]
