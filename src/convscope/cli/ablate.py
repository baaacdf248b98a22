"""`convscope ablate`: the accuracy of a network without its parts, and of changed designs after retraining."""

import shlex
from pathlib import Path

import click

from convscope.cli.job import run_of
from convscope.cli.options import RECIPE_NAMES, json_option, print_json, run_argument
from convscope.cli.output import echo
from convscope.cli.progress import JobProgress
from convscope.runs.ablation import TOPIC, AblationRequest, Retraining, ablate_run


@click.command()
@run_argument
@click.option("--filters/--no-filters", default=True, show_default=True, help="Remove each filter by itself.")
@click.option(
    "--inputs/--no-inputs", default=True, show_default=True, help="Blank rows, borders and windows of the images."
)
@click.option("--architectures", is_flag=True, help="Retrain variants of the network, each with one change.")
@click.option("--units", is_flag=True, help="Remove units of hidden dense layers too.")
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="Number of seeds, from 0, for each retrained variant.",
)
@click.option("--recipe", default="fast", show_default=True, help=f"Recipe for retraining: {RECIPE_NAMES}.")
@click.option(
    "--executor", help="Place to retrain: local:N, dask://HOST:PORT or ray://HOST:PORT; by default this process."
)
@json_option
def ablate(
    run_path: Path,
    filters: bool,
    inputs: bool,
    architectures: bool,
    units: bool,
    seeds: int,
    recipe: str,
    executor: str | None,
    as_json: bool,
) -> None:
    """Measure the accuracy of a network without some of its parts.

    RUN is a run folder. The results are added to its ablation.json; `convscope report RUN` shows them. The test images
    choose nothing.
    """
    if not (filters or inputs or architectures):
        raise click.UsageError("nothing to measure; remove one of the --no- options, or add --architectures")
    retraining = Retraining(recipe, seeds, executor) if architectures else None
    request = AblationRequest(filters, inputs, units, retraining)
    with run_of(run_path, quiet=as_json) as (folder, splits), JobProgress(quiet=as_json) as progress:
        try:
            measured = ablate_run(folder, splits, request, progress.listeners())
        except KeyboardInterrupt:
            raise click.ClickException(
                f"interrupted; {progress.runs_done} runs are kept; run the same command to continue"
            ) from None
    if as_json:
        print_json(measured)
    else:
        again = shlex.join(["convscope", "report", str(folder.path)])
        echo(f"The results are in {folder.path / f'{TOPIC}.json'}. To show them in the report, run: {again}")
