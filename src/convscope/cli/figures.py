"""`convscope figures`: figures of a run as files, for slides and papers."""

from pathlib import Path
from typing import get_args

import click

from convscope.base.figure_style import FigureFormat, FigureStyle, Theme
from convscope.cli.hints import Choice
from convscope.cli.job import open_run_with_data
from convscope.cli.options import PATH, run_argument
from convscope.cli.output import echo
from convscope.runs.page import write_run_figures


@click.command()
@run_argument
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--format", "kind", type=Choice(get_args(FigureFormat)), default="png", help="File format.")
@click.option("--theme", type=Choice(get_args(Theme)), default="light", help="Colours of the figures.")
@click.option("--out", type=PATH, help="Folder for the files; by default figures/ in the run.")
def figures(run_path: Path, names: tuple[str, ...], kind: FigureFormat, theme: Theme, out: Path | None) -> None:
    """Write figures of a run as PNG, SVG or PDF, for slides and papers.

    RUN is a run folder. NAME is a figure such as confusion-matrix, mistakes or training-accuracy; without a NAME all
    figures are written. The same run gives the same bytes.
    """
    # Only figures inside the run need its lock.
    with open_run_with_data(run_path, writes=out is None) as (folder, splits):
        paths = write_run_figures(folder, splits, 0, names, FigureStyle(kind, theme), out)  # 0: the test image
    for path in paths:
        echo(path)
