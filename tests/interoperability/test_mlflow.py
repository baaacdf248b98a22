"""Runs that are logged to a database of MLflow, read back with MLflow's own client."""

import json
import re
import shutil
from hashlib import sha256
from pathlib import Path

import mlflow
import pytest
from click.testing import CliRunner, Result

import convscope as cs
from convscope.cli import main
from convscope.cli.progress import JobProgress
from convscope.runs.tracking import log_run, open_tracker
from convscope.storage import open_run

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own, of SQLAlchemy


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database without runs: MLflow takes seconds to make one."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    mlflow.MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture(scope="module")
def logged(small_folder: Path, empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A run with baseline, seeds and report, and the store that it was logged to."""
    folder = tmp_path_factory.mktemp("logged")
    shutil.copy(empty_store, folder / "mlflow.db")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    completed = invoke("run", "--dataset", small_folder, "--epochs", 2, "--seeds", 2, "--out", folder / "run")
    assert completed.exit_code == 0, completed.output
    completed = invoke("log", folder / "run", "--to", f"mlflow:{uri}")
    assert completed.exit_code == 0, completed.output
    return folder / "run", uri


def read_runs(uri: str) -> dict:
    """Read all logged runs by id: parameters, every metric value, tags, status, files and their digests."""
    client, runs_by_name = mlflow.MlflowClient(tracking_uri=uri), {}
    experiment = client.get_experiment_by_name("convscope")
    by_id = {run.info.run_id: run for run in client.search_runs([experiment.experiment_id])}
    for run_id, run in by_id.items():
        metrics = {
            name: [(m.step, m.value, m.timestamp) for m in client.get_metric_history(run_id, name)]
            for name in run.data.metrics
        }
        root = Path(run.info.artifact_uri.removeprefix("file://"))
        files = {
            p.relative_to(root).as_posix(): sha256(p.read_bytes()).hexdigest() for p in root.rglob("*") if p.is_file()
        }
        tags = {name: value for name, value in run.data.tags.items() if name.startswith("convscope.")}
        parent = by_id.get(run.data.tags.get("mlflow.parentRunId", ""))
        about = (run.info.run_name, run.info.status, run.info.end_time, parent and parent.data.tags["convscope.id"])
        runs_by_name[tags["convscope.id"]] = (run.data.params, metrics, tags, about, files)
    assert len(runs_by_name) == len(by_id), "twice"
    return runs_by_name


def find_main_run(uri: str) -> tuple:
    """Return the run without a parent."""
    return next(run for run in read_runs(uri).values() if run[3][3] is None)


def test_a_run_its_baseline_and_a_further_seed_of_each_are_logged(logged: tuple[Path, str]):
    logged_runs = read_runs(logged[1])
    assert len(logged_runs) == 4
    assert [run[3][3] is None for run in logged_runs.values()].count(True) == 1


def test_logging_again_duplicates_nothing(logged: tuple[Path, str]):
    run, uri = logged
    before = read_runs(uri)
    assert invoke("log", run, "--to", f"mlflow:{uri}").exit_code == 0
    assert read_runs(uri) == before


def test_the_log_equals_the_run(logged: tuple[Path, str]):
    run, uri = logged
    parameters, metrics, tags, (name, status, _, _), files = find_main_run(uri)
    rows = open_run(run).load_history().rows()
    assert (name, status) == ("run", "FINISHED")
    for column in ("loss", "accuracy", "val_loss", "val_accuracy", "seconds"):
        assert [values[:2] for values in metrics[column]] == [(row["epoch"], row[column]) for row in rows]
    evaluation = json.loads((run / "evaluation.json").read_text())
    assert [value[1] for value in metrics["test/accuracy"]] == [evaluation["accuracy"]]
    assert metrics["comparison/p_value"][0][1] == json.loads((run / "comparison.json").read_text())["p_value"]
    assert parameters["recipe.optimizer.kind"] == "Adam"
    assert tags["convscope.weights_sha256"] == cs.load_model(run).weights_sha256
    assert files["model.safetensors"] == sha256((run / "model.safetensors").read_bytes()).hexdigest()
    assert "report.html" in files
    assert not [file for file in files if file.endswith((".pkl", ".pickle"))]


def test_an_interrupted_run_is_continued_as_the_same_run(
    small_folder: Path, empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    uri, whole = f"sqlite:///{tmp_path / 'mlflow.db'}", JobProgress.on_epoch

    def interrupt(self: JobProgress, state: cs.TrainingState) -> None:
        whole(self, state)
        if len(state.history) == 2:
            raise KeyboardInterrupt

    options = ("--dataset", small_folder, "--architecture", "ann", "--epochs", 4)
    with monkeypatch.context() as patch:
        patch.setattr(JobProgress, "on_epoch", interrupt)
        invoke("train", *options, "--out", tmp_path / "run")
    assert invoke("log", tmp_path / "run", "--to", f"mlflow:{uri}").exit_code == 0
    _, metrics, _, (_, status, *_), _ = find_main_run(uri)
    assert ([value[0] for value in metrics["loss"]], status) == ([1, 2], "KILLED")
    assert invoke("train", "--resume", tmp_path / "run").exit_code == 0
    assert invoke("log", tmp_path / "run", "--to", f"mlflow:{uri}").exit_code == 0
    _, metrics, _, (_, status, *_), _ = find_main_run(uri)
    assert ([value[0] for value in metrics["loss"]], status) == ([1, 2, 3, 4], "FINISHED")
    assert len(read_runs(uri)) == 1


def test_the_experiment_follows_mlflows_environment_variable(
    logged: tuple[Path, str], empty_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "digits")
    log_run(logged[0] / "baseline", f"mlflow:{uri}")
    names = [experiment.name for experiment in mlflow.MlflowClient(tracking_uri=uri).search_experiments()]
    assert "digits" in names
    assert "convscope" not in names


def test_a_server_that_is_away_is_one_error(logged: tuple[Path, str]):
    completed = invoke("log", logged[0], "--to", "mlflow:http://ann:secret@127.0.0.1:9")
    assert completed.exit_code == 1
    assert completed.stderr.startswith("Error: mlflow:http://127.0.0.1:9: ")
    assert re.search(r"log .*run again", completed.stderr)
    assert "secret" not in completed.stderr


def test_opening_a_tracker_sends_and_writes_nothing(tmp_path: Path):
    open_tracker(f"mlflow:sqlite:///{tmp_path / 'mlflow.db'}")
    assert list(tmp_path.iterdir()) == []
