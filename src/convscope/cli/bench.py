"""`convscope bench`: how fast this machine is."""

import platform

import click

from convscope.architecture.presets import PRESETS
from convscope.cli.loading import load
from convscope.cli.options import json_option, precision_option, print_json
from convscope.cli.output import echo
from convscope.evidence.benchmark import Benchmark, Spread, measure_speed
from convscope.experiment.run_json import cpu_name
from convscope.recipes import Precision
from convscope.recipes.presets import DEFAULT_RECIPE
from convscope.runs.choices import RecipeChanges, architecture_for, recipe_for


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
    splits = load(dataset, quiet=as_json)
    network = architecture_for(architecture, splits.train.images.shape[1:], splits.train.num_classes)
    chosen = recipe_for(recipe, RecipeChanges(precision=precision))
    result = measure_speed(network, chosen, splits.train, splits.test, threads, epochs)
    machine = {"cpu": cpu_name(), "machine": platform.machine()}
    if as_json:
        print_json({**machine, "architecture": network.name, "recipe": recipe, **result.to_dict()})
    else:
        echo(f"{'processor':<20}{machine['cpu']} ({machine['machine']})")
        echo("\n".join(_lines(result, network.name, recipe)))


def _lines(result: Benchmark, architecture: str, recipe: str) -> list[str]:
    work = 2e-9 * result.training_macs * result.num_images
    epoch, prediction = result.epoch_seconds.median, result.prediction_seconds.median
    rows = [
        ("instruction set", result.instruction_set),
        ("threads", str(result.threads)),
        ("precision", result.precision),
        ("peak, float32", f"{result.peak_gflops:.0f} GFLOP/s, measured"),
        ("peak, bfloat16", _bfloat16_peak(result)),
        ("an epoch", f"{_seconds(result.epoch_seconds)}: {recipe} on {architecture}, {result.num_images:,} images"),
        ("  of it forward", f"{_seconds(result.forward_seconds)}, timed by itself"),
        ("  images a second", f"{result.num_images / epoch:,.0f}"),
        ("share of the peak", f"{100 * result.peak_share:.0f} %: {work:.1f} GFLOP an epoch that cannot be left out"),
        ("a prediction", f"{_seconds(result.prediction_seconds)}: {result.num_predicted:,} images"),
        ("  images a second", f"{result.num_predicted / prediction:,.0f}"),
        ("one image", _seconds(result.latency_seconds, 1e6, "µs")),
        ("memory", str(result.memory)),
    ]
    return [f"{name:<20}{text}" for name, text in rows]


def _bfloat16_peak(result: Benchmark) -> str:
    if result.bfloat16_peak_gflops is None:
        return "this processor has no instructions for it"
    return f"{result.bfloat16_peak_gflops:.0f} GFLOP/s, measured"


def _seconds(times: Spread, factor: float = 1, unit: str = "s") -> str:
    median, minimum, maximum = (f"{factor * t:.4g}" for t in (times.median, times.minimum, times.maximum))
    return f"{median} {unit} ({minimum} to {maximum}, n {times.n})"
