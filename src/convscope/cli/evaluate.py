"""`convscope evaluate`: measure a trained network, on its own test images or on others."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import click

from convscope.base.errors import DatasetError, DivergedError, RunError
from convscope.cli.job import run_of
from convscope.cli.loading import loading_options
from convscope.cli.options import json_option, print_json, run_argument
from convscope.cli.output import echo
from convscope.cli.progress import DownloadProgress
from convscope.data.datasets import Dataset, LoadOptions, load_for_classes
from convscope.evidence.evaluation import evaluate_together
from convscope.experiment import argument_of
from convscope.storage import RunFolder, load_model, load_trained_on, open_run
from convscope.training.model import Model

_Split = Literal["all", "train", "test"]


@click.command()
@run_argument
@click.option("--dataset", help="Other images of the run's classes, or of some of them; by default its own data set.")
@click.option(
    "--split",
    type=click.Choice(get_args(_Split)),
    help="Which images: by default test of the run's own data set, and all of another.",
)
@loading_options
@json_option
def evaluate(
    run_path: Path,
    dataset: str | None,
    split: _Split | None,
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
    folder = open_run(run_path)
    is_own = dataset is None or argument_of(dataset) == folder.record["dataset"]["argument"]
    if is_own and (test_fraction is not None or split_seed or image_size is not None):
        raise click.UsageError("the run's own data set is read as the run was; give other data with --dataset")
    model = load_model(folder.path)
    if is_own:
        split = split or "test"
        with run_of(run_path, quiet=as_json, writes=False) as (folder, splits):
            chosen = [part for part in (splits.train, splits.test) if split in ("all", part.split)]
    else:
        split = split or "all"
        if split == "all" and (test_fraction is not None or split_seed):
            raise click.UsageError("--test-fraction and --split-seed cut a part off; say which to measure with --split")
        with DownloadProgress(quiet=as_json) as progress:
            chosen = load_for_classes(
                dataset or "",
                model.class_names,
                split,
                test_fraction=test_fraction,
                seed=split_seed,
                image_size=image_size or _recorded_size(folder),
                on_progress=progress.on_progress,
            )
    shape = chosen[0].image_shape
    if shape != model.architecture.input.shape:
        height, width, channels = model.architecture.input.shape
        raise DatasetError(
            f"{dataset or chosen[0].name}: has images of {shape}, but {run_path} reads "
            f"({height}, {width}, {channels}); bring pictures to its size with --image-size {height}x{width}, or give "
            "others"
        )
    try:
        evaluation = evaluate_together(model, chosen, split)
    except DivergedError as error:
        raise RunError(f"{folder.path}: {error}") from error
    seen = None if is_own else _seen(folder, model, chosen)
    if as_json:
        print_json(evaluation.to_dict() | ({} if is_own else {"num_trained_on": seen}))
        return
    kinds = {"all": "images, which come without splits", "train": "training images", "test": "test images"}
    counts = " and ".join(f"{len(part):,} {kinds[part.split]}" for part in chosen)
    echo(f"Measured on {dataset or chosen[0].name}: {counts}.")
    if seen:
        echo(f"The network was trained on {seen:,} of them, so they say little about new images.")
    echo(f"\n{evaluation}")


def _recorded_size(folder: RunFolder) -> tuple[int, int] | None:
    """Return the size to which the run's own images were brought, if they were."""
    return LoadOptions.from_dict(folder.record["dataset"].get("options", {}), RunError).image_size


def _seen(folder: RunFolder, model: Model, parts: Sequence[Dataset]) -> int | None:
    """Return how many of the images the network was trained on; None: nobody knows."""
    known = load_trained_on(folder.path, model)
    return None if known is None else sum(int(known.includes(part).sum()) for part in parts)
