"""The lowest versions that the tests of `make lowest-test` run with."""

import runpy
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOWEST = ROOT / ".ci" / "lowest.py"


def test_each_dependency_and_extra_is_pinned_to_its_lower_bound():
    completed = subprocess.run(
        [sys.executable, LOWEST, ROOT / "pyproject.toml", "parquet", "serve"],
        capture_output=True,
        text=True,
        check=True,
    )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    declared = [*project["dependencies"], *extras["parquet"], *extras["serve"]]
    assert sorted(completed.stdout.split()) == sorted(bound.partition(",")[0].replace(">=", "==") for bound in declared)


def test_the_higher_of_two_lower_bounds_counts_and_a_package_without_one_is_refused():
    find_lowest_versions = runpy.run_path(str(LOWEST))["find_lowest_versions"]
    versions = find_lowest_versions(["a>=1,<3", "a[x]>=2.5", "b>=1"])
    assert {name: str(version) for name, version in versions.items()} == {"a": "2.5", "b": "1"}
    with pytest.raises(ValueError, match="'c<2' has no lower bound"):
        find_lowest_versions(["c<2"])
