"""`convscope run`: the main job, from the data to the report."""

import shlex
from pathlib import Path
from typing import Any

import click

from convscope.base.records import from_attributes
from convscope.cli.job import print_result, run_job
from convscope.cli.options import json_option, print_json, training_options
from convscope.cli.records import RunOutput
from convscope.runs.pipeline import main_job
from convscope.storage.records import JobOptions


@click.command()
@training_options
@click.option("--baseline/--no-baseline", default=True, help="Compare with a dense network.")
@click.option(
    "--seeds",
    type=click.IntRange(min=1),
    help="Number of seeds for each network, from --seed up; by default 5, or as many as fit into half a minute.",
)
@json_option
def run(resume: Path | None, baseline: bool, seeds: int | None, as_json: bool, **arguments: Any) -> None:
    """Train a network, evaluate and explain it, compare it with a dense network, and write a report.

    All results are in one folder under runs/; the report is its report.html. You can open the report as soon as the
    network is trained; later measurements are added one after another. After Ctrl-C, the report stays as it is, and
    --resume continues. The report explains the network of --seed. More seeds show how much accuracy varies between
    runs.
    """
    # The feature maps of test image 0; `convscope report --index` shows others.
    options = JobOptions(baseline, seeds, 0)
    path, result, cautions = run_job(resume, arguments, options, main_job, quiet=as_json)
    if as_json:
        timings = {**result.timings, "memory": result.memory}
        print_json(from_attributes(RunOutput, result, run=str(path), warnings=cautions, timings=timings))
    else:
        run_folder = shlex.quote(str(path))
        steps = (
            f"Finished in {result.timings['total']:.1f} s. Next steps:\n"
            f"  open the report in a browser: {result.report}\n"
            f"  see each class and its confusions: convscope evaluate {run_folder}\n"
            f"  write figures for slides: convscope figures {run_folder}\n"
            f"  look for wrong labels: convscope report {run_folder} audit\n"
            f"  test the predictions further: convscope report {run_folder} all\n"
            f"  classify your own pictures: convscope predict {run_folder} PICTURES"
        )
        # Runs from several seeds say more than one run of each network.
        comparison = result.seeds or result.comparison
        print_result([*([] if comparison is None else [comparison.summary]), steps])
