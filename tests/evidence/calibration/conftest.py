"""Logits whose best temperature is known."""

import numpy as np


def draw_logits(count=800, num_classes=4, scale=2.0, seed=0):
    """Draw logits (count, num_classes), labels by their softmax, and return the logits times `scale` and the labels.

    The argmax of logits plus Gumbel noise is a draw by their softmax (Gumbel 1954).
    """
    stream = np.random.default_rng(seed)
    logits = stream.normal(size=(count, num_classes))
    return scale * logits, (logits + stream.gumbel(size=logits.shape)).argmax(axis=1)
