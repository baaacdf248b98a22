"""Runs in this process: their results and folders, lost workers, diverging runs, and runs that are not repeated."""

import json
import pickle
import shutil
import sqlite3
from collections import Counter
from concurrent.futures import Executor, Future
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import convscope as cs
from convscope.base.errors import ConvscopeError, DivergedError
from convscope.engine import initial_weights
from convscope.experiment import DivergedRun, RunSpec, train_runs
from convscope.experiment.worker import execute, read_reply, train_one, write_order
from convscope.storage import StoredRuns, model_file, open_run

from .conftest import ONE_EPOCH, list_stored_seeds, make_diverging_spec, make_specs, reproducible_parts, tiny


def test_a_run_equals_training_and_evaluating_separately(local_runs, small_splits: cs.Splits):
    _, results = local_runs
    model, history = cs.train(tiny(), small_splits, ONE_EPOCH, seed=5)
    evaluation = cs.evaluate(model, small_splits.test)
    run = results[5]
    assert (run.seed, run.architecture, run.recipe) == (5, "tiny", "short")
    assert run.weights_sha256 == model.weights_sha256
    assert (run.accuracy, run.loss) == (evaluation.accuracy, evaluation.loss)
    assert run.y_pred.dtype == np.uint8
    assert (run.y_pred == evaluation.y_pred).all()
    assert run.history.val_accuracy == history.val_accuracy
    assert (run.parameters, run.macs, run.num_images) == (tiny().parameters, tiny().macs, 1000)


TRAINED = {"run.json", "history.jsonl", "DONE", "model.safetensors", "model.trained_on.safetensors"}


def test_the_runs_of_an_experiment_share_one_database_and_one_file_of_weights(
    small_splits: cs.Splits, small_folder: Path, tmp_path: Path
):
    results = train_runs(make_specs(small_folder, [4, 7]), small_splits, folder=tmp_path)
    runs = tmp_path / "runs"
    assert {path.name for path in runs.iterdir()} == {"from", "runs.db", "weights"}
    with closing(sqlite3.connect(runs / "runs.db")) as database:
        rows = database.execute("SELECT seed, accuracy FROM run").fetchall()
    assert rows == [(seed, run.accuracy) for seed, run in zip([4, 7], results, strict=True)]
    [path] = (runs / "weights").iterdir()
    weights = np.load(path, mmap_mode="r")
    assert weights.shape == (2, tiny().parameters)
    tensors = cs.load_model(results[1].folder).weights
    assert (np.concatenate([tensors[name].ravel() for name in tiny().weight_shapes]) == weights[1]).all()


def test_half_written_files_of_a_killed_process_are_removed(
    small_splits: cs.Splits, small_folder: Path, tmp_path: Path
):
    train_runs(make_specs(small_folder, [4]), small_splits, folder=tmp_path)
    for folder in (tmp_path, tmp_path / "runs", tmp_path / "runs" / "from"):
        (folder / ".name.0a73be0f.partial").write_bytes(b"half")
    train_runs(make_specs(small_folder, [4]), small_splits, folder=tmp_path)
    assert not list(tmp_path.rglob("*.partial"))


def test_each_run_becomes_a_run_folder_of_the_usual_form_when_it_is_opened(
    local_runs, small_splits: cs.Splits, small_folder: Path, tmp_path: Path
):
    folder, results = local_runs
    run, path = results[2], shutil.copytree(folder, tmp_path / "copy") / "runs" / results[2].digest
    opened = open_run(path)
    files = TRAINED | {"predictions.npz", "evaluation.json"}
    assert {file.name for file in path.iterdir()} == files
    assert opened.is_finished
    assert (opened.architecture, opened.recipe, opened.seed) == (tiny(), ONE_EPOCH, 2)
    assert opened.load_history() == run.history
    assert opened.record.dataset.argument == str(small_folder)
    assert opened.record.dataset.train.sha256 == small_splits.train.sha256
    assert opened.record.digest == run.digest == make_specs(small_folder, [2])[0].digest(small_splits)
    model, _ = cs.train(tiny(), small_splits, ONE_EPOCH, seed=2, threads=1)
    cs.save_model(model, tmp_path / "alone.safetensors")
    assert (path / "model.safetensors").read_bytes() == (tmp_path / "alone.safetensors").read_bytes()
    evaluation = opened.load_evaluation()
    assert (evaluation.y_pred == run.y_pred).all()
    assert (evaluation.loss, evaluation.accuracy) == (run.loss, run.accuracy)


def test_a_run_on_arrays_is_opened_with_its_data_and_evaluated_anew(small_splits: cs.Splits, tmp_path: Path):
    [run] = train_runs([RunSpec("", tiny(), ONE_EPOCH, 0)], small_splits, folder=tmp_path)
    assert cs.load_model(run.folder).weights_sha256 == run.weights_sha256
    assert not run.folder.exists()
    opened = cs.open_run(run.folder, data=small_splits)
    assert {file.name for file in run.folder.iterdir()} == TRAINED
    assert (opened.evaluation.y_pred == run.y_pred).all()


