"""The common parts of the commands that make or open a run: opening a job, and printing its result."""

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import click
from msgspec import structs

from convscope.base.tables import printable
from convscope.cli.loading import LOADING_NAMES
from convscope.cli.output import echo, format_command, with_options
from convscope.cli.progress import JobProgress, StepProgress
from convscope.data.datasets import Splits
from convscope.runs.cautions import find_cautions
from convscope.runs.choices import RecipeChanges, is_own_recipe
from convscope.runs.jobs import Job, Request, new_job, open_with_data, read_options, resume_job
from convscope.runs.listeners import Listeners
from convscope.runs.pipeline import JobResult
from convscope.runs.steps import measure_time
from convscope.storage import RunFolder
from convscope.storage.records import JobOptions

# Parameters of `training_options` that are fields of `RecipeChanges`.
_CHANGES = ("epochs", "batch_size", "learning_rate", "validation_fraction", "patience", "class_weights")


@contextmanager
def open_job(
    resume: Path | None, arguments: Mapping[str, Any], options: JobOptions | None, listeners: Listeners
) -> Iterator[Job]:
    """Create a run from the arguments, or resume the run in `resume` with its original settings.

    Args:
        arguments: the values of `training_options` but `resume`.
        options: those of `convscope run`; None for `convscope train`. A resumed run keeps its own, except for those on
            the command line.
    """
    if resume is None:
        if arguments["new_output"] and arguments["start"] is None:
            raise click.UsageError("--new-output needs --from RUN")
        if arguments["start"] is not None and arguments["architecture"] is not None:
            raise click.UsageError("--from uses the architecture of the run; remove --architecture")
        if arguments["start"] is not None and arguments["width"] != 1:
            raise click.UsageError("--from uses the architecture of the run; remove --width")
        with new_job(_make_request(arguments, options), listeners) as job:
            yield job
        return
    # The settings that decide the result stay as the run began; an option for one of them contradicts the run, even
    # with the same value. `arguments` has the loading options as one, `loading`, so their own names are added. The
    # number of threads changes no bit of the result.
    names = _list_set_options()
    contradictory = names & {*arguments, *LOADING_NAMES} - {"threads"}
    for option in click.get_current_context().command.params:
        if option.name in contradictory:
            raise click.UsageError(f"{option.opts[0]}: a resumed run keeps its settings; remove {option.opts[0]}")
    with open_with_data(resume, None, listeners) as (folder, splits):
        if options is not None:
            # The stored options, with those that the user set now. A run of `convscope train` has stored none; resumed
            # by `convscope run`, it takes all of these.
            changes = {name: value for name, value in options.to_dict().items() if name in names}
            options = structs.replace(read_options(folder) or options, **changes)
        yield resume_job(folder, splits, options, arguments["threads"])


def _make_request(arguments: Mapping[str, Any], options: JobOptions | None) -> Request:
    # The other arguments have the names of the request's fields.
    others = {name: value for name, value in arguments.items() if name not in (*_CHANGES, "dataset")}
    return Request(
        data=arguments["dataset"],
        changes=RecipeChanges(**{name: arguments[name] for name in _CHANGES}),
        options=options,
        command=format_command(),
        **others,
    )


def _list_set_options() -> set[str]:
    """List the parameters that the user set, even to the value that is the default."""
    context = click.get_current_context()
    names = (option.name for option in context.command.params if option.name)
    return {name for name in names if context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT}


@contextmanager
def open_run_with_data(path: Path, *, quiet: bool = False, writes: bool = True) -> Iterator[tuple[RunFolder, Splits]]:
    """Open the run at `path` with its data; stderr shows a download unless `quiet`."""
    with (
        StepProgress(quiet=quiet) as progress,
        open_with_data(path, None, progress.listeners(), writes=writes) as (folder, splits),
    ):
        yield folder, splits


def run_job(
    resume: Path | None,
    arguments: Mapping[str, Any],
    options: JobOptions | None,
    work: Callable[[Job, dict[str, float], Listeners], JobResult],
    *,
    quiet: bool,
) -> tuple[Path, JobResult, tuple[str, ...]]:
    """Open a job, see `open_job`, and do its `work`; return the run folder, the result and the cautions.

    Unless `quiet`, the terminal shows its settings and its progress.
    """
    timings = dict[str, float]()
    with JobProgress(quiet=quiet) as progress, ExitStack() as stack:
        listeners = progress.listeners()
        # The lock of the job lasts until the work is done, but `load` is the time to open it alone.
        with measure_time(timings, "load"):
            job = stack.enter_context(open_job(resume, arguments, options, listeners))
        path = job.folder.path
        try:
            cautions = tuple(in_options(text) for text in find_cautions(job.folder, job.splits))
            if not quiet:
                _print_settings(job.folder, job.splits, cautions)
            return path, work(job, timings, listeners), cautions
        except KeyboardInterrupt:  # the folder has all finished epochs and measurements
            command = shlex.join(["convscope", str(click.get_current_context().info_name), "--resume", str(path)])
            raise click.ClickException(f"interrupted; what is finished is kept; to continue, run: {command}") from None


def _print_settings(folder: RunFolder, splits: Splits, cautions: Sequence[str]) -> None:
    """Print the first line of a run, and each caution as a line on stderr."""
    fraction = folder.recipe.validation_fraction
    recipe_note = " (the preset's own)" if is_own_recipe(folder.architecture, folder.recipe) else ""
    held_out = f" ({100 * fraction:.4g} % of them held out)" if fraction else ""
    echo(
        f"{splits.name}: {len(splits.train):,} training images{held_out} and {len(splits.test):,} test images; "
        f"{folder.architecture.name}: {folder.architecture.parameters:,} parameters; "
        f"recipe {folder.recipe.name}{recipe_note}, seed {folder.seed}; in {folder.path}"
    )
    for text in cautions:
        echo(f"Warning: {printable(text)}", err=True)


def in_options(text: str) -> str:
    """Replace the arguments in a sentence of the library by this command's options."""
    return with_options(text, click.get_current_context().command)


def print_result(values: Sequence[object]) -> None:
    """Print the text of each value, with a blank line before it."""
    for value in values:
        echo(f"\n{value}")
