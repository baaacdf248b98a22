"""Runs in this process: results, folders, and what is not run again."""

import json
import pickle
import shutil
import sqlite3
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

from .conftest import ONE_EPOCH, diverging, list_stored_seeds, outcomes, specs_of, tiny


def test_a_run_equals_training_and_evaluating_separately(here, small_splits: cs.Splits):
    _, results = here
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


def test_the_runs_share_their_files(small_splits: cs.Splits, small_folder: Path, tmp_path: Path):
    results = train_runs(specs_of(small_folder, [4, 7]), small_splits, folder=tmp_path)
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
    train_runs(specs_of(small_folder, [4]), small_splits, folder=tmp_path)
    for folder in (tmp_path, tmp_path / "runs", tmp_path / "runs" / "from"):
        (folder / ".name.0a73be0f.partial").write_bytes(b"half")
    train_runs(specs_of(small_folder, [4]), small_splits, folder=tmp_path)
    assert not list(tmp_path.rglob("*.partial"))


def test_each_run_becomes_a_run_folder_of_the_usual_form_when_it_is_opened(
    here, small_splits: cs.Splits, small_folder: Path, tmp_path: Path
):
    folder, results = here
    run, path = results[2], shutil.copytree(folder, tmp_path / "copy") / "runs" / results[2].digest
    opened = open_run(path)
    files = TRAINED | {"predictions.npz", "evaluation.json"}
    assert {file.name for file in path.iterdir()} == files
    assert opened.is_finished
    assert (opened.architecture, opened.recipe, opened.seed) == (tiny(), ONE_EPOCH, 2)
    assert opened.load_history() == run.history
    assert opened.record.dataset.argument == str(small_folder)
    assert opened.record.dataset.train.sha256 == small_splits.train.sha256
    assert opened.record.digest == run.digest == specs_of(small_folder, [2])[0].digest(small_splits)
    model, _ = cs.train(tiny(), small_splits, ONE_EPOCH, seed=2, threads=1)
    cs.save_model(model, tmp_path / "alone.safetensors")
    assert (path / "model.safetensors").read_bytes() == (tmp_path / "alone.safetensors").read_bytes()
    evaluation = opened.load_evaluation()
    assert (evaluation.y_pred == run.y_pred).all()
    assert (evaluation.loss, evaluation.accuracy) == (run.loss, run.accuracy)


def test_a_run_on_arrays_is_opened_without_its_answers(small_splits: cs.Splits, tmp_path: Path):
    [run] = train_runs([RunSpec("", tiny(), ONE_EPOCH, 0)], small_splits, folder=tmp_path)
    assert cs.load_model(run.folder).weights_sha256 == run.weights_sha256
    assert not run.folder.exists()
    opened = cs.open_run(run.folder, data=small_splits)
    assert {file.name for file in run.folder.iterdir()} == TRAINED
    assert (opened.evaluation.y_pred == run.y_pred).all()


@pytest.mark.slow
def test_an_interrupted_experiment_goes_on_to_the_same_bytes(
    here, small_splits: cs.Splits, small_folder: Path, tmp_path: Path
):
    _, results = here

    def stop(_: object) -> None:
        if len(StoredRuns(tmp_path / "runs")) == 3:
            raise KeyboardInterrupt

    specs = specs_of(small_folder, range(8))
    with pytest.raises(KeyboardInterrupt):
        train_runs(specs, small_splits, folder=tmp_path, on_result=stop)
    assert list_stored_seeds(tmp_path) == [0, 1, 2]
    came = list[int]()
    again = train_runs(specs, small_splits, folder=tmp_path, on_result=lambda run: came.append(run.seed))
    assert came == list(range(8))
    assert outcomes(again) == outcomes(results)


