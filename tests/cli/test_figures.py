"""`convscope figures` and `Run.figures`: files for slides, from what a finished run measured."""

from pathlib import Path

import pytest

import convscope as cs

from .conftest import succeed

pytestmark = pytest.mark.slow


def test_figures_have_the_requested_folder_format_and_theme(shared_run: Path, tmp_path: Path):
    before = {path: path.stat().st_mtime_ns for path in shared_run.rglob("*")}
    arguments = ("--format", "svg", "--theme", "dark", "--out", tmp_path / "out")
    printed = succeed("figures", shared_run, "image", "comparison", *arguments)
    paths = [tmp_path / "out" / name for name in ("image.svg", "comparison.svg")]
    assert printed.splitlines() == list(map(str, paths))
    options = {"format": "svg", "theme": "dark"}
    again = cs.open_run(shared_run).figures("image", "comparison", **options, out=tmp_path / "again")
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in paths]
    assert {path: path.stat().st_mtime_ns for path in shared_run.rglob("*")} == before
