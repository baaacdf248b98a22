"""Log runs to TensorBoard: a folder for each, with scalars, figures, tables and hyper-parameters.

The folder is written again from the run's folder whenever the run is resumed, so it has no duplicates.
"""

import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from convscope.base.errors import TrackerError
from convscope.base.versions import install_command
from convscope.runs.tracking.run import Epoch, Results, TrackedRun

# Beside the fields of the recipe: the tab HPARAMS has a column for each, so only settings that runs are compared by.
_HYPERPARAMETERS = ("architecture.name", "architecture.parameters", "architecture.macs", "seed", "engine")


class TensorBoardTracker:
    """The log directory `folder`.

    Raises:
        TrackerError: if the package `tensorboard` is not installed, or a file is in the way.
    """

    def __init__(self, folder: Path) -> None:
        self.spec = f"tensorboard:{folder}"
        if folder.exists() and not folder.is_dir():
            raise TrackerError(f"{self.spec}: is a file; name a folder for TensorBoard")
        try:
            from convscope.runs.tracking import tensorboard_events
        except ImportError as error:
            raise TrackerError(
                f"{self.spec}: {error.name} is not installed; run {install_command('tensorboard')}"
            ) from error
        self._folder, self._events = folder.absolute(), tensorboard_events

    def log(self, run: TrackedRun, results: Results) -> None:
        make, begin = self._events, run.started_seconds  # functions that make events
        step, end = len(run.epochs), results.ended_seconds
        events = [
            *make.start(),
            make.hyperparameters(_select_hyperparameters(run.parameters), run.id, begin),
            make.text("parameters", _format_table(("parameter", "value"), run.parameters.items()), 0, begin),
        ]
        # The results of the whole run are points at its last epoch.
        for epoch in (*run.epochs, Epoch(step, end, results.metrics)):
            for name, value in epoch.metrics.items():
                events.append(make.scalar(name, value, epoch.number, epoch.time_seconds))
        for name, path in results.files.items():
            if path.suffix == ".png":  # TensorBoard shows no SVG
                events.append(make.image(name.removesuffix(".png"), path.read_bytes(), step, end))
        about = {"folder": run.path.name, "run": run.id, **results.tags}
        events += [
            make.text("run", _format_table(("", ""), about.items()), step, end),
            make.session_end(results.is_finished, end),
        ]
        make.append(self._name_new_file(run), events)

    def _name_new_file(self, run: TrackedRun) -> Path:
        """Delete earlier event files of the run, and name a new one; TensorBoard reads the last by name."""
        folder = self._folder.joinpath(*run.segments)
        for file in folder.glob("events.out.tfevents.*.convscope"):  # by their ending, so only our own
            file.unlink()
        return folder / f"events.out.tfevents.{time.time_ns()}.convscope"


def _select_hyperparameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    chosen = {k: v for k, v in parameters.items() if k in _HYPERPARAMETERS or k.startswith("recipe.")}
    return {**chosen, "dataset": parameters.get("dataset.train.name", parameters["dataset.argument"])}


def _format_table(header: tuple[str, ...], rows: Any) -> str:
    """Format a Markdown table, with all markup in its cells escaped."""
    lines = [_format_row(header), _format_row(("---",) * len(header))]
    return "\n".join([*lines, *(_format_row(map(_escape, row)) for row in rows)])


def _format_row(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"


def _escape(cell: Any) -> str:
    text = f"{cell:.6g}" if isinstance(cell, float) else " ".join(str(cell).split())  # a cell has no line breaks
    # Every character that has a meaning in Markdown or HTML: names come from files of others.
    return re.sub(r"([\\`*_{}\[\]()<>#+.!|&~$-])", r"\\\1", text)
