"""Commands that must fail, and the finished run that the tests of the commands read."""

import json
import shutil
from pathlib import Path

import pytest
from tests.shared import invoke, succeed

__all__ = ["invoke", "run_fails", "succeed"]


def run_fails(*arguments: object) -> str:
    """Run a command that ends with one `Error:` line and prints nothing else; return the line."""
    done = invoke(*arguments)
    assert (done.exit_code, done.stdout) == (1, ""), done.output
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


@pytest.fixture(scope="module")
def run_folder(shared_run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """A copy of the finished run of two epochs, and what `--json` printed of it."""
    out = shutil.copytree(shared_run, tmp_path_factory.mktemp("runs") / "first")
    printed = json.loads((shared_run.parent / "printed.json").read_text())
    return out, printed | {"run": str(out)}
