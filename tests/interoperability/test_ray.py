"""Runs of an experiment on Ray: the same bytes as in this process, also when a worker is killed."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path

import pytest

import convscope as cs
from convscope.experiment import RunResult, RunSpec, open_executor, train_runs

pytest.importorskip("ray", reason="Ray is not among what the extra `test` installs")

RECIPE = cs.Recipe(epochs=1, batch_size=4, name="short")


@pytest.fixture(scope="module")
def ray() -> Iterator[Executor]:
    with open_executor("ray://") as executor:
        assert executor is not None
        yield executor


def specs_of(folder: Path, count: int) -> list[RunSpec]:
    return [RunSpec(str(folder), cs.presets.cnn(), RECIPE, seed) for seed in range(count)]


def outcomes(results: list[RunResult]) -> list[tuple[object, ...]]:
    return [(run.seed, run.weights_sha256, run.y_pred.tolist(), run.loss) for run in results]


def test_ray_gives_the_same_bytes_as_this_process(ray: Executor, small_folder: Path, tmp_path: Path):
    specs, splits = specs_of(small_folder, 4), cs.load_dataset(small_folder)
    there = train_runs(specs, splits, folder=tmp_path, executor=ray)
    assert outcomes(there) == outcomes(train_runs(specs, splits, threads=1))


def test_a_killed_worker_costs_only_its_run(ray: Executor, small_folder: Path):
    specs, splits, came = specs_of(small_folder, 12), cs.load_dataset(small_folder), list[int]()

    def kill_one(run: RunResult) -> None:
        came.append(run.seed)
        if len(came) == 2:
            os.kill(worker, signal.SIGKILL)

    worker = ray.submit(lambda: os.getpid()).result()  # Ray takes no function of C
    there = train_runs(specs, splits, executor=ray, on_result=kill_one)
    assert sorted(came) == list(range(12))
    assert outcomes(there) == outcomes(train_runs(specs, splits, threads=1))
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)
