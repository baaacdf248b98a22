import itertools
from typing import get_args

import numpy as np
import pytest
from tests.random_networks import (
    ACTIVATIONS,
    Wide,
    architecture_around,
    kind_sequences,
    kinds_of,
    random_architecture,
    random_images,
    random_model,
)

from convscope.architecture import Layer
from convscope.engine import open_network

SEEDS = range(10)


def test_twenty_networks_have_layers_of_every_kind_and_every_activation() -> None:
    layers = [layer for seed in range(20) for layer in random_architecture(np.random.default_rng(seed)).layers]
    assert {layer.kind for layer in layers} == {kind.kind for kind in get_args(Layer)} - {"SoftVoting"}
    assert {getattr(layer, "activation", "linear") for layer in layers} == {*ACTIVATIONS, "softmax"}
    assert any(getattr(layer, "groups", 1) > 1 for layer in layers)
    assert any(getattr(layer, "dilation_rate", (1, 1)) != (1, 1) for layer in layers)


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


def test_a_network_has_the_kinds_that_it_was_drawn_around() -> None:
    triples = kind_sequences(3)
    for number in range(0, len(triples), 9):
        kinds = kinds_of(architecture_around(triples[number], np.random.default_rng(number)))
        assert triples[number] in zip(kinds, kinds[1:], kinds[2:], strict=False)
        assert set(itertools.pairwise(kinds)) <= set(kind_sequences(2))


def test_wide_ranges_reach_from_one_filter_to_4096_and_windows_beyond_the_map() -> None:
    ranges = Wide(np.random.default_rng(0))
    counts = [ranges.count(9) for _ in range(5000)]
    assert min(counts) == 1
    assert 3900 < max(counts) <= 4096
    windows = [ranges.window((6, 9, 1)) for _ in range(500)]
    rows = {size[0] for size, _ in windows}
    assert rows == set(range(1, 9))
    assert any(np.ravel(arguments["strides"])[0] > size[0] for size, arguments in windows)