def test_several_networks_and_recipes_share_a_folder(small_splits: cs.Splits, tmp_path: Path):
    unlike = replace(tiny(), layers=(cs.Flatten(), cs.Dense(10, "softmax")))  # another network of the same name
    recipes = [ONE_EPOCH, replace(ONE_EPOCH, epochs=2, validation_fraction=0.2, name="long")]
    specs = [RunSpec("", net, recipe, seed) for seed in (0, 1) for net in (tiny(), unlike) for recipe in recipes]
    results = train_runs(specs, small_splits, folder=tmp_path)
    assert len(list((tmp_path / "runs" / "weights").iterdir())) == 2
    alone = [train_runs([spec], small_splits)[0] for spec in specs]
    for run, expected in zip(results, alone, strict=True):
        assert (run.weights_sha256, run.loss, run.recipe) == (expected.weights_sha256, expected.loss, expected.recipe)
        assert replace(run.history, seconds=expected.history.seconds) == expected.history
        assert cs.load_model(run.folder).architecture == specs[results.index(run)].architecture


def test_specs_that_differ_in_names_alone_are_run_once_and_each_has_its_result(small_splits: cs.Splits):
    spec, came, epochs = RunSpec("", tiny(), ONE_EPOCH, 0), list[tuple[str, str]](), list[RunSpec]()
    named = [spec, replace(spec, name="again"), replace(spec, architecture=replace(tiny(), name="other"))]
    results = train_runs(
        named,
        small_splits,
        on_result=lambda run: came.append((run.architecture, run.name)),
        on_epoch=lambda spec, _: epochs.append(spec),
    )
    assert epochs == [spec] * 2
    assert [(run.architecture, run.name) for run in results] == [("tiny", ""), ("tiny", "again"), ("other", "")]
    assert came == [(run.architecture, run.name) for run in results]


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
    here, there = train_one(spec, small_splits), read_reply(spec, reply)
    assert there.model.weights_sha256 == here.model.weights_sha256
    assert json.dumps(there.model.provenance) == json.dumps(here.model.provenance)
    assert (there.y_pred == here.y_pred).all()
    assert there.loss == here.loss
    assert there.history == replace(here.history, seconds=there.history.seconds)
    assert there.threads == 1


def test_a_worker_refuses_data_of_another_digest(small_splits: cs.Splits, small_folder: Path):
    fewer = cs.Splits(small_splits.train.take(np.arange(999)), small_splits.test)
    spec = specs_of(small_folder, [0])[0]
    with pytest.raises(ConvscopeError, match="the train images on a worker are not those"):
        read_reply(spec, execute(write_order(spec, fewer)))


def test_a_worker_of_another_version_says_so(small_splits: cs.Splits, small_folder: Path):
    spec = specs_of(small_folder, [0])[0]
    _, text = write_order(spec, small_splits)
    with pytest.raises(ConvscopeError, match=r"a worker has convscope .* instead of 0\.0\.0"):
        read_reply(spec, execute(("0.0.0", text)))


def test_an_internal_error_shows_its_traceback(small_folder: Path):
    spec = specs_of(small_folder, [0])[0]
    with pytest.raises(RuntimeError, match=r"a worker failed with ValueError(.|\n)*Traceback"):
        read_reply(spec, execute(()))


class Dying(Executor):
    """Runs what it is given at once, but each task's worker dies `times` times first."""

    def __init__(self, times: int) -> None:
        self.times, self.lost = times, dict[str, int]()

    def submit(self, fn, /, *args, **kwargs):
        future: Future = Future()
        self.lost[args[0]] = self.lost.get(args[0], 0) + 1
        if self.lost[args[0]] <= self.times:
            future.set_exception(ConnectionResetError("gone"))
        else:
            future.set_result(fn(*args, **kwargs))
        return future


def test_a_run_whose_worker_dies_is_submitted_again(here, small_splits: cs.Splits, small_folder: Path, tmp_path: Path):
    _, results = here
    executor = Dying(2)
    again = train_runs(specs_of(small_folder, range(3)), small_splits, folder=tmp_path, executor=executor)
    assert list(executor.lost.values()) == [3, 3, 3]
    assert outcomes(again) == outcomes(results[:3])


