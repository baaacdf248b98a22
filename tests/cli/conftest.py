"""The entry point, and a finished run of small data."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from convscope.cli import main


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def run_folder(small_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """A finished run of two epochs, and what `--json` printed of it."""
    out = tmp_path_factory.mktemp("runs") / "first"
    done = invoke("run", "--dataset", small_folder, "--epochs", 2, "--seed", 3, "--out", out, "--json")
    assert done.exit_code == 0, done.output
    assert done.stderr == ""
    return out, json.loads(done.stdout)
