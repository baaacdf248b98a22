"""What `run.json` says about how a run was made, so that it can be made again."""

import shlex
from typing import Any

from convscope.architecture import Architecture
from convscope.cli.options import recipe_for
from convscope.datasets import LoadOptions, Splits
from convscope.engine import EngineName
from convscope.experiment.record import is_preset, loading_words, machine_record
from convscope.recipes import RECIPES, Recipe


def run_record(
    *,
    dataset: str,
    splits: Splits,
    architecture: Architecture,
    recipe: Recipe,
    seed: int,
    engine: EngineName,
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
        **machine_record(engine),
        "command": _command(dataset, splits.options, architecture, recipe, seed, engine),
    }


def _command(
    dataset: str, options: LoadOptions, architecture: Architecture, recipe: Recipe, seed: int, engine: str
) -> str:
    """Return the command that makes the run again; a file's own network or recipe is named by its place in run.json."""
    words = ["convscope", "run", "--dataset", dataset, *loading_words(options)]
    words += ["--architecture", architecture.name if is_preset(architecture) else "ARCHITECTURE.json"]
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
    if recipe.class_weights != preset.class_weights and recipe.class_weights in (None, "balanced"):
        asked["class_weights"] = recipe.class_weights or "none"
    if recipe.precision != preset.precision:
        asked["precision"] = recipe.precision
    for name, value in asked.items():
        words += [f"--{name.replace('_', '-')}", str(value)]
    return words if recipe_for(recipe.name, **asked) == recipe else []
