"""Commands as processes: with closed streams, with a pipe whose reader has gone, on a full disk, and after a signal."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest
from tests.shared import make_once, succeed

pytestmark = pytest.mark.slow

SMALL = ("--dataset", "data.npz", "--architecture", "net.json", "--epochs", "2")
COMMANDS = {  # one for each way to print: a line per epoch or run, a log, from other processes
    "train": ("train", *SMALL, "--out", "out"),
    "serve": ("serve", "run", "--port", "0"),
    "experiment in processes": ("experiment", *SMALL, "--seeds", "2", "--executor", "local:2", "--out", "out"),
    "export": ("export", "run", "--format", "c"),
    "--help": ("--help",),
}
# Each fault is tried with the commands that might meet it in their own way.


def convscope(folder: Path, *words: str, redirect: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command in `folder` through bash, with its streams redirected; a service is stopped after its start."""
    program = SERVE if words[0] == "serve" else f"{sys.executable} -m convscope"
    line = f'set -o pipefail; {program} "$@" {redirect}'  # pipefail: the exit status is the command's, not its reader's
    environment = {**os.environ, "TMPDIR": str(folder / "tmp")}
    command = ["bash", "-c", line, "bash", *words]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


# A service ends only after a signal; this one sends itself SIGTERM as soon as it has started.
SERVE = f"""{sys.executable} -c '
import os, signal, sys
from convscope.cli import main
import uvicorn
class Server(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        os.kill(os.getpid(), signal.SIGTERM)
uvicorn.Server = Server
main()'"""


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data.npz, net.json and the finished run `run`."""
    return make_once(tmp_path_factory, "process", make_run)


def make_run(folder: Path) -> None:
    """Train on 240 pictures of 8 × 8 noise, the brighter the higher the class."""
    (folder / "tmp").mkdir()
    stream = np.random.default_rng(0)
    labels = np.arange(300) % 3
    images = (stream.integers(0, 80, (300, 8, 8)) + 60 * labels[:, None, None]).astype(np.uint8)
    np.savez(folder / "data.npz", x_train=images[:240], y_train=labels[:240], x_test=images[240:], y_test=labels[240:])
    layers = '[{"kind": "Flatten"}, {"kind": "Dense", "units": 4}, {"kind": "Dense", "units": 3}]'
    (folder / "net.json").write_text(f'{{"name": "net", "input": {{"height": 8, "width": 8}}, "layers": {layers}}}')
    with chdir(folder):
        succeed("train", *SMALL, "--out", "run")


@pytest.fixture
def folder(finished_run: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of `finished_run`; after the test its folder of temporary files must be empty."""
    yield shutil.copytree(finished_run, tmp_path / "work")
    leftovers = {path.name for path in (tmp_path / "work" / "tmp").iterdir()}
    assert leftovers <= {".ses"}  # ONNX Runtime writes this file when it is imported


def is_quiet(text: str) -> bool:
    return "Traceback" not in text and "Exception ignored" not in text and "cannot be used" not in text


@pytest.mark.parametrize(
    ("name", "redirect"),
    [
        *((name, "<&- >&-") for name in ("serve", "experiment in processes", "export")),
        ("train", "<&- >&- 2>&-"),
    ],
)
def test_a_command_whose_streams_are_closed_does_its_work(folder: Path, name: str, redirect: str):
    completed = convscope(folder, *COMMANDS[name], redirect=redirect)
    assert completed.returncode == 0, completed.stderr
    assert is_quiet(completed.stderr)


@pytest.mark.parametrize("redirect", ["2>&1 | true", "| head -1"])
def test_a_command_whose_reader_has_gone_ends_quietly(folder: Path, redirect: str):
    completed = convscope(folder, *COMMANDS["train"], redirect=redirect)
    assert completed.returncode == 1
    assert is_quiet(completed.stderr)
    succeed("train", "--resume", folder / "out")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
@pytest.mark.parametrize("name", ["train", "serve", "--help"])
def test_output_that_cannot_be_written_is_one_error(folder: Path, name: str):
    completed = convscope(folder, *COMMANDS[name], redirect="> /dev/full")
    assert (completed.returncode, completed.stderr.splitlines()[-1]) == (
        1,
        "Error: standard output: cannot be used (No space left on device); fix this and run the command again",
    )
    assert is_quiet("\n".join(completed.stderr.splitlines()[:-1]))


def test_a_picture_from_a_closed_standard_input_is_one_error(folder: Path):
    completed = convscope(folder, "predict", "run", "-", redirect="<&-")
    assert (completed.returncode, completed.stderr) == (1, "Error: -: is empty; save the picture again\n")


