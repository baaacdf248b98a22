"""Read a run for a tracker, only from its folder, so that the result is the same during the run and years later."""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import numpy as np
from msgspec import structs

from convscope.base.errors import RunError
from convscope.base.files import inside, read_json, write_json
from convscope.base.records import read
from convscope.base.sharing import shareable, without_folders
from convscope.evidence.comparison.records import ComparisonRecord
from convscope.evidence.evaluating import evaluate_labels
from convscope.evidence.evaluation import EvaluationRecord
from convscope.experiment.records import SeedsRecord
from convscope.runs.tracking.metrics import clean_name, collect_metrics
from convscope.runs.tracking.parameters import Parameter, flatten_settings
from convscope.storage import RunFolder, StoredRun, StoredRuns, find_stored, list_runs, open_run
from convscope.training.memory import Timings

_Result = TypeVar("_Result")

_IDENTITY_FILE = "tracking.json"
_MAX_SECONDS = 1e11  # since 1970: the year 5138; a larger number in the file is damage
_LOGGED_SUFFIXES = {".html", ".json", ".jsonl", ".npz", ".safetensors"}  # in the run folder itself, not below it
_FIGURE_SUFFIXES = {".png", ".svg"}  # in the folder figures/ of a run


@dataclass(frozen=True)
class Epoch:
    """An epoch of a run: its number from 1, the time of its end (seconds since 1970), and its metrics by name."""

    number: int
    time_seconds: float
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class TrackedRun:
    """A run so far, for a tracker.

    Attributes:
        id: 32 hexadecimal digits of the folder, by which a tracker finds the run again.
        parent: the folder of the run whose baseline or further seed this is, if any.
        segments: a unique path of names, with the parents' first:
            RUN                       ("mnist-cnn-001-1f0e2d3c",)
            RUN/baseline              ("mnist-cnn-001-1f0e2d3c", "baseline")
            RUN/seeds/runs/DIGEST     ("mnist-cnn-001-1f0e2d3c", "cnn-classic-seed-1-4b5a6978")
            EXPERIMENT/runs/DIGEST    ("experiment-mnist", "cnn-classic-seed-1-8796a5b4")
        started_seconds: when it began, in seconds since 1970.
        parameters: its settings by dotted name.
        epochs: those trained so far.
    """

    id: str
    name: str
    path: Path
    parent: Path | None
    segments: tuple[str, ...]
    started_seconds: float
    parameters: Mapping[str, Parameter]
    epochs: tuple[Epoch, ...]


@dataclass(frozen=True)
class Results:
    """The results of a run so far, for a tracker.

    Attributes:
        is_finished: False for a run that was stopped and can be resumed.
        ended_seconds: when it was last written to, in seconds since 1970.
        tags: the command, the data set's name and, after the training, the digest of the weights.
        metrics: numbers of the whole run by name, such as `test/accuracy`.
        files: the files to log, by their paths in the folder.
        children: the folders of the baseline and of further seeds.
    """

    is_finished: bool
    ended_seconds: float
    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    files: Mapping[str, Path]
    children: tuple[Path, ...]


def find_runs(path: Path) -> list[Path]:
    """List the folders of all runs of the experiment at `path`, or `path` itself if it is a run."""
    return [path] if (path / "run.json").exists() else list_runs(path / "runs") or [path]


