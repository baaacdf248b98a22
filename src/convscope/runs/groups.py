"""Read runs in folders into groups over seeds, which can be compared on the same test images.

Four steps, with the example of a folder in which `cnn` and `ann` were trained with three seeds each:

    folder          a run, a folder of runs, or an experiment; a run has a folder of its own, or is stored in a database
    FinishedRun     a run with its predictions: six of them
    SeedGroup       the runs whose settings are alike but for the seed, that is of one `kind`: two groups of three
    RunGroup        a group's arrays as `compare_all` takes them, with y_pred (3, N)

A run that cannot be used (unfinished, damaged, or a seed twice in its group) is left out with a line that says so.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from convscope.architecture import Architecture
from convscope.base.errors import ConvscopeError, RunError
from convscope.base.plain import canonical_json
from convscope.engine import initial_weights, open_network
from convscope.engine.keras.backend import BACKENDS
from convscope.evidence.comparison import RunGroup, weights_bytes
from convscope.evidence.comparison.predictions_file import read_labels_and_predictions
from convscope.evidence.latency import measure_latency
from convscope.recipes import Recipe
from convscope.runs.data import read_again
from convscope.storage import RunFolder, StoredRun, StoredRuns, find_stored, open_run
from convscope.storage.records import RunFile
from convscope.storage.writing import LOCK_FILE
from convscope.training.model import Model

_PREDICTIONS = "predictions.npz"  # the main job writes it before it measures anything else


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """A run and its predictions for N test images.

    Attributes:
        kind: the settings that the runs of a group share, as text.
        stored: the run in its database, if it is stored with others.
    """

    folder: RunFolder
    y_true: NDArray[np.int64]
    y_pred: NDArray[np.integer[Any]]
    seconds: float | None
    kind: str
    stored: tuple[StoredRuns, StoredRun] | None = None

    def model(self) -> Model:
        """Load the trained network; raises `RunError` if it is damaged."""
        return self.folder.load_model() if self.stored is None else self.stored[0].model(self.stored[1])


@dataclass(frozen=True, eq=False)
class SeedGroup:
    """Runs that differ only in their seed, from the folder `argument`."""

    argument: Path
    runs: Sequence[FinishedRun]

    def to_group(self, name: str, dataset_name: str, images: NDArray[np.uint8] | None) -> RunGroup:
        """Convert the runs to a group; with `images`, measure the time of a prediction on an untrained network."""
        # `dataset_name` is the same for all groups, though each run may have loaded the images under another name.
        first = self.runs[0]
        network = first.folder.architecture
        seconds = [run.seconds for run in self.runs if run.seconds is not None]
        # Seconds for one image, and for a thousand. They do not depend on the weights, so no run's file is read.
        single, many = None, None
        if images is not None:
            single, many = measure_latency(open_network(network, initial_weights(network, 0)), images)
        return RunGroup(
            name=name,
            seeds=tuple(run.folder.seed for run in self.runs),
            y_true=first.y_true,
            y_pred=np.stack([run.y_pred for run in self.runs]),
            dataset_name=dataset_name,
            split="test",
            parameters=network.parameters,
            macs=network.macs,
            weights_bytes=count_stored_bytes(first.folder),
            training_seconds=mean(seconds) if len(seconds) == len(self.runs) else None,
            latency_seconds=single,
            latency_1000_seconds=many,
        )


def read_groups(folders: Sequence[Path], left_out: list[str]) -> list[SeedGroup]:
    """Read the runs in `folders` into groups that differ only in their seed.

    Args:
        folders: each a run, a folder with runs in it, or an experiment.
        left_out: gets a line for each run that is left out.

    Raises:
        RunError: if there is no run, none is finished, all are of one group, or they have different test images.
    """
    groups = list[SeedGroup]()
    for folder in folders:
        groups += _group_by_seed(folder, _read_folder(folder, left_out), left_out)
    _check_images(groups)
    if len(groups) < 2:
        first = groups[0].runs[0].folder
        only = f"only runs of {first.architecture.name} with recipe {first.recipe.name}"
        # The experiment is running, or was killed; the lock cannot be tested without disturbing it.
        wait = "wait until its experiment has ended, or " if (folders[0] / LOCK_FILE).exists() else ""
        raise RunError(f"{folders[0]}: contains {only}; {wait}name another folder to compare with")
    return groups


def _group_by_seed(argument: Path, runs: Iterator[FinishedRun], left_out: list[str]) -> list[SeedGroup]:
    """Group the runs of a folder, and add a line to `left_out` for each run with a duplicate seed."""
    groups = dict[str, dict[int, FinishedRun]]()
    for run in runs:
        group, seed = groups.setdefault(run.kind, {}), run.folder.seed
        # The same training twice would count as two seeds, so only the first run of a seed is used.
        if group.setdefault(seed, run) is not run:
            left_out.append(f"{run.folder.path} has the same seed ({seed}) as another run of its group")
    return [SeedGroup(argument, list(group.values())) for group in groups.values()]


def _check_images(groups: Sequence[SeedGroup]) -> None:
    """Raise `RunError` unless all runs have the same test images."""
    first = groups[0].runs[0]
    digest = first.folder.record.dataset.test.sha256
    for run in chain.from_iterable(group.runs for group in groups):
        # Stored runs share one array of labels, which need not be compared with itself a thousand times.
        is_same = run.y_true is first.y_true or np.array_equal(run.y_true, first.y_true)
        if run.folder.record.dataset.test.sha256 != digest or not is_same:
            paths = f"{run.folder.path} and {first.folder.path}"
            raise RunError(f"{paths} have different test images; use convscope evaluate RUN --dataset DATA for each")


def read_finished_runs(folders: Sequence[Path], name: str | None = None) -> tuple[list[FinishedRun], list[str]]:
    """Read the finished runs in `folders`, and describe those that are left out.

    With `name`, only those of the group that has this name (`name_groups`); a `RunError` lists the names there are.
    """
    left_out = list[str]()
    runs = [run for folder in folders for run in _read_folder(folder, left_out)]
    if name is not None:
        groups = _group_by_seed(folders[0], iter(runs), left_out)
        by_name = dict(zip(name_groups(groups), groups, strict=True)) if groups else {}
        if name not in by_name:
            names = ", ".join(f'"{known}"' for known in by_name)
            raise RunError(f"{folders[0]}: has no group {name!r}; its groups are {names or 'none'}")
        runs = list(by_name[name].runs)
    return runs, left_out


def _read_folder(path: Path, left_out: list[str]) -> Iterator[FinishedRun]:
    """Yield the runs in the folder `path`, and add a line to `left_out` for each unfinished or damaged run."""
    if (match := find_stored(path)) is not None:
        stored, run = match
        yield _read_stored_run(stored, run, stored.y_true.astype(np.int64), _describe_kind(run.folder.record))
    elif (path / "run.json").exists():
        if not (path / _PREDICTIONS).exists():
            raise RunError(f"{path}: is not finished; {open_run(path).next_step}")
        yield _read_run(path)
    elif path.is_dir():
        yield from _read_runs_below(path, left_out)
    else:
        raise RunError(f"{path}: no such folder; name a run, a folder of runs, or an experiment")


def _read_runs_below(path: Path, left_out: list[str]) -> Iterator[FinishedRun]:
    """Yield the finished runs in a folder of runs or an experiment, as `_read_folder` does.

    A folder of runs has them itself, an experiment in runs/. In both places there may be stored runs, in a database,
    and run folders:

        FOLDER/runs.db          FOLDER/NAME/run.json
        FOLDER/runs/runs.db     FOLDER/runs/NAME/run.json

    Raises:
        RunError: at the end, if there was no finished run. It names the first of those that were left out.
    """
    num_runs, num_left_out_before = 0, len(left_out)
    for runs in (path, path / "runs"):
        stored = StoredRuns(runs)
        for run in _read_stored_runs(stored, left_out):
            num_runs += 1
            yield run
        folders = _list_run_folders(runs, stored)
        finished = [folder for folder in folders if (folder / _PREDICTIONS).exists()]
        left_out += [f"{folder} is not finished" for folder in folders if folder not in finished]
        num_runs += len(finished)
        yield from map(_read_run, finished)
    if num_runs > 0:
        return
    # There was no run to yield: the error depends on whether there were others.
    unfinished = left_out[num_left_out_before:]
    if not unfinished:
        raise RunError(f"{path}: contains no run; name a run, a folder of runs, or an experiment")
    raise RunError(f"{path}: none of its {len(unfinished)} runs is finished ({unfinished[0]}); finish them first")


def _list_run_folders(runs: Path, stored: StoredRuns) -> list[Path]:
    """List the run folders in `runs` by name, without those of stored runs, which somebody opened."""
    digests = set(stored.digests())  # the folder of a stored run is named by its digest
    folders = sorted(file.parent for file in runs.glob("*/run.json") if file.parent.name[0] != ".")  # ".": half written
    return [folder for folder in folders if folder.name not in digests]


def _read_stored_runs(stored: StoredRuns, left_out: list[str]) -> Iterator[FinishedRun]:
    """Yield the runs in a database, which share an array of labels; `left_out` gets a line for each damaged run."""
    y_true, kinds = None, dict[str, str]()
    for run in stored.runs(left_out.append):
        if y_true is None:  # an empty database has no labels
            y_true = stored.y_true.astype(np.int64)
        if run.group.digest not in kinds:  # once for a group, since an experiment may have thousands of runs
            kinds[run.group.digest] = _describe_kind(run.folder.record)
        yield _read_stored_run(stored, run, y_true, kinds[run.group.digest])


def _read_stored_run(stored: StoredRuns, run: StoredRun, y_true: NDArray[np.int64], kind: str) -> FinishedRun:
    return FinishedRun(run.folder, y_true, run.y_pred, run.seconds, kind, (stored, run))


def _read_run(path: Path) -> FinishedRun:
    folder = open_run(path)
    test = folder.record.dataset.test
    y_true, y_pred = read_labels_and_predictions(folder.locate(_PREDICTIONS), test.num_images, len(test.class_names))
    return FinishedRun(folder, y_true, y_pred, _sum_training_seconds(folder), _describe_kind(folder.record))


def _describe_kind(record: RunFile) -> str:
    """Describe everything that decides the results of a group's runs, except the seed, as text.

    Runs are of one group if their texts are equal; nobody reads the text.
    """
    start = record.start
    # The training of an imported network is unknown, and an ensemble has none: each is a group of its own.
    weights = str(record.weights_sha256) if record.imported or record.members else None
    # The versions of a Keras run name its backend, as each gives other weights.
    backend = [name for name in record.versions if record.engine == "keras" and name in BACKENDS]
    return canonical_json(
        [
            [record.dataset.train.sha256, record.dataset.test.sha256],
            record.architecture,
            record.recipe,
            record.num_training_images,
            [record.engine, backend, None if record.weights_seed is UNSET else record.weights_seed],
            [start.weights_sha256, start.new_output] if start else [None, None],
            weights,
        ]
    )


def _sum_training_seconds(folder: RunFolder) -> float | None:
    """Sum the seconds of training, for an ensemble those of all members; None if unknown."""
    if members := folder.record.members:
        member_seconds = [member.seconds for member in members if member.seconds is not None]
        return sum(member_seconds) if len(member_seconds) == len(members) else None
    is_known = folder.has("history.jsonl") and not folder.record.imported
    return sum(folder.load_history().seconds) if is_known else None


def to_run_groups(groups: Sequence[SeedGroup]) -> list[RunGroup]:
    """Convert groups for `compare_all`, with the time of a prediction if the images can be loaded."""
    first = groups[0].runs[0].folder
    images, dataset_name = _load_test_images(first), first.record.dataset.name
    return [group.to_group(name, dataset_name, images) for group, name in zip(groups, name_groups(groups), strict=True)]


def _load_test_images(folder: RunFolder) -> NDArray[np.uint8] | None:
    """Load the runs' test images; None if they cannot be loaded any more, or have changed."""
    recorded = folder.record.dataset
    try:
        test = read_again(recorded, folder.path).test
    except ConvscopeError:
        return None
    return test.images if test.sha256 == recorded.test.sha256 else None


