"""`convscope experiment`: many runs over seeds, and what they say together."""

import re
import shlex
from functools import partial
from pathlib import Path

import click

from convscope.architecture.presets import PRESETS
from convscope.cli.loading import loading_options
from convscope.cli.options import (
    json_option,
    log_option,
    open_trackers,
    precision_option,
    print_json,
)
from convscope.cli.output import echo
from convscope.cli.progress import JobProgress
from convscope.data.datasets import LoadOptions
from convscope.engine import ENGINES, EngineName
from convscope.experiment import argument_of
from convscope.experiment.run_json import loading_words
from convscope.recipes import RECIPES, Precision
from convscope.recipes.presets import DEFAULT_RECIPE
from convscope.runs.choices import RecipeChanges
from convscope.runs.experiments import ExperimentRequest, experiment_job, plan_experiment

_MOST_SEEDS = 10_000


def _seed_list(value: str | list[int]) -> list[int]:
    """Return the seeds from 0 on for a number, or those of a list of numbers and ranges."""
    if isinstance(value, list):
        return value
    seeds = list[int]()
    for part in value.split(","):
        match = re.fullmatch(r"(\d{1,18})(?:-(\d{1,18}))?", part.strip())
        if not match:
            raise click.BadParameter(f"{part.strip()!r}: give a number of seeds (30), a range (0-29) or a list (1,5,7)")
        first, last = int(match[1]), int(match[2] or match[1])
        if value.strip().isdecimal():
            first, last = 0, first - 1
        if not first <= last < first + _MOST_SEEDS:
            raise click.BadParameter(f"{part.strip()!r}: must stand for 1 to {_MOST_SEEDS:,} seeds")
        seeds += range(first, last + 1)
    if len(seeds) != len(set(seeds)):
        raise click.BadParameter(f"{value!r}: a seed comes twice")
    return seeds


@click.command()
@click.option("--dataset", default="mnist", show_default=True, help="Name of a data set, or a file or folder.")
@loading_options
@click.option(
    "--architecture",
    "architectures",
    multiple=True,
    default=("cnn",),
    show_default=True,
    help=f"{', '.join(PRESETS)}, or a JSON file; may be given several times.",
)
@click.option(
    "--recipe",
    "recipes",
    multiple=True,
    default=(DEFAULT_RECIPE,),
    show_default=True,
    help=f"{', '.join(RECIPES)}, or a JSON file; may be given several times.",
)
@click.option(
    "--seeds",
    type=_seed_list,
    metavar="SEEDS",
    default="5",
    show_default=True,
    help="How many from 0 on, or a list such as 0-4,7.",
)
@click.option("--epochs", type=int, help="In place of the recipes'.")
@precision_option
@click.option("--num-images", type=click.IntRange(min=1), help="Train each run on so many images, drawn by its seed.")
@click.option("--engine", type=click.Choice(ENGINES), default="native", show_default=True, help="What computes.")
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    help="Of the engine in each run; by default one a core, with an executor one.",
)
@click.option(
    "--executor", help="local:N for N processes, dask://HOST:PORT or ray://HOST:PORT; by default this process."
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for the results; by default runs/experiment-DATASET."
)
@log_option
@json_option
def experiment(
    dataset: str,
    test_fraction: float | None,
    split_seed: int,
    image_size: tuple[int, int] | None,
    architectures: tuple[str, ...],
    recipes: tuple[str, ...],
    seeds: list[int],
    epochs: int | None,
    precision: Precision | None,
    num_images: int | None,
    engine: EngineName,
    threads: int | None,
    executor: str | None,
    out: Path | None,
    trackers: tuple[str, ...],
    as_json: bool,
) -> None:
    """Train architectures with recipes from many seeds, and say how they fare.

    Every architecture is trained with every recipe from every seed, and measured on the test images. Of each pair the
    mean is given with its 95 % interval (Student's t), the standard deviation, and every single value. A run that is
    finished is never run again: after an interruption, or with more seeds, the same command on the same folder goes on.
    A cluster runs what anybody who reaches its port sends: keep it in a network that you trust.
    """
    tracking = open_trackers(trackers)
    request = ExperimentRequest(
        dataset,
        LoadOptions(test_fraction, split_seed, image_size),
        architectures,
        recipes,
        seeds,
        RecipeChanges(epochs, precision=precision),
        num_images,
        engine,
        threads,
        executor,
        out,
    )
    with JobProgress(quiet=as_json) as progress:
        plan = plan_experiment(request, progress.listeners())
        names = {"--architecture": [one.name for one in plan.networks], "--recipe": [one.name for one in plan.recipes]}
        for option, given in names.items():
            if twice := [name for name in given if given.count(name) > 1]:
                raise click.UsageError(
                    f"{option}: two are called {twice[0]!r}; give each a name of its own in its file"
                )
        if not as_json:
            echo(plan)
        command = partial(_command, click.get_current_context(), dataset)
        try:
            result, page = experiment_job(plan, command, tracking, progress.listeners())
        except KeyboardInterrupt:
            raise click.ClickException(
                f"interrupted with {progress.runs_done} of {plan.num_runs} runs finished in {plan.folder}; the same "
                "command goes on"
            ) from None
    if as_json:
        print_json({"experiment": str(plan.folder), **result.to_dict()})
    else:
        echo(f"\n{result}\n\nThe page is {page}")


def _command(context: click.Context, dataset: str, options: LoadOptions) -> str:
    """Return the command that makes the experiment again, without what leaves its result as it is."""
    words = ["convscope", "experiment", "--dataset", argument_of(dataset), *loading_words(options)]
    said = {"dataset", "test_fraction", "split_seed", "image_size", "threads", "executor", "out", "trackers", "as_json"}
    for parameter in context.command.params:
        value = context.params.get(parameter.name or "")
        if parameter.name in said or value is None:
            continue
        if parameter.name == "seeds":
            is_range = len(value) > 1 and value == list(range(value[0], value[-1] + 1))
            value = f"{value[0]}-{value[-1]}" if is_range or len(value) == 1 else ",".join(map(str, value))
        for one in value if isinstance(value, tuple) else (value,):
            words += [parameter.opts[0], str(one)]
    return shlex.join(words)
