"""What `run.json` says about how a run was made, so that it can be made again."""

import os
import platform
import shlex
from importlib.metadata import version
from pathlib import Path
from typing import Any

from convscope.architecture import Architecture
from convscope.architecture.presets import PRESETS
from convscope.cli.options import recipe_for
from convscope.datasets import Splits
from convscope.recipes import RECIPES, Recipe


def run_record(
    *,
    dataset: str,
    splits: Splits,
    architecture: Architecture,
    recipe: Recipe,
    seed: int,
    engine: str,
    threads: int,
) -> dict[str, Any]:
    """Return what `run.json` says of a run that is about to begin; `dataset` is what the user called the data."""
    return {
        "dataset": {"argument": dataset, **splits.to_dict()},
        "architecture": architecture.to_dict(),
        "recipe": recipe.to_dict(),
        "seed": seed,
        "engine": engine,
        "threads": threads,
        "versions": {
            "convscope": version("convscope"),
            "python": platform.python_version(),
            "numpy": version("numpy"),
        },
        "cpu": {"name": cpu_name(), "cores": available_cores(), "machine": platform.machine()},
        "command": _command(dataset, architecture, recipe, seed, engine),
    }


def available_cores() -> int:
    """Return how many cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_name() -> str:
    """Return the processor's name as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _command(dataset: str, architecture: Architecture, recipe: Recipe, seed: int, engine: str) -> str:
    """Return the command that makes the run again; a file's own network or recipe is named by its place in run.json."""
    words = ["convscope", "run", "--dataset", dataset]
    # A file may call its network or recipe as a preset is called, and hold another.
    network = PRESETS.get(architecture.name)
    is_preset = network is not None and network(architecture.input.shape, architecture.num_classes) == architecture
    words += ["--architecture", architecture.name if is_preset else "ARCHITECTURE.json"]
    words += _recipe_words(recipe) or ["--recipe", "RECIPE.json"]
    return shlex.join([*words, "--seed", str(seed), "--engine", engine])


def _recipe_words(recipe: Recipe) -> list[str]:
    """Return the options that make a preset into `recipe`; none if none do."""
    if recipe.name not in RECIPES:
        return []
    preset, words = RECIPES[recipe.name], ["--recipe", recipe.name]
    asked: dict[str, Any] = {}
    if recipe.epochs != preset.epochs:
        asked["epochs"] = recipe.epochs
    if recipe.validation_fraction != preset.validation_fraction:
        asked["validation_fraction"] = recipe.validation_fraction
    if recipe.early_stopping not in (None, preset.early_stopping):
        asked["patience"] = recipe.early_stopping.patience
    if recipe.precision != preset.precision:
        asked["precision"] = recipe.precision
    for name, value in asked.items():
        words += [f"--{name.replace('_', '-')}", str(value)]
    return words if recipe_for(recipe.name, **asked) == recipe else []
