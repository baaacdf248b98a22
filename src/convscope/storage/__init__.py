"""What a run leaves on disk: model files, training states, run folders, and who may write to one."""

from convscope.storage.model_file import save_model, write_model
from convscope.storage.packed_runs import PackedRuns
from convscope.storage.run_folder import RunFolder, create_run
from convscope.storage.trained_on import NOTHING, TrainedOn, load_trained_on, save_trained_on
from convscope.storage.unpacking import find_packed, list_runs, load_model, load_start, open_run
from convscope.storage.writing import writing

__all__ = [
    "NOTHING",
    "PackedRuns",
    "RunFolder",
    "TrainedOn",
    "create_run",
    "find_packed",
    "list_runs",
    "load_model",
    "load_start",
    "load_trained_on",
    "open_run",
    "save_model",
    "save_trained_on",
    "write_model",
    "writing",
]
