"""Digits to corrupt and to attack, and a network that reads digits well."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def digits(mnist):
    """60 test images of MNIST."""
    return mnist.test.take(np.arange(60))


@pytest.fixture(scope="session")
def model(reader):
    return reader
