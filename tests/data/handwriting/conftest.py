"""Shared by these tests: a single step of the preparation of pictures, and a network trained on 1,000 images."""

import pytest

import convscope as cs
from convscope.data.handwriting import Handwriting, prepare


@pytest.fixture(scope="session")
def after_step():
    """Return a function that gives a picture (h, w, C), no side longer than 280, as it is after one step alone."""

    def after(step, picture, ink="light"):
        prepared = prepare(picture, 28, 28, picture.shape[2], Handwriting(ink, target=20), [step])
        return {stage.name: stage.pixels for stage in prepared.stages}[step]

    return after


@pytest.fixture(scope="session")
def trained(small_mnist):
    return cs.train(cs.presets.cnn, small_mnist, cs.Recipe(epochs=8), seed=0)[0]
