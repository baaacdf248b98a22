"""Runs for TensorBoard: a folder of its own for each, with scalars, figures, tables and hyper-parameters.

The folder is written anew from the run's folder whenever a run is taken up again, so nothing is in it twice.
"""

import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from convscope.base.errors import TrackerError
from convscope.base.files import file_digest
from convscope.base.versions import install_command
from convscope.runs.tracking.run import Epoch, Results, TrackedRun

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
        self._files: dict[str, Path] = {}  # by the run's id
        self._logged: dict[str, int] = {}  # epochs, by the run's id

    def update(self, run: TrackedRun) -> None:
        events, first = [], self._logged.get(run.id)
        if first is None:
            self._files[run.id] = self._new_file(run)
            write, first = self._events, 0
            events += [
                *write.start(),
                write.hyperparameters(_hyperparameters(run.parameters), run.id, run.started_seconds),
                write.text(
                    "parameters", _table(("parameter", "value"), run.parameters.items()), 0, run.started_seconds
                ),
            ]
        for epoch in run.epochs[first:]:
            events += self._scalars(epoch.metrics, epoch)
        self._events.append(self._files[run.id], events)
        self._logged[run.id] = len(run.epochs)

    def finish(self, run: TrackedRun, results: Results) -> None:
        write, last = self._events, Epoch(len(run.epochs), results.ended_seconds, {})
        events = self._scalars(results.metrics, last)
        if results.class_metrics:
            header = tuple(results.class_metrics[0])
            rows = [tuple(row.values()) for row in results.class_metrics]
            events.append(write.text("classes", _table(header, rows), last.number, last.time_seconds))
        for name, path in results.files.items():
            if path.suffix == ".png":
                tag = name.removesuffix(".png")
                events.append(write.image(tag, path.read_bytes(), last.number, last.time_seconds))
        files = [(name, path.stat().st_size, _digest(path)) for name, path in results.files.items()]
        files_table = _table(("file", "bytes", "SHA-256"), files)
        events.append(write.text("files", files_table, last.number, last.time_seconds))
        about = {"folder": run.path.name, "run": run.id, **results.tags}
        events.append(write.text("run", _table(("", ""), about.items()), last.number, last.time_seconds))
        events.append(write.session_end(results.is_finished, results.ended_seconds))
        write.append(self._files[run.id], events)

    def _scalars(self, metrics: Mapping[str, float], at: Epoch) -> list[bytes]:
        return [self._events.scalar(name, value, at.number, at.time_seconds) for name, value in metrics.items()]

    def _new_file(self, run: TrackedRun) -> Path:
        """Remove what was logged of the run before, and return where to write; TensorBoard reads by the latest name."""
        folder = self._folder.joinpath(*run.place)
        for file in folder.glob("events.out.tfevents.*.convscope"):
            file.unlink()
        return folder / f"events.out.tfevents.{time.time_ns()}.convscope"


def _hyperparameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    chosen = {k: v for k, v in parameters.items() if k in _HYPERPARAMETERS or k.startswith("recipe.")}
    return {**chosen, "dataset": parameters.get("dataset.train.name", parameters["dataset.argument"])}


def _table(header: tuple[str, ...], rows: Any) -> str:
    """Return a Markdown table of text, none of which is taken for markup."""
    lines = [
        _row(header),
        _row(("---",) * len(header)),
        *(_row([_escaped("" if cell is None else cell) for cell in row]) for row in rows),
    ]
    return "\n".join(lines)


def _row(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(cell: Any) -> str:
    text = f"{cell:.6g}" if isinstance(cell, float) else " ".join(str(cell).split())
    return re.sub(r"([\\`*_{}\[\]()<>#+.!|&~$-])", r"\\\1", text)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file)