def read_run(path: Path | str) -> TrackedRun:
    """Read the run in the folder at `path`, finished or not; a folder without an identity gets one.

    Raises:
        RunError: if there is no run, or a file of it is damaged.
        ConvscopeError: if the folder has no identity yet and cannot be written to.
    """
    path = Path(path).resolve()
    parent = _find_parent(path)
    if (match := find_stored(path)) is not None:
        stored, run = match
        folder, epochs = run.folder, _read_stored_epochs(run)
        # A stored run is a row in a database, without a file for an id. So the id is computed: the same each time, and
        # different in each experiment.
        identity = sha256(f"{stored.identity} {run.digest}".encode()).hexdigest()[:32]
        started = run.ended - run.seconds  # its training ended when it was stored
    else:
        folder = open_run(path)
        epochs = _read_epochs(folder)
        identity, started = _read_identity(path, epochs)
    parents = () if parent is None else read_run(parent).segments
    name = path.name
    if folder.record.digest:  # a run of an experiment, whose folder is named by a digest
        name = f"{clean_name(folder.architecture.name)}-{clean_name(folder.recipe.name)}-seed-{folder.seed}"
        parents = parents or (path.parents[1].name,)  # EXPERIMENT/runs/DIGEST: the name of the experiment
    # With digits of the id, since folders with the same name may be in different places. A run has one baseline.
    segments = (*parents, name if name == "baseline" else f"{name}-{identity[:8]}")
    return TrackedRun(
        id=identity,
        name=name,
        path=path,
        parent=parent,
        segments=segments,
        started_seconds=started,
        parameters=flatten_settings(shareable(folder.record).to_dict(), folder.architecture),
        epochs=epochs,
    )


def _find_parent(path: Path) -> Path | None:
    # RUN/baseline and RUN/seeds/runs/DIGEST belong to RUN.
    if path.name == "baseline":
        parent = path.parent
    elif path.parent.name == "runs" and path.parent.parent.name == "seeds":
        parent = path.parents[2]
    else:
        return None
    return parent if (parent / "run.json").exists() else None


def _read_stored_epochs(run: StoredRun) -> tuple[Epoch, ...]:
    rows = run.history.rows()
    # No times of epochs are stored: their seconds are added to the start.
    ends = run.ended - run.seconds + np.cumsum([row["seconds"] for row in rows])
    return _add_rates(run.folder, rows, ends.tolist())


def _read_epochs(folder: RunFolder) -> tuple[Epoch, ...]:
    file = folder.path / "history.jsonl"
    if not file.exists():
        return ()
    rows = folder.load_history().rows()
    # The times of the files with the weights after each epoch; without such a file, that of the history.
    checkpoints = (folder.path / "checkpoints" / f"epoch-{number:04}.safetensors" for number in range(1, len(rows) + 1))
    return _add_rates(folder, rows, [_find_time(checkpoint, file) for checkpoint in checkpoints])


def _add_rates(folder: RunFolder, rows: Sequence[Mapping[str, float]], ends: Sequence[float]) -> tuple[Epoch, ...]:
    rates = _compute_learning_rates(folder)
    # Rates are there for all epochs of the recipe, rows only for those that were trained: hence not strict.
    return tuple(
        Epoch(number, end, {name: value for name, value in row.items() if name != "epoch"} | {"learning_rate": rate})
        for number, (row, end, rate) in enumerate(zip(rows, ends, rates, strict=False), start=1)
    )


def _compute_learning_rates(folder: RunFolder) -> list[float]:
    """Compute the learning rate of the last step of each epoch."""
    record, train, recipe = folder.record, folder.record.dataset.train, folder.recipe
    total = record.num_training_images
    # The rates depend on the number of images that are trained on, without those that each class holds out. If the run
    # drew a part of the images, their numbers by class are not recorded, so they count as one class.
    counts = train.class_counts if total == train.num_images else (total,)
    num_trained_on = sum(count - round(recipe.validation_fraction * count) for count in counts)
    try:
        return [float(rate) for rate in recipe.learning_rates(num_trained_on)[:, -1].astype(np.float64)]
    except (ValueError, IndexError, OverflowError) as error:
        raise RunError(f"{folder.path / 'run.json'}: dataset is damaged ({error}); use another copy of it") from error


def _read_identity(path: Path, epochs: tuple[Epoch, ...]) -> tuple[str, float]:
    """Read the id of the folder and the start of its run, which are written when it is first logged."""
    file = inside(path, _IDENTITY_FILE)
    if not file.exists():
        write_json(file, {"id": secrets.token_hex(16), "started_seconds": _find_start(path, epochs)})
    try:
        content = read_json(file)
        identity, started = str(content["id"]), float(content["started_seconds"])
        # Checked, because the id becomes part of a path and of a query.
        if not re.fullmatch("[0-9a-f]{32}", identity) or not 0 <= started < _MAX_SECONDS:
            raise ValueError(f"id {identity!r}, started_seconds {started}")
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise RunError(f"{file}: damaged ({error}); remove it, and the run is logged as a new one") from error
    return identity, started


