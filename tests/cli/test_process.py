"""Each command as a process of its own, whose streams are closed or whose reader has gone, and that is told to end."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.shared import make_once

pytestmark = pytest.mark.slow

SMALL = ("--dataset", "data.npz", "--architecture", "net.json", "--epochs", "2")
COMMANDS = {
    "run": ("run", *SMALL, "--seeds", "1", "--no-baseline", "--out", "out"),
    "train": ("train", *SMALL, "--out", "out"),
    "evaluate": ("evaluate", "run"),
    "predict": ("predict", "run", "picture.png"),
    "serve": ("serve", "run", "--port", "0"),
    "experiment in processes": ("experiment", *SMALL, "--seeds", "2", "--executor", "local:2", "--out", "out"),
    "data show": ("data", "show", "data.npz"),
    "export": ("export", "run", "--format", "c"),
    "--help": ("--help",),
}
"""A command for each way to print: a line an epoch, a run or a picture, a table, a log, and from other processes."""


def convscope(folder: Path, *words: str, redirect: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command in `folder` by way of the shell; a service is stopped after its start."""
    line = f'{sys.executable} -m convscope "$@" {redirect}'
    environment = {**os.environ, "TMPDIR": str(folder / "tmp")}
    command = ["bash", "-c", f"set -o pipefail; {line}", "bash", *words]
    if words[0] == "serve":
        command = ["bash", "-c", f"set -o pipefail; {SERVE} {redirect}", "bash", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


# A service does its work until it is told to end: here, once it is started.
SERVE = f"""{sys.executable} -c '
import os, signal, sys
from convscope.cli import main
import uvicorn
class Server(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        os.kill(os.getpid(), signal.SIGTERM)
uvicorn.Server = Server
main()' "$@" """


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data, a picture, an architecture and a run."""
    return make_once(tmp_path_factory, "process", make_run)


def make_run(folder: Path) -> None:
    (folder / "tmp").mkdir()
    stream = np.random.default_rng(0)
    labels = np.arange(300) % 3
    images = (stream.integers(0, 80, (300, 8, 8)) + 60 * labels[:, None, None]).astype(np.uint8)
    np.savez(folder / "data.npz", x_train=images[:240], y_train=labels[:240], x_test=images[240:], y_test=labels[240:])
    Image.fromarray(images[0]).save(folder / "picture.png")
    layers = '[{"kind": "Flatten"}, {"kind": "Dense", "units": 4}, {"kind": "Dense", "units": 3}]'
    (folder / "net.json").write_text(f'{{"name": "net", "input": {{"height": 8, "width": 8}}, "layers": {layers}}}')
    assert convscope(folder, "train", *SMALL, "--out", "run").returncode == 0


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of `made`, in whose folder of temporary files nothing may stay."""
    yield shutil.copytree(made, tmp_path / "work")
    left = {path.name for path in (tmp_path / "work" / "tmp").iterdir()}
    assert left <= {".ses"}  # a session's number, which ONNX Runtime writes when it is imported


def is_quiet(text: str) -> bool:
    return "Traceback" not in text and "Exception ignored" not in text and "cannot be used" not in text


@pytest.mark.parametrize(
    ("name", "redirect"), [*((name, "<&- >&-") for name in COMMANDS), ("train", "<&- >&- 2>&-"), ("train", "2>&-")]
)
def test_a_command_whose_streams_are_closed_does_its_work(folder: Path, name: str, redirect: str):
    done = convscope(folder, *COMMANDS[name], redirect=redirect)
    assert done.returncode == 0, done.stderr
    assert is_quiet(done.stderr)


@pytest.mark.parametrize(
    ("name", "redirect"), [*((name, "| true") for name in COMMANDS), ("train", "2>&1 | true"), ("train", "| head -1")]
)
def test_a_command_whose_reader_has_gone_ends_quietly(folder: Path, name: str, redirect: str):
    done = convscope(folder, *COMMANDS[name], redirect=redirect)
    assert done.returncode in (0, 1)  # it may have ended before its reader
    assert is_quiet(done.stderr)
    if name in ("run", "train"):
        assert done.returncode == 1
        assert convscope(folder, name, "--resume", "out").returncode == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
@pytest.mark.parametrize("name", COMMANDS)
def test_output_that_cannot_be_written_is_one_error(folder: Path, name: str):
    done = convscope(folder, *COMMANDS[name], redirect="> /dev/full")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        1,
        "Error: standard output: cannot be used (No space left on device); fix this and run the command again",
    )
    assert is_quiet("\n".join(done.stderr.splitlines()[:-1]))


