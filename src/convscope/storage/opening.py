"""Runs by their folders, whether they have one or are stored with others: `open_run` and `load_model` take both."""

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
    """Return the stored run whose folder `path` is or would be, and the runs it is stored with; None if it is none.

    Raises:
        RunError: if it is damaged.
    """
    if not re.fullmatch("[0-9a-f]{16}", path.name) or not has_database(path.parent):
        return None
    stored = _open_stored_runs(path.parent, (path.parent / DATABASE).stat().st_ino)
    run = stored.find(path.name)
    return None if run is None else (stored, run)


@lru_cache(maxsize=4)
def _open_stored_runs(runs: Path, _: int) -> StoredRuns:
    """Open stored runs and keep them open, so that groups, machines and labels are read once for many runs."""
    return StoredRuns(runs)


def _find_without_folder(path: Path) -> tuple[StoredRuns, StoredRun] | None:
    return None if path.exists() else find_stored(path)


def list_runs(runs: Path) -> list[Path]:
    """Return the folders of the runs in the folder `runs`, which the stored ones get once they are opened.

    Raises:
        RunError: if the stored runs are damaged as a whole.
    """
    folders = {file.parent.name for file in runs.glob("*/run.json") if not file.parent.name.startswith(".")}
    return [runs / name for name in sorted({*StoredRuns(runs).digests(), *folders})]


def open_run(path: Path) -> RunFolder:
    """Return the run in the folder at `path`; a stored run gets a folder there now.

    Its predictions are computed again from its weights where the data can be loaded, and else are left out.

    Raises:
        RunError: if there is none, or its `run.json` is damaged or of a newer format.
        ConvscopeError: if a stored run cannot be written.
    """
    if match := _find_without_folder(path):
        _write_folder(*match)
    return run_folder.open_run(path)


@checked
def load_model(path: Path | str) -> Model:
    """Return the model in the file at `path`, or in the run folder at `path`, or of the stored run there.

    Raises:
        RunError: if there is none, or it is damaged, of a newer format, or its weights do not fit its architecture.
    """
    if match := _find_without_folder(Path(path)):
        stored, run = match
        return stored.model(run)
    return model_file.load_model(path)


def load_start(path: Path | str) -> Model:
    """Load the model that a training starts from: once for all that start from it, until its file is replaced.

    Raises:
        RunError: as `load_model`.
    """
    path = Path(path).resolve()
    try:
        file = (path / "model.safetensors" if path.is_dir() else path).stat()
    except OSError:  # a stored run, which is never replaced, or an error that `load_model` words
        return _load_start(path)
    return _load_start(path, file.st_ino, file.st_mtime_ns, file.st_size)


@lru_cache(maxsize=4)
def _load_start(path: Path, *_: int) -> Model:
    return load_model(path)


def load_trained_on(path: Path, model: Model) -> TrainedOn | None:
    """Read which images `model`, from the file, run folder or stored run at `path`, was trained on; None if unknown.

    For a stored run these are all training images of its data, also those that it held out or did not draw.

    Raises:
        RunError: if the file is damaged.
    """
    if match := _find_without_folder(path):
        return _load_stored_trained_on(match[1])
    return trained_on.load_trained_on(path, model)


def _load_stored_trained_on(run: StoredRun) -> TrainedOn | None:
    return trained_on.read_trained_on(inside(run.path.parent, trained_on_file(run.group.record)))


def start_file(start: StartRecord) -> str:
    """Name the file of the network that a run started from, relative to the folder with its runs."""
    return f"from/{start.weights_sha256[:16]}.safetensors"


def trained_on_file(record: SharedRecord) -> str:
    """Name the file with the training images of a run, relative to the folder with its runs."""
    parts = [record.dataset.train.sha256, *([record.start.weights_sha256] if record.start else [])]
    return f"from/{'-'.join(part[:16] for part in parts)}.trained_on.safetensors"


def _write_folder(stored: StoredRuns, run: StoredRun) -> None:
    """Write a stored run as a folder beside its path and rename it, so that two processes do not meet."""
    path, model = run.path, stored.model(run)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PARTIAL}")
    try:
        partial.mkdir()
        folder = create_run(partial, run.folder.record)
        folder.write_history(run.history)
        folder.write_model(model, run.history)
        if (known := _load_stored_trained_on(run)) is not None:
            trained_on.save_trained_on(folder.place("model.safetensors"), known, model)
        if start := run.group.record.start:
            _write_start(inside(stored.path, start_file(start)), folder)
        if (evaluation := _evaluate(folder, model)) is not None:
            folder.write_evaluation(evaluation)
        folder.finish()
        partial.replace(path)
    except OSError as error:
        if not (path / "DONE").exists():  # else another process was faster
            raise RunError(
                f"{path}: cannot be created ({error.strerror}); copy the folder {path.parent.parent} to a disk that "
                "can be written to, and use the copy"
            ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _write_start(source: Path, folder: RunFolder) -> None:
    """Write the network in the file `source`, and what that was trained on, into the folder of a run."""
    model = model_file.load_model(source)
    model_file.write_model(model, folder.start_path)
    if (known := trained_on.load_trained_on(source, model)) is not None:
        trained_on.save_trained_on(folder.start_path, known, model)


def _evaluate(folder: RunFolder, model: Model) -> Evaluation | None:
    """Evaluate the model on the run's test images; None if they are not there any more."""
    recorded = folder.record.dataset
    if not recorded.argument:  # arrays
        return None
    try:
        test = load_splits(recorded.argument, recorded.options).test
    except ConvscopeError:
        return None
    return evaluate(model, test) if test.sha256 == recorded.test.sha256 else None
