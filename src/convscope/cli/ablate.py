"""`convscope ablate`: what a trained network loses without its parts, and what its design loses when retrained."""

from pathlib import Path
from typing import Any

import click

from convscope.cli.job import run_of
from convscope.cli.options import json_option, print_json, run_argument
from convscope.cli.output import echo
from convscope.cli.progress import RunsProgress
from convscope.data.datasets import Splits
from convscope.evidence.ablation import ablate as ablate_filters
from convscope.evidence.ablation import ablate_inputs, filter_means, removal_curves
from convscope.experiment import open_executor
from convscope.experiment.architectures import ArchitectureAblation, ablate_architecture, plan_architectures
from convscope.recipes import RECIPES, Recipe
from convscope.runs.choices import recipe_for
from convscope.runs.steps import evaluate_run
from convscope.storage import RunFolder

_TOPIC = "ablation"


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
    chosen = recipe_for(recipe)
    with run_of(run_path, quiet=as_json) as (folder, splits):
        model = folder.load_model()
        evaluate_run(folder, model, splits.test)
        known = folder.read_evidence((_TOPIC,), model)
        measured = {"weights_sha256": model.weights_sha256, **known.get(_TOPIC, {})}

        def keep(values: dict[str, Any], shown: object) -> None:
            measured.update(values)
            folder.write_evidence(_TOPIC, measured, model)
            if not as_json:
                echo(f"{shown}\n")

        means = filter_means(model, splits.test.images) if filters or removal else None
        if filters:
            single = ablate_filters(model, splits.test, units=units, means=means)
            keep(single.to_dict(), single)
        if removal:
            curves = removal_curves(model, splits, units=units, means=means)
            keep({"removal": curves.to_dict()}, curves)
        if inputs:
            blanked = ablate_inputs(model, splits)
            keep({"inputs": blanked.to_dict()}, blanked)
        if architectures:
            retrained = _retrain(folder, splits, chosen, seeds, executor, quiet=as_json)
            keep(retrained.to_dict(), retrained)
        if as_json:
            print_json(measured)
        else:
            echo(f"Kept in {folder.path / f'{_TOPIC}.json'}; on the page with: convscope report {folder.path}")


def _retrain(
    folder: RunFolder, splits: Splits, recipe: Recipe, seeds: int, executor: str | None, *, quiet: bool
) -> ArchitectureAblation:
    network, record = folder.architecture, folder.record
    plan = plan_architectures(network, splits, seeds)
    if not quiet:
        echo(
            f"Training {network.name} and {len(plan.variants)} variants from {seeds} seed{'' if seeds == 1 else 's'}: "
            f"{plan.num_runs} runs by recipe {recipe.name}, about {plan.times:.0f} times the multiply-adds of one "
            f"training of {network.name}"
        )
    progress = RunsProgress(plan.num_runs, quiet=quiet)
    try:
        with open_executor(executor) as workers:
            return ablate_architecture(
                network,
                splits,
                recipe,
                range(seeds),
                dataset=record["dataset"]["argument"],
                engine=record["engine"],
                folder=folder.place("architectures"),
                executor=workers,
                on_result=progress.on_result,
            )
    except KeyboardInterrupt:
        raise click.ClickException(f"interrupted; {progress.done} runs are kept; the same command goes on") from None
    finally:
        progress.close()
