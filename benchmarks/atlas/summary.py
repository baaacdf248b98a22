"""Summarise hundreds or thousands of networks of one architecture and recipe that differ in the seed alone."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from atlas.counts import PredictionCounts
from atlas.images import Agreement, list_hard_images
from atlas.spread import Spread
from estimates import correlate
from numpy.typing import NDArray

import convscope as cs

MAX_IMAGES = 60  # hardest images
MAX_BINS = 48  # bars of the histogram
MAX_LEVELS = 101  # shares of networks, in steps of 1 %
MAX_EPOCHS = 12  # epochs whose accuracies are compared with the final ones
_KNOWN_ERRORS = Path(__file__).with_name("mnist_test_errors.json")  # labels of MNIST that most people rejected


def summarize(
    title: str, y_pred: NDArray[np.integer[Any]], test: cs.Dataset, val_accuracies: Sequence[Sequence[float]]
) -> dict[str, Any]:
    """Compute the atlas of n networks as plain JSON.

    Args:
        y_pred: (n, N), the label that each network predicts for each image of `test`.
        val_accuracies: the accuracies of each network after each epoch.
    """
    counts = PredictionCounts.from_predictions(y_pred, test.labels, test.num_classes)
    known = json.loads(_KNOWN_ERRORS.read_text("utf-8"))
    is_reviewed = known["sha256"] == test.sha256
    errors = {error["index"]: True for error in known["errors"]} if is_reviewed else None
    return {
        "title": title,
        "num_runs": counts.num_runs,
        "num_images": counts.num_images,
        "spread": asdict(Spread.from_counts(counts)),
        "histogram": make_histogram(counts.accuracies, counts.num_images),
        "num_missed": int((counts.misses > 0).sum()),
        "missed_by": count_missed(counts),
        "source": known["source"] if is_reviewed else None,
        "agreement": asdict(Agreement.from_counts(counts)),
        "hard_images": [asdict(image) for image in list_hard_images(counts, MAX_IMAGES, errors)],
        "early": correlate_early(val_accuracies),
    }


def make_histogram(accuracies: NDArray[np.float64], num_images: int) -> list[dict[str, float]]:
    """Count the networks by accuracy, in bins as wide as a whole number of images, each with its middle."""
    wrong = np.rint((1 - accuracies) * num_images).astype(np.int64)
    low, high = int(wrong.min()), int(wrong.max())
    width = max(1, -(-(high - low + 1) // MAX_BINS))
    counts = np.bincount((high - wrong) // width, minlength=1)
    middles = [1 - (high - width * index - (width - 1) / 2) / num_images for index in range(len(counts))]
    return [{"accuracy": middle, "count": count} for middle, count in zip(middles, counts.tolist(), strict=True)]


def count_missed(counts: PredictionCounts) -> list[dict[str, float]]:
    """Count, for rising shares of the networks, the images that at least this share misses."""
    misses = np.sort(counts.misses[counts.misses > 0])
    levels = np.unique(np.ceil(np.linspace(0, 1, MAX_LEVELS) * counts.num_runs).astype(np.int64).clip(1))
    numbers = len(misses) - np.searchsorted(misses, levels)
    shares = (levels / counts.num_runs).tolist()
    return [{"share": share, "num_images": number} for share, number in zip(shares, numbers.tolist(), strict=True)]


def correlate_early(val_accuracies: Sequence[Sequence[float]]) -> list[dict[str, Any]]:
    """Correlate the accuracies after earlier epochs with the final ones; [] if the networks differ in their epochs."""
    if len({len(line) for line in val_accuracies}) != 1 or len(val_accuracies[0]) < 2:
        return []
    table = np.array(val_accuracies)
    epochs = np.unique(np.linspace(0, table.shape[1] - 2, MAX_EPOCHS).round().astype(np.int64)).tolist()
    correlations = {epoch: correlate(table[:, epoch], table[:, -1]) for epoch in epochs}
    return [
        {"epoch": epoch + 1, "correlation": asdict(correlation)}
        for epoch, correlation in correlations.items()
        if correlation is not None
    ]
