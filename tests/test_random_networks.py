"""The random networks of tests/random_networks.py have all kinds of layers, and logits of a usual size."""

import itertools
from typing import get_args

import numpy as np
from tests.random_networks import (
    ACTIVATIONS,
    architecture_around,
    kind_sequences,
    kinds_of,
    random_architecture,
    random_images,
    random_model,
)

from convscope.architecture import Layer

SEEDS = range(10)


def test_forty_networks_have_layers_of_every_kind_and_every_activation() -> None:
    layers = [layer for seed in range(40) for layer in random_architecture(np.random.default_rng(seed)).layers]
    assert {layer.kind for layer in layers} == {kind.kind for kind in get_args(Layer)} - {"SoftVoting"}
    assert {getattr(layer, "activation", "linear") for layer in layers} == {*ACTIVATIONS, "softmax"}
    assert any(getattr(layer, "groups", 1) > 1 for layer in layers)
    assert any(getattr(layer, "dilation_rate", (1, 1)) != (1, 1) for layer in layers)


def test_logits_of_random_networks_lie_between_1_and_10_and_usually_differ_between_images() -> None:
    spreads = []
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        model = random_model(rng)
        logits = model.logits(random_images(model.architecture, rng, 9))
        assert 1 < np.abs(logits).max() < 10
        spreads.append(logits.std(axis=0).max())
    assert sum(spread > 0.02 for spread in spreads) >= 7, spreads


def test_a_network_has_the_kinds_that_it_was_drawn_around() -> None:
    triples = kind_sequences(3)
    for number in range(0, len(triples), 9):
        kinds = kinds_of(architecture_around(triples[number], np.random.default_rng(number)))
        assert triples[number] in zip(kinds, kinds[1:], kinds[2:], strict=False)
        block_ends = {("vector Dense", "Multiply")}  # of `weight_channels`
        assert set(itertools.pairwise(kinds)) <= set(kind_sequences(2)) | block_ends
