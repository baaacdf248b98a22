"""Trackers by what a user calls them, `mlflow:URI` and `tensorboard:DIR`, and logging to several of them.

A run is logged as it goes, which no tracker may disturb, or later from its folder.
"""

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from convscope.base.errors import ConvscopeError, TrackerError
from convscope.base.tables import without_passwords
from convscope.runs.tracking.run import Results, TrackedRun, read_results, read_run


class Tracker(Protocol):
    """A place that runs are logged to; whatever goes wrong there, its methods raise.

    Attributes:
        spec: what the user calls it, without passwords.
    """

    spec: str

    def update(self, run: TrackedRun) -> None:
        """Log the run, found again by its id, and of its parameters and epochs those that are not there yet."""

    def finish(self, run: TrackedRun, results: Results) -> None:
        """Log what the run has come to, after `update`; what was logged before is replaced or left, never doubled."""


def open_tracker(spec: str) -> Tracker:
    """Return the tracker that `spec` names. Nothing is sent or written yet.

    Raises:
        TrackerError: if there is no such tracker, or its package is not installed.
    """
    kind, separator, place = spec.partition(":")
    if not separator or not place:
        raise TrackerError(f"{spec!r}: name a tracker as mlflow:URI or tensorboard:DIR")
    if kind == "mlflow":
        from convscope.runs.tracking.mlflow_tracker import MLflowTracker  # takes two seconds to load

        return MLflowTracker(place)
    if kind == "tensorboard":
        from convscope.runs.tracking.tensorboard_tracker import TensorBoardTracker

        return TensorBoardTracker(Path(place))
    raise TrackerError(f"{spec!r}: there is no tracker {kind!r}; name one as mlflow:URI or tensorboard:DIR")


OnFailure = Callable[[str], None]


class Trackers:
    """The trackers of a run. One that fails is left alone from then on, and `on_failure` is told so in one line."""

    def __init__(self, trackers: Sequence[Tracker], on_failure: OnFailure) -> None:
        self._active, self._on_failure = list(trackers), on_failure

    @contextmanager
    def following(self, path: Path) -> Iterator[None]:
        """Log the run at `path` from now on, and at the end of the block, however it ends, what it has come to."""
        self.update(path)
        try:
            yield
        finally:
            self.log(path)

    def log(self, path: Path) -> None:
        """Log what the run at `path` has come to."""
        self._each(path, lambda tracker: log_results(path, tracker))

    def update(self, path: Path) -> None:
        """Log what is new of the run at `path` and of its epochs."""
        self._each(path, lambda tracker: tracker.update(read_run(path)))

    def _each(self, path: Path, step: Callable[[Tracker], None]) -> None:
        for tracker in list(self._active):
            try:
                step(tracker)
            except Exception as error:  # of foreign code, a server or a disk: training matters more than its log
                self._active.remove(tracker)
                self._on_failure(
                    f"{tracker.spec}: {_reason(error)}; the run goes on without it, "
                    f"log it later with: {shlex.join(['convscope', 'log', str(path), '--to', tracker.spec])}"
                )


def log_run(path: Path | str, spec: str) -> None:
    """Log the run in the folder at `path`, finished or not, to the tracker that `spec` names.

    A run that is there already is found again and brought up to date, so that nothing is there twice.

    Raises:
        RunError: if there is no run, or a file of it is damaged.
        TrackerError: if there is no such tracker, its package is not installed, or it does not take the run.
    """
    path, tracker = Path(path), open_tracker(spec)
    try:
        log_results(path, tracker)
    except ConvscopeError:
        raise
    except Exception as error:  # of foreign code, a server or a disk
        raise TrackerError(f"{tracker.spec}: {_reason(error)}; see to it and log {path} again") from error


def log_results(path: Path, tracker: Tracker) -> None:
    """Log the run at `path` with its results, and those that belong to it."""
    run, results = read_run(path), read_results(path)
    tracker.update(run)
    for child in results.children:
        log_results(child, tracker)
    tracker.finish(run, results)


def _reason(error: Exception) -> str:
    """Return the first line of what went wrong, short enough for one line, and without passwords."""
    lines = without_passwords(str(error)).strip().splitlines()
    return (lines[0][:300] if lines else "") or type(error).__name__


UNTRACKED = Trackers((), lambda _: None)
"""No tracker."""