def test_a_picture_from_a_closed_standard_input_is_one_error(folder: Path):
    done = convscope(folder, "predict", "run", "-", redirect="<&-")
    assert (done.returncode, done.stderr) == (1, "Error: -: is empty; save the picture again\n")


LONG = (*SMALL[:4], "--epochs", "100000")
IN_TWO = ("--executor", "local:2")
STOPPED = {
    "train": ("train", *LONG, "--out", "out"),
    "experiment in processes": ("experiment", *LONG, "--seeds", "2", *IN_TWO, "--out", "out"),
    "sweep in processes": ("sweep", *SMALL[:4], "--vary", "epochs=99999,100000", *IN_TWO, "--out", "out"),
    "evidence": ("report", "long", "audit"),
    "export": ("export", "run", "--format", "c"),
    "serve": ("serve", "run", "--port", "0"),
}


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[[str], "subprocess.Popen[str]"]]:
    """Start a command of `STOPPED`, and return it when it is at work."""
    started = list[subprocess.Popen[str]]()

    def begin(name: str) -> "subprocess.Popen[str]":
        if STOPPED[name][1] == "long":  # a run whose recipe takes long to repeat
            record = json.loads((folder / "run" / "run.json").read_text())
            record["recipe"]["epochs"] = 100_000
            shutil.copytree(folder / "run", folder / "long")
            (folder / "long" / "run.json").write_text(json.dumps(record))
        script = SLOW_COMPILER if name == "export" else "from convscope.cli import main; main()"
        process = subprocess.Popen(
            [sys.executable, "-c", script, *STOPPED[name]], cwd=folder,
            env={**os.environ, "TMPDIR": str(folder / "tmp")},
            stdout=subprocess.PIPE if name == "serve" else subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        if process.stdout is not None:
            assert process.stdout.readline().startswith("Serving")
        end = time.monotonic() + 60
        while not catches_sigterm(process.pid) and time.monotonic() < end:
            time.sleep(0.1)
        time.sleep(1)
        assert process.poll() is None, process.communicate()
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def catches_sigterm(pid: int) -> bool:
    caught = Path(f"/proc/{pid}/status").read_text().partition("SigCgt:")[2].split()[0]
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


SLOW_COMPILER = """
import subprocess, time
from convscope.cli import main
from convscope.interchange.c_header import runner
runner._run_command = lambda _: time.sleep(600)
main()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the test looks into /proc")
@pytest.mark.parametrize("name", STOPPED)
def test_sigterm_says_what_is_kept_and_leaves_nothing(start, name: str):
    process = start(name)
    for _ in range(2):  # as `timeout` does
        process.terminate()
    errors = [line for line in process.communicate(timeout=60)[1].splitlines() if not line.startswith("Warning: ")]
    if name == "serve":
        assert process.returncode == 0
        return
    assert process.returncode == 143
    assert len(errors) == 1
    assert errors[0].startswith("Error: interrupted; ")
    assert ", run" in errors[0] or "; run" in errors[0]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a copy of the images may stay")
@pytest.mark.parametrize("name", ["train", "experiment in processes", "evidence"])
def test_a_killed_command_leaves_no_copy_of_the_images(start, name: str):
    process = start(name)
    process.kill()
    process.communicate(timeout=60)


SCENE = """
import os, sys, time
from convscope.cli.process import interrupts, is_interrupt
class Part:
    def send(self, *_):
        os.kill(os.getpid(), int(sys.argv[1]))
        [None for _ in range(100000)]
{define}
with interrupts():
    try:
        {work}
        time.sleep(60)
    except BaseException as error:
        sys.exit(7 if is_interrupt(error) else error)
"""
SCENES = {
    "exec": ("", "exec('Part().send()')"),
    "destructor": ("Part.__del__ = Part.send", "Part()"),
    "class": ("Part.__set_name__ = Part.send", "type('Whole', (), {'part': Part()})"),
}


@pytest.mark.skipif(sys.platform == "win32", reason="its signals are others")
@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_arrives_wherever_python_is_at_work(tmp_path: Path, scene: str, number: int):
    define, work = SCENES[scene]
    (tmp_path / "scene.py").write_text(SCENE.format(define=define, work=work))
    words = [sys.executable, "-m", "scene", str(int(number))]  # the exit status is another matter in a module
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (7, "")
