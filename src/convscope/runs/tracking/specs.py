"""Trackers by what a user calls them: `mlflow:URI`, `tensorboard:DIR`."""

import re
from pathlib import Path
from typing import Protocol

from convscope.base.errors import TrackerError
from convscope.runs.tracking.run import Results, TrackedRun


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


def without_passwords(text: str) -> str:
    """Return `text` without what stands before the `@` of an address in it.

    >>> without_passwords("no answer from http://ann:secret@host/path")
    'no answer from http://host/path'
    """
    return re.sub(r"//[^/\s]*@", "//", text)
