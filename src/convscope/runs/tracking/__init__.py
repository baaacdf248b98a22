"""Log runs from their folders to the trackers MLflow and TensorBoard."""

from convscope.runs.tracking.run import (
    Results as Results,
    TrackedRun as TrackedRun,
    find_runs as find_runs,
    read_results as read_results,
    read_run as read_run,
)
from convscope.runs.tracking.trackers import log_run as log_run, open_tracker as open_tracker
