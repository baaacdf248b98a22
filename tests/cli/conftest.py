"""Commands that must fail, and the finished run that the tests of the commands read."""

import json
import shutil
from pathlib import Path

import pytest
from tests.shared import invoke, succeed

__all__ = ["invoke", "run_fails", "succeed"]


def run_fails(*arguments: object) -> str:
    """Run a command that ends with one `Error:` line and prints nothing else; return the line."""
    completed = invoke(*arguments)
    assert (completed.exit_code, completed.stdout) == (1, ""), completed.output
    assert completed.stderr.startswith("Error: ")
    assert completed.stderr.count("\n") == 1
    return completed.stderr


@pytest.fixture(scope="module")
def run_folder(shared_run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """A copy of the finished run of two epochs, and what `--json` printed of it."""
    out = shutil.copytree(shared_run, tmp_path_factory.mktemp("runs") / "first")
    printed = json.loads((shared_run.parent / "printed.json").read_text())
    return out, printed | {"run": str(out)}
