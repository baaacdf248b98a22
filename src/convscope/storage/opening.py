"""Open runs by their paths: run folders, and runs stored with others, which get a folder when they are opened.

Runs of an experiment are stored together, in a database. The path of such a run ends in its digest:

    RUNS/runs.db, weights/      the stored runs (see `stored_runs`)
    RUNS/3f2a09d1c4b5e678/      the folder of one of them, which `open_run` writes from the database
    RUNS/from/                  the networks that they started from, and the digests of their training images

The other functions read a run that has no folder yet from the database, and write nothing.
"""

import re
import secrets
import shutil
from functools import lru_cache
from pathlib import Path

from convscope.base.arguments import checked
from convscope.base.errors import ConvscopeError, RunError
from convscope.base.files import PARTIAL, inside
from convscope.data.datasets import load_splits
from convscope.evidence.evaluating import evaluate
from convscope.evidence.evaluation import Evaluation
from convscope.storage import model_file, run_folder, trained_on
from convscope.storage.records import SharedRecord, StartRecord
from convscope.storage.run_database import DATABASE, has_database
from convscope.storage.run_folder import RunFolder, create_run
from convscope.storage.stored_run import StoredRun
from convscope.storage.stored_runs import StoredRuns
from convscope.storage.trained_on import TrainedOn
from convscope.training.model import Model


def find_stored(path: Path) -> tuple[StoredRuns, StoredRun] | None:
    """Find the stored run with the folder `path`, which need not exist, and the runs it is stored with.

    None if there is no such run. Raises RunError if it is damaged.
    """
    if not re.fullmatch("[0-9a-f]{16}", path.name) or not has_database(path.parent):  # named after its digest
        return None
    # The inode, a number that each new file gets, is part of the cache's key: a database that replaces another is
    # opened anew.
    stored = _open_stored_runs(path.parent, (path.parent / DATABASE).stat().st_ino)
    run = stored.find(path.name)
    return None if run is None else (stored, run)


@lru_cache(maxsize=4)
def _open_stored_runs(runs: Path, _inode: int) -> StoredRuns:
    """Open stored runs once, so that groups, machines and labels are not read again for each run."""
    return StoredRuns(runs)


def _find_without_folder(path: Path) -> tuple[StoredRuns, StoredRun] | None:
    """Find the stored run at `path` that has no folder yet; None if there is a folder, or no run."""
    return None if path.exists() else find_stored(path)


def list_runs(runs: Path) -> list[Path]:
    """List the folders of all runs in `runs`; a stored run gets its folder when it is opened."""
    folders = {file.parent.name for file in runs.glob("*/run.json") if not file.parent.name.startswith(".")}
    return [runs / name for name in sorted({*StoredRuns(runs).digests(), *folders})]


def open_run(path: Path) -> RunFolder:
    """Open the run at `path`; a stored run gets a folder there, with predictions if the data can be loaded.

    Raises RunError if there is no run or it is damaged, and ConvscopeError if the folder cannot be written.
    """
    if match := _find_without_folder(path):
        _write_folder(*match)
    return run_folder.open_run(path)


@checked
def load_model(path: Path | str) -> Model:
    """Load the model in the file or run folder at `path`, or of the stored run there.

    Raises:
        RunError: if there is none, or it is damaged, of a newer format, or its weights do not fit its architecture.
    """
    if match := _find_without_folder(Path(path)):
        stored, run = match
        return stored.model(run)
    return model_file.load_model(path)


def load_start(path: Path | str) -> Model:
    """Load the model that a training starts from, once for all trainings until its file is replaced."""
    path = Path(path).resolve()
    try:
        file = (path / "model.safetensors" if path.is_dir() else path).stat()  # the key of the cache below
    except OSError:  # a stored run, which is never replaced, or an error that `load_model` explains
        return _load_start(path)
    return _load_start(path, file.st_ino, file.st_mtime_ns, file.st_size)


@lru_cache(maxsize=4)
def _load_start(path: Path, *_: int) -> Model:
    return load_model(path)


def load_trained_on(path: Path, model: Model) -> TrainedOn | None:
    """Read which images `model`, from the file, run folder or stored run at `path`, was trained on; None if unknown.

    A stored run counts all training images of its data, also those that it held out or did not draw.
    """
    if match := _find_without_folder(path):
        return _load_stored_trained_on(match[1])
    return trained_on.load_trained_on(path, model)


def _load_stored_trained_on(run: StoredRun) -> TrainedOn | None:
    return trained_on.read_trained_on(inside(run.path.parent, name_trained_on_file(run.group.record)))


def name_start_file(start: StartRecord) -> str:
    """Name the file of the network that a run started from, such as from/0123456789abcdef.safetensors."""
    return f"from/{start.weights_sha256[:16]}.safetensors"  # 64 bits tell apart the few networks of an experiment


def name_trained_on_file(record: SharedRecord) -> str:
    """Name the file with the digests of a run's training images, such as from/DATA.trained_on.safetensors."""
    # With a start it is from/DATA-START.trained_on.safetensors, since it also has the images of the start.
    parts = [record.dataset.train.sha256, *([record.start.weights_sha256] if record.start else [])]
    return f"from/{'-'.join(part[:16] for part in parts)}.trained_on.safetensors"


def _write_folder(stored: StoredRuns, run: StoredRun) -> None:
    """Write a stored run to a folder of another name and rename that, so that two processes do not collide."""
    path, model = run.path, stored.model(run)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PARTIAL}")
    try:
        partial.mkdir()
        folder = create_run(partial, run.folder.record)
        folder.write_history(run.history)
        folder.write_model(model, run.history)
        if (images := _load_stored_trained_on(run)) is not None:
            trained_on.save_trained_on(folder.locate("model.safetensors"), images, model)
        if start := run.group.record.start:
            _write_start(inside(stored.path, name_start_file(start)), folder)
        if (evaluation := _evaluate(folder, model)) is not None:
            folder.write_evaluation(evaluation)
        folder.finish()
        partial.replace(path)  # atomic, and an error if another process has put its folder there
    except OSError as error:
        if not (path / "DONE").exists():  # else another process was faster
            raise RunError(
                f"{path}: cannot be created ({error.strerror}); copy the folder {path.parent.parent} to a disk that "
                "can be written to, and use the copy"
            ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write_start(source: Path, folder: RunFolder) -> None:
    """Copy the network that a run started from, and the record of its training images, into the run's folder."""
    model = model_file.load_model(source)
    model_file.write_model(model, folder.start_path)
    if (images := trained_on.load_trained_on(source, model)) is not None:
        trained_on.save_trained_on(folder.start_path, images, model)


def _evaluate(folder: RunFolder, model: Model) -> Evaluation | None:
    """Evaluate the model on the run's test images; None if they cannot be loaded any more."""
    recorded = folder.record.dataset
    if not recorded.argument:  # the images were arrays in memory
        return None
    try:
        test = load_splits(recorded.argument, recorded.options).test
    except ConvscopeError:
        return None
    # Other images under the same name would give another accuracy than the database has.
    return evaluate(model, test) if test.sha256 == recorded.test.sha256 else None
