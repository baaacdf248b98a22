"""`convscope bench`: how fast this machine is."""

import click

from convscope.architecture.presets import PRESETS
from convscope.cli.options import json_option, precision_option, print_json
from convscope.cli.output import echo
from convscope.cli.progress import DownloadProgress
from convscope.recipes import Precision
from convscope.recipes.presets import DEFAULT_RECIPE
from convscope.runs.benchmarking import BenchmarkRequest, run_benchmark
from convscope.runs.listeners import Listeners


@click.command()
@click.option("--dataset", default="mnist", show_default=True, help="Name of a data set, or a file or folder.")
@click.option("--architecture", default="cnn", show_default=True, help=f"{', '.join(PRESETS)}, or a JSON file.")
@click.option("--recipe", default=DEFAULT_RECIPE, show_default=True, help="Name of a recipe, or a JSON file.")
@precision_option
@click.option("--threads", type=click.IntRange(min=1), help="Of the engine; by default one a core.")
@click.option("--epochs", type=click.IntRange(min=1), default=7, show_default=True, help="How many are timed.")
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

    Prints the peaks of multiply-add in float32 and in bfloat16, measured, then what an epoch of training and a
    prediction take, and what share of its precision's peak an epoch reaches, counting only work that cannot be left
    out. On a busy machine repeat it. Last comes the memory that the process took at most until the epochs were done,
    and what of it the data and the training account for; training takes what the architecture needs for one batch,
    however many images there are.
    """
    request = BenchmarkRequest(dataset, architecture, recipe, precision, threads, epochs)
    with DownloadProgress(quiet=as_json) as progress:
        result = run_benchmark(request, Listeners(on_download=progress.on_progress))
    if as_json:
        print_json(result.to_dict())
    else:
        echo(result)
