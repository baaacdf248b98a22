"""Options that several commands share, and what their values stand for."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from convscope.architecture.presets import PRESETS
from convscope.base.tables import printable
from convscope.cli.loading import loading_options
from convscope.cli.output import echo
from convscope.engine import ENGINES
from convscope.recipes import PRECISIONS, RECIPES
from convscope.recipes.presets import DEFAULT_RECIPE
from convscope.runs.jobs import PRESET
from convscope.runs.tracking import Trackers, open_tracker
from convscope.storage.run_folder import MOST_SEED

_Command = TypeVar("_Command", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")
run_argument = click.argument("run_path", metavar="RUN", type=click.Path(path_type=Path))
index_option = click.option(
    "--index", type=click.IntRange(min=0), default=0, show_default=True, help="Test image whose feature maps are shown."
)

class_weights_option = click.option(
    "--class-weights",
    type=click.Choice(["none", "balanced"]),
    help="In place of the recipe's: balanced counts every class alike in the loss, however many images it has.",
)
precision_option = click.option("--precision", type=click.Choice(PRECISIONS), help="In place of the recipe's.")

log_option = click.option(
    "--log",
    "trackers",
    metavar="TRACKER",
    multiple=True,
    help="Log what is trained as it goes to mlflow:URI or tensorboard:DIR; may be given several times.",
)


def training_options(command: _Command) -> _Command:
    """Add what `run` and `train` are told: data, network, recipe, seed, engine and place."""
    options = (
        click.option("--dataset", default="mnist", show_default=True, help="Name of a data set, or a file or folder."),
        loading_options,
        click.option(
            "--architecture",
            help=f"{', '.join(PRESETS)}, or a JSON file (also run.json of a run); by default {PRESET}, with --from "
            "that of the run.",
        ),
        click.option(
            "--from",
            "start",
            type=click.Path(path_type=Path),
            metavar="RUN",
            help="Start from the model of a run, for the same classes or others, and not from random weights.",
        ),
        click.option(
            "--new-output",
            is_flag=True,
            help="With --from: start all outputs at random; by default those of classes of the same name are kept.",
        ),
        click.option(
            "--recipe",
            default=DEFAULT_RECIPE,
            show_default=True,
            help=f"{', '.join(RECIPES)}, or a JSON file (also run.json of a run).",
        ),
        click.option("--epochs", type=int, help="In place of the recipe's; with --patience the most."),
        click.option(
            "--validation-fraction",
            type=float,
            help="Of the training images, held out and measured after each epoch in place of the test images.",
        ),
        click.option(
            "--patience",
            type=int,
            help="Stop after so many epochs without a better val_loss and keep the best epoch's weights.",
        ),
        class_weights_option,
        precision_option,
        click.option(
            "--seed", type=click.IntRange(0, MOST_SEED), default=0, show_default=True, help="Of all randomness."
        ),
        click.option(
            "--engine", type=click.Choice(ENGINES), default="native", show_default=True, help="What computes."
        ),
        click.option("--threads", type=click.IntRange(min=1), help="Of the engine; by default one a core."),
        click.option(
            "--out",
            type=click.Path(path_type=Path),
            help="Folder for the results; by default a new one under runs/.",
        ),
        click.option("--resume", type=click.Path(path_type=Path), metavar="RUN", help="Go on with a stopped run."),
        log_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


def open_trackers(specs: tuple[str, ...]) -> Trackers:
    """Return the trackers that `specs` name; one that fails later costs a line on stderr and not the run."""
    trackers = [open_tracker(spec) for spec in specs]
    return Trackers(trackers, lambda text: echo(f"Warning: {printable(text)}", err=True))


def print_json(value: Any) -> None:
    """Print `value` as one JSON document on stdout."""
    echo(json.dumps(value, indent=1, allow_nan=False))