@pytest.mark.slow
def test_an_interrupted_experiment_goes_on_to_the_same_bytes(
    local_runs, small_splits: cs.Splits, small_folder: Path, tmp_path: Path
):
    _, results = local_runs

    def stop(_: object) -> None:
        if len(StoredRuns(tmp_path / "runs")) == 3:
            raise KeyboardInterrupt

    specs = make_specs(small_folder, range(8))
    with pytest.raises(KeyboardInterrupt):
        train_runs(specs, small_splits, folder=tmp_path, on_result=stop)
    assert list_stored_seeds(tmp_path) == [0, 1, 2]
    reported_seeds = list[int]()
    again = train_runs(specs, small_splits, folder=tmp_path, on_result=lambda run: reported_seeds.append(run.seed))
    assert reported_seeds == list(range(8))
    assert reproducible_parts(again) == reproducible_parts(results)


def test_several_networks_and_recipes_share_a_folder(small_splits: cs.Splits, tmp_path: Path):
    linear = replace(tiny(), layers=(cs.Flatten(), cs.Dense(10, "softmax")))  # another network of the same name
    recipes = [ONE_EPOCH, replace(ONE_EPOCH, epochs=2, validation_fraction=0.2, name="long")]
    specs = [RunSpec("", net, recipe, seed) for seed in (0, 1) for net in (tiny(), linear) for recipe in recipes]
    results = train_runs(specs, small_splits, folder=tmp_path)
    assert len(list((tmp_path / "runs" / "weights").iterdir())) == 2  # a file for each network
    for spec, run in zip(specs, results, strict=True):
        [expected] = train_runs([spec], small_splits)
        assert (run.weights_sha256, run.loss, run.recipe) == (expected.weights_sha256, expected.loss, expected.recipe)
        assert replace(run.history, seconds=expected.history.seconds) == expected.history
        assert cs.load_model(run.folder).architecture == spec.architecture


def test_specs_that_differ_only_in_names_are_trained_once_and_each_has_its_result(small_splits: cs.Splits):
    spec, reported, epochs = RunSpec("", tiny(), ONE_EPOCH, 0), list[tuple[str, str]](), list[RunSpec]()
    named = [spec, replace(spec, name="again"), replace(spec, architecture=replace(tiny(), name="other"))]
    results = train_runs(
        named,
        small_splits,
        on_result=lambda run: reported.append((run.architecture, run.name)),
        on_epoch=lambda spec, _: epochs.append(spec),
    )
    assert epochs == [spec] * 2  # the start and the end of one training
    assert [(run.architecture, run.name) for run in results] == [("tiny", ""), ("tiny", "again"), ("other", "")]
    assert reported == [(run.architecture, run.name) for run in results]


