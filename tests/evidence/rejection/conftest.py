"""A small trained network, its training images and those it has not seen."""

import numpy as np
import pytest

import convscope as cs
from convscope.evidence.rejection import fit_rules
from convscope.evidence.rejection.fitting import Part
from convscope.evidence.rejection.rule import RejectionRule


@pytest.fixture(scope="session")
def part(mnist: cs.Splits) -> Part:
    """3,000 images to train on and 300 held out: about 95 % right."""
    some = mnist.train.take(np.arange(3300))
    train, held_out = some.take(np.arange(3000)), some.take(np.arange(3000, 3300))
    model, _ = cs.train(cs.presets.cnn(), cs.Splits(train, held_out), cs.recipes.fast, seed=1, threads=1)
    return model, train, held_out


@pytest.fixture(scope="session")
def rules(part: Part) -> tuple[RejectionRule, ...]:
    return fit_rules(part[0], [part])
