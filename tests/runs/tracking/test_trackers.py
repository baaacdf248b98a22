"""Errors of trackers: wrong names, missing packages, and failures while they log."""

import re
import shutil
import sys
from pathlib import Path

import pytest

from convscope.base.errors import TrackerError
from convscope.runs.tracking import Results, TrackedRun, log_run, trackers

from .conftest import invoke


class FailingTracker:
    spec = "failing:here"

    def log(self, run: TrackedRun, results: Results) -> None:
        raise OSError("No space left on device\nand much more")


def test_logging_later_names_failures(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    monkeypatch.setattr(trackers, "open_tracker", lambda _: FailingTracker())
    with pytest.raises(TrackerError, match=r"failing:here: No space left on device; see to it and log .*run again"):
        log_run(run, "failing:here")


WRONG = [
    ("wandb:project", "'wandb:project': there is no tracker 'wandb'"),
    ("mlflow", "'mlflow': name a tracker as mlflow:URI or tensorboard:DIR"),
    ("tensorboard:", "'tensorboard:': name a tracker as"),
    ("mlflow:mlruns", "mlflow:mlruns: MLflow keeps new runs in a database"),
    ("mlflow:file:mlruns", "mlflow:file:mlruns: MLflow keeps new runs in a database"),
    ("mlflow:gopher://host", "mlflow:gopher://host: MLflow has no store 'gopher'"),
    ("mlflow:sqlite:///no-such-folder/mlflow.db", "mlflow:sqlite:///no-such-folder/mlflow.db: names no file"),
    ("mlflow:sqlite:x.db", "mlflow:sqlite:x.db: names no file"),
    (f"tensorboard:{__file__}", f"tensorboard:{__file__}: is a file"),
]


@pytest.mark.parametrize(("spec", "message"), WRONG)
def test_a_wrong_tracker_is_refused(trained: Path, monkeypatch: pytest.MonkeyPatch, spec: str, message: str):
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE", raising=False)
    completed = invoke("log", trained, "--to", spec)
    assert (completed.exit_code, completed.stderr.startswith(f"Error: {message}")) == (1, True)


@pytest.mark.parametrize(
    ("package", "spec", "extra"),
    [("mlflow", "mlflow:http://127.0.0.1:9", "mlflow"), ("tensorboard", "tensorboard:no-logs", "tensorboard")],
)
def test_a_missing_package_is_named(
    trained: Path, monkeypatch: pytest.MonkeyPatch, package: str, spec: str, extra: str
):
    for module in {package, *(name for name in sys.modules if name.startswith(f"{package}."))}:
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(sys.modules, "convscope.runs.tracking.tensorboard_events", raising=False)
    monkeypatch.delattr("convscope.runs.tracking.tensorboard_events", raising=False)
    completed = invoke("log", trained, "--to", spec)
    assert completed.exit_code == 1
    assert re.search(rf'{package}\S* is not installed; run pip install ".*{extra}', completed.stderr)


def test_a_password_is_not_repeated(trained: Path):
    completed = invoke("log", trained, "--to", "mlflow:gopher://ann:secret@host")
    assert "secret" not in completed.stderr


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path):
    completed = invoke("log", tmp_path / "none", "--to", "tensorboard:logs")
    assert completed.exit_code == 1
    assert "no such folder" in completed.stderr
