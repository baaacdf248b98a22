"""Runs in other processes and on Dask or Ray: the same results as in this process, also after a process was killed."""

import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import convscope as cs
from convscope.base.errors import ConvscopeError, DivergedError, ExecutorError
from convscope.data.datasets.disk.images import DiskImages, as_images
from convscope.engine.processor import instruction_sets
from convscope.experiment import Experiment, RunResult, RunSpec, executors, open_executor, train_runs
from convscope.experiment.executors import LocalProcesses, RayTasks
from convscope.experiment.shared_data import share

from .conftest import ONE_EPOCH, make_diverging_spec, make_specs, reproducible_parts, tiny


@pytest.fixture(scope="module")
def processes() -> Iterator[LocalProcesses]:
    with open_executor("local:2") as executor:
        assert isinstance(executor, LocalProcesses)
        yield executor


@pytest.mark.slow
def test_local_processes_give_the_same_bytes_as_this_one(
    local_runs, processes: LocalProcesses, small_splits: cs.Splits, small_folder: Path, tmp_path: Path
):
    _, expected = local_runs
    results = train_runs(make_specs(small_folder, range(8)), small_splits, folder=tmp_path, executor=processes)
    assert len(processes.pids) == 2
    assert os.getpid() not in processes.pids
    assert [run.seed for run in results] == list(range(8))
    assert reproducible_parts(results) == reproducible_parts(expected)


def test_local_processes_share_data_in_memory(local_runs, processes: LocalProcesses, small_splits: cs.Splits):
    _, expected = local_runs
    specs = [RunSpec("", tiny(), ONE_EPOCH, seed) for seed in range(2)]
    results = train_runs(specs, small_splits, executor=processes)
    assert [run.weights_sha256 for run in results] == [run.weights_sha256 for run in expected[:2]]


