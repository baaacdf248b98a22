"""Calibration errors and losses of probabilities, beside scikit-learn's."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss

from convscope.evidence.calibration.scores import score_images


def draw_logits_and_labels(num_classes=5):
    stream = np.random.default_rng(0)
    logits = (3 * stream.normal(size=(400, num_classes))).astype(np.float32)
    return logits, stream.integers(0, num_classes, 400)


@pytest.mark.parametrize("num_classes", [2, 5])
@pytest.mark.parametrize("temperature", [1.0, 0.4, 2.5])
def test_scores_equal_scikit_learns(num_classes, temperature):
    logits, labels = draw_logits_and_labels(num_classes=num_classes)
    scores = score_images(logits, labels, temperature)
    exponentials = np.exp(logits.astype(np.float64) / temperature)
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    names = list(range(num_classes))
    assert scores.negative_log_likelihood.mean() == pytest.approx(log_loss(labels, probabilities, labels=names))
    expected = brier_score_loss(labels, probabilities, labels=names, scale_by_half=False)
    assert scores.brier.mean() == pytest.approx(expected)
    np.testing.assert_allclose(scores.confidence, probabilities.max(axis=1))
    np.testing.assert_array_equal(scores.is_correct, probabilities.argmax(axis=1) == labels)


def test_doubt_ranks_predictions_of_equal_confidence():
    scores = score_images(np.array([[50.0, 0.0], [60.0, 0.0]]), np.array([0, 0]), 1.0)
    assert scores.confidence.tolist() == [1.0, 1.0]
    odds = np.exp([-50, -60])  # (1 - p) / p of the predicted class, and also -log p, so near to p = 1
    np.testing.assert_allclose(scores.doubt, odds)
    np.testing.assert_allclose(scores.negative_log_likelihood, odds)


def test_logits_too_large_for_an_exponential_stay_finite():
    scores = score_images(np.array([[4000.0, 0.0, -4000.0]] * 2), np.array([0, 2]), 1.0)
    assert scores.negative_log_likelihood.tolist() == [0, 8000]
    assert scores.brier.tolist() == [0, 2]


def test_blocks_of_images_change_nothing(monkeypatch):
    logits, labels = draw_logits_and_labels()
    whole = score_images(logits, labels, 1.7)
    monkeypatch.setattr("convscope.evidence.calibration.scores._BLOCK", 35)  # seven images
    parts = score_images(logits, labels, 1.7)
    for name in ("confidence", "doubt", "is_correct", "negative_log_likelihood", "brier"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(parts, name))
