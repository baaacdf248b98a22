"""Reading and writing files: the old file survives a failure, no link is followed, and reading has limits."""

import errno
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from convscope.base import files
from convscope.base.errors import ConvscopeError, RunError
from convscope.base.files import fill_folder, inside, open_file, read_bytes, write_bytes, write_json, write_text


def test_a_file_holds_what_was_written(tmp_path):
    write_bytes(tmp_path / "a.bin", b"\x00\xff" * 1000)
    assert (tmp_path / "a.bin").read_bytes() == b"\x00\xff" * 1000
    write_text(tmp_path / "a.txt", "zwölf ½\n")
    assert (tmp_path / "a.txt").read_bytes() == "zwölf ½\n".encode()
    write_json(tmp_path / "a.json", {"名": [1, 2.5, None]})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"名": [1, 2.5, None]}


@pytest.mark.parametrize(("umask", "mode"), [(0o002, 0o664), (0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_the_umask_decides_who_may_read_what_was_written(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        write_text(tmp_path / "a.txt", "new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == mode


def full_disk(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("broken", ["os.fsync", "pathlib.Path.replace", "pathlib.Path.open"])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, broken):
    path = tmp_path / "run.json"
    path.write_text("old")
    monkeypatch.setattr(broken, full_disk)
    with pytest.raises(ConvscopeError) as error:
        write_text(path, "new")
    monkeypatch.undo()
    assert str(error.value) == (
        f"{path}: cannot be written (No space left on device); free some space, or choose another folder"
    )
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.json"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
def test_a_disk_that_fills_up_while_writing_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "run.json"
    path.write_text("old")

    def open_on_a_full_disk(path, mode):
        file = open(path, mode)  # noqa: PTH123, SIM115 (it replaces Path.open, and is returned)
        os.dup2(os.open("/dev/full", os.O_WRONLY), file.fileno())  # writing to /dev/full fails as on a full disk
        return file

    monkeypatch.setattr("pathlib.Path.open", open_on_a_full_disk)
    with pytest.raises(ConvscopeError, match="No space left on device"):
        write_bytes(path, b"new" * 100_000)
    monkeypatch.undo()
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.json"]


@pytest.mark.parametrize("moment", ["os.fsync", "pathlib.Path.open"])
def test_an_interrupt_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, moment):
    def interrupt(path, *_):
        if isinstance(path, Path):
            path.touch()  # the system has made the file, and a signal arrives before `open` returns
        raise KeyboardInterrupt

    path = tmp_path / "run.json"
    path.write_text("old")
    monkeypatch.setattr(moment, interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_text(path, "new")
    monkeypatch.undo()
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.json"]


def test_a_folder_is_filled_whole_or_not_at_all(tmp_path):
    out = tmp_path / "new" / "folder"

    def fill_half(folder):
        (folder / "half").write_text("done")
        raise RuntimeError

    with pytest.raises(RuntimeError), fill_folder(out) as folder:
        fill_half(folder)
    assert list(out.parent.iterdir()) == []
    out.mkdir()
    with fill_folder(out) as folder:
        (folder / "all").write_text("done")
    assert [path.name for path in out.parent.rglob("*")] == ["folder", "all"]
    with pytest.raises(ConvscopeError, match="cannot be written"), fill_folder(out):
        pass
    assert (out / "all").read_text() == "done"


def test_a_file_in_the_way_of_a_folder_is_named(tmp_path):
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(ConvscopeError, match=r"runs/a\.txt: cannot be written \((File exists|Not a directory)\)"):
        write_text(tmp_path / "runs" / "a.txt", "new")
    assert (tmp_path / "runs").read_text() == "a file"


def test_a_folder_in_the_way_of_a_file_is_named(tmp_path):
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(
        ConvscopeError, match=r"a\.txt: cannot be written \(Is a directory\); choose another name or folder"
    ):
        write_text(tmp_path / "a.txt", "new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_json_refuses_numbers_that_are_not_finite(tmp_path, number):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"loss": number})
    assert list(tmp_path.iterdir()) == []


def test_inside_accepts_a_folder_that_the_user_reached_through_a_link(tmp_path):
    (tmp_path / "real" / "figures").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for name in ("run.json", "figures", "figures/a.png", "not/there/yet"):
        assert inside(tmp_path / "link", name) == tmp_path / "link" / name


@pytest.mark.parametrize("name", ["report.html", "figures", "figures/a.png", "dangling"])
def test_inside_follows_no_link(tmp_path, name):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "report.html").symlink_to("/etc/passwd")
    (tmp_path / "run" / "figures").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "run" / "dangling").symlink_to("nowhere")
    with pytest.raises(
        RunError, match=r"is a symbolic link, which is not followed; replace it by the file it points to"
    ):
        inside(tmp_path / "run", name)


@pytest.mark.parametrize("name", ["../a.json", "figures/../../a.json", "/etc/passwd"])
def test_inside_refuses_a_name_that_leads_out(tmp_path, name):
    with pytest.raises(RunError, match="leads out of"):
        inside(tmp_path, name)


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
def test_only_regular_files_are_opened_and_no_pipe_is_waited_for(tmp_path, kind):
    path = tmp_path / "a.json"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        path.mkdir()
    with pytest.raises((RunError, IsADirectoryError), match=r"is not a regular file; remove it|Is a directory"):
        open_file(path)


@pytest.mark.parametrize("suffix", files.MAX_BYTES)
def test_a_file_that_is_too_large_is_not_read(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    with path.open("wb") as file:
        file.truncate(files.MAX_BYTES[suffix] + 1)  # a sparse file, which takes no space on the disk
    with pytest.raises(RunError, match=r"has [\d,]+ bytes, and the limit for such a file is [\d,]+"):
        open_file(path)


def test_a_file_that_grows_while_it_is_read_is_not_read_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setitem(files.MAX_BYTES, ".json", 8)
    fstat = os.fstat
    # Item 6 of a stat result is the size: 0 when the file is opened.
    monkeypatch.setattr("os.fstat", lambda handle: os.stat_result((*fstat(handle)[:6], 0, *fstat(handle)[7:])))
    (tmp_path / "a.json").write_text("[1, 2, 3, 4]")
    with pytest.raises(RunError, match="has more than 8 bytes"):
        read_bytes(tmp_path / "a.json")


READ_WITH_LITTLE_MEMORY = """
import resource, sys
from pathlib import Path
from convscope.base.files import read_bytes
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()  # bytes of address space
resource.setrlimit(resource.RLIMIT_AS, (used + 100 * 2**20, resource.RLIM_INFINITY))
print(len(read_bytes(Path(sys.argv[1]))))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the memory of a process is read from /proc")
def test_reading_a_file_takes_the_memory_of_its_bytes_and_not_of_the_limit(tmp_path: Path):
    (tmp_path / "a.safetensors").write_bytes(bytes(1000))  # the limit for this suffix is 4 GiB
    words = [sys.executable, "-c", READ_WITH_LITTLE_MEMORY, tmp_path / "a.safetensors"]
    completed = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (completed.returncode, completed.stdout) == (0, "1000\n"), completed.stderr
    assert read_bytes(Path("/proc/self/status")).startswith(b"Name:")  # a file whose stated size is 0
