"""Divide the variance between seeds into the shares of initial weights, image order and chance, by crossed seeds."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from estimates import Estimate
from numpy.typing import NDArray

NUM_DRAWS = 20_000  # draws of the sums of squares for an interval
PARTS = {
    "weights": "the initial weights alone",
    "order": "the order of the images alone",
    "interaction": "both together, about many images at once",
    "luck": "both together, about each image for itself",
}
"""The parts of the variance, each with its cause in words."""


@dataclass(frozen=True)
class Component:
    """A part of the variance.

    Attributes:
        sd: its root, in fractions of accuracy.
        share: its share of the whole variance.
    """

    sd: float
    share: Estimate


@dataclass(frozen=True)
class CrossedSeeds:
    """Networks of A seeds of initial weights by B seeds of everything else: order of the images, augmentation, dropout.

    Attributes:
        title: the name of the networks.
        mean: the mean of the accuracies.
        weights: the part that depends on the seed of the initial weights alone.
        order: the part that depends on the other seed alone.
        interaction: the part that depends on both seeds together and concerns many images at once.
        luck: the part that depends on both seeds together, for each image independently.
    """

    title: str
    mean: float
    weights: Component
    order: Component
    interaction: Component
    luck: Component

    @classmethod
    def from_flags(cls, title: str, wrong: NDArray[np.bool_]) -> "CrossedSeeds":
        """Estimate the parts from the errors (A, B, N), true where wrong, by two-way analysis of variance.

        The residual, which neither seed decides alone, is divided further: if the errors on images were independent,
        its variance would be the sum of the images' variances. The intervals are generalised confidence intervals, from
        draws of the sums of squares; luck, a sum over many images, is known so well that it counts as exact.

        Source: Weerahandi 1993 (Journal of the American Statistical Association 88).

        Raises:
            ValueError: unless there are at least two seeds of each.
        """
        if wrong.ndim != 3 or min(wrong.shape[:2]) < 2:
            raise ValueError(f"wrong is {wrong.shape}; it must be (A, B, N), from (2, 2, 1)")
        rows, columns, num_images = wrong.shape
        errors = wrong.mean(axis=2)
        of_rows, of_columns = errors.mean(axis=1) - errors.mean(), errors.mean(axis=0) - errors.mean()
        squares = np.array(
            [columns * (of_rows**2).sum(), rows * (of_columns**2).sum(), (_compute_residuals(errors) ** 2).sum()]
        )
        freedom = np.array([rows - 1, columns - 1, (rows - 1) * (columns - 1)])
        # Images that all networks miss, or none, have no residual.
        varied = wrong[..., wrong.any(axis=(0, 1)) & ~wrong.all(axis=(0, 1))].astype(np.float64)
        luck = float((_compute_residuals(varied) ** 2).sum()) / freedom[2] / num_images**2
        sizes = np.array([columns, rows])
        variances = _compute_variances(squares / freedom, sizes, luck)
        stream = np.random.default_rng(0)
        drawn = _compute_shares(_compute_variances(squares / stream.chisquare(freedom, (NUM_DRAWS, 3)), sizes, luck))
        low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
        # A part may be all of the variance if no other part must have a share.
        may_be_all = (low > 0).sum() - (low > 0) == 0
        high = np.where(may_be_all & (variances.sum() > 0), 1.0, high)
        ends = zip(_compute_shares(variances), low, high, strict=True)
        parts = [
            Component(float(np.sqrt(variance)), Estimate(*map(float, share)))
            for variance, share in zip(variances, ends, strict=True)
        ]
        return cls(title, 1 - float(errors.mean()), *parts)

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain JSON."""
        return asdict(self)


def _compute_residuals(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Subtract the means of rows and columns (A, B, ...) from each cell."""
    means = values.mean(axis=(0, 1))
    return np.asarray(values - values.mean(axis=1, keepdims=True) - values.mean(axis=0, keepdims=True) + means)


def _compute_variances(means: NDArray[np.float64], sizes: NDArray[np.int64], luck: float) -> NDArray[np.float64]:
    """Compute the variances (..., 4) of `PARTS` from the mean squares (..., 3) of rows, columns and residuals."""
    rest = means[..., 2:]
    seeds = np.maximum(means[..., :2] - rest, 0) / sizes
    return np.concatenate([seeds, np.maximum(rest - luck, 0), np.full_like(rest, luck)], axis=-1)


def _compute_shares(variances: NDArray[np.float64]) -> NDArray[np.float64]:
    total = variances.sum(axis=-1, keepdims=True)
    return np.asarray(np.divide(variances, total, out=np.zeros_like(variances), where=total > 0))
