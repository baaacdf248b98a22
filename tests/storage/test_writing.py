import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from convscope.base.errors import RunError
from convscope.storage.writing import LOCK_FILE, writing

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
def test_a_second_process_is_told_who_writes_to_the_folder(hold: Hold, tmp_path: Path):
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
def test_a_killed_process_stops_nobody(hold: Hold, tmp_path: Path):
    process = hold(tmp_path / "run")
    process.kill()
    process.communicate()
    assert (tmp_path / "run" / LOCK_FILE).exists()
    with writing(tmp_path / "run"):
        pass
    assert not list((tmp_path / "run").iterdir())


def test_a_process_may_write_to_what_it_writes_to_already(tmp_path: Path):
    with writing(tmp_path), writing(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("part", ["baseline", "seeds", "seeds/runs/0123456789abcdef", "architectures/runs/0123"])
def test_a_run_and_the_runs_within_it_have_one_writer(hold: Hold, tmp_path: Path, part: str):
    (tmp_path / "run" / part).mkdir(parents=True)
    (tmp_path / "run" / "run.json").write_text("{}")
    hold(tmp_path / "run" / part)
    with pytest.raises(RunError, match="is writing to"), writing(tmp_path / "run"):
        pass
    with writing(tmp_path / "other" / part):
        pass


@pytest.mark.slow
def test_the_runs_of_an_experiment_have_writers_of_their_own(hold: Hold, tmp_path: Path):
    hold(tmp_path)
    with writing(tmp_path / "runs" / "0123456789abcdef"):
        pass


@pytest.mark.slow
def test_one_folder_by_two_names_has_one_writer(hold: Hold, tmp_path: Path):
    (tmp_path / "link").symlink_to(tmp_path / "run")
    hold(tmp_path / "run")
    with pytest.raises(RunError, match="is writing to"), writing(tmp_path / "link"):
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


def test_a_file_system_without_locks_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", refuse)
    with writing(tmp_path):
        pass
