"""Measure the time that a network takes for one image, and for a thousand at once."""

from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

MAX_SINGLE_IMAGES, MAX_THOUSANDS = 200, 20  # repetitions


class Classifier(Protocol):
    """Anything that computes logits: a network of an engine, or an exported file in the program that runs it."""

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Compute (N, K) for images (N, H, W, C)."""


def measure_latency(network: Classifier, images: NDArray[np.uint8]) -> tuple[float, float | None]:
    """Measure the median seconds for one of `images` (N, H, W, C), and for a thousand of them at once.

    The second is None for fewer than a thousand images. Each measurement takes about a second at most.
    """
    seconds_single = _median_seconds(lambda: network.logits(images[:1]), MAX_SINGLE_IMAGES)
    thousand = _median_seconds(lambda: network.logits(images[:1000]), MAX_THOUSANDS) if len(images) >= 1000 else None
    return seconds_single, thousand


def _median_seconds(work: Callable[[], object], max_repeats: int) -> float:
    work()  # warms up the caches
    # As many as fit into a second, by the time of one.
    repeats = max(1, min(max_repeats, int(1 / max(_seconds(work), 1e-9))))
    return median(_seconds(work) for _ in range(repeats))


def _seconds(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start
