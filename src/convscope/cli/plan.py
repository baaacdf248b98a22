"""`convscope plan`: how many seeds a comparison needs."""

from pathlib import Path

import click

from convscope.base.tables import printable
from convscope.cli.options import POINTS, json_option, print_json
from convscope.cli.output import echo
from convscope.runs.groups import plan_folders


@click.command()
@click.argument("folders", metavar="FOLDER...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--difference", type=POINTS, default=0.1, show_default=True, help="Difference of the mean accuracies, in points."
)
@click.option(
    "--margin", type=POINTS, help="Margin in which equally good networks are shown equal; by default --difference."
)
@json_option
def plan(folders: tuple[Path, ...], difference: float, margin: float | None, as_json: bool) -> None:
    """Say how many seeds show a difference between two networks, from a few runs of each.

    A FOLDER is an experiment or a folder of runs, as for `convscope compare`, with two groups of at least two seeds;
    three to five are a good start. The test is that of `compare`, over seeds and images, with a power of 80 %. Printed
    are also the smallest difference that any number of seeds shows on these images, the seeds that show equally good
    networks to be equal within the margin, and the time that training takes.
    """
    result, left_out = plan_folders(folders, difference / 100, None if margin is None else margin / 100)
    if as_json:
        print_json(result.to_record())
        return
    echo(str(result))
    if left_out:
        echo("\n" + "\n".join(printable(f"Left out: {line}") for line in left_out))
