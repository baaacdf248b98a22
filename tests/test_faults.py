"""The tools of `make faults`: a simulated disk that fails at a chosen write, and trials that notice lost results."""

import errno
import importlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

FUZZ = Path(__file__).parent.parent / "fuzz"
WRITE_FOUR_TIMES = """
import os, sys
file = os.open(sys.argv[1], os.O_WRONLY)
for _ in range(4):
    try:
        os.write(file, b"x")
    except OSError as error:
        print(error.errno)
"""


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(FUZZ))
    return importlib.import_module("faults")


@pytest.mark.parametrize(("once", "expected"), [({}, 2 * [errno.ENOSPC]), ({"FAILING_DISK_ONCE": "1"}, [errno.EIO])])
def test_the_disk_fails_from_the_chosen_write_on_or_once(
    faults: Any, tmp_path: Path, once: dict[str, str], expected: list[int]
):
    library = faults.compile_failing_disk(tmp_path)
    environment = os.environ | faults.failing_disk(tmp_path, library, 2) | once  # two of the four writes succeed
    (tmp_path / "file").touch()
    completed = subprocess.run(
        [sys.executable, "-c", WRITE_FOUR_TIMES, tmp_path / "file"], env=environment, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert [int(line) for line in completed.stdout.split()] == expected


def test_a_run_that_is_trained_again_is_noticed(faults: Any):
    line = "run 1 of 6, cnn, trial 0, fast, seed 0: accuracy 78.50 %, trained in 0.05 s"
    faults.check_repeated(f"{line}; about 2 s left\n", f"{line}\n")
    with pytest.raises(faults.TrialError, match="trained again: cnn, trial 0, fast, seed 0"):
        faults.check_repeated(line, line.replace("0.05", "0.06"))


@pytest.mark.slow
def test_an_interrupted_training_loses_nothing_and_other_results_are_noticed(
    faults: Any, small_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    short = ("train", "--architecture", "tiny697", "--recipe", "fast", "--epochs", "12")
    monkeypatch.setitem(faults.JOBS, "train", replace(faults.JOBS["train"], arguments=short))
    library, data = faults.compile_failing_disk(tmp_path), small_folder
    reference = faults.measure_reference("train", data, tmp_path / "reference", library)
    kill, full_disk = (faults.Trial(0, "train", kind, 0.9, to_group=False) for kind in ("SIGKILL", "full disk"))
    assert faults.run_trial(kill, reference, data, tmp_path / "0", library) == ""
    without_results = replace(reference, results={})  # so that the trial must find other results than these
    assert "its results differ" in faults.run_trial(full_disk, without_results, data, tmp_path / "1", library)
