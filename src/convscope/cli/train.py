"""`convscope train`: one network, trained and evaluated."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from convscope.cli.job import in_options, interrupted, open_job, print_result, show_begin
from convscope.cli.options import json_option, print_json, training_options
from convscope.cli.output import echo
from convscope.cli.progress import JobProgress
from convscope.cli.records import TrainOutput
from convscope.runs.cautions import cautions_of
from convscope.runs.pipeline import train_job
from convscope.runs.steps import timed


@click.command()
@training_options
@json_option
def train(resume: Path | None, as_json: bool, **arguments: Any) -> None:
    """Train and evaluate a network.

    The run folder holds the model, its training history and its evaluation. `convscope report` adds figures and a
    report.
    """
    timings = dict[str, float]()
    with JobProgress(quiet=as_json) as progress, ExitStack() as stack:
        with timed(timings, "load"):
            job = stack.enter_context(open_job(resume, arguments, None, progress.listeners()))
        try:
            cautions = [in_options(text) for text in cautions_of(job.folder, job.splits)]
            if not as_json:
                show_begin(job.folder, job.splits, cautions)
            outcome = train_job(job, timings, progress.listeners())
        except KeyboardInterrupt:
            raise interrupted(job.folder, "train") from None
    if as_json:
        print_json(
            TrainOutput(
                run=str(job.folder.path),
                evaluation=outcome.evaluation.to_record(),
                warnings=tuple(cautions),
                timings={**timings, "memory": outcome.memory},
            )
        )
    else:
        print_result([outcome.evaluation, f"Memory: {outcome.memory}"])
        echo(f"Finished in {timings['total']:.1f} s. The run is in {job.folder.path}")
