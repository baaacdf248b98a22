"""`convscope run`: the main job, from the data to the report."""

import shlex
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from convscope.base.records import from_attributes
from convscope.cli.job import in_options, interrupted, open_job, print_result, show_begin
from convscope.cli.options import json_option, print_json, training_options
from convscope.cli.progress import JobProgress
from convscope.cli.records import RunOutput
from convscope.runs.cautions import cautions_of
from convscope.runs.pipeline import main_job
from convscope.runs.steps import timed
from convscope.storage.records import JobOptions


@click.command()
@training_options
@click.option("--baseline/--no-baseline", default=True, show_default=True, help="Compare with a dense network.")
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    help="Number of seeds for each network, from --seed up; by default 5, or as many as fit into half a minute.",
)
@click.option("--open", "open_report", is_flag=True, help="Open the report in the browser.")
@json_option
def run(
    resume: Path | None,
    baseline: bool,
    seeds: int | None,
    open_report: bool,
    as_json: bool,
    **arguments: Any,
) -> None:
    """Train a network, evaluate and explain it, compare it with a dense network, and write a report.

    All results are in one folder under runs/; the report is its report.html. You can open the report as soon as the
    network is trained; later measurements are added one after another. After Ctrl-C, the report stays as it is, and
    --resume continues. The report explains the network of --seed. More seeds show how much accuracy varies between
    runs.
    """
    timings = dict[str, float]()
    with JobProgress(quiet=as_json) as progress, ExitStack() as stack:
        with timed(timings, "load"):
            job = stack.enter_context(open_job(resume, arguments, JobOptions(baseline, seeds, 0), progress.listeners()))
        try:
            cautions = [in_options(text) for text in cautions_of(job.folder, job.splits)]
            if not as_json:
                show_begin(job.folder, job.splits, cautions)
            outcome = main_job(job, timings, progress.listeners())
        except KeyboardInterrupt:
            raise interrupted(job.folder, "run") from None
    if as_json:
        print_json(
            from_attributes(
                RunOutput,
                outcome,
                run=str(job.folder.path),
                warnings=tuple(cautions),
                timings={**timings, "memory": outcome.memory},
            )
        )
    else:
        path = shlex.quote(str(job.folder.path))
        steps = (
            f"Finished in {timings['total']:.1f} s. Next steps:\n"
            f"  open the report in a browser: {outcome.report}\n"
            f"  see each class and its confusions: convscope evaluate {path}\n"
            f"  write figures for slides: convscope figures {path}\n"
            f"  test the predictions further: convscope report {path} all"
        )
        found = outcome.seeds or outcome.comparison  # the runs from all seeds say more than one run of each
        print_result([*([] if found is None else [found.summary]), steps])
    if open_report:
        click.launch(str(outcome.report))
