"""Sweeps: varied fields, the images that choose and those that check, divergence and contenders."""

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import convscope as cs
from convscope.base.errors import ConvscopeError, DatasetError
from convscope.base.tables import percent
from convscope.experiment import DivergedRun, RunSpec
from convscope.experiment.runs import train_and_list_diverged
from convscope.experiment.sweep import Dimension, Trial, change, parse_dimension, run_sweep, sweep
from convscope.experiment.sweep.sweep import CHECK_SEEDS, _find_contenders, _TrialResult
from convscope.storage import StoredRuns, open_run

from .conftest import ONE_EPOCH, tiny

DIMENSIONS = {
    "filters=8,16,32": Dimension("filters", (8, 16, 32)),
    "learning_rate=log:1e-4..1e-2": Dimension("learning_rate", (), 1e-4, 1e-2, is_log=True),
    "augmentation.shift = 0..2": Dimension("augmentation.shift", (), 0, 2, is_whole=True),
    "averaging=0.0..0.9": Dimension("averaging", (), 0, 0.9),
    "clip_norm=none,1": Dimension("clip_norm", (None, 1)),
    "horizontal_flip=true,false": Dimension("horizontal_flip", (True, False)),
    "activation=relu,gelu": Dimension("activation", ("relu", "gelu")),
    "units=log:8..64": Dimension("units", (), 8, 64, is_log=True, is_whole=True),
}


@pytest.mark.parametrize("text", DIMENSIONS)
def test_varied_fields_are_parsed(text: str):
    assert parse_dimension(text) == DIMENSIONS[text]


BAD = ("filters", "=8", "filters=", "a b=1", "filters=8,8", "filters=8,,9", "rate=2..1", "rate=log:0..1", "rate=a..b")


@pytest.mark.parametrize("text", BAD)
def test_malformed_variations_are_refused(text: str):
    with pytest.raises(ConvscopeError, match="`vary`"):
        parse_dimension(text)


def test_a_field_of_a_recipe_or_of_layers_is_changed_by_its_name():
    values = {
        "learning_rate": 0.5, "augmentation.shift": 2, "epochs": 7, "filters": 4, "conv2d_1.filters": 6, "units": 9,
    }  # fmt: skip
    network, recipe = change(cs.presets.cnn(), cs.recipes.fast, values)
    assert (recipe.optimizer.learning_rate, recipe.augmentation.shift, recipe.epochs) == (0.5, 2, 7)
    assert recipe.optimizer.beta_2 == cs.recipes.fast.optimizer.beta_2
    assert [layer.filters for layer in network.layers if isinstance(layer, cs.Conv2D)] == [4, 6]
    assert [layer.units for layer in network.layers if isinstance(layer, cs.Dense)] == [9, 10]


REFUSED = {
    "colour": "neither the recipe nor a layer has 'colour'",
    "filter": "did you mean 'filters'",
    "dense_9.units": "neither the recipe nor a layer has 'dense_9.units'",
    "name": "neither the recipe nor a layer has 'name'",
    "epochs": "epochs is",
    "filters": "filters",
    "conv2d.kernel_size": "kernel_size",
}


@pytest.mark.parametrize("name", REFUSED)
def test_unknown_fields_and_values_are_refused(name: str):
    with pytest.raises(ConvscopeError) as caught:
        change(cs.presets.cnn(), cs.recipes.fast, {name: -1})
    assert REFUSED[name] in str(caught.value)


def test_a_grid_ranks_all_combinations_and_measures_the_best_by_other_seeds(small_splits: cs.Splits, tmp_path: Path):
    runs = list[cs.RunResult]()
    vary = ["learning_rate=0.00001,0.01", "filters=2,4"]
    sweep = run_sweep(tiny(), small_splits, ONE_EPOCH, vary, search="grid", folder=tmp_path, on_result=runs.append)
    assert sorted((trial.values["learning_rate"], trial.values["filters"]) for trial in sweep.trials) == [
        (0.00001, 2), (0.00001, 4), (0.01, 2), (0.01, 4),
    ]  # fmt: skip
    assert len(runs) == 4 + 2 * CHECK_SEEDS  # trials, then other seeds of the best one and of the default
    # The trials, by their accuracies on the images that choose.
    assert [trial.choice for trial in sweep.trials] == sorted((trial.choice for trial in sweep.trials), reverse=True)
    assert sweep.best_trial.values["learning_rate"] == 0.01
    assert sweep.recipe.optimizer.learning_rate == 0.01
    num_held_out = sweep.num_choice + sweep.num_check
    assert num_held_out == round(len(small_splits.train) / 6)
    assert all(trial.num_images == len(small_splits.train) - num_held_out for trial in sweep.trials)
    # The best one and the default, by other seeds.
    assert sweep.best is not None
    assert sweep.best.seeds == tuple(range(1, 1 + CHECK_SEEDS))
    assert sweep.best.interval[0] <= sweep.best.accuracy <= sweep.best.interval[1]
    assert sweep.default is not None
    assert sweep.difference is not None
    assert sweep.difference.value == pytest.approx(sweep.best.accuracy - sweep.default.accuracy)
    assert sweep.difference.interval[0] < sweep.difference.value < sweep.difference.interval[1]
    assert sweep.contenders[0] == sweep.best_trial.number
    again = run_sweep(tiny(), small_splits, ONE_EPOCH, vary, search="grid", folder=tmp_path)
    assert again.to_dict() == sweep.to_dict()
    assert "4 trials on" in str(sweep)


