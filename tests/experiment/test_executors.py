"""Runs in other processes: the same bytes, also when one of them is killed half-way."""

import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import LocalCluster

import convscope as cs
from convscope.base.errors import ConvscopeError, DivergedError, ExecutorError
from convscope.data.datasets.disk.images import DiskImages, as_images
from convscope.engine.processor import instruction_sets
from convscope.experiment import Experiment, RunResult, RunSpec, open_executor, train_runs
from convscope.experiment.executors import LocalProcesses, RayTasks
from convscope.experiment.shared_data import share

from .conftest import ONE_EPOCH, diverging, outcomes, specs_of, tiny


@pytest.fixture(scope="module")
def processes() -> Iterator[LocalProcesses]:
    with open_executor("local:2") as executor:
        assert isinstance(executor, LocalProcesses)
        yield executor


@pytest.mark.slow
def test_local_processes_give_the_same_bytes_as_this_one(
    here, processes: LocalProcesses, small_splits: cs.Splits, small_folder: Path, tmp_path: Path
):
    _, results = here
    there = train_runs(specs_of(small_folder, range(8)), small_splits, folder=tmp_path, executor=processes)
    assert len(processes.pids) == 2
    assert os.getpid() not in processes.pids
    assert [run.seed for run in there] == list(range(8))
    assert outcomes(there) == outcomes(results)


def test_local_processes_share_data_in_memory(here, processes: LocalProcesses, small_splits: cs.Splits):
    _, results = here
    specs = [RunSpec("", tiny(), ONE_EPOCH, seed) for seed in range(2)]
    there = train_runs(specs, small_splits, executor=processes)
    assert [run.weights_sha256 for run in there] == [run.weights_sha256 for run in results[:2]]


