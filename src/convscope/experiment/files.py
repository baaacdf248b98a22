"""Write the files of an experiment: JSON, a table as text, and groups and runs as CSV."""

from pathlib import Path

from convscope.base.files import write_text
from convscope.base.records import write
from convscope.base.tables import csv_line
from convscope.experiment.experiment import Experiment

# Columns of `runs.csv`: attributes of a `RunResult`. Two columns from its history follow them.
_COLUMNS = (
    "architecture", "recipe", "name", "seed", "accuracy", "loss", "seconds", "num_images", "parameters", "macs",
    "weights_sha256", "digest",
)  # fmt: skip


def write_experiment(experiment: Experiment, folder: Path | str) -> None:
    """Write `experiment.json`, `table.txt`, `table.csv` and `runs.csv` into `folder`, each whole or not at all.

    Raises:
        ConvscopeError: if the folder cannot be written to or the disk is full.
    """
    folder = Path(folder)
    write(folder / "experiment.json", experiment.to_record())
    write_text(folder / "table.txt", f"{experiment}\n")
    write_text(folder / "table.csv", format_table_csv(experiment))
    write_text(folder / "runs.csv", format_runs_csv(experiment))


def format_table_csv(experiment: Experiment) -> str:
    """Format the groups as CSV; an interval takes two columns."""
    numbers, intervals = ("num_runs", "mean", "sd", "minimum", "maximum"), ("interval", "interval_with_images")
    ends = [f"{name}_{end}" for name in intervals for end in ("low", "high")]
    lines = [csv_line(("architecture", "recipe", "name", *numbers, *ends))]
    for group in experiment.table:
        cells = [getattr(group, name) for name in ("architecture", "recipe", "name", *numbers)]
        # An interval that does not exist, as that of a single run, leaves its two cells empty.
        cells += [end for name in intervals for end in getattr(group, name) or (None, None)]
        lines.append(csv_line(cells))
    return "".join(lines)


def format_runs_csv(experiment: Experiment) -> str:
    """Format the runs as CSV."""
    lines = [csv_line((*_COLUMNS, "epochs", "best_epoch"))]
    for run in experiment.runs:
        cells = [getattr(run, name) for name in _COLUMNS]
        lines.append(csv_line((*cells, len(run.history), run.history.best_epoch)))
    return "".join(lines)
