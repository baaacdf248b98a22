"""`convscope report`: the page of a trained run, and the measurements that it shows."""

import shlex
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import click

from convscope.cli.hints import Choice
from convscope.cli.job import in_options, open_run_with_data
from convscope.cli.options import executor_option, index_option, json_option, print_json, run_argument
from convscope.cli.output import echo
from convscope.cli.progress import JobProgress
from convscope.cli.records import ReportOutput
from convscope.runs.pipeline import ALL, VARIANTS, report_job
from convscope.runs.topics import MEASURED


@click.command(epilog=f"A TOPIC is one of {', '.join((*MEASURED, VARIANTS, ALL))}.")
@run_argument
@click.argument("topics", metavar="[TOPIC]...", nargs=-1, type=Choice((*MEASURED, VARIANTS, ALL)))
@index_option
@executor_option
@click.option("--payload", is_flag=True, help="Print the content of the report as one JSON document and write nothing.")
@json_option
def report(
    run_path: Path, topics: tuple[str, ...], index: int, executor: str | None, payload: bool, as_json: bool
) -> None:
    """Measure how far a run's predictions can be trusted, and rewrite its report.

    RUN is a run folder. The report is its report.html, a single file that needs no internet connection. Without a TOPIC
    only the page is written. Named topics are measured again. `all` measures those that are missing, except
    architectures, which trains variants of the network from five seeds. Each topic has its own JSON file. The test
    images choose nothing.

    Calibration and rejection need images that the network was not trained on, and the audit needs out-of-fold
    predictions. Unless the run held images out, five networks like it are trained for this, each on four fifths of the
    images. If the run started from another network (--from), they start from it too. Calibration and rejection are left
    out if that network was trained on the same images, or if the network was imported, since its training images are
    unknown; the audit, whose networks start from random weights then, is not.
    """
    if payload and topics:
        raise click.UsageError("--payload writes nothing, so nothing is measured; leave the topics out")
    start, timings = perf_counter(), dict[str, float]()
    with (
        # `--payload` also works on a run that others only may read.
        open_run_with_data(run_path, quiet=as_json or payload, writes=not payload) as (folder, splits),
        JobProgress(quiet=as_json or payload) as progress,
    ):
        listeners = replace(progress.listeners(), on_left_out=_print_left_out)
        try:
            measured, page = report_job(folder, splits, topics, index, executor, timings, listeners)
        except KeyboardInterrupt:
            # Without topics only the page is written, which starts again.
            if not topics:
                raise
            # `all` leaves out the finished topics; it does not include the variants, whose finished runs are kept.
            raise click.ClickException(
                "interrupted; finished topics and runs are kept; to continue, run: "
                + shlex.join(["convscope", "report", str(folder.path), *(topics if VARIANTS in topics else [ALL])])
            ) from None
        if payload:
            print_json(page.contents().payload)
            return
        path = page.write()
    timings["total"] = perf_counter() - start
    if as_json:
        print_json(ReportOutput(run=str(folder.path), evidence=measured, report=str(path), timings={**timings}))
    else:
        echo(f"Finished in {timings['total']:.1f} s. The report is {path}")
        if page.cleaner is not None and topics:
            echo(f"Keep, change or drop the suspect labels in {page.cleaner}; suspects.csv lists them")


def _print_left_out(sentence: str) -> None:
    echo(in_options(f"Left out: {sentence}"), err=True)
