"""What the commands that load data share: their options, and the progress bar of a download."""

import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

from convscope.cli.progress import DownloadProgress
from convscope.data.datasets import MAX_SIDE, LoadOptions, Splits
from convscope.runs.data import load_data
from convscope.storage.records import MOST_SEED

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _size(value: str) -> tuple[int, int]:
    """Return the height and width of a text such as 28x28."""
    match = re.fullmatch(r"([1-9]\d{0,8})[x×]([1-9]\d{0,8})", value.strip())
    if not match:
        raise click.BadParameter(f"{value!r}: give height and width, such as 28x28")
    height, width = int(match[1]), int(match[2])
    if max(height, width) > MAX_SIDE:
        raise click.BadParameter(f"{value!r}: height and width must each be {MAX_SIDE:,} pixels or less")
    return height, width


def loading_options(command: _Command) -> _Command:
    """Add the options for data without a test split, with pictures of several sizes, or with damaged pictures."""
    options = (
        click.option(
            "--test-fraction",
            type=click.FloatRange(0, 1, min_open=True, max_open=True),
            help="Fraction of each class used for testing, if the data have no test split; by default 0.2.",
        ),
        click.option(
            "--split-seed",
            type=click.IntRange(0, MOST_SEED),
            default=0,
            show_default=True,
            help="Random seed for choosing the test images.",
        ),
        click.option(
            "--image-size",
            type=_size,
            metavar="HxW",
            help="Height and width that all pictures are resized to, such as 28x28.",
        ),
        click.option("--skip-damaged", is_flag=True, help="Leave out pictures that cannot be read, and count them."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def load(
    name: str,
    test_fraction: float | None = None,
    split_seed: int = 0,
    image_size: tuple[int, int] | None = None,
    skip_damaged: bool = False,
    *,
    quiet: bool = False,
) -> Splits:
    """Load a data set; unless `quiet`, stderr shows the progress of a download."""
    with DownloadProgress(quiet=quiet) as progress:
        options = LoadOptions(test_fraction, split_seed, image_size, skip_damaged)
        return load_data(name, options, progress.on_progress)[1]
