"""The groups, comparison, files and text of an experiment."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import convscope as cs
from convscope.base.records import read
from convscope.evidence.comparison import compare_groups
from convscope.experiment import Experiment, run_experiment, write_experiment
from convscope.experiment.records import ExperimentRecord, GroupRecord
from convscope.storage.records import Machine, Processor

from .conftest import ONE_EPOCH, list_stored_seeds, tiny

VALUES = {
    "three": (0.991, 0.9925, 0.9913),  # made up
    "thirty": tuple(np.random.default_rng(0).normal(0.99, 0.001, 30).tolist()),
    "far apart": (0.1, 0.99, 0.98, 0.1),
}


@pytest.mark.parametrize("case", VALUES)
def test_mean_and_sd_equal_numpys(case: str):
    values = VALUES[case]
    group = GroupRecord.of(("cnn", "classic", ""), values, None)
    assert group.num_runs == len(values)
    assert group.mean == pytest.approx(np.mean(values), rel=1e-13)
    assert group.sd == pytest.approx(np.std(values, ddof=1), abs=1e-15)
    assert (group.minimum, group.maximum) == (min(values), max(values))


def test_the_lead_is_the_comparison_of_the_two_best_corrected_for_all_pairs(experiment: Experiment):
    first, second = sorted(experiment.table, key=lambda group: -group.mean)[:2]
    labels = cs.Dataset(np.zeros((300, 1, 1, 1), np.uint8), experiment.y_true, tuple("0123456789"), "mnist", "test")
    direct = compare_groups(*(experiment.predictions_of(group, labels) for group in (first, second)))
    lead = experiment.lead
    assert lead.names == (first.title, second.title)
    assert lead.p_value == direct.p_value
    assert lead.adjusted_p_value == min(6 * lead.p_value, 1)  # four groups are six pairs
    assert experiment.to_dict()["lead"]["verdict"] == lead.verdict


@pytest.fixture(scope="module")
def experiment(small_splits: cs.Splits) -> Experiment:
    recipes = [ONE_EPOCH, cs.Recipe(epochs=2, name="long")]
    return run_experiment([tiny(), cs.presets.ann], small_splits, recipes, seeds=(4, 1, 7))


def test_every_architecture_meets_every_recipe_from_every_seed(experiment: Experiment):
    pairs = [(architecture, recipe) for architecture in ("tiny", "ann") for recipe in ("short", "long")]
    runs = [(run.architecture, run.recipe, run.seed) for run in experiment.runs]
    assert runs == [(*pair, seed) for pair in pairs for seed in (4, 1, 7)]
    groups = [(group.architecture, group.recipe, group.num_runs) for group in experiment.table]
    assert groups == [(*pair, 3) for pair in pairs]
    assert experiment.table[1].mean == pytest.approx(np.mean([run.accuracy for run in experiment.runs[3:6]]))


def test_a_notebook_shows_names_as_text(experiment: Experiment):
    runs = tuple(replace(run, architecture="<b>") for run in experiment.runs)
    html = Experiment("<i>", experiment.y_true, 1000, runs)._repr_html_()
    assert "&lt;b&gt;" in html
    assert "<b>" not in html
    assert "<i>" not in html


def test_the_files_hold_what_the_experiment_holds(experiment: Experiment, tmp_path: Path):
    write_experiment(experiment, tmp_path)
    assert read(tmp_path / "experiment.json", ExperimentRecord) == experiment.to_record()
    assert (tmp_path / "table.txt").read_text() == f"{experiment}\n"
    (first, *_) = csv.DictReader((tmp_path / "table.csv").read_text().splitlines())
    group = experiment.table[0]
    assert (first["recipe"], float(first["mean"])) == (group.recipe, group.mean)
    ends = (float(first["interval_with_images_low"]), float(first["interval_with_images_high"]))
    assert ends == group.interval_with_images
    rows = list(csv.DictReader((tmp_path / "runs.csv").read_text().splitlines()))
    assert [float(row["accuracy"]) for row in rows] == [run.accuracy for run in experiment.runs]
    assert [row["digest"] for row in rows] == [run.digest for run in experiment.runs]
    assert [int(row["epochs"]) for row in rows] == [1, 1, 1, 2, 2, 2] * 2


@pytest.mark.slow
def test_more_seeds_run_only_what_is_missing(small_folder: Path, tmp_path: Path):
    def run(num_seeds: int) -> Experiment:
        return run_experiment([tiny], str(small_folder), [ONE_EPOCH], range(num_seeds), folder=tmp_path)

    first, second = run(2), run(4)
    assert [run.accuracy for run in second.runs[:2]] == [run.accuracy for run in first.runs]
    assert list_stored_seeds(tmp_path) == [0, 1, 2, 3]  # each once


BAD = {
    "no seeds": ({"seeds": []}, "there are no seeds"),
    "no architectures": ({"architectures": []}, "there are no architectures"),
    "two recipes of one name": ({"recipes": [cs.Recipe(epochs=1), cs.Recipe(epochs=2)]},
        "2 recipes are 'custom'; each needs its own name"),
    "a seed twice": ({"seeds": [1, 2, 1]}, "2 seeds are 1"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_an_impossible_experiment_is_refused_with_a_reason(small_splits: cs.Splits, case: str):
    change, message = BAD[case]
    with pytest.raises(ValueError, match=message):
        run_experiment(**({"architectures": [tiny], "data": small_splits} | change))


def test_runs_of_different_instruction_sets_are_marked(
    small_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def run(seeds: range) -> Experiment:
        return run_experiment([tiny], str(small_folder), [ONE_EPOCH], seeds, folder=tmp_path)

    first = run(range(2))
    [name] = first.instruction_sets
    assert "instruction sets" not in str(first)
    rival = "scalar" if name != "scalar" else "avx2"
    monkeypatch.setattr(
        "convscope.experiment.worker.describe_machine",
        lambda *_: Machine(versions={}, cpu=Processor(name="old", cores=1, machine="x", instruction_set=rival)),
    )
    both = run(range(3))
    assert both.instruction_sets == {name: 2, rival: 1}
    text = " ".join(str(both).split())
    assert f"different instruction sets (2 with {name}, 1 with {rival}): a seed gives other weights on each." in text
