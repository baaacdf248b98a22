"""Runs of an experiment on Ray: the same results as in this process, also after a worker was killed."""

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


def make_specs(folder: Path, count: int) -> list[RunSpec]:
    return [RunSpec(str(folder), cs.presets.cnn(), RECIPE, seed) for seed in range(count)]


def reproducible_parts(results: list[RunResult]) -> list[tuple[object, ...]]:
    return [(run.seed, run.weights_sha256, run.y_pred.tolist(), run.loss) for run in results]


def test_ray_gives_the_same_bytes_as_this_process(ray: Executor, small_folder: Path, tmp_path: Path):
    specs, splits = make_specs(small_folder, 4), cs.load_dataset(small_folder)
    results = train_runs(specs, splits, folder=tmp_path, executor=ray)
    assert reproducible_parts(results) == reproducible_parts(train_runs(specs, splits, threads=1))


def test_a_killed_worker_costs_only_its_run(ray: Executor, small_folder: Path):
    specs, splits, finished_seeds = make_specs(small_folder, 12), cs.load_dataset(small_folder), list[int]()

    def kill_one(run: RunResult) -> None:
        finished_seeds.append(run.seed)
        if len(finished_seeds) == 2:
            os.kill(worker, signal.SIGKILL)

    worker = ray.submit(lambda: os.getpid()).result()  # Ray accepts no built-in function
    results = train_runs(specs, splits, executor=ray, on_result=kill_one)
    assert sorted(finished_seeds) == list(range(12))
    assert reproducible_parts(results) == reproducible_parts(train_runs(specs, splits, threads=1))
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)
