"""`convscope report`: the page of a trained run."""

from pathlib import Path
from time import perf_counter

import click

from convscope.cli.job import run_of
from convscope.cli.options import index_option, json_option, print_json, run_argument
from convscope.cli.output import echo
from convscope.cli.records import ReportOutput
from convscope.runs.jobs import check_index
from convscope.runs.page import complete_page, load_found


@click.command()
@run_argument
@index_option
@click.option("--payload", is_flag=True, help="Print the content of the report as one JSON document and write nothing.")
@click.option("--open", "open_report", is_flag=True, help="Open the report in the browser.")
@json_option
def report(run_path: Path, index: int, payload: bool, open_report: bool, as_json: bool) -> None:
    """Rewrite the report of a trained run.

    RUN is a run folder. The report is its report.html, a single file that needs no internet connection.
    """
    start, timings = perf_counter(), dict[str, float]()
    with run_of(run_path, quiet=as_json or payload, writes=not payload) as (folder, splits):
        check_index(index, splits)
        page = complete_page(load_found(folder, splits), splits, index, timings)
        if payload:
            print_json(page.contents().payload)
            return
        path = page.write()
    timings["total"] = perf_counter() - start
    if as_json:
        print_json(ReportOutput(run=str(folder.path), report=str(path), timings={**timings}))
    else:
        echo(f"Finished in {timings['total']:.1f} s. The report is {path}")
    if open_report:
        click.launch(str(path))
