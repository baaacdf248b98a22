"""Soft voting of an ensemble: its probabilities are the mean over members, and its gradient is correct."""

import numpy as np
import pytest
from scipy.special import log_softmax, logsumexp, softmax

from convscope.architecture import Architecture, Dense, Flatten, Input, SoftVoting
from convscope.engine import open_network
from convscope.engine.native import NativeNetwork
from convscope.engine.processor import instruction_sets
from convscope.engine.reference_voting import soft_voting, soft_voting_backward

LOGITS = np.random.default_rng(0).normal(0, 3, (6, 4, 5))  # 4 members, 5 classes


def test_the_softmax_is_the_mean_of_the_members():
    probabilities = softmax(soft_voting(LOGITS.reshape(6, -1), 4), axis=1)
    np.testing.assert_allclose(probabilities, softmax(LOGITS, axis=2).mean(axis=1), rtol=1e-12)


def test_two_votes_are_averaged_as_by_hand():
    # Members with probabilities (1/2, 1/2) and (9/10, 1/10), whose exponentials sum to 2 and 10.
    votes = soft_voting(np.log([[1.0, 1.0, 9.0, 1.0]]), 2)
    np.testing.assert_allclose(votes, [np.log([0.7, 0.3]) + (np.log(2) + np.log(10)) / 2])


def test_the_gradient_equals_finite_differences():
    x = LOGITS.reshape(6, -1)
    dy = np.random.default_rng(1).normal(size=(6, 5))
    expected = np.empty_like(x)
    for index in range(x.shape[1]):
        step = np.zeros(x.shape[1])
        step[index] = 1e-5
        expected[:, index] = ((soft_voting(x + step, 4) - soft_voting(x - step, 4)) / 2e-5 * dy).sum(axis=1)
    np.testing.assert_allclose(soft_voting_backward(dy, x, 4), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("size", [1.0, 300.0])
def test_every_instruction_set_averages_logits_of_any_size(size):
    """Probabilities far below the smallest float must keep their logarithms."""
    network = Architecture(Input(1, 3), (Flatten(), Dense(20), SoftVoting(4)))
    kernel = np.random.default_rng(2).normal(0, size, (3, 20)).astype(np.float32)
    weights = {"dense/kernel": kernel, "dense/bias": np.zeros(20, np.float32)}
    images = np.random.default_rng(3).integers(0, 256, (9, 1, 3, 1), dtype=np.uint8)
    logits = (images.reshape(9, 3) / 255 @ kernel).reshape(9, 4, 5)
    logarithms = logsumexp(log_softmax(logits, axis=2), axis=1) - np.log(4)
    expected = logarithms + logsumexp(logits, axis=2).mean(axis=1, keepdims=True)
    for votes in (
        open_network(network, weights, "reference").logits(images),
        *(NativeNetwork(network, weights, instruction_set=name).logits(images) for name in instruction_sets()),
    ):
        np.testing.assert_allclose(votes, expected, rtol=1e-5, atol=1e-5 * size)