@pytest.mark.slow
def test_workers_that_load_the_data_themselves_hold_out_the_same_images(small_folder: Path):
    vary, options = ["learning_rate=0.001,0.01"], {"search": "grid", "trials": 2}
    expected = run_sweep(tiny(), small_folder, ONE_EPOCH, vary, **options)
    with ThreadPoolExecutor(2) as executor:  # data are shared with `local:N` alone, so these threads load them
        sweep = run_sweep(tiny(), small_folder, ONE_EPOCH, vary, executor=executor, **options)
    choices, expected_choices = ([(trial.values, trial.choice) for trial in x.trials] for x in (sweep, expected))
    assert choices == expected_choices


def test_a_run_of_a_sweep_names_no_data_that_it_was_not_measured_on(small_folder: Path, tmp_path: Path):
    run_sweep(tiny(), small_folder, ONE_EPOCH, ["learning_rate=0.1"], trials=1, folder=tmp_path)
    for digest in StoredRuns(tmp_path / "runs").digests():
        assert open_run(tmp_path / "runs" / digest).record.dataset.argument == ""


@pytest.fixture(scope="module")
def few_images(small_splits: cs.Splits) -> cs.Splits:
    """200 training images, for tests to which accuracies do not matter."""
    return cs.Splits(small_splits.train.take(np.arange(200)), small_splits.test)


def test_the_test_images_do_not_change_a_sweep(few_images: cs.Splits):
    images, labels = np.full((3, 28, 28, 1), 7, np.uint8), np.array([1, 2, 3])
    other_test = cs.Dataset(images, labels, few_images.class_names, split="test")
    vary = ["learning_rate=0.001,0.01"]
    sweep = run_sweep(tiny(), few_images, ONE_EPOCH, vary, search="grid")
    changed = run_sweep(tiny(), cs.Splits(few_images.train, other_test), ONE_EPOCH, vary, search="grid")
    assert [trial.choice for trial in changed.trials] == [trial.choice for trial in sweep.trials]


def test_a_longer_search_begins_with_the_same_trials(few_images: cs.Splits, tmp_path: Path):
    digests = set[str]()

    def sweep(trials: int, search: str):
        digests.clear()
        vary = ["learning_rate=log:1e-4..1e-1", "filters=2..6"]
        return run_sweep(
            tiny(), few_images, ONE_EPOCH, vary, trials=trials, search=search, folder=tmp_path / search,
            on_result=lambda run: digests.add(run.digest),
        )  # fmt: skip

    for search in ("random", "tpe"):  # Optuna's first ten trials of "tpe" are random
        first, first_digests = sweep(8, search), set(digests)
        second = sweep(12, search)
        assert len(first_digests) == 8 + 2 * CHECK_SEEDS
        if second.best_trial.number == first.best_trial.number:  # else other seeds of another trial are trained
            assert first_digests <= digests
        values = {trial.number: trial.values for trial in second.trials}
        assert {trial.number: trial.values for trial in first.trials} == {number: values[number] for number in range(8)}
        assert all(1e-4 <= trial.values["learning_rate"] <= 0.1 for trial in second.trials)
        assert {type(trial.values["filters"]) for trial in second.trials} == {int}


def test_a_diverged_trial_is_ranked_last(small_splits: cs.Splits):
    layers = (cs.Flatten(), cs.Dense(99), cs.Dense(10, "softmax"))
    network, recipe = cs.Architecture(cs.Input(28, 28, scale=1e30), layers, "huge"), cs.Recipe(epochs=1)
    with pytest.raises(ConvscopeError, match="every trial of the sweep diverged"):
        run_sweep(network, small_splits, recipe, ["learning_rate=1.0"], search="grid")
    linear = cs.Architecture(cs.Input(28, 28), layers, "linear")
    vary = ["learning_rate=0.001,100.0"]
    sweep = run_sweep(linear, small_splits, cs.Recipe(epochs=5, optimizer=cs.SGD(1.0)), vary, search="grid", seeds=2)
    assert sweep.trials[-1].choice is None
    assert sweep.trials[-1].values["learning_rate"] == 100.0
    name = f"trial {sweep.trials[-1].number}"
    assert [(run.name, run.seed) for run in sweep.diverged if run.name != "default"] == [(name, 0), (name, 1)]
    assert sweep.default is None  # the default's learning rate of 1.0 diverges, too
    assert sweep.best is not None
    assert sweep.trials[-1].num_diverged == 2
    assert f"{name}, seed 1: training diverged in epoch " in str(sweep)


