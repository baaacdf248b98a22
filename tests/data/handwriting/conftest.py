"""What the tests of photos share: a network trained on the first images of MNIST."""

import pytest

import convscope as cs


@pytest.fixture(scope="session")
def trained(small_mnist):
    return cs.train(cs.presets.cnn, small_mnist, cs.Recipe(epochs=8), seed=0)[0]