def test_a_run_whose_workers_die_again_and_again_is_given_up(small_splits: cs.Splits, small_folder: Path):
    with pytest.raises(ConvscopeError, match="tiny, short, seed 0: lost 3 workers, the last with ConnectionResetError"):
        train_runs(specs_of(small_folder, [0]), small_splits, executor=Dying(99))


class Lost(Executor):
    """Takes runs, ends none of them, and says after a while that it is gone."""

    def __init__(self) -> None:
        self.looks = 0

    @property
    def is_lost(self) -> bool:
        self.looks += 1
        return self.looks == 3

    def submit(self, fn, /, *args, **kwargs):
        return Future()


def test_an_executor_that_is_lost_ends_the_experiment(
    small_splits: cs.Splits, small_folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("convscope.experiment.runs._CHECK_SECONDS", 0.01)
    executor = Lost()
    with pytest.raises(ConvscopeError, match="does not answer any more; finished runs are kept, so start it again"):
        train_runs(specs_of(small_folder, [0]), small_splits, executor=executor)
    assert executor.looks == 3


def test_training_that_fails_names_the_run_and_keeps_the_others(
    small_splits: cs.Splits, small_folder: Path, tmp_path: Path
):
    specs = [*specs_of(small_folder, [0]), diverging(small_folder)]
    for executor in (None, Dying(0)):
        with pytest.raises(DivergedError, match="huge, wild, seed 1: training diverged in epoch 1"):
            train_runs(specs, small_splits, folder=tmp_path, executor=executor)
        assert list_stored_seeds(tmp_path) == [0]


def test_training_that_diverges_ends_its_own_run_alone_where_that_is_asked_for(
    small_splits: cs.Splits, small_folder: Path, tmp_path: Path
):
    wild = diverging(small_folder)
    specs = [wild, *specs_of(small_folder, [0]), replace(wild, name="again")]
    for number, executor in enumerate((None, Dying(0))):
        diverged: list[DivergedRun] = []
        folder = tmp_path / str(number)
        [result] = train_runs(specs, small_splits, folder=folder, executor=executor, on_diverged=diverged.append)
        assert result.digest == specs[1].digest(small_splits)
        run, again = diverged
        assert (run.title, again.title) == ("huge, wild, seed 1", "huge, wild, again, seed 1")
        assert run.reason.startswith("training diverged in epoch 1 (loss nan); lower the learning rate")


def test_training_that_diverged_is_not_tried_again(small_splits: cs.Splits, small_folder: Path, tmp_path: Path):
    calls = list[DivergedRun]()
    for _ in range(2):
        assert train_runs([diverging(small_folder)], small_splits, folder=tmp_path, on_diverged=calls.append) == []
    assert calls[0] == calls[1]
    never = Dying(0)
    never.submit = pytest.fail
    train_runs([diverging(small_folder)], small_splits, folder=tmp_path, executor=never, on_diverged=calls.append)
    with pytest.raises(DivergedError, match="huge, wild, seed 1: training diverged in epoch 1"):
        train_runs([diverging(small_folder)], small_splits, folder=tmp_path)


def test_data_in_memory_are_refused_by_remote_executors(small_splits: cs.Splits):
    with pytest.raises(ValueError, match="data that exist only in memory cannot be sent to another machine"):
        train_runs([RunSpec("", tiny(), ONE_EPOCH, 0)], small_splits, executor=Dying(0))


def test_mismatches_are_detected_before_training(small_splits: cs.Splits, tmp_path: Path):
    specs = [RunSpec("", tiny(), ONE_EPOCH, 0), RunSpec("", tiny((32, 32, 3)), ONE_EPOCH, 0)]
    with pytest.raises(ConvscopeError, match="reads 32 × 32 × 3"):
        train_runs(specs, small_splits, folder=tmp_path)
    assert not list(tmp_path.iterdir())
