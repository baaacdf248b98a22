"""The matrix of the weights of an experiment's networks: a row for each run."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import convscope as cs
from convscope.base.errors import RunError
from convscope.experiment import RunSpec, train_runs

from .conftest import ONE_EPOCH, tiny


def test_a_row_is_a_network(local_runs, small_splits: cs.Splits):
    folder, results = local_runs
    matrix = cs.load_weights_matrix(folder)
    assert matrix.weights.shape == (8, tiny().parameters)
    assert matrix.architecture == tiny()
    assert matrix.seeds.tolist() == [run.seed for run in results]
    assert matrix.accuracies.tolist() == [run.accuracy for run in results]
    assert matrix.losses.tolist() == [run.loss for run in results]
    assert matrix.recipes == ("short",) * 8
    assert (matrix.predictions == [run.y_pred for run in results]).all()
    assert matrix.histories == tuple(run.history for run in results)
    assert (matrix.y_true == small_splits.test.labels).all()
    model = matrix.model(3)
    assert model.weights_sha256 == results[3].weights_sha256
    for name, values in model.weights.items():
        assert (matrix.tensor(name)[3] == values).all()
        assert np.shares_memory(matrix.tensor(name), matrix.weights)
    with pytest.raises(KeyError, match="conv2d/kernel"):
        matrix.tensor("conv/kernel")
    with pytest.raises(ValueError, match="read-only"):
        matrix.weights[0] = 0


def test_one_of_several_architectures_is_named(small_splits: cs.Splits, tmp_path: Path):
    small = replace(tiny(), layers=(cs.Flatten(), cs.Dense(10, "softmax")), name="small")
    recipes = (ONE_EPOCH, replace(ONE_EPOCH, epochs=2, name="longer"))
    specs = [RunSpec("", network, recipe, seed) for seed in (0, 1) for network in (tiny(), small) for recipe in recipes]
    results = train_runs(specs, small_splits, folder=tmp_path)
    with pytest.raises(RunError, match="has several architectures; name one of tiny, small"):
        cs.load_weights_matrix(tmp_path)
    with pytest.raises(RunError, match="has 0 called 'cnn'; name one of tiny, small"):
        cs.load_weights_matrix(tmp_path, "cnn")
    matrix = cs.load_weights_matrix(tmp_path, "small")
    own = [run for run in results if run.architecture == "small"]
    assert list(zip(matrix.seeds.tolist(), matrix.recipes, strict=True)) == [(run.seed, run.recipe) for run in own]
    assert (matrix.predictions == [run.y_pred for run in own]).all()
    assert [matrix.model(row).weights_sha256 for row in range(4)] == [run.weights_sha256 for run in own]


def test_a_folder_without_runs_or_with_short_weights_is_refused(local_runs, tmp_path: Path):
    with pytest.raises(RunError, match="contains no finished runs"):
        cs.load_weights_matrix(tmp_path)
    copy = shutil.copytree(local_runs[0], tmp_path / "copy")
    [file] = (copy / "runs" / "weights").iterdir()
    file.write_bytes(file.read_bytes()[:-4])
    with pytest.raises(RunError, match="damaged"):
        cs.load_weights_matrix(copy)
