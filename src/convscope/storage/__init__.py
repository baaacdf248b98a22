"""Store runs on disk: model files, training states, run folders, databases of many runs, and locks for writers."""

from convscope.storage.model_file import pack_model as pack_model, save_model as save_model, write_model as write_model
from convscope.storage.opening import (
    find_stored as find_stored,
    list_runs as list_runs,
    load_model as load_model,
    load_start as load_start,
    load_trained_on as load_trained_on,
    open_run as open_run,
)
from convscope.storage.run_folder import RunFolder as RunFolder, check_new as check_new, create_run as create_run
from convscope.storage.stored_run import StoredGroup as StoredGroup, StoredRun as StoredRun
from convscope.storage.stored_runs import StoredRuns as StoredRuns
from convscope.storage.trained_on import (
    NOTHING as NOTHING,
    TrainedOn as TrainedOn,
    save_trained_on as save_trained_on,
    write_trained_on as write_trained_on,
)
from convscope.storage.writing import writing as writing
