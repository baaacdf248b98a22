"""How a job begins: with a new run, or with one that goes on as it was begun."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click

from convscope.base.errors import RunError
from convscope.cli import job
from convscope.cli.options import architecture_for, recipe_for
from convscope.cli.record import JobOptions, job_record
from convscope.data.datasets import LoadOptions, Splits
from convscope.experiment import argument_of
from convscope.storage import RunFolder

_Job = TypeVar("_Job", JobOptions, None)

_OF_RECIPE = ("epochs", "validation_fraction", "early_stopping", "class_weights", "precision")


def begin(resume: Path | None, asked: Mapping[str, Any], options: _Job) -> tuple[RunFolder, Splits, _Job]:
    """Open the run in the folder `resume`, or make a new one as `asked`; return also what its job is.

    What `resume` names goes on with the options that it was begun with. `options` are those of `convscope run`; of
    them the ones on the command line count, and else those that it was begun with. None is `convscope train`.

    Raises:
        RunError: if an option on the command line asks for another run than the one in `resume`.
        ConvscopeError: as `start_run` and `resume_run` do.
    """
    if resume is None:
        folder, splits = job.start_run(**asked, job=options)
        return folder, splits, options
    folder, splits = job.resume_run(resume)
    given = _given()
    _check(folder, splits, {name: value for name, value in asked.items() if name in given})
    record = dict(folder.record)
    if "threads" in given:  # any number gives the same bits
        record["threads"] = asked["threads"]
    if options is not None:
        if "job" in record:
            here = {name: value for name, value in options.to_dict().items() if name in given}
            options = replace(JobOptions.from_record(record["job"]), **here)
        job.check_index(options.index, splits)
        record |= job_record(folder.path, record, options)
    if record != folder.record:
        folder.write("run.json", record)
    return replace(folder, record=record), splits, options


def _given() -> dict[str, str]:
    """Return the options on the command line: by their parameter's name what they are called."""
    context = click.get_current_context()
    return {
        option.name: option.opts[0]
        for option in context.command.params
        if option.name and context.get_parameter_source(option.name) is not click.core.ParameterSource.DEFAULT
    }


def _check(folder: RunFolder, splits: Splits, asked: Mapping[str, Any]) -> None:
    recorded, names = _recorded(folder), _given()
    for name, value in asked.items():
        if name == "threads":
            continue
        begun = recorded[name]
        if _meant(name, value, folder, splits) != begun:
            option = names[name] if value is True else f"{names[name]} {_meant(name, value, folder, splits)}"
            how = "without it" if begun is None or begun is False else f"with {begun}"
            raise RunError(
                f"{option}: the run in {folder.path} was begun {how}, and --resume goes on with it as it was begun; "
                f"leave {names[name]} out, or start a new run without --resume"
            )


def _recorded(folder: RunFolder) -> dict[str, Any]:
    """Return what the run was begun with, by the name of the option that asks for it."""
    record, recipe = folder.record, folder.recipe
    loaded = LoadOptions.from_dict(record["dataset"].get("options", {}), RunError)
    start = record.get("from", {"argument": None, "new_output": False})
    stopping = recipe.early_stopping
    return {
        "dataset": record["dataset"]["argument"],
        "test_fraction": loaded.test_fraction,
        "split_seed": loaded.seed,
        "image_size": _size_text(loaded.image_size),
        "architecture": folder.architecture.name,
        "start": start["argument"],
        "new_output": start["new_output"],
        "recipe": recipe.name,
        "epochs": recipe.epochs,
        "validation_fraction": recipe.validation_fraction,
        "patience": None if stopping is None else stopping.patience,
        "class_weights": recipe.class_weights or "none",
        "precision": recipe.precision,
        "seed": folder.seed,
        "engine": record["engine"],
        "out": folder.path.resolve(),
    }


def _meant(name: str, value: Any, folder: RunFolder, splits: Splits) -> Any:
    """Return `value` of an option in the form in which `_recorded` has it: of one that means the same, the same."""
    if name == "dataset":
        return argument_of(value)
    if name == "start":
        return str(value.resolve())
    if name == "image_size":
        return _size_text(value)
    if name == "out":
        return value.resolve()
    if name == "architecture":
        network = architecture_for(value, splits.image_shape, splits.num_classes)
        return folder.architecture.name if network == folder.architecture else value
    if name == "recipe":  # other options may have changed parts of it
        parts = {part: getattr(folder.recipe, part) for part in _OF_RECIPE}
        found = recipe_for(value)
        same = found.name == folder.recipe.name and replace(found, **parts) == folder.recipe
        return folder.recipe.name if same else value
    return value


def _size_text(size: tuple[int, int] | None) -> str | None:
    return None if size is None else f"{size[0]}x{size[1]}"
