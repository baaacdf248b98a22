"""Runs in other people's trackers: MLflow and TensorBoard, as a run goes or later from its folder."""

from convscope.runs.tracking.run import Results, TrackedRun, read_results, read_run, runs_in
from convscope.runs.tracking.trackers import UNTRACKED, Tracker, Trackers, log_run, open_tracker

__all__ = [
    "UNTRACKED",
    "Results",
    "TrackedRun",
    "Tracker",
    "Trackers",
    "log_run",
    "open_tracker",
    "read_results",
    "read_run",
    "runs_in",
]
