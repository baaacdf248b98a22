"""What a run leaves on disk: model files, training states, run folders, and who may write to one."""

from convscope.storage.model_file import load_model, save_model, write_model
from convscope.storage.run_folder import RunFolder, create_run, open_run
from convscope.storage.trained_on import NOTHING, TrainedOn, load_trained_on, save_trained_on
from convscope.storage.writing import writing

__all__ = [
    "NOTHING",
    "RunFolder",
    "TrainedOn",
    "create_run",
    "load_model",
    "load_trained_on",
    "open_run",
    "save_model",
    "save_trained_on",
    "write_model",
    "writing",
]
