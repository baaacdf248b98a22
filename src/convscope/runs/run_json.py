"""What `run.json` says about how a run was made, so that it can be made again."""

import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from convscope.architecture import Architecture
from convscope.architecture.presets import is_preset
from convscope.base.arguments import check_fields
from convscope.base.errors import RunError
from convscope.base.plain import from_plain
from convscope.data.datasets import LoadOptions, Splits
from convscope.experiment import RunSpec
from convscope.experiment.run_json import loading_words, machine_record, recipe_words
from convscope.recipes import RECIPES, Recipe
from convscope.runs.choices import RecipeChanges
from convscope.runs.data import IN_MEMORY


@dataclass(frozen=True)
class JobOptions:
    """What a run was asked for beside the training itself, by `convscope run` or `cs.run`.

    Attributes:
        seeds: how many runs of each network; None is as many as there is time for.
        index: the test image whose feature maps are shown.
    """

    baseline: bool = True
    seeds: int | None = None
    index: int = 0

    def __post_init__(self) -> None:
        check_fields(self)
        for name, value, least in (("seeds", self.seeds, 1), ("index", self.index, 0)):
            if value is not None and value < least:
                raise ValueError(f"{name} is {value}; it must be at least {least}")

    @classmethod
    def from_record(cls, record: Any) -> "JobOptions":
        """Return what `to_dict` wrote, as `run.json` holds it; raises `RunError` if it is no such object."""
        return from_plain(cls, record, "job", RunError)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def arguments(self) -> list[str]:
        """Return the arguments of `cs.run` that ask for it."""
        seeds = [] if self.seeds is None else [f"seeds={self.seeds}"]
        index = [f"index={self.index}"] if self.index else []
        return [*([] if self.baseline else ["baseline=False"]), *seeds, *index]

    def words(self) -> list[str]:
        """Return the words of a command that ask for it."""
        seeds = [] if self.seeds is None else ["--seeds", str(self.seeds)]
        index = ["--index", str(self.index)] if self.index else []
        return [*([] if self.baseline else ["--no-baseline"]), *seeds, *index]


def run_record(spec: RunSpec, splits: Splits, threads: int, start: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return what `run.json` says of a run that is about to begin, but for its job, see `job_record`.

    Args:
        start: what the record says of the network that training starts from, as `from`; None is random weights.
    """
    return {
        "dataset": {"argument": spec.dataset, **splits.to_dict()},
        "architecture": spec.architecture.to_dict(),
        "recipe": spec.recipe.to_dict(),
        "seed": spec.seed,
        "engine": spec.engine,
        "threads": threads,
        **machine_record(spec.engine, spec.recipe.precision),
        **({} if start is None else {"from": dict(start)}),
    }


def job_record(place: Path, record: Mapping[str, Any], job: JobOptions | None) -> dict[str, Any]:
    """Return what `run.json` says of the job: `command`, which makes the run in the folder `place` again, and `job`.

    `job` is that of `convscope run`; None stands for `convscope train`. A network or recipe that has no name is named
    by its place, the run.json itself.
    """
    own, start = str(place.resolve() / "run.json"), record.get("from")
    architecture, recipe = Architecture.from_dict(record["architecture"]), Recipe.from_dict(record["recipe"])
    options = LoadOptions.from_dict(record["dataset"]["options"], RunError)
    if record["dataset"]["argument"] == IN_MEMORY:
        call = _call(record, architecture.name if is_preset(architecture) else own, recipe, own, options, job)
        return {"command": call} if job is None else {"command": call, "job": job.to_dict()}
    words = ["convscope", "train" if job is None else "run", "--dataset", record["dataset"]["argument"]]
    words += loading_words(options)
    if start is None:
        words += ["--architecture", architecture.name if is_preset(architecture) else own]
    else:
        words += ["--from", start["argument"], *(["--new-output"] if start["new_output"] else [])]
    words += _recipe_words(recipe) or ["--recipe", own]
    words += ["--seed", str(record["seed"]), "--engine", record["engine"]]
    if job is None:
        return {"command": shlex.join(words)}
    return {"command": shlex.join([*words, *job.words()]), "job": job.to_dict()}


def _call(
    record: Mapping[str, Any], architecture: str, recipe: Recipe, own: str, options: LoadOptions, job: JobOptions | None
) -> str:
    """Return the call of `cs.run` that makes a run from arrays again; a command could not name these."""
    start = record.get("from")
    words = ["data"]
    if options.test_fraction is not None:
        words += [f"test_fraction={options.test_fraction}", f"split_seed={options.seed}"]
    if options.image_size is not None:
        words += [f"image_size={tuple(options.image_size)}"]
    if options.skip_damaged:
        words += ["skip_damaged=True"]
    if start is None:
        words += [f"architecture={architecture!r}"]
    else:
        words += [f"start={start['argument']!r}", *(["new_output=True"] if start["new_output"] else [])]
    words += [f"recipe={recipe.name if RECIPES.get(recipe.name) == recipe else own!r}"]
    words += [f"seed={record['seed']}", f"engine={record['engine']!r}", *(job or JobOptions(False, 1)).arguments()]
    return f"cs.run({', '.join(words)})"


def _recipe_words(recipe: Recipe) -> list[str]:
    """Return the options that make a preset into `recipe`; none if none do."""
    if recipe.name not in RECIPES:
        return []
    preset = RECIPES[recipe.name]
    asked: dict[str, Any] = {}
    if recipe.validation_fraction != preset.validation_fraction:
        asked["validation_fraction"] = recipe.validation_fraction
    if recipe.early_stopping not in (None, preset.early_stopping):
        asked["patience"] = recipe.early_stopping.patience
    if recipe.class_weights != preset.class_weights and recipe.class_weights in (None, "balanced"):
        asked["class_weights"] = recipe.class_weights or "none"
    parts = ("validation_fraction", "early_stopping", "class_weights")
    rest = replace(recipe, **{part: getattr(preset, part) for part in parts})
    words = recipe_words(rest)
    if not words or RecipeChanges(**asked).apply(rest) != recipe:
        return []
    for name, value in asked.items():
        words += [f"--{name.replace('_', '-')}", str(value)]
    return words
