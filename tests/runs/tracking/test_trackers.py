"""Trackers that fail, and those that are not there."""

import re
import shutil
import sys
from pathlib import Path

import pytest

import convscope as cs
from convscope.base.errors import TrackerError
from convscope.cli import options
from convscope.runs.tracking import Results, TrackedRun, Trackers, log_run, trackers

from .conftest import invoke


class Failing:
    """Takes a number of updates, and no more."""

    spec = "failing:here"

    def __init__(self, good: int) -> None:
        self.good, self.updates = good, 0

    def update(self, run: TrackedRun) -> None:
        self.updates += 1
        if self.updates > self.good:
            raise OSError("No space left on device\nand much more")

    def finish(self, run: TrackedRun, results: Results) -> None:
        raise AssertionError("a tracker that failed is left alone")


@pytest.mark.parametrize("good", [0, 2])
def test_a_tracker_that_fails_costs_a_line_and_changes_nothing(
    trained: Path, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, good: int
):
    failing, out = Failing(good), tmp_path / "run"
    monkeypatch.setattr(options, "open_tracker", lambda _: failing)
    done = invoke(
        "train", "--dataset", tiny_folder, "--architecture", "ann", "--epochs", 2, "--out", out, "--log", "failing:here"
    )  # fmt: skip
    assert done.exit_code == 0
    warnings = [line for line in done.stderr.splitlines(keepends=True) if "failing:here" in line]
    assert "".join(warnings) == (
        "Warning: failing:here: No space left on device; the run goes on without it, "
        f"log it later with: convscope log {out} --to failing:here\n"
    )
    assert failing.updates == good + 1
    assert cs.load_model(out).weights_sha256 == cs.load_model(trained).weights_sha256


def test_other_trackers_go_on_when_one_fails(trained: Path, tmp_path: Path):
    run, told = Path(shutil.copytree(trained, tmp_path / "run")), list[str]()
    good, bad = Failing(9), Failing(0)
    both = Trackers([bad, good], told.append)
    both.update(run)
    both.update(run)
    assert (bad.updates, good.updates, len(told)) == (1, 2, 1)


def test_logging_later_says_what_failed(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    run = Path(shutil.copytree(trained, tmp_path / "run"))
    monkeypatch.setattr(trackers, "open_tracker", lambda _: Failing(0))
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
def test_a_wrong_tracker_is_refused_before_anything_is_made(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: str, message: str
):
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE", raising=False)
    done = invoke("train", "--dataset", tiny_folder, "--out", tmp_path / "run", "--log", spec)
    assert done.exit_code == 1
    assert done.stderr.startswith(f"Error: {message}")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("spec", "message"), WRONG)
def test_log_refuses_a_wrong_tracker(trained: Path, spec: str, message: str):
    done = invoke("log", trained, "--to", spec)
    assert (done.exit_code, done.stderr.startswith(f"Error: {message}")) == (1, True)


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
    done = invoke("log", trained, "--to", spec)
    assert done.exit_code == 1
    assert re.search(rf'{package}\S* is not installed; run pip install ".*{extra}', done.stderr)


def test_a_password_is_not_repeated(trained: Path):
    done = invoke("log", trained, "--to", "mlflow:gopher://ann:secret@host")
    assert "secret" not in done.stderr


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path):
    done = invoke("log", tmp_path / "none", "--to", "tensorboard:logs")
    assert done.exit_code == 1
    assert "no such folder" in done.stderr
