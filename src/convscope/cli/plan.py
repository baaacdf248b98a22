"""`convscope plan`: how many seeds a comparison needs."""

from pathlib import Path

import click
from click.core import ParameterSource

from convscope.architecture.presets import PRESETS
from convscope.cli.options import PATH, POINTS, dataset_option, folders_argument, json_option, print_json
from convscope.cli.output import echo, format_command
from convscope.cli.progress import JobProgress
from convscope.data.datasets import LoadOptions
from convscope.runs.comparing import plan_folders
from convscope.runs.experiments import ExperimentRequest, train_pilot


@click.command()
@folders_argument
@dataset_option
@click.option("--difference", type=POINTS, default=0.1, help="Difference of the mean accuracies, in points.")
@click.option(
    "--margin", type=POINTS, help="Margin in which equally good networks are shown equal; by default --difference."
)
@click.option("--looks", type=click.IntRange(1, 3), default=1, help="Number of comparisons while seeds are added.")
@click.option("--out", type=PATH, help="File for the plan, for `convscope experiment --plan`.")
@json_option
@click.pass_context
def plan(
    context: click.Context,
    folders: tuple[Path, ...],
    dataset: str,
    difference: float,
    margin: float | None,
    looks: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Say how many seeds show a difference between two networks, from a few runs of each.

    A FOLDER is an experiment or a folder of runs, as for `convscope compare`, with two groups of at least two seeds;
    three to five are a good start. In place of folders, name two architectures, each a preset or JSON file: two to five
    seeds of both are trained first, in about a minute. The test is that of `compare`, over seeds and images, with a
    power of 80 %. Printed are also the smallest difference that any number of seeds shows on these images, the seeds
    that show equally good networks to be equal within the margin, and the time that training takes.

    With --out the plan is kept: `convscope experiment --plan FILE` trains its networks with its seeds, which the pilot
    did not use, and `convscope compare` says whether it was followed. With --looks 2 or 3 the networks are compared
    as often while seeds are added, each time at a level that keeps false findings at 5 % in all (Pocock 1977).
    """
    # Two names of presets or files: a folder is one of runs, even if it has the name of a preset.
    is_architecture = [not name.is_dir() and (str(name) in PRESETS or name.suffix == ".json") for name in folders]
    if len(folders) == 2 and all(is_architecture):
        # Without recipes, each preset is trained with its own; `train_pilot` chooses the seeds.
        request = ExperimentRequest(dataset, LoadOptions(), [*map(str, folders)], (), (), command=format_command())
        with JobProgress(quiet=as_json) as progress:
            folders = (train_pilot(request, progress.listeners()),)
    elif context.get_parameter_source("dataset") is not ParameterSource.DEFAULT:
        raise click.UsageError("--dataset is for two architectures; a FOLDER already has its data")
    result = plan_folders(folders, difference / 100, None if margin is None else margin / 100, looks, out)
    if as_json:
        print_json(result.result.to_record())
    else:
        echo(str(result))
