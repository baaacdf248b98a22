"""`convscope train`: one network, trained and measured."""

from pathlib import Path
from typing import Any

import click

from convscope.cli import job
from convscope.cli.cautions import cautions_of, show_cautions
from convscope.cli.options import json_option, open_trackers, print_json, training_options
from convscope.cli.output import echo
from convscope.cli.resume import begin


@click.command()
@training_options
@json_option
def train(resume: Path | None, trackers: tuple[str, ...], as_json: bool, **asked: Any) -> None:
    """Train a network and measure it.

    The run folder then holds the model, its history and its evaluation; `convscope report` adds the pictures.
    """
    timings = dict[str, float]()
    tracking = open_trackers(trackers)
    with job.timed(timings, "load"):
        folder, splits, _ = begin(resume, asked, None)
    job.follow(folder, tracking)
    cautions = cautions_of(folder, splits)
    if not as_json:
        echo(job.describe(folder.architecture, splits, folder))
        show_cautions(cautions)
    try:
        model, _ = job.train_run(folder, splits, timings, "train", tracking, quiet=as_json)
        memory = job.memory_of(folder, splits)
        with job.timed(timings, "evaluate"):
            evaluation = job.measure_run(folder, model, splits)
    except KeyboardInterrupt:
        raise job.interrupted(folder, "train") from None
    timings["total"] = sum(timings.values())
    folder.write("timings.json", {**timings, "memory": memory.to_dict()})
    folder.finish()
    if as_json:
        print_json(
            {
                "run": str(folder.path),
                "evaluation": evaluation.to_dict(),
                "warnings": cautions,
                "timings": {**timings, "memory": memory.to_dict()},
            }
        )
    else:
        job.print_result([evaluation, f"Memory: {memory}"])
        echo(f"{timings['total']:.1f} s in all; the run is in {folder.path}")
