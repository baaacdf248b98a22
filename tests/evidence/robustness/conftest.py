"""A small network that reads digits fairly well, trained in a moment."""

import numpy as np
import pytest

import convscope as cs


@pytest.fixture(scope="session")
def digits(mnist):
    """60 test images of MNIST."""
    return mnist.test.take(np.arange(60))


@pytest.fixture(scope="session")
def model(mnist):
    model, _ = cs.train(cs.presets.cnn(), mnist.train.take(np.arange(6000)), cs.recipes.fast, seed=0, threads=1)
    return model
