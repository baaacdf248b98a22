"""The options that several commands share."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from convscope.architecture.presets import PRESETS
from convscope.base.records import Record
from convscope.cli.hints import Choice
from convscope.cli.loading import loading_options
from convscope.cli.output import echo
from convscope.engine import ENGINES
from convscope.recipes import PRECISIONS, RECIPES
from convscope.runs.choices import PRESET
from convscope.storage.records import MAX_SEED
from convscope.training.automatic import BUDGET
from convscope.training.views import NUM_VIEWS

PATH = click.Path(path_type=Path)
"""A file or folder, as a `Path`."""

_Command = TypeVar("_Command", bound=Callable[..., Any])

POINTS = click.FloatRange(0, 100, min_open=True, max_open=True)
"""A difference of accuracies, in points."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
run_argument = click.argument("run_path", metavar="RUN", type=PATH)
folders_argument = click.argument("folders", metavar="FOLDER...", nargs=-1, required=True, type=PATH)
out_option = click.option("--out", type=PATH, help="Folder for the results; by default a new one under runs/.")
executor_option = click.option(
    "--executor",
    help="Place to train: local:N for N processes, dask://HOST:PORT or ray://HOST:PORT; by default this process.",
)
index_option = click.option(
    "--index", type=click.IntRange(min=0), default=0, help="Index of the test image whose feature maps are shown."
)
dataset_option = click.option("--dataset", default="mnist", help="Name of a data set, or path of a file or folder.")
class_weights_option = click.option(
    "--class-weights",
    type=Choice(["none", "balanced"]),
    help="Class weights in the loss, in place of the recipe's; balanced gives every class the same total weight.",
)
epochs_option = click.option("--epochs", type=int, help="Number of epochs, in place of the recipe's.")
batch_size_option = click.option("--batch-size", type=int, help="Images per training step, in place of the recipe's.")
learning_rate_option = click.option(
    "--lr", "learning_rate", type=float, help="Learning rate of the optimizer, in place of the recipe's."
)
precision_option = click.option(
    "--precision", type=Choice(PRECISIONS), help="Number format of training, in place of the recipe's."
)
width_option = click.option(
    "--width",
    type=click.FloatRange(0, 64, min_open=True),
    default=1.0,
    help="Factor for the filters and units of all layers but the last.",
)
engine_option = click.option("--engine", type=Choice(ENGINES), default="native", help="Compute engine.")
threads_option = click.option(
    "--threads", type=click.IntRange(min=1), help="Number of threads; by default one per core."
)
views_option = click.option(
    "--views",
    type=Choice([str(number) for number in NUM_VIEWS]),
    default="1",
    # A choice of texts, so that help lists 1, 5 and 9; the command gets a number.
    callback=lambda _, __, value: int(value),  # called with the context, the parameter and its value
    help="Views of each image whose probabilities are averaged: 5 are the image and its shifts by one pixel, 9 also "
    "the diagonal ones.",
)

ARCHITECTURES = f"preset ({', '.join(PRESETS)}) or JSON file"
"""The values of an option for an architecture, for its help text."""
RECIPE_NAMES = f"name ({', '.join(RECIPES)}) or JSON file"
"""The values of an option for a recipe, for its help text."""


def training_options(command: _Command) -> _Command:
    """Add the options of `run` and `train`: data, network, recipe, seed, engine and place."""
    options = (
        dataset_option,
        loading_options,
        click.option(
            "--architecture",
            help=f"Network to train: {ARCHITECTURES}, such as run.json of a run; by default {PRESET}, or that of "
            "--from.",
        ),
        width_option,
        click.option(
            "--from",
            "start",
            type=PATH,
            metavar="RUN",
            help="Run whose trained weights training starts from; its classes may be others.",
        ),
        click.option(
            "--new-output",
            is_flag=True,
            help="With --from: start all outputs from random weights. By default classes of the same name keep theirs.",
        ),
        click.option(
            "--recipe",
            help=f"Training recipe: auto, {RECIPE_NAMES}, such as run.json of a run; by default the preset's, classic "
            "for MNIST, or auto, which chooses network and recipe by held-out training images.",
        ),
        click.option(
            "--budget",
            type=click.FloatRange(1e9, 1e18),
            help=f"Multiply-adds of the recipe auto; {BUDGET:.0e} by default.",
        ),
        click.option(
            "--epochs", type=int, help="Number of epochs, in place of the recipe's; with --patience the maximum."
        ),
        batch_size_option,
        learning_rate_option,
        click.option(
            "--validation-fraction",
            type=float,
            help="Fraction of the training images to hold out; they replace the test images after each epoch.",
        ),
        click.option(
            "--patience",
            type=int,
            help="Epochs without a lower validation loss before training stops; the best epoch's weights are kept.",
        ),
        class_weights_option,
        click.option("--seed", type=click.IntRange(0, MAX_SEED), default=0, help="Random seed."),
        engine_option,
        threads_option,
        out_option,
        click.option("--resume", type=PATH, metavar="RUN", help="Unfinished run to continue."),
    )
    for option in reversed(options):  # help lists options in the order of decorators, the last applied first
        command = option(command)
    return command


def print_json(value: Any) -> None:
    """Print a record, records, or a value of JSON types, as one JSON document on stdout."""
    if isinstance(value, list):
        value = [record.to_dict() for record in value]
    echo(json.dumps(value.to_dict() if isinstance(value, Record) else value, indent=1, allow_nan=False))
