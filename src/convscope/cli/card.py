"""`convscope card`: the model card of a run."""

from pathlib import Path

import click

from convscope.cli.job import in_options
from convscope.cli.options import json_option, print_json, run_argument
from convscope.cli.output import echo
from convscope.cli.records import CardOutput
from convscope.runs.card import write_card


@click.command()
@run_argument
@click.option("--out", type=click.Path(path_type=Path), help="File to write; by default README.md in the run.")
@click.option("--licence", metavar="ID", help="Licence of the model, as the hub calls it, such as apache-2.0.")
@click.option("--force", is_flag=True, help="Allow a file that this command did not write to be replaced.")
@json_option
def card(run_path: Path, out: Path | None, licence: str | None, force: bool, as_json: bool) -> None:
    """Write the model card of a run, a README.md for model hubs.

    RUN is a run folder. The card holds data, recipe, accuracy with intervals, limits, and how to load and reproduce the
    model, with the metadata that hubs read. Everything in it was measured before. A card that you edited is not
    replaced without --force.
    """
    try:
        path = write_card(run_path, out, licence, force=force)
    except ValueError as error:
        raise click.UsageError(in_options(str(error))) from error
    if as_json:
        print_json(CardOutput(run=str(run_path), card=str(path)))
    else:
        echo(path)
