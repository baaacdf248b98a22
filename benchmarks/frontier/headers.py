"""Points of the frontier as C headers in integers: their accuracy and bytes as microcontroller.py measures them."""

from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path

import answers
import numpy as np
from frontier.measure import Row
from frontier.points import Point, find_network, find_recipe

import convscope as cs


def is_of_few_bits(point: Point) -> bool:
    return not point.files and find_recipe(point.recipe).weight_bits is not None


def train(point: Point, data: cs.Splits, seeds: Sequence[int], folder: Path, executor: Executor) -> cs.RunResult:
    """Train the networks of a point that `folder` does not have yet, and return the first."""
    networks, recipes = [find_network(point.architecture)], [find_recipe(point.recipe)]
    return cs.run_experiment(networks, data, recipes, seeds, folder=folder, executor=executor).runs[0]


def describe(point: Point, seeds: Sequence[int], figures: Row) -> Row:
    """Make the row of a point from the runs of `seeds` that microcontroller.py measured, and publish its answers.

    Raises:
        KeyError: if a seed has no run.
    """
    run_of_seed = {run["seed"]: run for run in figures["runs"]}
    runs = [run_of_seed[seed] for seed in seeds]
    wrong = np.zeros((len(runs), figures["num_images"]), np.bool_)
    for flags, run in zip(wrong, runs, strict=True):
        flags[run["wrong"]] = True
    return {
        **{name: getattr(point, name) for name in ("name", "by", "architecture", "recipe", "views", "members")},
        "seeds": list(seeds),
        **answers.describe(wrong),
        "weights_bytes": max(run["bytes"] for run in runs),
        "answers": answers.save(f"mnist-{point.name}-c-{seeds[0]}-{seeds[-1]}", seeds, wrong),
    }
