"""`convscope run`: the main job, from the data to the report."""

import shlex
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from convscope.cli.job import begun, in_options, interrupted, print_result, show_begin
from convscope.cli.options import index_option, json_option, open_trackers, print_json, training_options
from convscope.cli.output import echo
from convscope.cli.progress import JobProgress
from convscope.runs.cautions import cautions_of
from convscope.runs.pipeline import main_job
from convscope.runs.run_json import JobOptions
from convscope.runs.steps import timed


@click.command()
@training_options
@click.option("--baseline/--no-baseline", default=True, show_default=True, help="Compare with a dense network.")
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    help="Runs of each network, from --seed on; by default 5, or as many as half a minute more allows.",
)
@index_option
@click.option("--open", "open_report", is_flag=True, help="Open the report when it is written.")
@click.option("--quiet", is_flag=True, help="Print the accuracy and the path of the page and nothing else.")
@json_option
def run(
    resume: Path | None,
    baseline: bool,
    seeds: int | None,
    index: int,
    open_report: bool,
    quiet: bool,
    trackers: tuple[str, ...],
    as_json: bool,
    **asked: Any,
) -> None:
    """Train, measure, look inside, compare with a dense network, and write the report.

    All of it lands in one folder under runs/, the report as report.html. The report can be opened as soon as the
    network is trained; the other measurements are added to it one after another. Ctrl-C leaves it as it is then, and
    --resume goes on. The network that the report looks into is that of --seed; further seeds say how far its accuracy
    is luck.
    """
    timings = dict[str, float]()
    tracking = open_trackers(trackers)
    with JobProgress(quiet=as_json or quiet) as progress, ExitStack() as stack:
        with timed(timings, "load"):
            job = stack.enter_context(begun(resume, asked, JobOptions(baseline, seeds, index), progress.listeners()))
        cautions = [in_options(text) for text in cautions_of(job.folder, job.splits)]
        if not as_json and not quiet:
            show_begin(job.folder, job.splits, cautions)
        try:
            outcome = main_job(job, timings, tracking, progress.listeners())
        except KeyboardInterrupt:
            raise interrupted(job.folder, "run") from None
    if as_json:
        print_json(
            {
                "run": str(job.folder.path),
                "evaluation": outcome.evaluation.to_dict(),
                "warnings": cautions,
                "comparison": None if outcome.comparison is None else outcome.comparison.to_dict(),
                "seeds": None if outcome.seeds is None else outcome.seeds.to_dict(),
                "timings": {**timings, "memory": outcome.memory.to_dict()},
            }
        )
    elif quiet:
        echo(f"{outcome.evaluation.summary.splitlines()[0]}\n{outcome.report}")
    else:
        path = shlex.quote(str(job.folder.path))
        steps = (
            f"{timings['total']:.1f} s in all. What to do next:\n"
            f"  open the page in a browser: {outcome.report}\n"
            f"  see each class and its confusions: convscope evaluate {path}\n"
            f"  write figures for slides: convscope figures {path}\n"
            f"  measure what else its answers are worth: convscope evidence {path}"
        )
        found = outcome.seeds or outcome.comparison  # the runs from all seeds say more than one run of each
        print_result([*([] if found is None else [found.summary]), steps])
    if open_report:
        click.launch(str(outcome.report))
