"""Measure the points of the frontier: train their networks over seeds, and average views or ensembles where they do.

Points that average views or form ensembles need no training of their own: they are computed from trained networks.
"""

from concurrent.futures import Executor
from dataclasses import asdict
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from estimates import mean_interval
from frontier.points import Point
from numpy.typing import NDArray
from variation import RunVariation

import convscope as cs

Row = dict[str, Any]
"""A point with what was measured, as docs/results.json keeps it."""


def measure_point(
    point: Point, data: cs.Splits, seeds: list[int], folder: Path, executor: Executor | None, threads: int | None = None
) -> Row:
    """Train what `folder` does not have yet, and measure a point on the test images.

    Args:
        folder: keeps the networks, which several points may share, and the probabilities over several views.

    Raises:
        ValueError: if there are fewer seeds than an ensemble takes.
    """
    num_groups = len(seeds) // point.members
    if not num_groups:
        raise ValueError(f"{point.name}: an ensemble of {point.members} networks needs as many seeds")
    result = cs.run_experiment(
        [point.architecture], data, [point.recipe], seeds, dataset=data.name, folder=folder, executor=executor,
        threads=threads,
    )  # fmt: skip
    groups = [
        result.runs[start : start + point.members] for start in range(0, num_groups * point.members, point.members)
    ]
    y_pred = np.stack([predict(point, runs, data.test, folder) for runs in groups])
    seconds = mean(sum(run.seconds for run in runs) for runs in groups)
    return describe(point, y_pred, data.test.labels, groups, seconds)


def describe(
    point: Point,
    y_pred: NDArray[np.integer[Any]],
    y_true: NDArray[np.integer[Any]],
    groups: list[tuple[cs.RunResult, ...]],
    seconds: float,
) -> Row:
    """Make the row of a point.

    Args:
        y_pred: (n, N), the predictions of each network or ensemble for the labels `y_true` (N,).
        groups: the n networks, or the members of the n ensembles.
        seconds: of training, on average.
    """
    recipe = getattr(cs.recipes, point.recipe)
    first = groups[0][0]
    size = point.members * np.array([first.parameters, first.macs, first.weights_bytes])
    group = cs.RunGroup(
        point.name, tuple(range(len(y_pred))), y_true, y_pred, "", "test", *map(int, size), training_seconds=seconds
    )
    accuracies, wrong, is_single = group.accuracies, group.wrong, len(y_pred) == 1
    return {
        **{name: value for name, value in asdict(point).items() if name not in ("seeds", "dataset")},
        "precision": recipe.precision,
        "weight_bits": recipe.weight_bits,
        "seeds": [run.seed for runs in groups for run in runs],
        "num_runs": len(accuracies),
        "mean": group.accuracy,
        "sd": group.sd,
        "interval": mean_interval(accuracies),
        "interval_with_images": None if is_single else list(group.accuracy_interval),
        "minimum": min(accuracies),
        "maximum": max(accuracies),
        "parameters": group.parameters,
        "seconds": group.training_seconds,
        "weights_bytes": group.weights_bytes,
        "variation": None if is_single else RunVariation.of(wrong).to_dict(),
        "first": {"seed": first.seed, "weights_sha256": first.weights_sha256},
    }


def predict(point: Point, runs: tuple[cs.RunResult, ...], test: cs.Dataset, folder: Path) -> NDArray[np.integer[Any]]:
    """Predict (N,) labels with one network, or with the mean probabilities of several views and networks."""
    if point.views == point.members == 1:
        return runs[0].y_pred
    return np.asarray(sum(probabilities(run, point.views, test, folder) for run in runs).argmax(axis=1))


def probabilities(run: cs.RunResult, views: int, test: cs.Dataset, folder: Path) -> NDArray[np.float32]:
    """Compute (N, K) probabilities over several views of each image, or read them where that was done before."""
    path = folder / f"probabilities-{run.digest}-{views}.npy"
    if not path.exists():
        assert run.folder is not None
        np.save(path, cs.load_model(run.folder).probabilities(test.images, views).astype(np.float32))
    kept: NDArray[np.float32] = np.load(path)
    return kept


def pareto_names(points: list[Row], cost: str) -> tuple[str, ...]:
    """Name the points that no other point beats at a cost, the cheapest first.

    A point is beaten by one that costs no more, has no lower mean, and is better in one of the two.
    """
    known = [point for point in points if point[cost] is not None]
    unbeaten = [
        point
        for point in known
        if not any(
            other[cost] <= point[cost]
            and other["mean"] >= point["mean"]
            and (other[cost], other["mean"]) != (point[cost], point["mean"])
            for other in known
        )
    ]
    return tuple(point["name"] for point in sorted(unbeaten, key=lambda point: point[cost]))
