"""`convscope playground`: a page on which a network is trained in the browser."""

from pathlib import Path

import click

from convscope.base.tables import printable
from convscope.cli.options import PATH
from convscope.cli.output import echo
from convscope.cli.progress import StepProgress
from convscope.runs.playground import make_playground


@click.command()
@click.option("--out", type=PATH, default="playground.html", help="HTML file to write.")
@click.option("--force", is_flag=True, help="Allow --out to replace a file.")
def playground(out: Path, force: bool) -> None:
    """Write a page on which you train a network in the browser.

    The page needs no run, no Python and no internet connection. It holds an untrained `cnn`, all training images of
    MNIST in 16 grey levels, and 1,000 test images exactly. Draw, look into every layer, and train.
    """
    with StepProgress() as progress:
        num_images = make_playground(out, progress.listeners(), force=force)
    echo(printable(f"The page is {out} ({out.stat().st_size / 1e6:.1f} MB, {num_images:,} training images)"))