def test_a_trial_says_how_many_of_its_runs_diverged_and_whether_it_learned_nothing():
    trial = Trial(number=0, values={}, num_images=9, choice=0.5, seconds=1, parameters=2, num_diverged=1)
    assert trial.format_choice(0.1, percent) == "50.00 % (1 diverged)"
    assert trial.format_choice(0.5, percent) == "50.00 % (1 diverged, no better than chance)"


def test_a_best_trial_whose_other_seeds_diverge_is_compared_with_nothing(
    small_splits: cs.Splits, monkeypatch: pytest.MonkeyPatch
):
    def diverge_with_other_seeds(specs: Sequence[RunSpec], *args: Any, **options: Any):
        if specs[0].seed == 0:
            return train_and_list_diverged(specs, *args, **options)
        name, reason = specs[0].name, "training diverged"
        return [], [DivergedRun(architecture="tiny", recipe="short", seed=1, name=name, reason=reason)]

    monkeypatch.setattr(sweep, "train_and_list_diverged", diverge_with_other_seeds)
    result = run_sweep(tiny(), small_splits, ONE_EPOCH, ["learning_rate=0.01,0.02"], search="grid")
    assert (result.best, result.default, result.difference) == (None, None, None)
    assert f"Other seeds of trial {result.best_trial.number} diverged." in str(result)


SIZES = [(images, classes) for images in (2, 10, 20, 50, 100, 300) for classes in (2, 3, 10) if classes <= images]


@pytest.mark.parametrize(("num_images", "num_classes"), SIZES)
def test_few_images_give_a_winner_or_one_error_before_anything_is_trained(num_images: int, num_classes: int):
    labels = np.arange(num_images) % num_classes
    images = np.random.default_rng(0).integers(0, 256, (num_images, 4, 4, 1), np.uint8)
    train = cs.Dataset(images, labels, tuple("abcdefghij"[:num_classes]))
    network = cs.Architecture(cs.Input(4, 4), (cs.Flatten(), cs.Dense(num_classes, "softmax")))
    ended, counts = list[cs.RunResult](), list[int]()
    options = {"search": "grid", "on_result": ended.append, "on_runs": counts.append}
    splits, vary = cs.Splits(train, replace(train, split="test")), ["learning_rate=0.1,0.2"]
    held_out = sum(round(count / 6) for count in train.class_counts.tolist())
    if held_out < 2:
        with pytest.raises(DatasetError, match=f"holds out {held_out} of {num_images} training images"):
            run_sweep(network, splits, ONE_EPOCH, vary, **options)
        assert not counts
        return
    sweep = run_sweep(network, splits, ONE_EPOCH, vary, **options)
    assert sweep.num_choice - sweep.num_check in (0, 1)  # two halves of the held-out images
    assert sweep.num_choice + sweep.num_check == held_out
    assert len(ended) == sum(counts)


@pytest.mark.parametrize(("share", "others"), [(1.0, 18), (0.03, 1)])
def test_the_truly_best_trial_is_a_contender_in_95_percent_of_sweeps(share: float, others: int):
    """Simulate errors of trials: number 0 is 1 % better than `others` equal ones, and the last is far worse."""
    stream, num_held, is_choosing = np.random.default_rng(2), 0, np.ones(400, np.bool_)
    factors = [0.99, *[1.0] * others, 3.0 / share]  # the last has 30 % of errors, whatever the share
    for _ in range(1000):
        rates = share * stream.beta(0.3, 2.7, 400)  # error rates of the images, about 10 % of `share`, for all trials
        trials = {
            number: _TrialResult({}, stream.random((1, 400)) < rates * factor, 1.0, 0.9, 0)
            for number, factor in enumerate(factors)
        }
        contenders = _find_contenders(trials, is_choosing)
        num_held += 0 in contenders
        assert others + 1 not in contenders
        measured = [trials[number].wrong.mean() for number in contenders]
        assert measured[0] == min(measured)
    assert num_held / 1000 >= 0.95


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vary": []}, "vary is empty"),
        ({"trials": 0}, "trials is 0"),
        ({"search": "grid", "vary": ["learning_rate=0.1..0.2"]}, "a grid needs values"),
        ({"vary": ["learning_rate=0.1,-1"], "search": "grid"}, "learning_rate"),
    ],
)
def test_impossible_arguments_are_refused_at_once(small_splits: cs.Splits, tmp_path: Path, options, message):
    arguments = {"vary": ["learning_rate=0.1,0.2"], "folder": tmp_path, **options}
    with pytest.raises((ConvscopeError, ValueError), match=message):
        run_sweep(tiny(), small_splits, ONE_EPOCH, **arguments)
    assert not list(tmp_path.rglob("*.npy"))


def test_without_optuna_the_error_says_what_to_install(small_splits: cs.Splits, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConvscopeError, match=r"a sweep needs Optuna; run pip install .*optuna>=4"):
        run_sweep(tiny(), small_splits, ONE_EPOCH, ["filters=2,3"])
