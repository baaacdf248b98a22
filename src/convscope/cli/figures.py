"""`convscope figures`: figures of a run as files, for slides and papers."""

from pathlib import Path
from typing import get_args

import click

from convscope.base.figure_style import FigureFormat, FigureStyle, Theme
from convscope.cli.hints import Choice
from convscope.cli.job import run_of
from convscope.cli.options import index_option, json_option, print_json, run_argument
from convscope.cli.output import echo
from convscope.cli.records import FiguresOutput
from convscope.runs.jobs import check_index
from convscope.runs.page import load_found, write_run_figures


@click.command()
@run_argument
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option(
    "--format",
    "kind",
    type=Choice(get_args(FigureFormat)),
    default="png",
    show_default=True,
    help="File format.",
)
@click.option(
    "--theme", type=Choice(get_args(Theme)), default="light", show_default=True, help="Colours of the figures."
)
@click.option(
    "--dpi",
    type=click.IntRange(18, 1200),
    default=144,
    show_default=True,
    help="Resolution of PNG files in dots per inch; at 72 a figure is as wide as on the page.",
)
@click.option("--transparent", is_flag=True, help="Leave the background clear.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder for the files; by default figures/ in the run.")
@index_option
@json_option
def figures(
    run_path: Path,
    names: tuple[str, ...],
    kind: FigureFormat,
    theme: Theme,
    dpi: int,
    transparent: bool,
    out: Path | None,
    index: int,
    as_json: bool,
) -> None:
    """Write figures of a run as PNG, SVG or PDF, for slides and papers.

    RUN is a run folder. NAME is a figure such as confusion-matrix, diagram or training-accuracy; without a NAME all
    figures are written. The same run gives the same bytes.
    """
    with run_of(run_path, quiet=as_json, writes=out is None) as (folder, splits):
        check_index(index, splits)
        style = FigureStyle(kind, theme, dpi, transparent)
        paths = write_run_figures(load_found(folder, splits), splits, index, names, style, out)
    if as_json:
        print_json(FiguresOutput(run=str(folder.path), figures=tuple(map(str, paths))))
        return
    for path in paths:
        echo(path)
