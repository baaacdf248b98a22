"""The options that the commands that load data share."""

import re
from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from convscope.data.datasets import MAX_SIDE, LoadOptions


def _parse_size(value: str) -> tuple[int, int]:
    """Parse the height and width of a text such as 28x28."""
    match = re.fullmatch(r"([1-9]\d{0,8})[x×]([1-9]\d{0,8})", value.strip())
    if not match:
        raise click.BadParameter(f"{value!r}: give height and width, such as 28x28")
    height, width = int(match[1]), int(match[2])
    if max(height, width) > MAX_SIDE:
        raise click.BadParameter(f"{value!r}: height and width must each be {MAX_SIDE:,} pixels or less")
    return height, width


LOADING_NAMES = ("test_fraction", "image_size", "skip_damaged")
"""The parameters of `loading_options`."""


def loading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options for data without a test split, with pictures of several sizes, or with damaged pictures.

    The command takes their values as one argument `loading`.
    """

    @wraps(command)  # keeps the name and the docstring, which are the command's name and help
    def with_loading(
        *arguments: Any,
        test_fraction: float | None,
        image_size: tuple[int, int] | None,
        skip_damaged: bool,
        **others: Any,
    ) -> Any:
        loading = LoadOptions(test_fraction, image_size=image_size, skip_damaged=skip_damaged)
        return command(*arguments, loading=loading, **others)

    options = (
        click.option(
            "--test-fraction",
            type=click.FloatRange(0, 1, min_open=True, max_open=True),
            help="Fraction of each class used for testing, if the data have no test split; by default 0.2.",
        ),
        click.option(
            "--image-size",
            type=_parse_size,
            metavar="HxW",
            help="Height and width that all pictures are resized to, such as 28x28.",
        ),
        click.option("--skip-damaged", is_flag=True, help="Leave out pictures that cannot be read, and count them."),
    )
    result: Callable[..., Any] = with_loading
    for option in reversed(options):  # help lists options in the order of decorators, the last applied first
        result = option(result)
    return result