def _find_start(path: Path, epochs: tuple[Epoch, ...]) -> float:
    """Find the start of a run: the time of the untrained weights, or else that of the epochs or the folder."""
    untrained = path / "checkpoints" / "epoch-0000.safetensors"
    if epochs and not untrained.exists():
        return epochs[-1].time_seconds - sum(epoch.metrics["seconds"] for epoch in epochs)
    return _find_time(untrained, path / "run.json")


def _find_time(file: Path, otherwise: Path) -> float:
    return (file if file.exists() else otherwise).stat().st_mtime


def read_results(path: Path | str) -> Results:
    """Read the results so far of the run in the folder at `path`.

    Raises:
        RunError: if there is no run, or a file of it is damaged.
    """
    path = Path(path).resolve()
    if (match := find_stored(path)) is not None:
        return _read_stored_results(*match)
    folder = open_run(path)
    evaluation = _read_result(folder, "evaluation", EvaluationRecord)
    metrics = collect_metrics(
        folder.record,
        evaluation,
        _read_result(folder, "comparison", ComparisonRecord),
        _read_result(folder, "seeds", SeedsRecord),
        _read_result(folder, "timings", Timings),
    )
    files = _list_files(path)
    return Results(
        is_finished=folder.is_finished,
        ended_seconds=max((file.stat().st_mtime for file in files.values()), default=0.0),
        tags=_collect_tags(folder),
        metrics=metrics,
        files=files,
        children=_find_children(path),
    )


def _read_result(folder: RunFolder, name: str, kind: type[_Result]) -> _Result | None:
    return read(folder.locate(f"{name}.json"), kind) if folder.has(f"{name}.json") else None


def _read_stored_results(stored: StoredRuns, run: StoredRun) -> Results:
    """Compute the results of a stored run from its predictions; it has files if it has a folder."""
    y_true, y_pred = stored.y_true.astype(np.int64), run.y_pred.astype(np.int64)
    names = run.group.class_names
    # Probabilities of 0 and 1: the stored run has none, and no number that is logged depends on them.
    one_hot = np.eye(len(names), dtype=np.float32)[y_pred]
    evaluation = evaluate_labels(y_true, y_pred, one_hot, run.loss, names, "", "test").to_record()
    history, files = run.history, _list_files(run.path) if run.path.is_dir() else {}
    record = structs.replace(run.folder.record, epochs_trained=len(history), best_epoch=history.best_epoch)
    return Results(
        is_finished=True,
        ended_seconds=run.ended,
        tags=_collect_tags(run.folder),
        metrics=collect_metrics(record, evaluation),
        files=files,
        children=(),
    )


def _collect_tags(folder: RunFolder) -> dict[str, str]:
    tags = {"command": without_folders(folder.record.command), "dataset": folder.record.dataset.name}
    if digest := folder.record.weights_sha256:
        tags["weights_sha256"] = digest
    return tags


def _find_children(path: Path) -> tuple[Path, ...]:
    baseline = [path / "baseline"] if (path / "baseline" / "run.json").exists() else []
    paths = [*baseline, *list_runs(path / "seeds" / "runs")]
    return tuple(inside(path, child.relative_to(path)) for child in paths)


def _list_files(path: Path) -> dict[str, Path]:
    """List the files of a run, without links: a hostile folder could point at any file."""
    candidates = [file for file in path.iterdir() if file.suffix in _LOGGED_SUFFIXES and file.name != _IDENTITY_FILE]
    figures = path / "figures"
    if figures.is_dir() and not figures.is_symlink():
        candidates += [file for file in figures.iterdir() if file.suffix in _FIGURE_SUFFIXES]
    # A name that begins with a dot is that of a file being written.
    regular = sorted(file for file in candidates if file.is_file() and not file.is_symlink() and file.name[0] != ".")
    return {file.relative_to(path).as_posix(): file for file in regular}
