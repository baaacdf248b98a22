"""`convscope evaluate`: a trained network on its own test images or on others."""

import shlex
from pathlib import Path
from typing import get_args

import click
from msgspec import UNSET

from convscope.base.records import from_attributes
from convscope.cli.hints import Choice
from convscope.cli.loading import loading_options
from convscope.cli.options import json_option, print_json, run_argument, views_option
from convscope.cli.output import echo
from convscope.cli.progress import StepProgress
from convscope.cli.records import EvaluateOutput
from convscope.data.datasets import LoadOptions
from convscope.runs.evaluating import EvaluationRequest, Part, evaluate_images


@click.command()
@run_argument
@click.option(
    "--dataset", help="Data set to evaluate on, with some or all of the run's classes; by default the run's own."
)
@click.option(
    "--split",
    type=Choice(get_args(Part)),
    help="Images to evaluate on; by default test for the run's own data set, and all for another.",
)
@loading_options
@views_option
@json_option
def evaluate(
    run_path: Path, dataset: str | None, split: Part | None, loading: LoadOptions, views: int, as_json: bool
) -> None:
    """Evaluate a trained network on test images or on other data.

    RUN is a run folder, or with --dataset a model.safetensors; it is not changed. Another data set may lack some of
    the run's classes, and may have only training or only test images. Classes are matched by name. Photos and other
    pictures that are not of the network's size are prepared as predict does. --test-fraction
    applies only to data without a test split, with --split train or test. --views takes as many times as long; choose
    it by other images than those that are reported.
    """
    request = EvaluationRequest(dataset, split, loading, views)
    is_own = request.is_own(run_path)
    # These options would have no effect, so the user must have meant something else.
    if is_own and request.loading != LoadOptions():
        raise click.UsageError("these options do not apply to the run's own data set; name other data with --dataset")
    if not is_own and split in (None, "all") and loading.test_fraction is not None:
        raise click.UsageError("--test-fraction needs --split train or --split test")
    with StepProgress(quiet=as_json) as progress:
        result = evaluate_images(run_path, request, progress.listeners())
    evaluation, seen = result.evaluation, result.num_trained_on
    if as_json:
        # Left out for the run's own data, whose splits say it: None would mean that it is unknown.
        num_trained_on = UNSET if is_own else seen
        print_json(from_attributes(EvaluateOutput, evaluation.to_record(), num_trained_on=num_trained_on))
        return
    kinds = {"all": "images without splits", "train": "training images", "test": "test images"}
    counts = " and ".join(f"{len(part):,} {kinds[part.split]}" for part in result.parts)
    echo(f"Evaluated on {dataset or result.parts[0].name}: {counts}.")
    if result.are_prepared:
        num_pictures, shape = sum(map(len, result.parts)), " × ".join(map(str, result.parts[0].image_shape))
        were_prepared = "picture was prepared" if num_pictures == 1 else "pictures were prepared"
        echo(
            f"{num_pictures:,} {were_prepared} as by convscope predict, which makes them {shape} "
            "(height × width × channels)."
        )
    if seen:
        echo(
            f"The network was trained on {seen:,} of these images, so the result does not show how it does on new ones."
        )
    echo(f"\n{evaluation}")
    if dataset and evaluation.mistakes and result.parts[0].files and Path(dataset).is_dir():
        echo(f"\nTo list the mistakes by file, run: convscope predict {shlex.join((str(run_path), dataset))}")
