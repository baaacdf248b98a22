"""`convscope evaluate`: measure a trained network, on its own test images or on others."""

from pathlib import Path

import click

from convscope.checkpoint import load_model
from convscope.cli import job
from convscope.cli.loading import load
from convscope.cli.options import json_option, print_json, run_argument
from convscope.cli.output import echo
from convscope.errors import DatasetError


@click.command()
@run_argument
@click.option("--dataset", help="Other data of the same size and classes; by default those of the run.")
@click.option("--split", type=click.Choice(["test", "train"]), default="test", show_default=True, help="Which images.")
@json_option
def evaluate(run_path: Path, dataset: str | None, split: str, as_json: bool) -> None:
    """Measure a trained network.

    RUN is a run folder. Nothing in it is changed.
    """
    folder, splits = job.resume_run(run_path, writes=False)
    model = load_model(folder.path)
    if dataset is not None:
        splits = load(dataset, quiet=as_json)
        if splits.image_shape != model.architecture.input.shape or splits.class_names != model.class_names:
            raise DatasetError(
                f"{dataset}: images {splits.image_shape} of {_listed(splits.class_names)}, but {run_path} reads "
                f"{model.architecture.input.shape} of {_listed(model.class_names)}; give data like the run's"
            )
    evaluation = job.evaluate_run(folder, model, splits.train if split == "train" else splits.test)
    if as_json:
        print_json(evaluation.to_dict())
    else:
        echo(str(evaluation))


def _listed(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:10])
    return f"{shown} and {len(names) - 10} more" if len(names) > 10 else shown
