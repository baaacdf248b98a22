"""`convscope sweep`: its files, its page and the command that trains its winner."""

from pathlib import Path

import pytest

import convscope as cs
from convscope.base.records import read
from convscope.experiment.sweep.records import SweepRecord
from convscope.experiment.sweep.sweep import CHECK_SEEDS
from convscope.storage import StoredRuns

from .conftest import invoke, succeed


@pytest.mark.slow
def test_a_sweep_leaves_its_files_and_its_winner_can_be_trained(small_folder: Path, tmp_path: Path):
    arguments = ("sweep", "--dataset", small_folder, "--architecture", "ann", "--recipe", "fast", "--search", "grid")
    vary = ("--vary", "learning_rate=0.0001,0.01", "--vary", "units=8,16")
    printed = succeed(*arguments, *vary, "--out", tmp_path, "--json")
    kept = read(tmp_path / "sweep.json", SweepRecord).to_dict()
    paths = {"sweep": str(tmp_path), "page": str(tmp_path / "sweep.html")}
    assert printed == {**kept, **paths, "format": 1, "version": cs.__version__}
    assert len(printed["trials"]) == 4  # two learning rates times two numbers of units
    assert len(StoredRuns(tmp_path / "runs")) == 4 + 2 * CHECK_SEEDS  # the check trains the winner and the default
    page = (tmp_path / "sweep.html").read_text()
    assert f"convscope sweep --dataset {small_folder.name} --architecture ann --recipe fast --search grid" in page
    assert "--recipe recipe.json --seeds 6-35</pre>" in page
    text = invoke(*arguments, *vary, "--out", tmp_path).stdout
    assert (tmp_path / "sweep.txt").read_text() in text
    words = text.strip().splitlines()[-1].split()
    assert words[:4] == ["convscope", "experiment", "--dataset", str(small_folder)]
    assert words[-1] == "6-35"  # 30 seeds that the sweep did not use: it had 0 for the trials and 1 to 5 for the check
    [group] = succeed(*words[1:-1], "6-6", "--out", tmp_path / "winner", "--json")["table"]
    assert group["architecture"] == printed["architecture"]["name"]


def test_a_wrong_field_is_one_error(small_folder: Path, tmp_path: Path):
    completed = invoke("sweep", "--dataset", small_folder, "--vary", "filter=8", "--out", tmp_path)
    assert completed.exit_code == 1
    assert completed.stderr.startswith("Error: --vary: neither the recipe nor a layer has 'filter'; use one of ")
    assert "did you mean 'filters'" in completed.stderr
    assert completed.stderr.count("\n") == 1
