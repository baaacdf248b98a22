"""The lock of a folder: one process and one thread writes at a time, and locks of killed processes do not count."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from convscope.base.errors import RunError
from convscope.storage.writing import LOCK_FILE, writing

# Holds the lock of a folder until standard input is closed.
HOLDER = """
import sys
from pathlib import Path
from convscope.storage import writing
with writing(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""
Hold = Callable[[Path], "subprocess.Popen[str]"]


@pytest.fixture
def hold() -> Iterator[Hold]:
    """Start a process that writes to a folder until its standard input is closed."""
    started = []

    def start(folder: Path) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.slow
def test_a_second_process_learns_which_process_writes_to_the_folder(hold: Hold, tmp_path: Path):
    folder = tmp_path / "run"
    process = hold(folder)
    expected = f"another convscope process (pid {process.pid}) is writing to {folder}; wait until it ends"
    with pytest.raises(RunError) as caught, writing(folder):
        pass
    assert str(caught.value) == expected
    process.communicate("")
    with writing(folder):
        assert (folder / LOCK_FILE).read_text() == f"{os.getpid()}\n"
    assert not list(folder.iterdir())


@pytest.mark.slow
def test_the_lock_of_a_killed_process_does_not_count(hold: Hold, tmp_path: Path):
    process = hold(tmp_path / "run")
    process.kill()
    process.communicate()
    assert (tmp_path / "run" / LOCK_FILE).exists()
    with writing(tmp_path / "run"):
        pass
    assert not list((tmp_path / "run").iterdir())


def test_a_thread_may_nest_its_own_writes(tmp_path: Path):
    with writing(tmp_path):
        with writing(tmp_path):
            pass
        assert (tmp_path / LOCK_FILE).exists()
    assert not list(tmp_path.iterdir())


def try_to_write(folder: Path) -> str | None:
    """Return the error of writing to `folder`, or None."""
    try:
        with writing(folder):
            return None
    except RunError as error:
        return str(error)


@pytest.mark.parametrize("has_locks", [True, False])
def test_another_thread_may_not_write_at_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_locks: bool
):
    if not has_locks:
        monkeypatch.setattr("fcntl.flock", without_locks)
    with ThreadPoolExecutor(1) as thread:
        with writing(tmp_path):
            error = thread.submit(try_to_write, tmp_path).result()
            assert thread.submit(try_to_write, tmp_path / "other").result() is None
        assert error == f"another thread of this process is writing to {tmp_path}; wait until it ends"
        assert thread.submit(try_to_write, tmp_path).result() is None


def test_of_many_threads_one_writes_at_a_time(tmp_path: Path):
    inside = list[int]()

    def write(number: int) -> bool:
        with suppress(RunError), writing(tmp_path):
            inside.append(number)
            time.sleep(0.01)
            assert inside.pop() == number
            assert not inside
            return True
        return False

    with ThreadPoolExecutor(8) as threads:
        assert any(threads.map(write, range(64)))
    assert not list(tmp_path.iterdir())


# Writes to a folder, lets child processes try the same folder and one inside it, and writes to it again itself.
CHILD = """
import sys
from multiprocessing import get_context
from pathlib import Path
from convscope.storage import writing
def write(folder):
    try:
        with writing(folder):
            print("held", flush=True)
    except Exception as error:
        print(error, flush=True)
if __name__ == "__main__":
    folder, context = Path(sys.argv[1]), get_context(sys.argv[2])
    with writing(folder):
        for path in (folder, folder / "other"):
            child = context.Process(target=write, args=(path,))
            child.start()
            child.join()
        write(folder)
"""


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_child_does_not_write_with_its_parent(tmp_path: Path, method: str):
    script, folder = tmp_path / "script.py", tmp_path / "run"
    script.write_text(CHILD)
    process = subprocess.Popen([sys.executable, script, folder, method], stdout=subprocess.PIPE, text=True)
    error = f"another convscope process (pid {process.pid}) is writing to {folder}; wait until it ends"
    assert process.communicate(timeout=600)[0].splitlines() == [error, "held", "held"]


# Holds a lock in a parent that its forked child kills; the child goes on inside the block.
IN_A_FORK = """
import os, signal, sys
from pathlib import Path
from convscope.storage import writing
parent = os.getpid()
with writing(Path(sys.argv[1])):
    if os.fork():
        signal.pause()
    os.kill(parent, signal.SIGKILL)
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.slow
def test_a_forked_child_neither_keeps_nor_ends_the_lock_of_its_parent(tmp_path: Path):
    """The child leaves the `with` block of its killed parent while this process holds the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", IN_A_FORK, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    process.wait()
    with writing(tmp_path):
        process.communicate("")  # until the child has closed its output too
        assert (tmp_path / LOCK_FILE).read_text() == f"{os.getpid()}\n"


@pytest.mark.parametrize("part", ["baseline", "seeds", "seeds/runs/0123456789abcdef", "architectures/runs/0123"])
def test_a_run_and_the_runs_within_it_have_one_writer(hold: Hold, tmp_path: Path, part: str):
    (tmp_path / "run" / part).mkdir(parents=True)
    (tmp_path / "run" / "run.json").write_text("{}")
    hold(tmp_path / "run" / part)
    with pytest.raises(RunError, match="is writing to"), writing(tmp_path / "run"):
        pass
    with writing(tmp_path / "other" / part):
        pass


def test_the_runs_of_an_experiment_have_their_own_locks(hold: Hold, tmp_path: Path):
    hold(tmp_path)
    with writing(tmp_path / "runs" / "0123456789abcdef"):
        pass


def test_a_lock_file_that_is_a_link_or_a_pipe_is_refused(tmp_path: Path):
    (tmp_path / LOCK_FILE).symlink_to(tmp_path / "precious")
    with pytest.raises(RunError, match="is a symbolic link"), writing(tmp_path):
        pass
    assert not (tmp_path / "precious").exists()
    (tmp_path / LOCK_FILE).unlink()
    os.mkfifo(tmp_path / LOCK_FILE)
    with pytest.raises(RunError, match="is not a regular file"), writing(tmp_path):
        pass


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("precious")
    with pytest.raises(RunError, match=r"file: cannot be created \(File exists\)"), writing(tmp_path / "file"):
        pass


def without_locks(*_: object) -> None:
    raise OSError(95, "Operation not supported")


def test_a_file_system_without_locks_can_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("fcntl.flock", without_locks)
    with writing(tmp_path):
        pass


def test_one_folder_with_two_names_has_one_lock(hold: Hold, tmp_path: Path):
    (tmp_path / "link").symlink_to(tmp_path / "run")
    hold(tmp_path / "run")
    with pytest.raises(RunError, match="is writing to"), writing(tmp_path / "link"):
        pass
