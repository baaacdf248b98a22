"""`convscope diff`: two networks side by side, whichever programs wrote them."""

from pathlib import Path

import click

from convscope.cli.options import PATH, json_option, print_json
from convscope.cli.output import echo
from convscope.cli.progress import JobProgress
from convscope.runs.difference import compare_files


@click.command()
@click.argument("a", metavar="A", type=PATH)
@click.argument("b", metavar="B", type=PATH)
@click.option("--dataset", help="Data set whose test images both read; by default that of a run, or random images.")
@click.option("--out", type=PATH, help="HTML page to write.")
@json_option
def diff(a: Path, b: Path, dataset: str | None, out: Path | None, as_json: bool) -> None:
    """Compare two networks layer by layer: structure, weights, outputs on the same images, and answers.

    A and B are run folders, or files of any format that `convscope import` reads. Layers are matched in their order,
    whatever they are called; a batch normalisation counts as part of the layer before it. Where answers change, a table
    says which layer's weights change them: an 8-bit file names the layers to keep in float. What such a file rounds
    between layers is not repeated.
    """
    with JobProgress(quiet=as_json) as progress:
        result = compare_files(a, b, dataset, out, progress.listeners())
    if as_json:
        print_json(result)
        return
    echo(str(result))
    if out is not None:
        echo(f"\nThe page is {out}")
