"""`convscope evaluate`: measure a trained network, on its own test images or on others."""

from pathlib import Path
from typing import get_args

import click

from convscope.cli.loading import loading_options
from convscope.cli.options import json_option, print_json, run_argument
from convscope.cli.output import echo
from convscope.cli.progress import DownloadProgress
from convscope.data.datasets import LoadOptions
from convscope.runs.evaluating import EvaluationRequest, Part, evaluate_images
from convscope.runs.listeners import Listeners


@click.command()
@run_argument
@click.option("--dataset", help="Other images of the run's classes, or of some of them; by default its own data set.")
@click.option(
    "--split",
    type=click.Choice(get_args(Part)),
    help="Which images: by default test of the run's own data set, and all of another.",
)
@loading_options
@json_option
def evaluate(
    run_path: Path,
    dataset: str | None,
    split: Part | None,
    test_fraction: float | None,
    split_seed: int,
    image_size: tuple[int, int] | None,
    as_json: bool,
) -> None:
    """Measure a trained network.

    RUN is a run folder. Nothing in it is changed. Another data set may lack some of the run's classes, and need not
    have both training and test images. Classes are matched by name. --test-fraction and --split-seed count only with
    --split train or test, for data that come without a test split.
    """
    request = EvaluationRequest(dataset, split, LoadOptions(test_fraction, split_seed, image_size))
    is_own = request.is_own(run_path)
    if is_own and request.loading != LoadOptions():
        raise click.UsageError("the run's own data set is read as the run was; give other data with --dataset")
    if not is_own and split in (None, "all") and (test_fraction is not None or split_seed):
        raise click.UsageError("--test-fraction and --split-seed cut a part off; say which to measure with --split")
    with DownloadProgress(quiet=as_json) as progress:
        done = evaluate_images(run_path, request, Listeners(on_download=progress.on_progress))
    evaluation, seen = done.evaluation, done.num_trained_on
    if as_json:
        print_json(evaluation.to_dict() | ({} if is_own else {"num_trained_on": seen}))
        return
    kinds = {"all": "images, which come without splits", "train": "training images", "test": "test images"}
    counts = " and ".join(f"{len(part):,} {kinds[part.split]}" for part in done.parts)
    echo(f"Measured on {dataset or done.parts[0].name}: {counts}.")
    if seen:
        echo(f"The network was trained on {seen:,} of them, so they say little about new images.")
    echo(f"\n{evaluation}")
