"""A finished run with every file that a run can have, and copies of it that a test may damage."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from tests.shared import empty_reports, invoke, make_once, succeed

__all__ = ["assert_one_error", "invoke", "succeed"]


def assert_one_error(completed: Result, *words: str) -> None:
    """Assert that a command ended with exit code 1 and one `Error:` line that contains all of `words`."""
    assert completed.exit_code == 1, (completed.exit_code, completed.output)
    assert isinstance(completed.exception, SystemExit), repr(completed.exception)
    lines = completed.stderr.strip().splitlines()
    assert len(lines) == 1, completed.stderr
    assert lines[0].startswith("Error: "), completed.stderr
    for word in words:
        assert word in lines[0], (word, lines[0])


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of 120 training and 60 test images of 10 × 10 pixels in three classes that are easily told apart."""

    def make(folder: Path) -> None:
        random = np.random.default_rng(0)
        arrays = {}
        for split, count in (("train", 120), ("test", 60)):
            labels = np.arange(count) % 3
            images = random.integers(0, 90, (count, 10, 10), np.uint8)
            for label in range(3):
                images[labels == label, 3 * label : 3 * label + 3] += 120
            arrays |= {f"x_{split}": images, f"y_{split}": labels.astype(np.uint8)}
        np.savez(folder / "tiny.npz", **arrays)

    return make_once(tmp_path_factory, "tiny", make) / "tiny.npz"


@pytest.fixture(scope="session")
def finished_run(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two epochs with a baseline, two seeds, all evidence and two exports."""

    def make(folder: Path) -> None:
        out = folder / "run"
        trained = ("run", "--dataset", tiny_data, "--recipe", "fast", "--epochs", 2, "--seeds", 2, "--out", out)
        with empty_reports():
            completed = [invoke(*trained), invoke("report", out, "all")]
        completed.append(invoke("export", out, "--format", "safetensors", "--format", "c"))
        assert [result.exit_code for result in completed] == [0, 0, 0], [result.output for result in completed]

    return make_once(tmp_path_factory, "tiny-run", make) / "run"


@pytest.fixture
def run(finished_run: Path, tmp_path: Path) -> Path:
    """A copy of the finished run."""
    return Path(shutil.copytree(finished_run, tmp_path / "run"))
