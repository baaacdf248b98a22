"""`convscope plan`: how many seeds a comparison needs."""

from pathlib import Path

import click

from convscope.cli.options import POINTS, json_option, print_json
from convscope.cli.output import echo
from convscope.runs.comparing import plan_folders


@click.command()
@click.argument("folders", metavar="FOLDER...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--difference", type=POINTS, default=0.1, show_default=True, help="Difference of the mean accuracies, in points."
)
@click.option(
    "--margin", type=POINTS, help="Margin in which equally good networks are shown equal; by default --difference."
)
@click.option(
    "--looks",
    type=click.IntRange(1, 3),
    default=1,
    show_default=True,
    help="Number of comparisons while seeds are added.",
)
@click.option("--out", type=click.Path(path_type=Path), help="File for the plan, for `convscope experiment --plan`.")
@json_option
def plan(
    folders: tuple[Path, ...], difference: float, margin: float | None, looks: int, out: Path | None, as_json: bool
) -> None:
    """Say how many seeds show a difference between two networks, from a few runs of each.

    A FOLDER is an experiment or a folder of runs, as for `convscope compare`, with two groups of at least two seeds;
    three to five are a good start. The test is that of `compare`, over seeds and images, with a power of 80 %. Printed
    are also the smallest difference that any number of seeds shows on these images, the seeds that show equally good
    networks to be equal within the margin, and the time that training takes.

    With --out the plan is kept: `convscope experiment --plan FILE` trains its networks with its seeds, which the pilot
    did not use, and `convscope compare` says whether it was followed. With --looks 2 or 3 the networks are compared
    as often while seeds are added, each time at a level that keeps false findings at 5 % in all (Pocock 1977).
    """
    done = plan_folders(folders, difference / 100, None if margin is None else margin / 100, looks, out)
    if as_json:
        print_json(done.result.to_record())
    else:
        echo(str(done))
