"""The further seeds of `convscope run`: how many are trained, and that each equals a single run of that seed."""

import json
import shutil
from pathlib import Path

import pytest

import convscope as cs
from convscope.runs.seeds import choose_seed_count

from .conftest import succeed

pytestmark = pytest.mark.usefixtures("empty_reports")


@pytest.mark.parametrize(
    ("requested", "seconds_per_seed", "count", "explanation"),
    [
        (None, 0.5, 5, "5 seeds, the default"),
        (None, 6.0, 5, "5 seeds, the default"),  # four further seeds take 24 s of the 25 s that are allowed
        (None, 10.0, 3, "Stopped at 3 seeds: the default limit is 25 s, and another would take 10.0 s"),
        (None, 40.0, 1, "Stopped at 1 seed: the default limit is 25 s, and another would take 40.0 s. Use --seeds N"),
        (None, 0.0, 5, "5 seeds, the default"),  # the seconds of a resumed run that trained nothing
        (30, 40.0, 30, "as asked"),
        (1, 0.5, 1, "1 seed, as asked"),
    ],
)
def test_the_number_of_seeds_is_the_requested_or_what_time_allows(requested, seconds_per_seed, count, explanation):
    number, why = choose_seed_count(requested, seconds_per_seed)
    assert number == count
    assert explanation in why


def test_a_run_has_five_seeds_of_both_networks_by_default(run_folder):
    out, printed = run_folder
    seeds = printed["seeds"]
    assert {(run["architecture"], run["seed"]) for run in seeds["runs"]} == {
        (network, seed)
        for network in ("cnn", "ann")
        for seed in range(3, 8)  # five seeds from the run's own, 3
    }
    assert [(group["architecture"], group["num_runs"]) for group in seeds["table"]] == [("cnn", 5), ("ann", 5)]
    weights_sha256 = cs.load_model(out).weights_sha256
    assert json.loads((out / "seeds.json").read_text()) == {"weights_sha256": weights_sha256, **seeds}


def test_a_further_seed_gives_what_a_run_of_that_seed_gives(run_folder, small_folder: Path, tmp_path: Path):
    _, printed = run_folder
    alone = tmp_path / "alone"
    succeed("train", "--dataset", small_folder, "--epochs", 2, "--seed", 5, "--out", alone)
    further = next(run for run in printed["seeds"]["runs"] if (run["architecture"], run["seed"]) == ("cnn", 5))
    assert further["weights_sha256"] == cs.load_model(alone).weights_sha256


@pytest.mark.slow
@pytest.mark.usefixtures("drawn_reports")
def test_one_seed_has_no_experiment_and_the_page_says_what_one_run_cannot(small_folder: Path, tmp_path: Path):
    out = tmp_path / "run"
    printed = succeed("run", "--dataset", small_folder, "--epochs", 1, "--seeds", 1, "--out", out, "--json")
    assert printed["seeds"] is None
    assert not (out / "seeds.json").exists()
    page = (out / "report.html").read_text()
    assert ', 1 run"' in page  # beside the accuracy
    assert "a single run cannot show by how much" in page
    assert ' id="seeds"' not in page


@pytest.mark.slow
def test_a_resumed_run_does_not_train_its_seeds_again(run_folder, tmp_path: Path):
    out = tmp_path / "run"
    shutil.copytree(run_folder[0], out)
    (out / "DONE").unlink()
    files = {path: path.read_bytes() for path in (out / "seeds" / "runs").rglob("*") if path.is_file()}
    printed = succeed("run", "--resume", out, "--json")
    assert {path: path.read_bytes() for path in (out / "seeds" / "runs").rglob("*") if path.is_file()} == files
    first, again = run_folder[1]["seeds"], printed["seeds"]
    assert [run["weights_sha256"] for run in again["runs"]] == [run["weights_sha256"] for run in first["runs"]]


@pytest.mark.slow
def test_without_a_baseline_there_is_one_network_over_seeds(small_folder: Path, tmp_path: Path):
    out = tmp_path / "run"
    arguments = ("--epochs", 1, "--seeds", 2, "--no-baseline", "--out", out, "--json")
    seeds = succeed("run", "--dataset", small_folder, *arguments)["seeds"]
    assert [group["architecture"] for group in seeds["table"]] == ["cnn"]
    assert seeds["comparison"] is None
