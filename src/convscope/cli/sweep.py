"""`convscope sweep`: fields of a recipe or an architecture varied, and judged on held-out training images."""

from typing import Any

import click

from convscope.cli.loading import loading_options
from convscope.cli.options import (
    ARCHITECTURES,
    PATH,
    RECIPE_NAMES,
    dataset_option,
    executor_option,
    json_option,
    print_json,
)
from convscope.cli.output import echo, format_command
from convscope.cli.progress import JobProgress
from convscope.experiment.sweep import SEARCHES
from convscope.experiment.sweep.sweep import HELD_OUT
from convscope.runs.choices import PRESET
from convscope.runs.sweeping import SweepRequest, sweep_job


@click.command()
@dataset_option
@loading_options
@click.option("--architecture", default=PRESET, help=f"Network to vary: {ARCHITECTURES}.")
@click.option("--recipe", help=f"Recipe to vary: {RECIPE_NAMES}; by default the preset's own, or classic.")
@click.option(
    "--vary",
    metavar="FIELD=VALUES",
    multiple=True,
    required=True,
    help="Field and its values: filters=8,16,32, learning_rate=log:1e-4..1e-2, augmentation.shift=0..2, "
    "conv2d_1.filters=16..64; repeatable.",
)
@click.option("--trials", type=click.IntRange(1, 100_000), default=20, help="Number of trials.")
@click.option(
    "--search",
    type=click.Choice(SEARCHES),
    default="random",
    help="Values to try: random, all combinations, or near those that did well (tree-structured Parzen estimator).",
)
@click.option("--seeds", type=click.IntRange(1, 1000), default=1, help="Number of runs for each trial.")
@click.option(
    "--held-out",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=HELD_OUT,
    show_default=False,
    help="Fraction of the training images to hold out; by default 1/6.",
)
@executor_option
@click.option("--out", type=PATH, help="Folder for the results; by default runs/sweep-DATASET.")
@json_option
def sweep(as_json: bool, **arguments: Any) -> None:
    """Vary fields of a recipe or an architecture, and find the values that held-out images prefer.

    A part of the training images is held out: one half of it chooses the best trial, and on the other half five further
    seeds of it are compared with those of the network and recipe as they were. The test images are never used. Finished
    trials are kept: after an interruption, or for more trials, run the same command on the same folder. The best trial
    is in architecture.json and recipe.json, for `convscope experiment`. A sweep needs the package optuna.
    """
    request = SweepRequest(**arguments, command=format_command())
    with JobProgress(quiet=as_json) as progress:
        try:
            result = sweep_job(request, progress.listeners())
        # The folder has the finished trials, so this command continues and does not start again.
        except KeyboardInterrupt:
            raise click.ClickException(
                "interrupted; finished trials are kept; run the same command to continue"
            ) from None
    if as_json:
        print_json(result.to_record())
    else:
        echo(f"\n{result.result}\n\nThe page is {result.page}")
        echo(f"To measure it on the test images, run:\n{result.next_step}")
