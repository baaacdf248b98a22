"""`convscope experiment`: many runs over seeds, and their joint result."""

import re
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from convscope.cli.loading import loading_options
from convscope.cli.options import (
    ARCHITECTURES,
    PATH,
    RECIPE_NAMES,
    batch_size_option,
    dataset_option,
    engine_option,
    epochs_option,
    executor_option,
    json_option,
    learning_rate_option,
    precision_option,
    print_json,
)
from convscope.cli.output import echo, format_command
from convscope.cli.progress import JobProgress
from convscope.runs.choices import RecipeChanges
from convscope.runs.experiments import ExperimentRequest, experiment_job, plan_experiment

_MAX_SEEDS = 10_000  # limit for a number or a range of seeds
_PLANNED = (
    "architectures", "recipes", "seeds", "epochs", "batch_size", "learning_rate", "precision", "num_images",
    "engine",
)  # fmt: skip
"""Parameters whose options a plan replaces."""
_CHANGES = ("epochs", "batch_size", "learning_rate", "precision")  # fields of `RecipeChanges`


def _parse_seeds(value: str) -> list[int]:
    """Parse a number of seeds, which start from 0, or a list of seeds and ranges."""
    seeds = list[int]()
    for part in value.split(","):
        match = re.fullmatch(r"(\d{1,18})(?:-(\d{1,18}))?", part.strip())
        if not match:
            raise click.BadParameter(f"{part.strip()!r}: use a number of seeds (30), a range (0-29) or a list (1,5,7)")
        first, last = int(match[1]), int(match[2] or match[1])
        # A single number is a count: 30 means 0 to 29.
        if value.strip().isdecimal():
            first, last = 0, first - 1
        if not first <= last < first + _MAX_SEEDS:
            raise click.BadParameter(f"{part.strip()!r}: must mean 1 to {_MAX_SEEDS:,} seeds")
        seeds += range(first, last + 1)
    if len(seeds) != len(set(seeds)):
        raise click.BadParameter(f"{value!r}: contains a seed twice")
    return seeds


@click.command()
@dataset_option
@loading_options
@click.option(
    "--architecture",
    "architectures",
    multiple=True,
    default=("cnn",),
    help=f"Network to train: {ARCHITECTURES}; repeatable.",
)
@click.option(
    "--recipe",
    "recipes",
    multiple=True,
    help=f"Training recipe: {RECIPE_NAMES}; repeatable; by default each preset's own, or classic.",
)
@click.option(
    "--seeds", type=_parse_seeds, metavar="SEEDS", default="5", help="Number of seeds, from 0, or a list such as 0-4,7."
)
@epochs_option
@batch_size_option
@learning_rate_option
@precision_option
@click.option(
    "--num-images",
    type=click.IntRange(min=1),
    help="Number of training images for each run, drawn by its seed; by default all.",
)
@engine_option
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    help="Number of threads for each run; by default one per core, or one with an executor.",
)
@executor_option
@click.option("--out", type=PATH, help="Folder for the results; by default runs/experiment-DATASET.")
@click.option(
    "--plan",
    type=PATH,
    help="Plan to follow, from `convscope plan --out`: its networks, recipes and seeds, up to the next look.",
)
@json_option
@click.pass_context
def experiment(context: click.Context, /, dataset: str, plan: Path | None, as_json: bool, **arguments: Any) -> None:
    """Train several architectures and recipes over many seeds, and compare them.

    Every architecture is trained with every recipe from every seed, and evaluated on the test images. The table shows
    the mean accuracy of each pair with its 95 % interval, the standard deviation and every single value. It also shows
    the groups that earlier commands trained in the same folder. Finished runs are kept: after an interruption, or for
    more seeds, run the same command on the same folder. With --plan it trains what the plan says, up to the next
    look at the results, which it also prints. A cluster runs whatever reaches its port, so use one only in a
    network that you trust.
    """
    if plan is not None:
        _refuse_planned_options(context)
    changes = RecipeChanges(**{name: arguments.pop(name) for name in _CHANGES})
    # The other arguments have the names of the request's fields.
    request = ExperimentRequest(data=dataset, changes=changes, plan=plan, command=format_command(), **arguments)
    with JobProgress(quiet=as_json) as progress:
        planned = plan_experiment(request, progress.listeners())
        # Groups are told apart by the names of their network and recipe.
        names = {"--architecture": [network.name for network in planned.networks], "--recipe": planned.recipe_names}
        for option, values in names.items():
            if same := [name for name in values if values.count(name) > 1]:
                raise click.UsageError(f"{option}: two have the name {same[0]!r}; change the name in one of the files")
        if not as_json:
            echo(planned)
        try:
            result = experiment_job(planned, progress.listeners())
        except KeyboardInterrupt:
            raise click.ClickException(
                f"interrupted; {progress.runs_done} of {len(planned.specs)} runs are finished in {planned.folder}; "
                "run the same command to continue"
            ) from None
    if as_json:
        print_json(result.to_record())
    else:
        parts = [result.result, *([result.comparison] if result.comparison else []), f"The page is {result.page}"]
        echo("\n" + "\n\n".join(map(str, parts)))


def _refuse_planned_options(context: click.Context) -> None:
    """Raise `UsageError` if the command line has an option whose value the plan gives."""
    options = {parameter.name: parameter.opts[0] for parameter in context.command.params}  # "seeds": "--seeds"
    for name in _PLANNED:
        # A value that the user typed has another source, even if it is the default.
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            raise click.UsageError(f"{options[name]} does not go with --plan, which says that itself")
