"""Store runs on disk: model files, training states, run folders, databases of many runs, and locks for writers."""

from convscope.storage.model_file import pack_model, save_model, write_model
from convscope.storage.opening import (
    find_stored,
    list_runs,
    load_model,
    load_start,
    load_trained_on,
    open_run,
)
from convscope.storage.run_folder import RunFolder, check_new, create_run
from convscope.storage.stored_run import StoredGroup, StoredRun
from convscope.storage.stored_runs import StoredRuns
from convscope.storage.trained_on import NOTHING, TrainedOn, save_trained_on, write_trained_on
from convscope.storage.writing import writing

__all__ = [
    "NOTHING",
    "RunFolder",
    "StoredGroup",
    "StoredRun",
    "StoredRuns",
    "TrainedOn",
    "check_new",
    "create_run",
    "find_stored",
    "list_runs",
    "load_model",
    "load_start",
    "load_trained_on",
    "open_run",
    "pack_model",
    "save_model",
    "save_trained_on",
    "write_model",
    "write_trained_on",
    "writing",
]
