"""Log runs from their folders to the trackers MLflow and TensorBoard."""

from convscope.runs.tracking.run import Results, TrackedRun, find_runs, read_results, read_run
from convscope.runs.tracking.trackers import log_run, open_tracker

__all__ = ["Results", "TrackedRun", "find_runs", "log_run", "open_tracker", "read_results", "read_run"]
