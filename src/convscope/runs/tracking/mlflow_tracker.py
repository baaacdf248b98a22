"""Runs in MLflow, on a server or in a database file: parameters, metrics, tags and files, and no pickles."""

import os
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convscope.base.errors import TrackerError
from convscope.base.tables import without_passwords
from convscope.base.versions import install_command
from convscope.runs.tracking.metrics import clean
from convscope.runs.tracking.run import Epoch, Results, TrackedRun, read_run

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

EXPERIMENT = "convscope"
"""The experiment that runs are logged to, unless the variable `MLFLOW_EXPERIMENT_NAME` names another."""
ID_TAG = "convscope.id"
"""The tag by which a run is found again."""

_SCHEMES = ("http", "https", "sqlite", "postgresql", "mysql", "mssql", "databricks")
_MOST_METRICS, _MOST_PARAMETERS = 1000, 100  # in one request, by MLflow's REST API
# Set unless the user has: no usage figures to third parties, no lines between ours, and no training that waits for
# a server that is away for the quarter of an hour that MLflow would try.
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
}


class MLflowTracker:
    """The tracking store at `uri`.

    Raises:
        TrackerError: if MLflow does not keep runs at such a place, or it or what it needs there is not installed.
    """

    def __init__(self, uri: str) -> None:
        self.spec = without_passwords(f"mlflow:{uri}")
        _check(uri, self.spec)
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
        self._client: MlflowClient | None = None
        self._experiment = ""
        self._runs: dict[str, str] = {}  # MLflow's id by ours
        self._there: dict[str, set[tuple[str, int]]] = {}  # metrics and their steps, by our id

    def update(self, run: TrackedRun) -> None:
        client = self._connect()
        is_new = run.id not in self._runs
        if is_new:
            self._open(client, run)
        there = self._there[run.id]
        new = [
            (name, value, epoch)
            for epoch in run.epochs
            for name, value in epoch.metrics.items()
            if (name, epoch.number) not in there
        ]
        self._log_metrics(client, run, new)

    def finish(self, run: TrackedRun, results: Results) -> None:
        client, run_id = self._connect(), self._runs[run.id]
        last = Epoch(len(run.epochs), results.ended_seconds, {})
        known = client.get_run(run_id).data.metrics
        values = {**results.metrics, **_class_metrics(results.class_metrics)}
        self._log_metrics(client, run, [(k, v, last) for k, v in values.items() if known.get(k) != v])
        for name, value in results.tags.items():
            client.set_tag(run_id, f"convscope.{name}", value)
        for name, path in results.files.items():
            folder = name.rpartition("/")[0]
            client.log_artifact(run_id, str(path), folder or None)
        status = "FINISHED" if results.is_finished else "KILLED"
        client.set_terminated(run_id, status, end_time=_milliseconds(results.ended_seconds))

    def _connect(self) -> "MlflowClient":
        if self._client is None:
            from mlflow import MlflowClient

            client = MlflowClient(tracking_uri=self._uri)
            name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
            found = client.get_experiment_by_name(name)
            self._experiment = found.experiment_id if found else client.create_experiment(name, self._files(name))
            self._client = client
        return self._client

    def _files(self, experiment: str) -> str | None:
        """Return where the files of a new experiment lie: beside a database file, else where the server says."""
        if not self._uri.startswith("sqlite:///"):
            return None
        database = Path(self._uri.removeprefix("sqlite:///").partition("?")[0])
        return str(database.resolve().parent / "mlartifacts" / clean(experiment))

    def _open(self, client: "MlflowClient", run: TrackedRun) -> None:
        """Find the run by its id, or make it, and log what it was made from."""
        parent = None if run.parent is None else read_run(run.parent)
        if parent is not None and parent.id not in self._runs:
            self.update(parent)
        found = client.search_runs([self._experiment], f"tags.`{ID_TAG}` = '{run.id}'", max_results=1)
        if found:
            tracked = found[0]
            self._there[run.id] = _logged(client, tracked, run.epochs)
            client.update_run(tracked.info.run_id, status="RUNNING")
        else:
            tags = {ID_TAG: run.id}
            if parent is not None:
                tags["mlflow.parentRunId"] = self._runs[parent.id]
            started = _milliseconds(run.started_seconds)
            tracked = client.create_run(self._experiment, start_time=started, tags=tags, run_name=run.name)
            self._there[run.id] = set()
        self._log_parameters(client, tracked, run.parameters)
        self._runs[run.id] = tracked.info.run_id

    def _log_parameters(self, client: "MlflowClient", tracked: "Run", parameters: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        new = [Param(k, str(v)) for k, v in parameters.items() if k not in tracked.data.params]
        for first in range(0, len(new), _MOST_PARAMETERS):
            client.log_batch(tracked.info.run_id, params=new[first : first + _MOST_PARAMETERS])

    def _log_metrics(self, client: "MlflowClient", run: TrackedRun, values: Iterable[tuple[str, float, Epoch]]) -> None:
        from mlflow.entities import Metric

        new = [Metric(name, value, _milliseconds(at.time_seconds), at.number) for name, value, at in values]
        for first in range(0, len(new), _MOST_METRICS):
            client.log_batch(self._runs[run.id], metrics=new[first : first + _MOST_METRICS])
        self._there[run.id] |= {(metric.key, metric.step) for metric in new}


def _check(uri: str, spec: str) -> None:
    scheme = uri.partition(":")[0].partition("+")[0] if ":" in uri else ""
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


def _logged(client: "MlflowClient", tracked: "Run", epochs: Iterable[Epoch]) -> set[tuple[str, int]]:
    names = {name for epoch in epochs for name in epoch.metrics} & set(tracked.data.metrics)
    histories = (client.get_metric_history(tracked.info.run_id, name) for name in names)
    return {(metric.key, metric.step) for history in histories for metric in history}


def _class_metrics(rows: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    return {
        f"class/{number:03} {clean(row['class_name'])}/{name}": value
        for number, row in enumerate(rows)
        for name, value in row.items()
        if name != "class_name" and value is not None
    }


def _milliseconds(seconds: float) -> int:
    return round(1000 * seconds)
