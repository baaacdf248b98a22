"""Count the predictions of many networks by network and by image, in blocks so that memory stays bounded."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_COMPARED = 1 << 25  # predictions that are compared at once: 32 MB


@dataclass(frozen=True, eq=False)
class PredictionCounts:
    """The predictions of n networks for M images of K classes, counted.

    Attributes:
        y_true: (M,), the labels.
        predictions: (M, K), how many networks predict each class for each image.
        errors: (n,), how many images each network misses.
    """

    y_true: NDArray[np.int64]
    predictions: NDArray[np.int64]
    errors: NDArray[np.int64]

    @classmethod
    def from_predictions(
        cls, y_pred: NDArray[np.integer], y_true: NDArray[np.integer], num_classes: int
    ) -> "PredictionCounts":
        """Count `y_pred` (n, M), which may be mapped from a file.

        Raises:
            ValueError: unless they are (n, M) for M labels, with at least two of each.
        """
        if y_pred.ndim != 2 or y_pred.shape[1:] != y_true.shape or min(y_pred.shape) < 2:
            raise ValueError(
                f"predictions are {y_pred.shape} for {y_true.shape} labels; they must be (n, M), from 2 × 2 on"
            )
        num_runs, num_images = y_pred.shape
        counts = np.zeros((num_images, num_classes), np.int64)
        wrong, step = np.zeros(num_runs, np.int64), max(1, MAX_COMPARED // num_images)
        for start in range(0, num_runs, step):
            block = np.asarray(y_pred[start : start + step])
            for label in range(num_classes):
                counts[:, label] += (block == label).sum(axis=0)
            wrong[start : start + step] = (block != y_true).sum(axis=1)
        return cls(y_true.astype(np.int64), counts, wrong)

    @property
    def num_runs(self) -> int:
        return len(self.errors)

    @property
    def num_images(self) -> int:
        return len(self.y_true)

    @property
    def misses(self) -> NDArray[np.int64]:
        """(M,), how many networks miss each image."""
        return self.num_runs - self.predictions[np.arange(self.num_images), self.y_true]

    @property
    def accuracies(self) -> NDArray[np.float64]:
        """(n,), the accuracies of the networks."""
        return np.asarray(1 - self.errors / self.num_images)
