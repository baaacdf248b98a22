"""`convscope compare`: runs and groups of runs on the same test images."""

from pathlib import Path

import click

from convscope.cli.hints import Choice
from convscope.cli.options import POINTS, folders_argument, json_option, print_json
from convscope.cli.output import echo
from convscope.evidence.comparison.several_groups import Pairs
from convscope.runs.comparing import compare_folders


@click.command()
@folders_argument
@click.option(
    "--pairs",
    type=Choice(["all", "first"]),
    default="all",
    help="Pairs to compare: all of them, or each group with the first.",
)
@click.option("--margin", type=POINTS, help="Difference in points below which groups count as equivalent, such as 0.1.")
@json_option
def compare(folders: tuple[Path, ...], pairs: Pairs, margin: float | None, as_json: bool) -> None:
    """Compare runs, or groups of runs over seeds, on the same test images.

    A FOLDER is a run, a folder of runs, or an experiment. Runs in one FOLDER with the same data, architecture and
    recipe form a group. Several seeds per group show how much accuracy varies between runs. For each pair the command
    prints the difference in accuracy and the ratio of errors, with 95 % intervals and a p-value. The test is McNemar's
    exact test for single runs, and a t-test over seeds and images for groups. With several pairs, the p-values are
    adjusted by Holm's method. With --margin it also says which groups are equivalent, by the 95 % interval of their
    difference. Of an experiment it says whether its plan was followed (see `convscope plan`), or whether there were
    results with fewer seeds before: looking at results until they are significant finds differences that are not there.
    """
    comparison = compare_folders(folders, pairs, None if margin is None else margin / 100)
    if as_json:
        print_json(comparison.to_record())
    else:
        echo(str(comparison))
