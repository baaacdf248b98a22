from typing import get_args

import numpy as np
import pytest
from tests.random_networks import ACTIVATIONS, random_architecture, random_images, random_model

from convscope.architecture import Layer
from convscope.engine import open_network

SEEDS = range(10)


def test_ten_networks_have_layers_of_every_kind_and_every_activation() -> None:
    layers = [layer for seed in SEEDS for layer in random_architecture(np.random.default_rng(seed)).layers]
    assert {layer.kind for layer in layers} == {kind.kind for kind in get_args(Layer)}
    assert {getattr(layer, "activation", "linear") for layer in layers} == {*ACTIVATIONS, "softmax"}


@pytest.mark.parametrize("seed", SEEDS)
def test_native_and_reference_agree_about_random_networks(seed: int) -> None:
    rng = np.random.default_rng(seed)
    model = random_model(rng)
    images = random_images(model.architecture, rng, 9)
    logits = model.logits(images)
    expected = open_network(model.architecture, model.weights, "reference").logits(images)
    assert np.abs(logits - expected).max() < 1e-5 * np.abs(expected).max()
    assert 1 < np.abs(expected).max() < 10


def test_most_random_networks_tell_images_apart() -> None:
    spreads = []
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        model = random_model(rng)
        spreads.append(model.logits(random_images(model.architecture, rng, 9)).std(axis=0).max())
    assert sum(spread > 0.02 for spread in spreads) >= 7, spreads


def test_what_is_asked_for_is_kept_and_the_same_seed_draws_the_same_network() -> None:
    models = [random_model(np.random.default_rng(7), (5, 9), 3, 101) for _ in range(2)]
    assert models[0].architecture.input.shape == (5, 9, 3)
    assert models[0].architecture.num_classes == len(set(models[0].class_names)) == 101
    assert models[0].architecture == models[1].architecture
    assert models[0].weights_sha256 == models[1].weights_sha256
