"""`convscope report RUN ablation architectures`: both measurements are added to one file of the run."""

import json
from pathlib import Path

import pytest

from convscope.runs import ablation

from .conftest import invoke, succeed


def read_ablation(out: Path) -> dict:
    return json.loads((out / "ablation.json").read_text())


@pytest.mark.slow
@pytest.mark.usefixtures("empty_reports")
def test_variants_are_trained_again_and_added_to_what_was_measured(
    small_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ablation, "NUM_SEEDS", 2)
    out = tmp_path / "ann"
    arguments = ("--dataset", small_folder, "--architecture", "ann", "--epochs", 1, "--out", out)
    succeed("train", *arguments)
    printed = succeed("report", out, "architectures")
    assert "Training ann and 6 variants from 2 seeds: 14 runs by recipe fast, about 12 times" in printed  # 14 = 7 * 2
    assert "no difference shown" in printed
    assert read_ablation(out).keys() == {"architectures", "architecture_runs", "weights_sha256"}
    output = succeed("report", out, "ablation", "architectures", "--json")
    record = read_ablation(out)
    assert record == {**output["evidence"]["ablation"], "weights_sha256": record["weights_sha256"]}
    assert {"filters", "architectures"} <= record.keys()
    assert record["architectures"][0]["name"] == "whole network"
    assert {len(variant["accuracies"]) for variant in record["architectures"]} == {2}
    assert record["architecture_runs"]["recipe"] == "fast"


def test_an_unknown_executor_and_a_folder_that_is_no_run_are_refused(shared_run: Path, tmp_path: Path) -> None:
    for words in ((shared_run, "architectures", "--executor", "mars:1"), (tmp_path, "ablation")):
        completed = invoke("report", *words)
        assert completed.exit_code == 1
        assert completed.stderr.startswith("Error: ")
