"""Checkpoints: the weights after steps 0, 1, 3, 10, ... and each epoch, which change nothing in the training."""

from dataclasses import replace

import numpy as np
import pytest
from tests.engine.epochs import assert_same_bits
from tests.training.test_training import FULL

import convscope as cs
from convscope.base.streams import random_stream, stream_key
from convscope.data.datasets.disk import pools
from convscope.engine import Weights, initial_weights, open_network
from convscope.training import Checkpoint
from convscope.training.loop import epoch_options

RECIPE = replace(FULL, epochs=2, batch_size=8)


def train(splits: cs.Splits) -> tuple[cs.Model, cs.History, dict[Checkpoint, Weights]]:
    kept = dict[Checkpoint, Weights]()
    model, history = cs.train(cs.presets.ann, splits, RECIPE, seed=3, on_checkpoint=kept.__setitem__)
    return model, history, kept


@pytest.fixture
def splits(small_mnist: cs.Splits) -> cs.Splits:
    return cs.Splits(small_mnist.train.take(np.arange(100)), small_mnist.test.take(np.arange(60)))


def test_checkpoints_change_no_bit_and_their_accuracy_is_that_of_their_weights(splits: cs.Splits) -> None:
    model, history, kept = train(splits)
    plain, plain_history = cs.train(cs.presets.ann, splits, RECIPE, seed=3)
    assert model.weights_sha256 == plain.weights_sha256
    assert replace(history, seconds=plain_history.seconds) == plain_history
    # 100 images in batches of 8 are 13 steps an epoch.
    assert [(point.step, point.epoch) for point in kept] == [
        (0, 0), (1, 1 / 13), (3, 3 / 13), (10, 10 / 13), (13, 1), (26, 2)
    ]  # fmt: skip
    for point, weights in kept.items():
        evaluation = cs.evaluate(replace(model, weights=weights), splits.test)
        assert (point.accuracy, point.num_images) == (evaluation.accuracy, 60)
        assert point.loss == pytest.approx(evaluation.loss, rel=1e-6)
    assert_same_bits(list(kept.values())[-1], model.weights)


def test_a_checkpoint_has_the_weights_of_a_training_that_ends_there(splits: cs.Splits) -> None:
    kept = {point.step: weights for point, weights in train(splits)[2].items()}
    keys = {"augmentation_key": stream_key(3, "augment", 1), "dropout_key": stream_key(3, "dropout", 1)}
    for steps in (1, 3, 10):
        network = open_network(cs.presets.ann(), initial_weights(cs.presets.ann(), 3))
        network.train_epoch(
            splits.train,
            order=random_stream(3, "shuffle", 1).permutation(100)[: 8 * steps],
            batch_size=8,
            learning_rates=RECIPE.learning_rates(100)[0, :steps],
            options=replace(epoch_options(RECIPE, splits.train), **keys),
        )
        assert_same_bits(kept[steps], network.weights())


def test_checkpoints_at_the_ends_of_pools_are_kept(splits: cs.Splits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "POOL_BYTES", 24 * 784)  # 24 images, or three steps
    kept = train(splits)[2]
    assert [point.step for point in kept] == [0, 1, 3, 10, 13, 26]


def test_of_many_images_a_thousand_are_measured_within_an_epoch(small_mnist: cs.Splits) -> None:
    test = small_mnist.test.take(np.resize(np.arange(len(small_mnist.test)), 2001))
    kept = list(train(cs.Splits(small_mnist.train.take(np.arange(24)), test))[2])
    assert [(point.step, point.num_images) for point in kept] == [(0, 1000), (1, 1000), (3, 2001), (6, 2001)]
