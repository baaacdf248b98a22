"""Packed runs as run folders: `open_run` and `load_model` take the folder that a packed run has or would have."""

import re
import secrets
import shutil
from functools import lru_cache
from pathlib import Path

from convscope.base.arguments import checked
from convscope.base.errors import ConvscopeError, RunError
from convscope.base.files import PARTIAL
from convscope.data.datasets import Dataset, LoadOptions, load_dataset
from convscope.evidence.evaluating import evaluate
from convscope.evidence.evaluation import Evaluation
from convscope.storage import model_file, run_folder
from convscope.storage.packed_runs import PackedRuns
from convscope.storage.run_folder import RunFolder, create_run
from convscope.training.model import Model


def find_packed(path: Path) -> tuple[PackedRuns, int] | None:
    """Return the packed runs and the row of the run whose folder `path` would be, if it is none.

    Raises:
        RunError: if the packed runs are damaged.
    """
    if path.exists() or not re.fullmatch("[0-9a-f]{16}", path.name) or not (path.parent / "runs.npy").exists():
        return None
    packed = PackedRuns(path.parent)
    row = packed.find(path.name)
    return None if row is None else (packed, row)


def list_runs(runs: Path) -> list[Path]:
    """Return the folders of the runs in the folder `runs`, which the packed ones get once they are opened.

    Raises:
        RunError: if the packed runs are damaged.
    """
    packed = PackedRuns(runs)
    folders = (file.parent for file in runs.glob("*/run.json") if not file.parent.name.startswith("."))
    names = {packed.digest(row) for row in range(len(packed))} | {folder.name for folder in folders}
    return [runs / name for name in sorted(names)]


def open_run(path: Path) -> RunFolder:
    """Return the run in the folder at `path`; a packed run gets a folder there now.

    Its answers are computed again from its weights where the data can be loaded, and else are left out.

    Raises:
        RunError: if there is none, or its `run.json` is damaged or of a newer format.
        ConvscopeError: if a packed run cannot be written.
    """
    if found := find_packed(path):
        _unpack(*found)
    return run_folder.open_run(path)


@checked
def load_model(path: Path | str) -> Model:
    """Return the model in the file at `path`, or in the run folder at `path`, or of the packed run there.

    Raises:
        RunError: if there is none, or it is damaged, of a newer format, or its weights do not fit its architecture.
    """
    if found := find_packed(Path(path)):
        packed, row = found
        return packed.model(row)
    return model_file.load_model(path)


def load_start(path: Path | str) -> Model:
    """Load the model that a training starts from: once for all that start from it, until its file is replaced.

    Raises:
        RunError: as `load_model`.
    """
    path = Path(path).resolve()
    try:
        file = (path / "model.safetensors" if path.is_dir() else path).stat()
    except OSError:  # a packed run, which is never replaced, or an error that `load_model` words
        return _load_start(path)
    return _load_start(path, file.st_ino, file.st_mtime_ns, file.st_size)


@lru_cache(maxsize=4)
def _load_start(path: Path, *_: int) -> Model:
    return load_model(path)


def _unpack(packed: PackedRuns, row: int) -> None:
    """Write a packed run as a folder beside its place and rename it, so that two processes do not meet."""
    path, model = packed.path / packed.digest(row), packed.model(row)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PARTIAL}")
    try:
        folder = create_run(partial, packed.folder(row).record)
        folder.write_history(packed.history(row))
        folder.write_model(model, packed.history(row))
        if (evaluation := _evaluate(folder, model)) is not None:
            folder.write_evaluation(evaluation)
        folder.finish()
        partial.replace(path)
    except OSError as error:
        if not (path / "DONE").exists():  # else another process was faster
            raise RunError(
                f"{path}: cannot be created ({error.strerror}); copy the experiment to another folder"
            ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _evaluate(folder: RunFolder, model: Model) -> Evaluation | None:
    """Return what the model answers to the test images that the run names; None where they are not there any more."""
    recorded = folder.record["dataset"]
    if not recorded["argument"]:  # arrays
        return None
    try:
        test = _load_test(recorded["argument"], LoadOptions.from_dict(recorded.get("options", {}), RunError))
    except ConvscopeError:
        return None
    return evaluate(model, test) if test.sha256 == recorded["test"]["sha256"] else None


def _load_test(argument: str, options: LoadOptions) -> Dataset:
    return load_dataset(
        argument,
        test_fraction=options.test_fraction,
        seed=options.seed,
        image_size=options.image_size,
        skip_damaged=options.skip_damaged,
    ).test
