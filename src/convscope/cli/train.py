"""`convscope train`: one network, trained and evaluated."""

import shlex
from pathlib import Path
from typing import Any

import click

from convscope.cli.job import print_result, run_job
from convscope.cli.options import json_option, print_json, training_options
from convscope.cli.output import echo
from convscope.runs.pipeline import train_job
from convscope.training.memory import Timings


@click.command()
@training_options
@json_option
def train(resume: Path | None, as_json: bool, **arguments: Any) -> None:
    """Train and evaluate a network.

    The run folder holds the model, its training history and its evaluation. `convscope report` adds figures and a
    report.
    """
    path, result, cautions = run_job(resume, arguments, None, train_job, quiet=as_json)
    if as_json:
        from convscope.cli.records import TrainOutput  # with the records of all commands, which take time to load

        evaluation = result.evaluation.to_record()
        timings: Timings = {**result.timings, "memory": result.memory}
        print_json(TrainOutput(run=str(path), evaluation=evaluation, warnings=cautions, timings=timings))
    else:
        print_result([result.evaluation, f"Memory: {result.memory}"])
        echo(f"Finished in {result.timings['total']:.1f} s. The run is in {path}. Next steps:")
        run_folder = shlex.quote(str(path))
        echo(f"  write its page: convscope report {run_folder}")
        echo(f"  look for wrong labels: convscope report {run_folder} audit")
        echo(f"  classify your own pictures: convscope predict {run_folder} PICTURES")