@pytest.mark.parametrize("shows_files", [True, False])
def test_shared_images_are_mapped_and_not_copied(
    small_splits: cs.Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shows_files: bool
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    if not shows_files:
        monkeypatch.setattr(Path, "is_dir", lambda _: False)
    with share(small_splits) as here:
        assert bool(list(tmp_path.iterdir())) != shows_files
        shared = pickle.loads(pickle.dumps(here))
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
    with share(cs.Splits(on_disk, small_splits.test)) as here:
        opened = pickle.loads(pickle.dumps(here)).open().train
    assert opened.images.path == path
    assert opened.sha256 == on_disk.sha256
    assert (opened.images[5:9] == train.images[5:9]).all()


@pytest.mark.slow
def test_a_killed_process_costs_only_its_run(
    here, processes: LocalProcesses, small_splits: cs.Splits, small_folder: Path, tmp_path: Path
):
    _, results = here
    came = list[int]()
    list(processes.map(abs, range(8)))  # both are there
    first, second = processes.pids

    def kill_one(run: RunResult) -> None:
        came.append(run.seed)
        if len(came) == 2:
            os.kill(first, signal.SIGKILL)

    there = train_runs(
        specs_of(small_folder, range(8)), small_splits, folder=tmp_path, executor=processes, on_result=kill_one
    )
    assert sorted(came) == list(range(8))
    assert outcomes(there) == outcomes(results)
    assert second in processes.pids
    processes.submit(abs, 1).result()  # and a new one took its place
    assert len(processes.pids) == 2


def test_an_error_in_a_process_becomes_an_error_of_the_run(
    processes: LocalProcesses, small_splits: cs.Splits, small_folder: Path
):
    with pytest.raises(DivergedError, match="huge, wild, seed 1: training diverged"):
        train_runs([diverging(small_folder)], small_splits, executor=processes)


DIE_WHILE_SENDING = """  # says that 65,536 bytes are to come, sends four and dies
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
@pytest.mark.skipif(sys.platform == "win32", reason="its signals are others")
def test_an_interrupt_while_a_process_starts_is_no_traceback(capfd: pytest.CaptureFixture[str]):
    with LocalProcesses(1) as processes:
        future = processes.submit(time.sleep, 30)
        deadline = time.monotonic() + 20
        while not processes.pids and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(0.1)  # Python is there, and imports
        os.kill(processes.pids[0], signal.SIGINT)
        with pytest.raises(BrokenExecutor):
            future.result(20)
    assert capfd.readouterr().err == ""


# distributed is what leaves its sockets and loops to the garbage collector when a worker was killed.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_killed_dask_worker_costs_only_its_run(here, small_splits: cs.Splits, small_folder: Path, tmp_path: Path):
    _, results = here
    came = list[int]()
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1") as cluster:
        pid = cluster.workers[0].process.pid

        def kill_one(run: RunResult) -> None:
            came.append(run.seed)
            if len(came) == 2:
                os.kill(pid, signal.SIGKILL)

        with open_executor(cluster.scheduler_address.replace("tcp://", "dask://")) as executor:
            there = train_runs(
                specs_of(small_folder, range(8)), small_splits, folder=tmp_path, executor=executor, on_result=kill_one
            )
    assert sorted(came) == list(range(8))
    assert outcomes(there) == outcomes(results)


class DaskProcesses:
    """A scheduler and workers, each a process that can be killed, on this machine."""

    def __init__(self) -> None:
        with socket.socket() as probe:
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

    def kill(self) -> None:
        for process in self.running:
            process.kill()
            process.wait()
        self.running.clear()


@pytest.mark.slow
def test_an_experiment_goes_on_after_its_scheduler_was_killed_and_marks_other_instruction_sets(
    here, small_splits: cs.Splits, small_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    _, results = here
    sets = instruction_sets()
    last = sets[-1]
    monkeypatch.setattr("convscope.experiment.executors._CONNECT_SECONDS", 3)
    cluster, came, specs = DaskProcesses(), list[RunResult](), specs_of(small_folder, range(8))

    def kill(run: RunResult) -> None:
        came.append(run)
        if (
            len({run.kept.record.cpu.instruction_set for run in came}) == 2 or len(came) == 4
        ):  # well before the last one
            cluster.kill()

    try:
        cluster.start(sets[0], last)
        with (
            pytest.raises(ConvscopeError, match="finished runs are kept, so start it again to continue"),
            open_executor(f"dask://127.0.0.1:{cluster.port}") as executor,
        ):
            train_runs(specs, small_splits, folder=tmp_path, executor=executor, on_result=kill)
        kept = len(came)
        assert 2 <= kept < 8
        there = train_runs(specs, small_splits, folder=tmp_path, on_result=came.append)  # here, where it goes on
    finally:
        cluster.kill()
    assert len(came) == kept + 8  # those that are there come first again
    experiment = Experiment("small", small_splits.test.labels, len(small_splits.train), tuple(there))
    assert sum(experiment.instruction_sets.values()) == 8
    for run, expected in zip(outcomes(there), outcomes(results), strict=True):
        if there[run[0]].kept.record.cpu.instruction_set == sets[0]:
            assert run == expected


class Silent:
    """Ray, whose tasks never end."""

    def remote(self, *_: object, **options: object) -> Any:
        return (lambda _: self) if options else self  # first of the function, then of its arguments

    def future(self) -> Future[object]:
        return Future()

    def cancel(self, *_: object, **__: object) -> None: ...


def test_a_lost_head_of_ray_ends_the_experiment_with_one_error(
    small_splits: cs.Splits, small_folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("convscope.experiment.runs._CHECK_SECONDS", 0.01)
    looks = iter([True, False])  # it is lost after the only run was submitted
    executor = RayTasks(Silent(), lambda: next(looks))
    with pytest.raises(ConvscopeError, match="does not answer any more; finished runs are kept"):
        train_runs(specs_of(small_folder, [0]), small_splits, executor=executor)
    lost = RayTasks(Silent(), lambda: False)
    with pytest.raises(ConvscopeError, match=r"accepts no more runs .* the head of the cluster is gone"):
        train_runs(specs_of(small_folder, [0]), small_splits, executor=lost)


BAD = {
    "an unknown kind": ("slurm://host", r"it must be local:N \(processes\), dask://HOST:PORT"),
    "no number": ("local:", "it must be local:N"),
    "no process": ("local:0", "there must be at least one process"),
    "no port": ("dask://localhost", "it must be local:N"),
    "nobody there": ("dask://127.0.0.1:9", "no scheduler responds there"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_missing_executor_is_named(case: str, monkeypatch):
    name, message = BAD[case]
    monkeypatch.setattr("convscope.experiment.executors._CONNECT_SECONDS", 0.2)
    with pytest.raises(ExecutorError, match=message), open_executor(name):
        pass


@pytest.mark.parametrize(
    ("name", "library", "extra"), [("dask://a:1", "distributed", "dask"), ("ray://", "ray", "ray")]
)
def test_a_library_that_is_missing_is_named_with_what_to_install(monkeypatch, name: str, library: str, extra: str):
    monkeypatch.setitem(sys.modules, library, None)
    with (
        pytest.raises(
            ExecutorError, match=rf'needs {library}; run pip install "{extra if extra == "ray" else library}'
        ),
        open_executor(name),
    ):
        pass
