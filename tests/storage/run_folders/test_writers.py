"""Two processes that write to one folder: the second ends with one line, and the first is not disturbed."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from convscope.storage.writing import LOCK_FILE

from .conftest import assert_one_error, invoke, succeed

COMMANDS = {
    "run --resume": lambda run, _: ("run", "--resume", run),
    "train --resume": lambda run, _: ("train", "--resume", run),
    "train --out": lambda run, data: ("train", "--dataset", data, "--out", run),
    "experiment --out": lambda run, data: ("experiment", "--dataset", data, "--seeds", 1, "--out", run),
    "import --out": lambda run, data: (
        "import", run / "exports" / "model.safetensors", "--dataset", data, "--out", run,
    ),
    "report": lambda run, _: ("report", run),
    "evidence": lambda run, _: ("report", run, "audit"),
    "ablate": lambda run, _: ("report", run, "ablation"),
    "export": lambda run, _: ("export", run, "--format", "c"),
    "report of the baseline": lambda run, _: ("report", run / "baseline"),
}  # fmt: skip


@pytest.fixture(scope="module")
def held(finished_run: Path, tmp_path_factory: pytest.TempPathFactory):
    """A copy of the finished run while another process writes to it, and that process's id."""
    run = Path(shutil.copytree(finished_run, tmp_path_factory.mktemp("held") / "run"))
    code = (
        "import sys; from pathlib import Path; from convscope.storage import writing\n"
        "with writing(Path(sys.argv[1])): print(flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(run)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    yield run, process.pid
    process.communicate("")


@pytest.mark.parametrize("name", COMMANDS)
def test_a_writing_command_ends_at_once_and_names_the_other_process(held: tuple[Path, int], tiny_data: Path, name: str):
    run, pid = held
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()}
    completed = invoke(*COMMANDS[name](run, tiny_data))
    assert_one_error(completed, f"another convscope process (pid {pid}) is writing to {run}")
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*") if path.is_file()} == before


def test_reading_commands_work_while_another_process_writes(held: tuple[Path, int]):
    succeed("evaluate", held[0], "--json")
    succeed("compare", held[0], held[0] / "baseline", "--json")


@pytest.mark.slow
def test_two_processes_on_one_folder_end_as_one_run_and_one_error(tiny_data: Path, tmp_path: Path):
    out = tmp_path / "out"
    words = ["experiment", "--dataset", tiny_data, "--recipe", "fast", "--seeds", "2", "--json", "--out", out]
    command = [sys.executable, "-c", "from convscope.cli import main; main()", *map(str, words)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    ended = [(*process.communicate(), process.returncode) for process in both]
    for _, errors, code in ended:  # both succeed if one ended before the other began
        if code != 0:
            assert (code, errors.count("\n")) == (1, 1), errors
            assert "is writing to" in errors
    assert sorted(code for *_, code in ended) in ([0, 0], [0, 1])
    assert not (out / LOCK_FILE).exists()
    succeed(*words)


def test_two_processes_without_a_folder_get_one_each(tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    words = ("train", "--dataset", tiny_data, "--recipe", "fast", "--architecture", "ann")
    succeed(*words)
    [first] = (tmp_path / "runs").iterdir()
    name = first.name.removesuffix("001")
    first.with_name(f"{name}002").mkdir()  # as another process would a moment before
    succeed(*words)
    assert (first.with_name(f"{name}003") / "DONE").exists()
