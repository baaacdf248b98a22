"""A network that trains in a moment, and an experiment's runs in this process, with which other ways are compared."""

from collections.abc import Sequence
from pathlib import Path

import pytest

import convscope as cs
from convscope.experiment import RunResult, RunSpec, train_runs
from convscope.storage import StoredRuns

ONE_EPOCH = cs.Recipe(epochs=1, batch_size=4, name="short")


def tiny(shape: tuple[int, int, int] = (28, 28, 1), num_classes: int = 10) -> cs.Architecture:
    layers = (cs.Conv2D(4, 5, activation="relu"), cs.MaxPooling2D(4), cs.Flatten(), cs.Dense(num_classes, "softmax"))
    return cs.Architecture(cs.Input(*shape), layers, "tiny")


def make_specs(folder: Path, seeds: Sequence[int]) -> list[RunSpec]:
    return [RunSpec(str(folder), tiny(), ONE_EPOCH, seed) for seed in seeds]


def make_diverging_spec(folder: Path) -> RunSpec:
    """Specify a run whose loss becomes infinite or NaN in the first epoch."""
    layers = (cs.Flatten(), cs.Dense(99), cs.Dense(10, "softmax"))
    network = cs.Architecture(cs.Input(28, 28, scale=1e30), layers, "huge")
    return RunSpec(str(folder), network, cs.Recipe(epochs=1, optimizer=cs.Adam(1.0), name="wild"), 1)


def reproducible_parts(results: Sequence[RunResult]) -> list[tuple[object, ...]]:
    """List the results of stored runs that are equal in every process: seed, weights, predictions, loss, accuracies."""
    return [
        (run.seed, cs.load_model(run.folder).weights_sha256, run.y_pred.tolist(), run.loss, run.history.val_accuracy)
        for run in results
        if run.folder is not None
    ]


def list_stored_seeds(folder: Path) -> list[int]:
    return [run.seed for run in StoredRuns(folder / "runs").runs(pytest.fail)]


@pytest.fixture(scope="session")
def small_splits(small_folder: Path) -> cs.Splits:
    return cs.load_dataset(small_folder)


@pytest.fixture(scope="session")
def local_runs(
    small_folder: Path, small_splits: cs.Splits, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[RunResult]]:
    """The folder and the results of eight seeds, run one after the other in this process."""
    folder = tmp_path_factory.mktemp("local")
    return folder, train_runs(make_specs(small_folder, range(8)), small_splits, folder=folder, threads=1)