def test_the_model_that_runs_start_from_is_loaded_once_until_its_file_changes(
    small_splits: cs.Splits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path, loaded, load_model = tmp_path / "model.safetensors", list[Path](), model_file.load_model
    monkeypatch.setattr(model_file, "load_model", lambda path: loaded.append(path) or load_model(path))
    specs = [RunSpec("", tiny(), ONE_EPOCH, seed, start=str(path)) for seed in range(2)]
    digests = list[str]()
    for seed in range(2):
        cs.save_model(cs.Model(tiny(), initial_weights(tiny(), seed), small_splits.class_names), path)
        digests += [run.digest for run in train_runs(specs, small_splits)]
        assert len(loaded) == seed + 1
    assert len(set(digests)) == 4


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_orders_and_replies_survive_serialization(small_splits: cs.Splits, small_folder: Path, engine):
    recipe = cs.Recipe(epochs=1, class_weights=[1.5] * 10, validation_fraction=0.25, name="heavy")
    spec = RunSpec(str(small_folder), tiny(), recipe, 1, engine, num_images=60, name="variant")
    reply = pickle.loads(pickle.dumps(execute(write_order(spec, small_splits))))
    result, expected = read_reply(spec, reply), train_one(spec, small_splits)
    assert result.model.weights_sha256 == expected.model.weights_sha256
    assert json.dumps(result.model.provenance) == json.dumps(expected.model.provenance)
    assert (result.y_pred == expected.y_pred).all()
    assert result.loss == expected.loss
    assert result.history == replace(expected.history, seconds=result.history.seconds)
    assert result.threads == 1


def test_a_worker_refuses_data_of_another_digest(small_splits: cs.Splits, small_folder: Path):
    fewer = cs.Splits(small_splits.train.take(np.arange(999)), small_splits.test)
    spec = make_specs(small_folder, [0])[0]
    with pytest.raises(ConvscopeError, match="the train images on a worker are not those"):
        read_reply(spec, execute(write_order(spec, fewer)))


def test_a_worker_of_another_version_says_so(small_splits: cs.Splits, small_folder: Path):
    spec = make_specs(small_folder, [0])[0]
    _, text = write_order(spec, small_splits)
    with pytest.raises(ConvscopeError, match=r"a worker has convscope .* instead of 0\.0\.0"):
        read_reply(spec, execute(("0.0.0", text)))


def test_an_internal_error_shows_its_traceback(small_folder: Path):
    spec = make_specs(small_folder, [0])[0]
    with pytest.raises(RuntimeError, match=r"a worker failed with ValueError(.|\n)*Traceback"):
        read_reply(spec, execute(()))


class DyingWorkers(Executor):
    """Runs each task at once, but only after `num_deaths` of its workers have died."""

    def __init__(self, num_deaths: int) -> None:
        self.num_deaths, self.attempts = num_deaths, Counter[object]()

    def submit(self, fn, /, *args, **kwargs):
        future: Future = Future()
        self.attempts[args[0]] += 1
        if self.attempts[args[0]] <= self.num_deaths:
            future.set_exception(ConnectionResetError("gone"))
        else:
            future.set_result(fn(*args, **kwargs))
        return future


def test_a_run_whose_worker_dies_is_submitted_again(
    local_runs, small_splits: cs.Splits, small_folder: Path, tmp_path: Path
):
    _, results = local_runs
    executor = DyingWorkers(2)
    again = train_runs(make_specs(small_folder, range(3)), small_splits, folder=tmp_path, executor=executor)
    assert list(executor.attempts.values()) == [3, 3, 3]
    assert reproducible_parts(again) == reproducible_parts(results[:3])


def test_a_run_whose_workers_die_again_and_again_is_given_up(small_splits: cs.Splits, small_folder: Path):
    with pytest.raises(ConvscopeError, match="tiny, short, seed 0: lost 3 workers, the last with ConnectionResetError"):
        train_runs(make_specs(small_folder, [0]), small_splits, executor=DyingWorkers(99))


class LostExecutor(Executor):
    """Accepts runs and finishes none; it is lost from the third check on."""

    def __init__(self) -> None:
        self.num_checks = 0

    @property
    def is_lost(self) -> bool:
        self.num_checks += 1
        return self.num_checks == 3

    def submit(self, fn, /, *args, **kwargs):
        return Future()


def test_an_executor_that_is_lost_ends_the_experiment(
    small_splits: cs.Splits, small_folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("convscope.experiment.runs._CHECK_SECONDS", 0.01)
    executor = LostExecutor()
    with pytest.raises(ConvscopeError, match="does not answer any more; finished runs are kept, so start it again"):
        train_runs(make_specs(small_folder, [0]), small_splits, executor=executor)
    assert executor.num_checks == 3


def test_training_that_fails_names_the_run_and_keeps_the_others(
    small_splits: cs.Splits, small_folder: Path, tmp_path: Path
):
    specs = [*make_specs(small_folder, [0]), make_diverging_spec(small_folder)]
    for executor in (None, DyingWorkers(0)):
        with pytest.raises(DivergedError, match="huge, wild, seed 1: training diverged in epoch 1"):
            train_runs(specs, small_splits, folder=tmp_path, executor=executor)
        assert list_stored_seeds(tmp_path) == [0]


def test_with_on_diverged_a_diverging_run_is_reported_and_the_others_go_on(
    small_splits: cs.Splits, small_folder: Path, tmp_path: Path
):
    diverging = make_diverging_spec(small_folder)
    specs = [diverging, *make_specs(small_folder, [0]), replace(diverging, name="again")]
    for number, executor in enumerate((None, DyingWorkers(0))):
        diverged: list[DivergedRun] = []
        folder = tmp_path / str(number)
        [result] = train_runs(specs, small_splits, folder=folder, executor=executor, on_diverged=diverged.append)
        assert result.digest == specs[1].digest(small_splits)
        run, again = diverged
        assert (run.title, again.title) == ("huge, wild, seed 1", "huge, wild, again, seed 1")
        assert run.reason.startswith("training diverged in epoch 1 (loss nan); lower the learning rate")


def test_training_that_diverged_is_not_tried_again(small_splits: cs.Splits, small_folder: Path, tmp_path: Path):
    calls, specs = list[DivergedRun](), [make_diverging_spec(small_folder)]
    for _ in range(2):
        assert train_runs(specs, small_splits, folder=tmp_path, on_diverged=calls.append) == []
    assert calls[0] == calls[1]
    unused = DyingWorkers(0)
    unused.submit = pytest.fail
    train_runs(specs, small_splits, folder=tmp_path, executor=unused, on_diverged=calls.append)
    with pytest.raises(DivergedError, match="huge, wild, seed 1: training diverged in epoch 1"):
        train_runs(specs, small_splits, folder=tmp_path)


def test_data_in_memory_are_refused_by_remote_executors(small_splits: cs.Splits):
    with pytest.raises(ValueError, match="data that exist only in memory cannot be sent to another machine"):
        train_runs([RunSpec("", tiny(), ONE_EPOCH, 0)], small_splits, executor=DyingWorkers(0))


def test_mismatches_are_detected_before_training(small_splits: cs.Splits, tmp_path: Path):
    specs = [RunSpec("", tiny(), ONE_EPOCH, 0), RunSpec("", tiny((32, 32, 3)), ONE_EPOCH, 0)]
    with pytest.raises(ConvscopeError, match="reads 32 × 32 × 3"):
        train_runs(specs, small_splits, folder=tmp_path)
    assert not list(tmp_path.iterdir())
