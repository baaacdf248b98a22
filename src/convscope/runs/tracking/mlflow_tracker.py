"""Log runs to MLflow, on a server or in a database file: parameters, metrics, tags and files, without pickles."""

import os
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convscope.base.errors import TrackerError
from convscope.base.tables import without_passwords
from convscope.base.versions import install_command
from convscope.runs.tracking.metrics import clean_name
from convscope.runs.tracking.run import Epoch, Results, TrackedRun, read_run

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

EXPERIMENT = "convscope"
"""The experiment that runs are logged to, unless the variable `MLFLOW_EXPERIMENT_NAME` names another."""
ID_TAG = "convscope.id"
"""The tag by which a run is found again."""

_SCHEMES = ("http", "https", "sqlite", "postgresql", "mysql", "mssql", "databricks")
_MAX_METRICS, _MAX_PARAMETERS = 1000, 100  # limits of MLflow's REST API for one request
# Defaults that the user can override: no telemetry, no log lines between ours, and no training that waits for a lost
# server through the quarter of an hour of MLflow's own retries.
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
}


class MLflowTracker:
    """The tracking store at `uri`.

    Raises:
        TrackerError: if MLflow has no store at such a URI, or a package is not installed.
    """

    def __init__(self, uri: str) -> None:
        self.spec = without_passwords(f"mlflow:{uri}")
        _check_uri(uri, self.spec)
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        for package in ("mlflow", "sqlalchemy", "alembic") if uri.startswith("sqlite:") else ("mlflow",):
            try:
                import_module(package)
            except ImportError as error:
                raise TrackerError(
                    f"{self.spec}: {package} is not installed; run {install_command('mlflow')}"
                ) from error
        self._uri = uri

    def log(self, run: TrackedRun, results: Results) -> None:
        client, experiment = self._connect()
        tracked, logged = self._open(client, experiment, run)
        run_id, last = tracked.info.run_id, Epoch(len(run.epochs), results.ended_seconds, {})
        # Triples of name, value and epoch. MLflow would keep a value that is logged again as a second one.
        epoch_metrics = [
            (name, value, epoch)
            for epoch in run.epochs
            for name, value in epoch.metrics.items()
            if (name, epoch.number) not in logged
        ]
        latest = tracked.data.metrics  # the last value of each metric
        result_metrics = [(name, value, last) for name, value in results.metrics.items() if latest.get(name) != value]
        parameters = {name: value for name, value in run.parameters.items() if name not in tracked.data.params}
        _log(client, run_id, parameters, [*epoch_metrics, *result_metrics])
        for name, value in results.tags.items():
            client.set_tag(run_id, f"convscope.{name}", value)
        for name, path in results.files.items():
            folder = name.rpartition("/")[0]
            client.log_artifact(run_id, str(path), folder or None)
        status = "FINISHED" if results.is_finished else "KILLED"  # MLflow has no status for a run that can be resumed
        client.set_terminated(run_id, status, end_time=_milliseconds(results.ended_seconds))

    def _connect(self) -> tuple["MlflowClient", str]:
        """Connect to the store; return a client and the experiment's id."""
        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri=self._uri)
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
        experiment = client.get_experiment_by_name(name)
        return client, experiment.experiment_id if experiment else client.create_experiment(name, self._files(name))

    def _files(self, experiment: str) -> str | None:
        """Choose the folder for the files of a new experiment: next to a database file; None for the server's own."""
        if not self._uri.startswith("sqlite:///"):
            return None
        database = Path(self._uri.removeprefix("sqlite:///").partition("?")[0])
        return str(database.resolve().parent / "mlartifacts" / clean_name(experiment))

    def _open(self, client: "MlflowClient", experiment: str, run: TrackedRun) -> tuple["Run", set[tuple[str, int]]]:
        """Find the run by its id, with its logged metrics and steps, or create it."""
        if tracked := _find(client, experiment, run.id):
            return tracked, _find_logged_metrics(client, tracked, run.epochs)
        tags = {ID_TAG: run.id}
        # MLflow's own tag for nested runs; the parent is logged first.
        if run.parent is not None and (parent := _find(client, experiment, read_run(run.parent).id)):
            tags["mlflow.parentRunId"] = parent.info.run_id
        started = _milliseconds(run.started_seconds)
        return client.create_run(experiment, start_time=started, tags=tags, run_name=run.name), set()


def _find(client: "MlflowClient", experiment: str, run_id: str) -> "Run | None":
    return next(iter(client.search_runs([experiment], f"tags.`{ID_TAG}` = '{run_id}'", max_results=1)), None)


def _log(
    client: "MlflowClient", run_id: str, parameters: Mapping[str, Any], values: Iterable[tuple[str, float, Epoch]]
) -> None:
    """Log parameters and metrics in requests within MLflow's limits."""
    from mlflow.entities import Metric, Param

    params = [Param(name, str(value)) for name, value in parameters.items()]
    for first in range(0, len(params), _MAX_PARAMETERS):
        client.log_batch(run_id, params=params[first : first + _MAX_PARAMETERS])
    metrics = [Metric(name, value, _milliseconds(epoch.time_seconds), epoch.number) for name, value, epoch in values]
    for first in range(0, len(metrics), _MAX_METRICS):
        client.log_batch(run_id, metrics=metrics[first : first + _MAX_METRICS])


def _check_uri(uri: str, spec: str) -> None:
    """Raise `TrackerError` for URIs that MLflow would take for a folder, or answer with an error of its own."""
    scheme = uri.partition(":")[0].partition("+")[0] if ":" in uri else ""  # "mysql" of "mysql+pymysql://..."
    if scheme in _SCHEMES or uri == "databricks":
        pass
    elif scheme in ("", "file"):
        if os.environ.get("MLFLOW_ALLOW_FILE_STORE", "").lower() not in ("true", "1"):
            raise TrackerError(
                f"{spec}: MLflow keeps new runs in a database and no longer in a folder; give a file such as "
                "mlflow:sqlite:///mlflow.db, or set MLFLOW_ALLOW_FILE_STORE=true"
            )
    else:
        raise TrackerError(f"{spec}: MLflow has no store {scheme!r}; give one of {', '.join(_SCHEMES)}")
    if uri.startswith("sqlite:"):
        folder = Path(uri.removeprefix("sqlite:///").partition("?")[0]).parent
        if not uri.startswith("sqlite:///") or not folder.is_dir():
            raise TrackerError(f"{spec}: names no file in a folder that is there; write sqlite:///FOLDER/mlflow.db")


def _find_logged_metrics(client: "MlflowClient", tracked: "Run", epochs: Iterable[Epoch]) -> set[tuple[str, int]]:
    """Find the metrics of epochs that MLflow has: pairs of a name and an epoch."""
    # `tracked` has the names and last values alone, so the steps are a request for each name.
    names = {name for epoch in epochs for name in epoch.metrics} & set(tracked.data.metrics)
    histories = (client.get_metric_history(tracked.info.run_id, name) for name in names)
    return {(metric.key, metric.step) for history in histories for metric in history}


def _milliseconds(seconds: float) -> int:
    return round(1000 * seconds)