LONG = (*SMALL[:4], "--epochs", "100000")
STOPPED = {
    "train": ("train", *LONG, "--out", "out"),
    "experiment in processes": ("experiment", *LONG, "--seeds", "2", "--executor", "local:2", "--out", "out"),
    "evidence": ("report", "long", "audit"),
    "export": ("export", "run", "--format", "c"),
}


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[[str], "subprocess.Popen[str]"]]:
    """A function that starts a command of `STOPPED` and returns its process once it is at work."""
    processes = list[subprocess.Popen[str]]()

    def start_command(name: str) -> "subprocess.Popen[str]":
        if STOPPED[name][1] == "long":  # the audit trains again, by a recipe that takes long
            record = json.loads((folder / "run" / "run.json").read_text())
            record["recipe"]["epochs"] = 100_000
            shutil.copytree(folder / "run", folder / "long")
            (folder / "long" / "run.json").write_text(json.dumps(record))
        script = SLOW_COMPILER if name == "export" else COMMAND
        process = subprocess.Popen(
            [sys.executable, "-c", script, *STOPPED[name]], cwd=folder,
            env={**os.environ, "TMPDIR": str(folder / "tmp")},
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        processes.append(process)
        deadline = time.monotonic() + 60
        while not catches_sigterm(process.pid) and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(0.5)  # from then on it reads its files and begins to work
        assert process.poll() is None, process.communicate()
        return process

    yield start_command
    for process in processes:
        process.kill()
        process.communicate()


def catches_sigterm(pid: int) -> bool:
    """Read from /proc whether the process handles SIGTERM; bit n - 1 of SigCgt stands for signal n."""
    mask = Path(f"/proc/{pid}/status").read_text().partition("SigCgt:")[2].split()[0]
    return bool(int(mask, 16) >> (signal.SIGTERM - 1) & 1)


# A second signal may be late on a busy machine, so the end of the process waits for it.
COMMAND = """
import time
from convscope.cli import main
try:
    main()
finally:
    time.sleep(0.5)
"""
SLOW_COMPILER = f"""
from convscope.export.c_header import runner
runner._run_command = lambda _: time.sleep(600)
{COMMAND}"""


@pytest.mark.skipif(sys.platform != "linux", reason="the test looks into /proc")
@pytest.mark.parametrize("name", STOPPED)
def test_sigterm_says_what_is_kept_and_leaves_nothing(start, name: str):
    process = start(name)
    for _ in range(2):  # `timeout` signals the process and its group, so the process twice
        process.terminate()
    errors = [line for line in process.communicate(timeout=60)[1].splitlines() if not line.startswith("Warning: ")]
    assert process.returncode == 128 + signal.SIGTERM
    assert len(errors) == 1
    assert errors[0].startswith("Error: interrupted; ")
    assert ", run" in errors[0] or "; run" in errors[0]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a copy of the images may stay")
@pytest.mark.parametrize("name", ["experiment in processes", "evidence"])
def test_a_killed_command_leaves_no_copy_of_the_images(start, name: str):
    process = start(name)
    process.kill()
    process.communicate(timeout=60)  # then the fixture `folder` looks for leftovers


# A program that sends itself a signal from within `work`, and exits with 7 if the signal arrives as an interrupt.
SELF_INTERRUPTING = """
import os, sys, time
from convscope.cli.process import interrupts
class Sender:
    def send(self, *_):
        os.kill(os.getpid(), int(sys.argv[1]))
        [None for _ in range(100000)]  # Python handles the signal during this loop
{define}
with interrupts():
    try:
        {work}
        time.sleep(60)
    except KeyboardInterrupt:
        sys.exit(7)
"""
INTERRUPTED_CODE = {  # Python swallows exceptions of a destructor, and a module's start may swallow or wrap them
    "exec": ("", "exec('Sender().send()')"),
    "destructor": ("Sender.__del__ = Sender.send", "Sender()"),
    "import": ("sys.path.insert(0, os.getcwd())", "import module"),
}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other signals")
@pytest.mark.parametrize("code", INTERRUPTED_CODE)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_arrives_whatever_code_is_running(tmp_path: Path, code: str, number: int):
    define, work = INTERRUPTED_CODE[code]
    (tmp_path / "module.py").write_text(
        "from __main__ import Sender\ntry:\n    Sender().send()\nexcept BaseException:\n    raise ImportError"
    )
    (tmp_path / "program.py").write_text(SELF_INTERRUPTING.format(define=define, work=work))
    words = [sys.executable, "-m", "program", str(int(number))]  # as convscope is run: python -m
    completed = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)
    assert (completed.returncode, completed.stderr) == (7, "")
