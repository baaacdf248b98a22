"""The recipe `auto` in runs: when it is the default, what it prints and what run.json keeps of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.shared import invoke, succeed

import convscope as cs
from convscope.recipes import RECIPES
from convscope.runs.automatic import is_automatic
from convscope.runs.choices import RecipeChanges
from convscope.storage import open_run

BUDGET = 3e10  # multiply-adds; a trial takes 30 steps or some more


@pytest.fixture(scope="module")
def data(small_mnist: cs.Splits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the twos and threes of the first images of MNIST."""
    arrays = {}
    for split, part in (("train", small_mnist.train), ("test", small_mnist.test)):
        chosen = np.flatnonzero((part.labels == 2) | (part.labels == 3))[:100]
        arrays |= {f"x_{split}": part.images[chosen, ::2, ::2, 0], f"y_{split}": part.labels[chosen] - 2}
    path = tmp_path_factory.mktemp("automatic") / "mine.npz"
    np.savez(path, **arrays)
    return path


@pytest.fixture(scope="module")
def output(data: Path) -> str:
    out = data.parent / "run"
    return succeed("train", "--dataset", data, "--budget", BUDGET, "--class-weights", "balanced", "--out", out)


def test_the_recipe_by_precedence(small_mnist: cs.Splits):
    small, whole = replace(small_mnist.train, name="mine"), cs.load_dataset("mnist")
    mine = cs.Splits(small, replace(small_mnist.test, name="mine"))
    none, cnn, tiny = RecipeChanges(), cs.presets.cnn(), cs.presets.tiny697()
    assert is_automatic(None, none, None, mine)
    assert is_automatic(None, none, cnn, mine)
    assert is_automatic(None, RecipeChanges(class_weights="balanced", validation_fraction=0.1), None, mine)
    assert is_automatic("auto", none, tiny, whole)
    assert not is_automatic(None, none, tiny, mine)  # the preset has a recipe of its own
    assert not is_automatic(None, none, None, whole)
    for changes in ({"epochs": 2}, {"batch_size": 16}, {"learning_rate": 0.1}, {"patience": 2}):
        assert not is_automatic(None, RecipeChanges(**changes), None, mine)
    for recipe in (*RECIPES, cs.Recipe(), "mine.json"):
        assert not is_automatic(recipe, none, None, mine)


def test_three_lines_say_what_was_tried_and_why(output: str):
    first, second, third = output.splitlines()[:3]
    assert first.startswith("Recipe auto: loss of ")
    assert first.endswith("on 20 held-out training images, within 3e+10 multiply-adds (--budget).")
    for name in ("cnn 0.", "shift 0.", "bend 0.", "flip 0.", "cutout 0.", "; in three times the steps cnn 0."):
        assert name in second
    assert third.startswith("  So cnn with ")
    assert third.endswith(" on all 100 images.")


def test_run_json_keeps_the_trials_and_the_chosen_recipe_with_changes(data: Path, output: str):
    folder = open_run(data.parent / "run")
    search = folder.record.search
    assert search.budget == BUDGET
    assert search.trials[0].network == "cnn"
    assert (folder.recipe.name, folder.recipe.class_weights) == ("auto", "balanced")
    assert f"for {folder.recipe.epochs} epoch" in output


def test_the_same_seed_gives_the_same_weights(data: Path, output: str):
    assert output
    again = cs.run(data, budget=BUDGET, seeds=1, baseline=False, out=data.parent / "again")
    balanced = open_run(data.parent / "run").record
    assert open_run(again.path).record.search == balanced.search
    # The recipe of run.json trains the same network without a search.
    repeated = succeed("train", "--dataset", data, "--architecture", again.path / "run.json",
                       "--recipe", again.path / "run.json", "--out", data.parent / "repeated", "--json")  # fmt: skip
    assert repeated["evaluation"]["accuracy"] == again.evaluation.accuracy
    assert open_run(data.parent / "repeated").record.weights_sha256 == again.model.weights_sha256


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--budget", 1e9, "--recipe", "fast"), "--budget is for the recipe auto"),
        (("--recipe", "auto", "--from", "x"), "recipe auto starts from random weights"),
        (("--recipe", "auto", "--validation-fraction", 0.999), "validation_fraction 0.999 of the 100 images"),
        (("--budget", 5), "5.0 is not in the range"),
    ],
)
def test_a_wrong_combination_is_one_error(data: Path, tmp_path: Path, arguments: tuple[object, ...], message: str):
    completed = invoke("train", "--dataset", data, *arguments, "--out", tmp_path / "run")
    assert completed.exit_code != 0
    assert message in completed.stderr
    assert not (tmp_path / "run").exists()


def test_a_folder_that_is_not_empty_is_refused_before_the_trials(data: Path, tmp_path: Path):
    (tmp_path / "notes.txt").write_text("mine")
    completed = invoke("train", "--dataset", data, "--budget", 1e15, "--out", tmp_path)  # hours, if it began
    assert "already exists and is not empty" in completed.stderr


def test_an_experiment_names_its_recipes(data: Path, tmp_path: Path):
    completed = invoke("experiment", "--dataset", data, "--recipe", "auto", "--out", tmp_path / "experiment")
    assert "recipe auto chooses for `run` and `train`; here, name another" in completed.stderr
