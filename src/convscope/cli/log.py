"""`convscope log`: finished or unfinished runs and experiments into MLflow or TensorBoard."""

from pathlib import Path

import click

from convscope.base.tables import without_passwords
from convscope.cli.options import PATH
from convscope.cli.output import echo
from convscope.runs.tracking import find_runs, log_run, open_tracker


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True, type=PATH)
@click.option(
    "--to",
    "trackers",
    metavar="TRACKER",
    multiple=True,
    required=True,
    help="Tracker to log to, mlflow:URI or tensorboard:DIR; repeatable.",
)
def log(runs: tuple[Path, ...], trackers: tuple[str, ...]) -> None:
    """Log trained runs to MLflow or TensorBoard.

    RUN is a run folder, finished or not, or the folder of an experiment, which stands for all of its runs. The command
    logs parameters, the metrics of each epoch, results, the report and the model, also for the baseline and for further
    seeds. Figures are logged too if `convscope figures RUN` wrote them before. A run that was logged before is updated.
    """
    for spec in trackers:
        # Before any run is read: a tracker that cannot be used is an error at once.
        open_tracker(spec)
    paths = [run for path in runs for run in find_runs(path)]
    for path in paths:
        for spec in trackers:
            log_run(path, spec)
            echo(f"{path}: logged to {without_passwords(spec)}")
