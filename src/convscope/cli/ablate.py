"""`convscope ablate`: what a trained network loses without its parts, and what its design loses when retrained."""

from pathlib import Path

import click

from convscope.cli.job import run_of
from convscope.cli.options import json_option, print_json, run_argument
from convscope.cli.output import echo
from convscope.cli.progress import JobProgress
from convscope.recipes import RECIPES
from convscope.runs.ablation import TOPIC, AblationRequest, Retraining, ablate_run


@click.command()
@run_argument
@click.option("--filters/--no-filters", default=True, show_default=True, help="Each filter by itself.")
@click.option("--removal/--no-removal", default=True, show_default=True, help="More and more filters at once.")
@click.option("--inputs/--no-inputs", default=True, show_default=True, help="Rows, borders, windows of the images.")
@click.option("--architectures", is_flag=True, help="Retrain the network with one thing taken out or changed.")
@click.option("--units", is_flag=True, help="Units of hidden dense layers beside filters.")
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="From how many seeds, from 0 on, to retrain.",
)
@click.option(
    "--recipe", default="fast", show_default=True, help=f"To retrain by: {', '.join(RECIPES)}, or a JSON file."
)
@click.option("--executor", help="Where to retrain: local:N, dask://HOST:PORT or ray://HOST:PORT; by default here.")
@json_option
def ablate(
    run_path: Path,
    filters: bool,
    removal: bool,
    inputs: bool,
    architectures: bool,
    units: bool,
    seeds: int,
    recipe: str,
    executor: str | None,
    as_json: bool,
) -> None:
    """Measure what a trained network loses without its parts.

    RUN is a run folder. What is measured goes to its ablation.json, beside what was measured before, and `convscope
    report RUN` puts it on the page. Nothing is chosen by the test images.
    """
    if not (filters or removal or inputs or architectures):
        raise click.UsageError("nothing to measure; leave out one of the --no- options or give --architectures")
    retraining = Retraining(recipe, seeds, executor) if architectures else None
    request = AblationRequest(filters, removal, inputs, units, retraining)
    with run_of(run_path, quiet=as_json) as (folder, splits), JobProgress(quiet=as_json) as progress:
        try:
            measured = ablate_run(folder, splits, request, progress.listeners())
        except KeyboardInterrupt:
            raise click.ClickException(
                f"interrupted; {progress.runs_done} runs are kept; the same command goes on"
            ) from None
    if as_json:
        print_json(measured)
    else:
        echo(f"Kept in {folder.path / f'{TOPIC}.json'}; on the page with: convscope report {folder.path}")
