"""`convscope experiment`: its files and JSON, how it resumes, what it refuses, and Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import convscope as cs
from convscope.cli.experiment import _parse_seeds
from convscope.storage import StoredRuns, list_runs

from .conftest import invoke, succeed

RECIPE = {"name": "short", "epochs": 2, "batch_size": 16}


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "short.json"
    path.write_text(json.dumps(RECIPE))
    return path


@pytest.fixture(scope="module")
def arguments(small_folder: Path, recipe: Path) -> tuple[object, ...]:
    return ("experiment", "--dataset", small_folder, "--architecture", "ann", "--recipe", recipe, "--seeds", "0,2,5")


@pytest.fixture(scope="module")
def finished(arguments: tuple[object, ...], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """A finished experiment, and what `--json` printed of it."""
    out = tmp_path_factory.mktemp("experiments") / "first"
    return out, succeed(*arguments, "--out", out, "--json")


def test_an_experiment_leaves_its_files(finished: tuple[Path, dict]):
    out, printed = finished
    assert {path.name for path in out.iterdir()} == {
        "experiment.json", "experiment.html", "runs.csv", "table.csv", "table.txt", "runs",
    }  # fmt: skip
    assert [path.name for path in list_runs(out / "runs")] == sorted(run["digest"] for run in printed["runs"])
    assert not list(out.rglob("*.partial"))


def test_an_experiment_prints_what_its_contract_says(finished: tuple[Path, dict]):
    out, printed = finished
    assert printed == {"experiment": str(out), **json.loads((out / "experiment.json").read_text())}
    assert (printed["format"], printed["version"]) == (1, cs.__version__)
    assert [(run["architecture"], run["recipe"], run["seed"]) for run in printed["runs"]] == [
        ("ann", "short", seed) for seed in (0, 2, 5)
    ]


@pytest.mark.slow
def test_a_run_and_the_page_have_all_commands_that_trained_in_the_folder(small_folder: Path, tmp_path: Path):
    folder = tmp_path / "first"
    arguments = ("--architecture", "ann", "--recipe", "fast", "--epochs", 1, "--num-images", 300)
    # Seed 0, seed 7, then seed 0 again, which trains nothing and so is not recorded.
    commands = [("experiment", "--dataset", small_folder, *arguments, "--seeds", seeds) for seeds in ("1", "7-7", "1")]
    for command in commands:
        succeed(*command, "--out", folder, "--json")
    first, second = StoredRuns(folder / "runs").runs(pytest.fail)
    lines = [f"convscope {' '.join(map(str, command))}" for command in commands[:2]]
    assert first.folder.record.command == second.folder.record.command == "\n".join(lines)
    page = (folder / "experiment.html").read_text()
    assert all(line.replace(str(small_folder), small_folder.name) in page for line in lines)
    for line in lines:
        succeed(*line.split()[1:], "--out", tmp_path / "again")
    assert StoredRuns(tmp_path / "again" / "runs").digests() == StoredRuns(folder / "runs").digests()


@pytest.mark.slow
def test_the_same_command_without_out_resumes(arguments, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    printed = [succeed(*arguments, "--json") for _ in range(2)]
    assert printed[0] == printed[1]
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [f"experiment-{printed[0]['dataset']}"]


@pytest.mark.parametrize(
    ("text", "seeds"), [("3", [0, 1, 2]), ("2-4", [2, 3, 4]), ("1,5,7", [1, 5, 7]), ("0-1, 9", [0, 1, 9]), ("4-4", [4])]
)
def test_seeds_are_a_number_a_range_or_a_list(text: str, seeds: list[int]):
    assert _parse_seeds(text) == seeds


BAD_LINES = {
    "seeds that are no numbers": (("--seeds", "a"), 2, "'a': use a number of seeds (30), a range (0-29)"),
    "no seed": (("--seeds", "0"), 2, "'0': must mean 1 to 10,000 seeds"),
    "a range that falls": (("--seeds", "5-1"), 2, "'5-1': must mean"),
    "a seed twice": (("--seeds", "1,0-2"), 2, "contains a seed twice"),
    "an architecture twice": (("--architecture", "cnn", "--architecture", "cnn"), 2, "two have the name 'cnn'"),
    "an unknown executor": (("--executor", "local"), 1, "executor 'local': it must be local:N (processes)"),
    "more images than there are": (("--num-images", 1001), 1, "--num-images 1001"),
    "an unknown recipe": (("--recipe", "none"), 1, "no recipe is called 'none'; use one of classic"),
}


@pytest.mark.parametrize("case", BAD_LINES)
def test_a_bad_line_is_one_error_and_leaves_nothing(small_folder: Path, tmp_path: Path, case: str):
    words, code, message = BAD_LINES[case]
    completed = invoke("experiment", "--dataset", small_folder, *words, "--out", tmp_path / "out")
    assert completed.exit_code == code
    assert message in completed.stderr
    assert "Traceback" not in completed.output
    assert not (tmp_path / "out").exists()


def ends_within_a_minute(group: int) -> bool:
    """Wait until no process of the group is left; the resource tracker of multiprocessing ends last."""
    for _ in range(1200):  # 1200 * 0.05 s = 60 s
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.slow
@pytest.mark.parametrize("executor", [(), ("--executor", "local:2")], ids=["here", "local"])
def test_ctrl_c_ends_cleanly_and_keeps_what_is_finished(small_folder: Path, tmp_path: Path, executor: tuple[str, ...]):
    out = tmp_path / "out"
    words = [
        "-m", "convscope", "experiment", "--dataset", small_folder, "--epochs", 1, "--seeds", "1000", "--out", out,
        *executor,
    ]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, *map(str, words)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 600
    while len(StoredRuns(out / "runs")) < 2 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to children too
    _, errors = process.communicate(timeout=600)
    assert process.returncode == 1
    assert errors.startswith("Error: interrupted; ")
    assert errors.count("\n") == 1
    assert ends_within_a_minute(process.pid)
    stored = StoredRuns(out / "runs")
    runs = list(stored.runs(pytest.fail))
    assert len({run.seed for run in runs}) == len(runs) >= 2
    assert stored.model(runs[-1]).architecture.name == "cnn"