def count_stored_bytes(folder: RunFolder) -> int:
    """Count the bytes of a run's stored weights, see `weights_bytes`; for an ensemble those of its members."""
    if members := folder.record.members:
        trained = [(Architecture.from_dict(member.architecture), Recipe.from_dict(member.recipe)) for member in members]
        return sum(weights_bytes(network, recipe.weight_bits) for network, recipe in trained)
    # The recipe of an imported run trained its siblings, but not the network itself.
    weight_bits = None if folder.record.imported else folder.recipe.weight_bits
    return weights_bytes(folder.architecture, weight_bits)


def name_groups(groups: Sequence[SeedGroup]) -> list[str]:
    """Name each group by its architecture, and by further settings until all names differ.

    Each group has a row of words, one for each setting (`_describe_settings`). Columns are added from the left, without
    those in which all rows are alike, until no two groups have the same words. Here columns 0, 1 and 2 are enough:

        cnn   fast      60,000 images   native   random weights   ...      "cnn, fast, 60,000 images"
        cnn   fast       5,000 images   native   random weights   ...      "cnn, fast, 5,000 images"
        cnn   classic   60,000 images   native   random weights   ...      "cnn, classic, 60,000 images"
    """
    rows = [_describe_settings(group, number) for number, group in enumerate(groups, 1)]
    columns = [0]
    for column in range(1, len(rows[0])):
        if len({tuple(row[i] for i in columns) for row in rows}) == len(rows):  # all names differ
            break
        if len({row[column] for row in rows}) > 1:  # a setting that all groups share tells none apart
            columns.append(column)
    return [", ".join(row[i] for i in columns) for row in rows]


def _describe_settings(group: SeedGroup, number: int) -> list[str]:
    """Describe a group's settings in words, in the order in which `name_groups` adds them to names."""
    run, record = group.runs[0], group.runs[0].folder.record
    network, recipe = run.folder.architecture.name, run.folder.recipe.name
    seeds = f"seed {run.folder.seed}" if len(group.runs) == 1 else f"{len(group.runs)} seeds"
    images, folder = f"{record.num_training_images:,} images", str(group.argument)
    begin = f"from {record.start.weights_sha256[:8]}" if record.start else "random weights"
    begin += "" if record.weights_seed is UNSET else f" of seed {record.weights_seed}"
    # The last makes any two groups differ, if nothing before it does.
    return [network, recipe, images, record.engine, begin, seeds, folder, f"group {number}"]
