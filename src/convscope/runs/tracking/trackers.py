"""Log a run to several trackers as it goes, none of which may disturb it, or later from its folder."""

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from convscope.base.errors import ConvscopeError, TrackerError
from convscope.runs.tracking.run import read_results, read_run
from convscope.runs.tracking.specs import Tracker, open_tracker, without_passwords

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
