"""Runs that start from a model, stored with others: the starting model and the training images stay known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.shared import invoke, succeed

import convscope as cs
from convscope.experiment import RunSpec, run_experiment, train_runs
from convscope.experiment.earlier import find_earlier_runs
from convscope.runs.groups import read_finished_runs
from convscope.storage import load_start, load_trained_on, open_run

from .conftest import ONE_EPOCH, tiny


@pytest.fixture(scope="module")
def stored(small_splits: cs.Splits, small_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list]:
    """A folder with two runs from random weights, two from the first one's, and one from other random weights."""
    folder = tmp_path_factory.mktemp("started")
    scratch = [RunSpec(str(small_folder), tiny(), ONE_EPOCH, seed) for seed in (0, 1)]
    first, second = train_runs(scratch, small_splits, folder=folder)
    tuned = [replace(spec, start=str(first.folder)) for spec in scratch]
    reseeded = replace(scratch[0], weights_seed=7)
    return folder, [first, second, *train_runs([*tuned, reseeded], small_splits, folder=folder)]


def test_a_stored_run_names_the_model_from_which_it_started(stored: tuple[Path, list]):
    _, (first, _, tuned, *_) = stored
    start = tuned.kept.record.start
    assert start.weights_sha256 == first.weights_sha256
    assert (start.new_output, start.num_seen_images) == (False, 1000)
    folder = open_run(tuned.folder)
    assert folder.record.start == start
    assert folder.load_model().provenance["from"] == first.weights_sha256
    assert cs.load_model(folder.start_path).weights_sha256 == first.weights_sha256
    assert load_trained_on(folder.start_path, load_start(folder.start_path)) is not None
    assert not first.kept.record.start


def test_the_training_images_of_stored_runs_are_known(stored: tuple[Path, list], small_splits: cs.Splits):
    for run in stored[1]:
        known = load_trained_on(run.folder, cs.load_model(run.folder))
        assert known.includes(small_splits.train).all()
        assert not known.includes(small_splits.test).any()


def test_test_images_that_a_stored_run_was_trained_on_are_refused(
    stored: tuple[Path, list], small_splits: cs.Splits, tmp_path: Path
):
    train, test = small_splits.train, small_splits.test
    path = tmp_path / "swapped.npz"
    np.savez(path, x_train=test.images, y_train=test.labels, x_test=train.images, y_test=train.labels)
    for run in (stored[1][0], stored[1][2]):
        completed = invoke("train", "--dataset", path, "--from", run.folder, "--epochs", 1, "--out", tmp_path / "out")
        assert completed.exit_code == 1
        assert "it was trained on 1,000 of the 1,000 test images" in completed.output


@pytest.mark.usefixtures("empty_reports")
def test_runs_from_a_model_and_from_random_weights_form_separate_groups(stored: tuple[Path, list]):
    folder, runs = stored
    printed = succeed("compare", folder, "--pairs", "first")
    assert "from " + runs[0].weights_sha256[:8] in printed
    assert "random weights of seed 7" in printed
    finished, left_out = read_finished_runs([folder])
    # From the weights of their own seeds, from the first run's, and from those of seed 7.
    assert (len({run.kind for run in finished}), left_out) == (3, [])
    succeed("ensemble", folder, "--out", folder / "joined", "--json")
    members = open_run(folder / "joined").record.members
    assert [member.is_from_random_weights for member in members] == [True, True, False, False, True]


def test_all_finished_runs_count_in_compare_and_in_the_table(
    small_splits: cs.Splits, small_folder: Path, tmp_path: Path
):
    networks = [tiny(), replace(tiny(), layers=(cs.Flatten(), cs.Dense(10, "softmax")), name="small")]
    run_experiment(networks, str(small_folder), [ONE_EPOCH], range(4), folder=tmp_path)
    fewer = run_experiment(networks, str(small_folder), [ONE_EPOCH], range(2), folder=tmp_path)
    runs, left_out = read_finished_runs([tmp_path])
    assert (len(runs), left_out) == (8, [])
    further, left_out = find_earlier_runs(tmp_path, small_splits, fewer.runs)
    assert [(run.architecture, run.seed) for run in further] == [("tiny", 2), ("tiny", 3), ("small", 2), ("small", 3)]
    assert left_out == []
