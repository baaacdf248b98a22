"""Open trackers by their specs, `mlflow:URI` and `tensorboard:DIR`, and log runs from their folders."""

from pathlib import Path
from typing import Protocol

from convscope.base.errors import ConvscopeError, TrackerError
from convscope.base.tables import without_passwords
from convscope.runs.tracking.run import Results, TrackedRun, read_results, read_run


class Tracker(Protocol):
    """A tracker of runs; its methods raise any error of its library.

    Attributes:
        spec: the user's spec without passwords.
    """

    spec: str

    def log(self, run: TrackedRun, results: Results) -> None:
        """Log the run under its id; earlier logs of it are replaced or extended, never duplicated."""


def open_tracker(spec: str) -> Tracker:
    """Open the tracker that `spec` names; nothing is sent or written yet.

    Raises:
        TrackerError: if there is no such tracker, or its package is not installed.
    """
    kind, separator, address = spec.partition(":")
    if not separator or not address:
        raise TrackerError(f"{spec!r}: name a tracker as mlflow:URI or tensorboard:DIR")
    if kind == "mlflow":
        from convscope.runs.tracking.mlflow_tracker import MLflowTracker  # takes two seconds to load

        return MLflowTracker(address)
    if kind == "tensorboard":
        from convscope.runs.tracking.tensorboard_tracker import TensorBoardTracker

        return TensorBoardTracker(Path(address))
    raise TrackerError(f"{spec!r}: there is no tracker {kind!r}; name one as mlflow:URI or tensorboard:DIR")


def log_run(path: Path | str, spec: str) -> None:
    """Log the run in the folder at `path`, finished or not, to the tracker that `spec` names.

    A run that was logged before is updated.

    Raises:
        RunError: if there is no run, or a file of it is damaged.
        TrackerError: if there is no such tracker, its package is not installed, or logging fails.
    """
    path, tracker = Path(path), open_tracker(spec)
    try:
        log_results(path, tracker)
    except ConvscopeError:
        raise
    except Exception as error:  # the tracker's library raises anything
        raise TrackerError(f"{tracker.spec}: {_describe_error(error)}; see to it and log {path} again") from error


def log_results(path: Path, tracker: Tracker) -> None:
    """Log the run at `path` with its results, and its baseline and further seeds."""
    results = read_results(path)
    tracker.log(read_run(path), results)  # before its children, which refer to it
    for child in results.children:
        log_results(child, tracker)


def _describe_error(error: Exception) -> str:
    """Shorten an error message to its first line, without passwords."""
    lines = without_passwords(str(error)).strip().splitlines()
    return (lines[0][:300] if lines else "") or type(error).__name__
