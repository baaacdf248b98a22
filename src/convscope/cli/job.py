"""What the commands that make or open a run share: how a job begins, and what is printed of it."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from convscope.base.tables import printable
from convscope.cli.output import echo, with_options
from convscope.cli.progress import DownloadProgress
from convscope.data.datasets import LoadOptions, Splits
from convscope.runs.choices import RecipeChanges, is_own_recipe
from convscope.runs.jobs import Job, Request, new_job, opened, resumed
from convscope.runs.listeners import Listeners
from convscope.runs.resume import check_same, options_of
from convscope.runs.run_json import JobOptions
from convscope.storage import RunFolder

_LOADING = ("test_fraction", "split_seed", "image_size", "skip_damaged")
_CHANGES = ("epochs", "batch_size", "learning_rate", "validation_fraction", "patience", "precision", "class_weights")


@contextmanager
def begun(
    resume: Path | None, asked: Mapping[str, Any], options: JobOptions | None, listeners: Listeners
) -> Iterator[Job]:
    """Make a new run as `asked`, or open the one in the folder `resume`, which goes on as it was begun.

    Args:
        asked: the values of `training_options` but `resume` and `trackers`.
        options: of `convscope run`; None is `convscope train`. On resume those on the command line count, and else
            those that the run was begun with.
    """
    if resume is None:
        if asked["new_output"] and asked["start"] is None:
            raise click.UsageError("--new-output needs --from RUN")
        if asked["start"] is not None and asked["architecture"] is not None:
            raise click.UsageError("--from uses the architecture of the run; remove --architecture")
        if asked["start"] is not None and asked["width"] != 1:
            raise click.UsageError("--from uses the architecture of the run; remove --width")
        with new_job(request_of(asked, options), listeners) as job:
            yield job
        return
    with opened(resume, None, listeners) as (folder, splits):
        given = _given()
        check_same(folder, splits, {name: value for name, value in asked.items() if name in given})
        if options is not None:
            here = {name: value for name, value in options.to_dict().items() if name in given}
            options = replace(options_of(folder) or options, **here)
        yield resumed(folder, splits, options, asked["threads"])


def request_of(asked: Mapping[str, Any], options: JobOptions | None) -> Request:
    """Return what the values of `training_options` ask for."""
    rest = {name: value for name, value in asked.items() if name not in (*_LOADING, *_CHANGES, "dataset")}
    return Request(
        data=asked["dataset"],
        loading=LoadOptions(*(asked[name] for name in _LOADING)),
        changes=RecipeChanges(**{name: asked[name] for name in _CHANGES}),
        job=options,
        **rest,
    )


def _given() -> set[str]:
    """Return the names of the parameters that are given on the command line."""
    context = click.get_current_context()
    names = (option.name for option in context.command.params if option.name)
    return {name for name in names if context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT}


@contextmanager
def run_of(path: Path, *, quiet: bool = False, writes: bool = True) -> Iterator[tuple[RunFolder, Splits]]:
    """Open the run at `path` with its data; while they are fetched, stderr shows it unless `quiet`, see `opened`."""
    with (
        DownloadProgress(quiet=quiet) as progress,
        opened(path, None, Listeners(on_download=progress.on_progress), writes=writes) as (folder, splits),
    ):
        yield folder, splits


def show_begin(folder: RunFolder, splits: Splits, cautions: Sequence[str]) -> None:
    """Print the line that a run begins with, and each caution as a line on stderr."""
    fraction = folder.recipe.validation_fraction
    own = " (the preset's own)" if is_own_recipe(folder.architecture, folder.recipe) else ""
    held_out = f" ({100 * fraction:.4g} % of them held out)" if fraction else ""
    echo(
        f"{splits.name}: {len(splits.train):,} training images{held_out} and {len(splits.test):,} test images; "
        f"{folder.architecture.name}: {folder.architecture.parameters:,} parameters; "
        f"recipe {folder.recipe.name}{own}, seed {folder.seed}; in {folder.path}"
    )
    for text in cautions:
        echo(f"Warning: {printable(text)}", err=True)


def in_options(text: str) -> str:
    """Return a sentence of the library with this command's options in place of the arguments in it."""
    return with_options(text, click.get_current_context().command)


def interrupted(folder: RunFolder, command: str) -> click.ClickException:
    """Return the error after Ctrl-C or SIGTERM."""
    again = shlex.join(["convscope", command, "--resume", str(folder.path)])
    return click.ClickException(f"interrupted; what is finished is kept; to continue, run: {again}")


def print_result(values: Sequence[object]) -> None:
    """Print the text of each value, with a blank line before it."""
    for value in values:
        echo(f"\n{value}")