@pytest.mark.parametrize("has_proc", [True, False])
def test_shared_images_are_mapped_and_not_copied(
    small_splits: cs.Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_proc: bool
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    if not has_proc:  # then the images lie in a temporary file; with /proc other processes map a file without a name
        monkeypatch.setattr(Path, "is_dir", lambda _: False)
    with share(small_splits) as sharing:
        assert bool(list(tmp_path.iterdir())) != has_proc
        shared = pickle.loads(pickle.dumps(sharing))
        assert len(pickle.dumps(shared)) < small_splits.train.images.nbytes / 20
        opened = shared.open()
        for part, own in ((opened.train, small_splits.train), (opened.test, small_splits.test)):
            assert (part.images == own.images).all()
            assert isinstance(part.images.base, np.memmap)
            assert part.to_dict() == own.to_dict()
            assert part.handwriting == own.handwriting
        assert opened.options == small_splits.options
    assert list(tmp_path.iterdir()) == []


def test_images_that_cannot_be_copied_are_one_error(small_splits: cs.Splits, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object) -> None:
        raise OSError(f"{small_splits.train.images.size} requested and 0 written")

    monkeypatch.setattr(np, "save", fail)
    with pytest.raises(ConvscopeError, match=r"cannot hold a copy of the images .* set TMPDIR"), share(small_splits):
        pass


def test_images_on_disk_are_read_from_where_they_are(small_splits: cs.Splits, tmp_path: Path):
    path, train = tmp_path / "images", small_splits.train
    path.write_bytes(train.images.tobytes())
    on_disk = cs.Dataset(as_images(DiskImages(path, 0, train.images.shape)), train.labels, train.class_names)
    with share(cs.Splits(on_disk, small_splits.test)) as sharing:
        opened = pickle.loads(pickle.dumps(sharing)).open().train
    assert opened.images.path == path
    assert opened.sha256 == on_disk.sha256
    assert (opened.images[5:9] == train.images[5:9]).all()


@pytest.mark.slow
def test_a_killed_process_costs_only_its_run(
    local_runs, processes: LocalProcesses, small_splits: cs.Splits, small_folder: Path, tmp_path: Path
):
    _, expected = local_runs
    finished_seeds = list[int]()
    list(processes.map(abs, range(8)))  # starts both processes
    first, second = processes.pids

    def kill_one(run: RunResult) -> None:
        finished_seeds.append(run.seed)
        if len(finished_seeds) == 2:
            os.kill(first, signal.SIGKILL)

    results = train_runs(
        make_specs(small_folder, range(8)), small_splits, folder=tmp_path, executor=processes, on_result=kill_one
    )
    assert sorted(finished_seeds) == list(range(8))
    assert reproducible_parts(results) == reproducible_parts(expected)
    assert second in processes.pids
    processes.submit(abs, 1).result()  # a new process took the place of the killed one
    assert len(processes.pids) == 2


def test_an_error_in_a_process_becomes_an_error_of_the_run(
    processes: LocalProcesses, small_splits: cs.Splits, small_folder: Path
):
    with pytest.raises(DivergedError, match="huge, wild, seed 1: training diverged"):
        train_runs([make_diverging_spec(small_folder)], small_splits, executor=processes)


DIE_WHILE_SENDING = """  # announces a message of 65,536 bytes (00 01 00 00), sends four of them and dies
import gc, os, signal
from multiprocessing.connection import Connection
[connection] = [thing for thing in gc.get_objects() if isinstance(thing, Connection)]
os.write(connection.fileno(), bytes([0, 1, 0, 0]) + b"half")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_a_process_that_dies_while_sending_is_noticed(processes: LocalProcesses):
    with pytest.raises(BrokenExecutor, match="ended before its task was finished"):
        processes.submit(exec, DIE_WHILE_SENDING, {}).result(timeout=600)
    assert list(processes.map(abs, [-1, -2, -3])) == [1, 2, 3]


@pytest.mark.slow
def test_a_process_whose_reply_nobody_reads_ends_without_a_traceback(capfd: pytest.CaptureFixture[str]):
    with ThreadPoolExecutor(1) as thread:  # as `LocalProcesses` does: SIGINT stays blocked in the thread that starts it
        worker = thread.submit(executors._Worker).result()
    worker._connection.send((abs, (-1,), {}))
    assert worker._connection.poll(60)  # closed with a reply in it, the connection is reset
    worker.end()
    assert worker._process.exitcode == 0
    assert capfd.readouterr().err == ""


@pytest.mark.slow
def test_leaving_by_an_exception_ends_the_processes_at_once():
    def leave() -> None:
        with LocalProcesses(1) as executor:
            pids.append(executor.submit(os.getpid).result())
            executor.submit(signal.pause)
            raise KeyboardInterrupt

    pids = list[int]()
    with pytest.raises(KeyboardInterrupt):
        leave()
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for single processes")
def test_an_interrupt_while_a_process_starts_prints_no_traceback(capfd: pytest.CaptureFixture[str]):
    with LocalProcesses(1) as processes:
        future = processes.submit(time.sleep, 30)
        deadline = time.monotonic() + 20
        while not processes.pids and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(0.1)  # by then Python runs and imports modules
        os.kill(processes.pids[0], signal.SIGINT)
        with pytest.raises(BrokenExecutor):
            future.result(20)
    assert capfd.readouterr().err == ""


class DaskProcesses:
    """A Dask scheduler and workers on this machine, each a process that can be killed."""

    def __init__(self) -> None:
        with socket.socket() as probe:  # a free port
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.running = list[subprocess.Popen[bytes]]()

    def start(self, *instruction_sets: str) -> None:
        """Start a scheduler, and a worker for each of the instruction sets."""
        self._start("scheduler", "--host", "127.0.0.1", "--port", self.port)
        while not self._answers():
            time.sleep(0.1)
        for name in instruction_sets:
            address = f"tcp://127.0.0.1:{self.port}"
            self._start("worker", address, "--nthreads", 1, "--no-nanny", CONVSCOPE_ISA=name)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _start(self, kind: str, *words: object, **environment: str) -> None:
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *map(str, words), "--no-dashboard"]
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.running.append(subprocess.Popen(command, env={**os.environ, **environment}, **silent))

    def kill(self, first: int = 0) -> None:
        for process in self.running[first:]:
            process.kill()
            process.wait()
        del self.running[first:]


@pytest.mark.slow
def test_a_killed_dask_worker_costs_only_its_run_and_a_killed_scheduler_only_a_new_start(
    local_runs, small_splits: cs.Splits, small_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    _, expected = local_runs
    sets = instruction_sets()  # the fastest first
    monkeypatch.setattr("convscope.experiment.executors._CONNECT_SECONDS", 3)
    monkeypatch.setattr("convscope.experiment.runs._CHECK_SECONDS", 0.1)
    cluster, specs = DaskProcesses(), make_specs(small_folder, range(8))
    many = make_specs(small_folder, range(60))  # so that some remain when the scheduler is killed
    first, of_first, of_second = list[RunResult](), list[RunResult](), list[RunResult]()

    def kill_worker(run: RunResult) -> None:
        of_first.append(run)
        have_both_finished = len({run.kept.record.cpu.instruction_set for run in of_first}) == 2
        if have_both_finished or len(of_first) == 4:  # of 8, so that runs remain
            cluster.kill(2)  # the second worker

    def kill_scheduler(run: RunResult) -> None:
        of_second.append(run)
        if len(of_second) == 2:
            cluster.kill()

    def train_twice() -> None:
        with open_executor(f"dask://127.0.0.1:{cluster.port}") as executor:
            first.extend(
                train_runs(specs, small_splits, folder=tmp_path / "1", executor=executor, on_result=kill_worker)
            )
            train_runs(many, small_splits, folder=tmp_path / "2", executor=executor, on_result=kill_scheduler)

    try:
        cluster.start(sets[0], sets[-1])
        with pytest.raises(ConvscopeError, match="finished runs are kept, so start it again to continue"):
            train_twice()
    finally:
        cluster.kill()
    assert sorted(run.seed for run in of_first) == list(range(8))
    num_kept = len(of_second)
    assert 2 <= num_kept < len(many)
    second = train_runs(specs, small_splits, folder=tmp_path / "2", on_result=of_second.append)  # in this process
    assert len(of_second) == num_kept + 8  # kept runs are reported again
    for results in (first, second):
        experiment = Experiment("small", small_splits.test.labels, len(small_splits.train), tuple(results))
        assert sum(experiment.instruction_sets.values()) == 8
        parts = zip(reproducible_parts(results), reproducible_parts(expected), strict=True)
        for run, (part, expected_part) in zip(results, parts, strict=True):
            if run.kept.record.cpu.instruction_set == sets[0]:  # other sets round differently
                assert part == expected_part


class SilentRay:
    """Stands for Ray's module; its tasks never end."""

    def remote(self, *_: object, **options: object) -> Any:
        return (lambda _: self) if options else self  # ray.remote(**options)(function), then .remote(arguments)

    def future(self) -> Future[object]:
        return Future()

    def cancel(self, *_: object, **__: object) -> None: ...


def test_a_lost_head_of_ray_ends_the_experiment_with_one_error(
    small_splits: cs.Splits, small_folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("convscope.experiment.runs._CHECK_SECONDS", 0.01)
    is_alive = iter([True, False])  # the head is lost after the only run was submitted
    executor = RayTasks(SilentRay(), lambda: next(is_alive))
    with pytest.raises(ConvscopeError, match="does not answer any more; finished runs are kept"):
        train_runs(make_specs(small_folder, [0]), small_splits, executor=executor)
    lost = RayTasks(SilentRay(), lambda: False)
    with pytest.raises(ConvscopeError, match=r"accepts no more runs .* the head of the cluster is gone"):
        train_runs(make_specs(small_folder, [0]), small_splits, executor=lost)


BAD = {
    "an unknown kind": ("slurm://host", r"it must be local:N \(processes\), dask://HOST:PORT"),
    "no number": ("local:", "it must be local:N"),
    "no process": ("local:0", "there must be at least one process"),
    "no port": ("dask://localhost", "it must be local:N"),
    "nobody there": ("dask://127.0.0.1:9", "no scheduler responds there"),
}


@pytest.mark.parametrize("case", BAD)
def test_an_executor_that_cannot_be_opened_is_named_with_the_reason(case: str, monkeypatch):
    name, message = BAD[case]
    monkeypatch.setattr("convscope.experiment.executors._CONNECT_SECONDS", 0.2)
    with pytest.raises(ExecutorError, match=message), open_executor(name):
        pass


@pytest.mark.parametrize(("name", "library"), [("dask://a:1", "distributed"), ("ray://", "ray")])
def test_a_library_that_is_missing_is_named_with_what_to_install(monkeypatch, name: str, library: str):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ExecutorError, match=f'needs {library}; run pip install "{library}'), open_executor(name):
        pass
