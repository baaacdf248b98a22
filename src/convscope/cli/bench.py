"""`convscope bench`: the speed of the engine on this machine."""

import click

from convscope.cli.options import (
    ARCHITECTURES,
    RECIPE_NAMES,
    dataset_option,
    json_option,
    precision_option,
    print_json,
    threads_option,
)
from convscope.cli.output import echo
from convscope.cli.progress import DownloadProgress
from convscope.recipes import Precision
from convscope.recipes.presets import DEFAULT_RECIPE
from convscope.runs.benchmarking import BenchmarkRequest, run_benchmark
from convscope.runs.choices import PRESET
from convscope.runs.listeners import Listeners


@click.command()
@dataset_option
@click.option("--architecture", default=PRESET, show_default=True, help=f"Network to time: {ARCHITECTURES}.")
@click.option("--recipe", default=DEFAULT_RECIPE, show_default=True, help=f"Training recipe: {RECIPE_NAMES}.")
@precision_option
@threads_option
@click.option("--epochs", type=click.IntRange(min=1), default=7, show_default=True, help="Number of epochs to time.")
@json_option
def bench(
    dataset: str,
    architecture: str,
    recipe: str,
    precision: Precision | None,
    threads: int | None,
    epochs: int,
    as_json: bool,
) -> None:
    """Measure how fast the native engine is on this machine.

    Prints the measured peak rate of multiply-adds in float32 and bfloat16, the time of an epoch and of a prediction,
    and the share of the peak that an epoch reaches. The share counts necessary multiply-adds only. Then it prints the
    maximum memory of the process, with the parts that the data and training take. Memory for training depends on the
    network and the batch size, not on the number of images. Repeat the command if the machine is busy.
    """
    request = BenchmarkRequest(dataset, architecture, recipe, precision, threads, epochs)
    with DownloadProgress(quiet=as_json) as progress:
        result = run_benchmark(request, Listeners(on_download=progress.on_progress))
    if as_json:
        print_json(result.to_dict())
    else:
        echo(result)
