"""Whether initial weights or the order of the images carry more of the variance between seeds: crossed seeds."""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from estimates import Estimate
from numpy.typing import NDArray

NUM_DRAWS = 20_000


@dataclass(frozen=True)
class Component:
    """A part of the variance.

    Attributes:
        sd: its root, in fractions of accuracy.
        share: of the whole variance.
    """

    sd: float
    share: Estimate


@dataclass(frozen=True, eq=False)
class CrossedSeeds:
    """Networks of A seeds of initial weights by B seeds of everything else: order of the images, augmentation, dropout.

    Attributes:
        title: of the networks.
        accuracies: (A, B).
        weights: what the seed of the initial weights alone decides.
        order: what the other seed alone decides.
        together: what neither decides alone.
        mean: of the accuracies.
    """

    title: str
    accuracies: NDArray[np.float64] = field(repr=False)
    weights: Component
    order: Component
    together: Component
    mean: float

    @classmethod
    def of(cls, title: str, accuracies: NDArray[np.float64]) -> "CrossedSeeds":
        """Estimate the parts by two-way analysis of variance with random effects.

        The intervals are generalised confidence intervals, from draws of the sums of squares.

        Source: Weerahandi 1993 (Journal of the American Statistical Association 88).

        Raises:
            ValueError: unless there are at least two seeds of each.
        """
        if accuracies.ndim != 2 or min(accuracies.shape) < 2:
            raise ValueError(f"accuracies are {accuracies.shape}; they must be (A, B), from (2, 2)")
        rows, columns = accuracies.shape
        mean = accuracies.mean()
        of_rows, of_columns = accuracies.mean(axis=1), accuracies.mean(axis=0)
        rest = accuracies - of_rows[:, None] - of_columns + mean
        squares = np.array(
            [columns * ((of_rows - mean) ** 2).sum(), rows * ((of_columns - mean) ** 2).sum(), (rest**2).sum()]
        )
        freedom = np.array([rows - 1, columns - 1, (rows - 1) * (columns - 1)])
        sizes = np.array([columns, rows])
        found = _components(squares / freedom, sizes)
        stream = np.random.default_rng(0)
        drawn = _components(squares / stream.chisquare(freedom, (NUM_DRAWS, 3)), sizes)
        shares = _shares(found)
        low, high = np.quantile(_shares(drawn), [0.025, 0.975], axis=0)
        if total := found.sum():
            high[2] = 1.0 if low[0] == low[1] == 0 else high[2]  # nothing else may have a part
        low, high = (ends if total else np.zeros(3) for ends in (low, high))
        weights, order, together = (
            Component(float(np.sqrt(variance)), Estimate(*map(float, ends)))
            for variance, ends in zip(found, zip(shares, low, high, strict=True), strict=True)
        )
        return cls(title, accuracies, weights, order, together, float(mean))

    def to_dict(self) -> dict[str, Any]:
        """Return all as plain JSON."""
        parts = {name: asdict(getattr(self, name)) for name in ("weights", "order", "together")}
        return {"title": self.title, "mean": self.mean, **parts, "accuracies": self.accuracies.tolist()}


def _components(means: NDArray[np.float64], sizes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the variances (..., 3) of rows, columns and the rest by the mean squares (..., 3)."""
    rest = means[..., 2:]
    return np.concatenate([np.maximum(means[..., :2] - rest, 0) / sizes, rest], axis=-1)


def _shares(variances: NDArray[np.float64]) -> NDArray[np.float64]:
    total = variances.sum(axis=-1, keepdims=True)
    return np.asarray(np.divide(variances, total, out=np.zeros_like(variances), where=total > 0))
