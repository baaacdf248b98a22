"""`convscope compare`: runs and groups of runs on the same test images."""

from pathlib import Path

import click

from convscope.base.tables import printable
from convscope.cli.options import json_option, print_json
from convscope.cli.output import echo
from convscope.evidence.comparison.several import Pairs
from convscope.runs.groups import compare_folders


@click.command()
@click.argument("folders", metavar="FOLDER...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--pairs",
    type=click.Choice(["all", "first"]),
    default="all",
    show_default=True,
    help="Compare every two groups, or each with the first.",
)
@json_option
def compare(folders: tuple[Path, ...], pairs: Pairs, as_json: bool) -> None:
    """Compare runs, or groups of runs over seeds, on the same test images.

    A FOLDER is a run, a folder with runs in it, or an experiment. The runs of one FOLDER that share data, architecture
    and recipe are a group, and their seeds tell luck from merit. Prints for each pair the difference of accuracy and
    the ratio of errors with 95 % intervals, and a p-value: for one run each that of McNemar's exact test, else that of
    a t-test over seeds and images. For several pairs the p-values are corrected by Holm's rule.
    """
    result, left_out = compare_folders(folders, pairs)
    if as_json:
        print_json({**result.to_dict(), "left_out": left_out})
        return
    echo(str(result))
    if left_out:
        echo("\n" + "\n".join(printable(f"Left out: {line}") for line in left_out))
