"""Weights of single images in the loss: the engines agree, and a weight counts an image as often as it says."""

from dataclasses import replace

import numpy as np
import pytest
from tests.noise import random_dataset

import convscope as cs
from convscope.engine import Network, initial_weights
from convscope.engine.native import NativeNetwork
from convscope.engine.reference import ReferenceNetwork
from convscope.recipes import SGD, Augmentation

from .epochs import assert_same_bits, train

LAYERS = (cs.Conv2D(5, 3, activation="relu"), cs.MaxPooling2D(), cs.BatchNormalization(), cs.Flatten(), cs.Dense(5))
ARCHITECTURE = cs.Architecture(cs.Input(9, 11), LAYERS)
# In a batch normalisation, the values of images of weight 0 count too.
WITHOUT_STATISTICS = cs.Architecture(cs.Input(9, 11), (LAYERS[0], *LAYERS[3:]))


def open_start(engine: type[NativeNetwork | ReferenceNetwork], architecture: cs.Architecture) -> Network:
    return engine(architecture, initial_weights(architecture, 0))


@pytest.mark.parametrize("class_weights", [None, (2.0, 1.0, 0.0, 0.5, 1.5)])
def test_the_compiled_engine_weighs_images_as_the_reference_does(class_weights):
    weights = np.random.default_rng(1).exponential(size=50).astype(np.float32)
    data = replace(random_dataset(50), weights=weights)
    networks = [open_start(engine, ARCHITECTURE) for engine in (NativeNetwork, ReferenceNetwork)]
    order = np.random.default_rng(2).permutation(50)
    options = {"class_weights": class_weights, "label_smoothing": 0.1, "augmentation": Augmentation(shift=2)}
    results = [train(network, data, 16, order, 0.01, optimizer=SGD(momentum=0.9), **options) for network in networks]
    assert results[0].loss == pytest.approx(results[1].loss, rel=1e-6)
    assert results[0].accuracy == results[1].accuracy
    for name, weight in networks[0].weights().items():
        np.testing.assert_allclose(weight, networks[1].weights()[name], atol=2e-6, err_msg=name)
    unweighted = open_start(NativeNetwork, ARCHITECTURE)
    train(unweighted, random_dataset(50), 16, order, 0.01, optimizer=SGD(momentum=0.9), **options)
    assert np.abs(unweighted.weights()["dense/kernel"] - networks[0].weights()["dense/kernel"]).max() > 1e-3


@pytest.mark.parametrize("engine", [NativeNetwork, ReferenceNetwork])
def test_a_whole_weight_counts_an_image_as_often_as_copies_of_it(engine):
    """The gradient of N images with whole weights w is Σw/N times that of Σw images, each copied w times.

    So a step at the rate r is one at r · Σw/N with the copies, where images of weight 0 are left out.
    """
    weights = np.array([0, 1, 2, 3] * 3, np.float32)
    data, copies = random_dataset(12), np.repeat(np.arange(12), weights.astype(int))
    by_weight, by_copies = (open_start(engine, WITHOUT_STATISTICS) for _ in range(2))
    for _ in range(3):
        weighted = train(by_weight, replace(data, weights=weights), 12, rate=0.5, optimizer=SGD())
        copied = train(by_copies, data.take(copies), 18, rate=0.5 * 18 / 12, optimizer=SGD())
        assert weighted.loss == pytest.approx(copied.loss * 18 / 12, rel=1e-6)
    for name, weight in by_weight.weights().items():
        np.testing.assert_allclose(weight, by_copies.weights()[name], atol=2e-6, err_msg=name)


@pytest.mark.parametrize("engine", [NativeNetwork, ReferenceNetwork])
def test_images_of_weight_zero_have_no_gradient(engine):
    network = open_start(engine, WITHOUT_STATISTICS)
    data = replace(random_dataset(20), weights=np.zeros(20, np.float32))
    assert train(network, data, 8, optimizer=SGD()).loss == 0
    assert_same_bits(network.weights(), open_start(engine, WITHOUT_STATISTICS).weights())


def test_weights_of_one_give_the_bits_of_no_weights_with_any_number_of_threads():
    data = random_dataset(50)
    unweighted, ones = (NativeNetwork(ARCHITECTURE, initial_weights(ARCHITECTURE, 0), threads) for threads in (1, 3))
    train(unweighted, data, 16)
    train(ones, replace(data, weights=np.ones(50, np.float32)), 16)
    assert_same_bits(unweighted.weights(), ones.weights())
