"""Measure the points of the frontier: train their networks over seeds, and average their views and ensembles.

Points that average views or form ensembles need no training of their own: they are computed from trained networks.
"""

import shlex
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import asdict, replace
from pathlib import Path
from statistics import mean
from typing import Any

import answers
import numpy as np
from frontier.points import Point, find_network, find_recipe
from numpy.typing import NDArray

import convscope as cs

Row = dict[str, Any]
"""A point with what was measured, as docs/results.json keeps it."""


def measure_point(
    point: Point, data: cs.Splits, seeds: list[int], folder: Path, executor: Executor | None, threads: int | None = None
) -> Row:
    """Train the networks that `folder` does not have yet, and measure a point on the test images.

    Args:
        folder: the folder of the networks, which several points may share, and of their probabilities over views.

    Raises:
        ValueError: if there are fewer seeds than an ensemble takes.
    """
    if point.files:
        return measure_files(point, data)
    num_groups = len(seeds) // point.members
    if not num_groups:
        raise ValueError(f"{point.name}: an ensemble of {point.members} networks needs as many seeds")
    recipe = find_recipe(point.recipe)
    recipe = replace(recipe, epochs=point.epochs or recipe.epochs)
    result = cs.run_experiment(
        [find_network(point.architecture)],
        data,
        [recipe],
        seeds,
        dataset=data.name,
        folder=folder,
        executor=executor,
        threads=threads,
    )
    groups = [
        result.runs[start : start + point.members] for start in range(0, num_groups * point.members, point.members)
    ]
    wrong = np.stack([predict(point, runs, data.test, folder) for runs in groups]) != data.test.labels
    first, last = groups[0][0], groups[-1][-1]
    file = answers.save(f"{data.name}-{point.name}-{first.seed}-{last.seed}", [runs[0].seed for runs in groups], wrong)
    return {
        **_describe_point(point),
        "epochs": recipe.epochs,
        "precision": recipe.precision,
        "weight_bits": recipe.weight_bits,
        "seeds": [run.seed for runs in groups for run in runs],
        **answers.describe(wrong),
        "parameters": point.members * first.parameters,
        "seconds": mean(sum(run.seconds for run in runs) for runs in groups),
        "weights_bytes": point.members * first.weights_bytes,
        "answers": file,
        "first": {"seed": first.seed, "weights_sha256": first.weights_sha256},
    }


def command_of(point: Point, dataset: str, seeds: Sequence[int]) -> str:
    """Write the command that trains the networks of a point."""
    if point.by:
        part = "frontier" if dataset == "mnist" else "frontier-fashion"
        return f"benchmarks/measure.py {part} --points {point.name}"
    words = ["convscope", "experiment", "--dataset", dataset, "--architecture", point.architecture]
    words += ["--recipe", point.recipe, *(["--epochs", str(point.epochs)] if point.epochs else [])]
    return shlex.join([*words, "--seeds", f"{seeds[0]}-{seeds[-1]}"])


def _describe_point(point: Point) -> Row:
    return {
        name: value for name, value in asdict(point).items() if name not in ("seeds", "first_seed", "dataset", "beside")
    }


def measure_files(point: Point, data: cs.Splits) -> Row:
    """Measure networks that were trained elsewhere, such as PyTorch's, from their files."""
    models = [cs.import_model(file, training=data.train) for file in point.files]
    wrong = np.stack([model.predict(data.test.images, views=point.views) for model in models]) != data.test.labels
    seeds = list(range(len(models)))
    return {
        **_describe_point(point),
        "precision": "float32",
        "weight_bits": None,
        "seeds": seeds,
        **answers.describe(wrong),
        "parameters": models[0].architecture.parameters,
        "seconds": None,
        "weights_bytes": sum(4 * array.size for array in models[0].weights.values()),
        "answers": answers.save(f"{data.name}-{point.name}-{seeds[0]}-{seeds[-1]}", seeds, wrong),
        "weights_sha256": [model.weights_sha256 for model in models],
    }


def predict(point: Point, runs: tuple[cs.RunResult, ...], test: cs.Dataset, folder: Path) -> NDArray[np.integer[Any]]:
    """Predict (N,) labels with one network, or with the mean probabilities of several views and networks."""
    if point.views == point.members == 1:
        return runs[0].y_pred
    return np.asarray(sum(read_probabilities(run, point.views, test, folder) for run in runs).argmax(axis=1))


def read_probabilities(run: cs.RunResult, views: int, test: cs.Dataset, folder: Path) -> NDArray[np.float32]:
    """Read the probabilities (N, K) over several views of each image, or compute and store them the first time."""
    path = folder / f"probabilities-{run.digest}-{views}.npy"
    if not path.exists():
        assert run.folder is not None
        np.save(path, cs.load_model(run.folder).probabilities(test.images, views).astype(np.float32))
    kept: NDArray[np.float32] = np.load(path)
    return kept


def time_trainings(points: Sequence[Point], data: cs.Splits, turns: int) -> dict[str, list[float]]:
    """Measure the seconds of a training of each point with two threads, in turns."""
    seconds: dict[str, list[float]] = {point.name: [] for point in points}
    for _ in range(turns):
        for point in points:
            network, recipe = find_network(point.architecture), find_recipe(point.recipe)
            [run] = cs.run_experiment([network], data, [recipe], [0], threads=2).runs
            seconds[point.name].append(run.seconds)
    return seconds


def find_pareto_names(points: list[Row], cost: str) -> tuple[str, ...]:
    """Find the names of the points that no other point beats at a cost, the cheapest first.

    A point is beaten by one that costs no more, has no lower mean, and is better in one of the two.
    """
    known = [point for point in points if point[cost] is not None]
    unbeaten = [
        point
        for point in known
        if not any(
            rival[cost] <= point[cost]
            and rival["mean"] >= point["mean"]
            and (rival[cost], rival["mean"]) != (point[cost], point["mean"])
            for rival in known
        )
    ]
    return tuple(point["name"] for point in sorted(unbeaten, key=lambda point: point[cost]))
