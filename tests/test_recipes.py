"""The recipes: their settings, their JSON and what they refuse."""

import json

import numpy as np
import pytest

from convscope.base.errors import RecipeError
from convscope.recipes import RECIPES, SGD, Adam, Augmentation, EarlyStopping, Recipe, Schedule, classic, fast


def test_classic_is_the_notebooks_recipe():
    assert classic == Recipe(epochs=10, batch_size=128, optimizer=Adam(1e-3, 0.9, 0.999, 1e-7))
    assert RECIPES["classic"] is classic


# A recipe each of whose values differs from its default, so that none is lost on the way through JSON.
FULL = Recipe(
    3,
    7,
    Adam(0.01, 0, 0.5, 1),
    "mine",
    schedule=Schedule("one_cycle", 0.3),
    label_smoothing=0.1,
    augmentation=Augmentation(
        2, 15.0, 0.2, 10.0, 0.1, 20.0, 3.0, 6, 0.3, 30.0, 10.0, stretch=0.1, horizontal_flip=True
    ),
    class_weights=(1, 2.5),
    clip_norm=1.0,
    averaging=0.99,
    weight_bits=4,
    precision="bfloat16",
    validation_fraction=0.2,
    early_stopping=EarlyStopping("val_accuracy", 3, 0.001, False),
)
DESCENT = Recipe(optimizer=SGD(0.1, 0.9, True, 1e-4))


@pytest.mark.parametrize("recipe", [*RECIPES.values(), FULL, DESCENT, Recipe(class_weights="balanced")], ids=str)
def test_a_recipe_goes_through_json_unchanged(recipe):
    again = Recipe.from_dict(json.loads(json.dumps(recipe.to_dict(), allow_nan=False)))
    assert again == recipe
    assert again.name == recipe.name


def test_fast_is_one_epoch_whose_learning_rate_rises_and_then_falls_to_almost_zero():
    rates = fast.learning_rates(60_000)
    assert rates.shape == (1, 938)  # 60,000 images in batches of 64
    assert rates.argmax() == 93  # the end of the warm-up, a tenth of the steps
    assert rates[0, -1] < rates.max() / 500
    assert RECIPES["fast"] is fast


def test_accurate_and_thorough_take_longer_than_fast_in_smaller_steps():
    recipes = [fast, RECIPES["accurate"], RECIPES["thorough"]]
    assert [recipe.epochs for recipe in recipes] == [1, 5, 30]
    rates = [recipe.optimizer.learning_rate for recipe in recipes]
    assert sorted(rates, reverse=True) == rates


def test_the_json_of_a_recipe_has_its_name_first():
    assert next(iter(classic.to_dict())) == "name"


def test_missing_values_have_their_defaults():
    assert Recipe.from_dict({"epochs": 2}) == Recipe(epochs=2)
    assert Recipe.from_dict({"schedule": {"kind": "cosine"}}) == Recipe(schedule=Schedule("cosine", 0.0))
    assert Recipe.from_dict({"augmentation": {"shift": 1}}) == Recipe(augmentation=Augmentation(shift=1))
    assert Recipe.from_dict({"optimizer": {"beta_1": 0.7}}) == Recipe(optimizer=Adam(beta_1=0.7))


def test_recipes_that_differ_only_in_their_name_are_equal():
    assert Recipe(name="other") == classic


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"epochs": 0}, "recipe: epochs is 0; it must be a whole number from 1 to 100,000"),
        ({"batch_size": 0}, "recipe: batch_size is 0; it must be a whole number from 1 to 65,536"),
        ({"batch_size": "128"}, "batch_size is '128'"),
        ({"label_smoothing": 1}, "recipe: label_smoothing is 1; it must be a number of at least 0 and below 1"),
        ({"precision": "float16"}, "recipe: precision is 'float16'; it must be one of float32, bfloat16"),
        ({"weight_bits": 3}, "recipe: weight_bits is 3; it must be one of 2, 4, 8, or None"),
        ({"clip_norm": 0}, "recipe: clip_norm is 0; it must be a number above 0"),
        ({"class_weights": 3}, "recipe: class_weights is 3; it must list one number per class"),
        ({"class_weights": "even"}, "class_weights is 'even'; it must list one number per class, or be 'balanced'"),
        ({"class_weights": (1, -1)}, "recipe: class_weights is -1; it must be a number from 0"),
        ({"validation_fraction": 1}, "recipe: validation_fraction is 1; it must be a number of at least 0 and below 1"),
        ({"early_stopping": 3}, "recipe: early_stopping is 3; it must be an EarlyStopping, such as cs.EarlyStopping"),
    ],
    ids=str,
)
def test_a_recipe_rejects_invalid_arguments(arguments, message):
    with pytest.raises(RecipeError, match=message):
        Recipe(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"learning_rate": 0}, "recipe: learning_rate is 0; it must be a number above 0 and at most 1"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"beta_1": 1}, "recipe: beta_1 is 1; it must be a number of at least 0 and below 1"),
        ({"weight_decay": -1}, "weight_decay is -1; it must be a number from 0 to 1"),
        ({"decayed": "biases"}, "recipe: decayed is 'biases'; it must be one of all, kernels"),
    ],
    ids=str,
)
def test_adam_rejects_invalid_arguments(arguments, message):
    with pytest.raises(RecipeError, match=message):
        Adam(**arguments)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "recipe must be an object with epochs, batch_size, .*, not None"),
        ({"optimizer": "adam"}, "optimizer must be an object with learning_rate, .*, not 'adam'"),
        ({"schedule": {"kind": "step"}}, "recipe: schedule is of kind 'step'; it must be one of constant, linear"),
        ({"optimizer": {"kind": "Lion"}}, "recipe: optimizer is of kind 'Lion'; it must be one of Adam, SGD"),
        ({"optimizer": {"kind": "SGD", "beta_1": 0.9}}, "optimizer has no 'beta_1'; it has "),
        ({"optimizer": {"kind": "SGD", "nesterov": 1}}, "recipe: nesterov is 1; it must be true or false"),
        ({"augmentation": 3}, "augmentation must be an object with shift, rotation, .*, noise, not 3"),
        ({"augmentation": {"shift": -1}}, "recipe: shift is -1; it must be a whole number from 0 to 1,000"),
        ({"augmentation": {"flip": True}}, "augmentation has no 'flip'; it has shift, rotation, scale, "),
        ({"early_stopping": True}, "early_stopping must be an object with monitor, patience, .*, not True"),
        ({"epoch": 3}, "recipe has no 'epoch'; it has epochs"),
        ({1: 2}, "recipe has no '1'"),
        ({"name": 5}, "recipe: name is 5; it must be text"),
    ],
    ids=str,
)
def test_from_dict_rejects_invalid_arguments(value, message):
    with pytest.raises(RecipeError, match=message):
        Recipe.from_dict(value)


@pytest.mark.parametrize(
    ("name", "value", "interval"),
    [
        ("rotation", 181, "from 0 to 180"),
        ("scale", 0.95, "from 0 to 0.9"),
        ("shear", 81, "from 0 to 80"),
        ("crop", 1, "from 0 to 0.9"),
        ("elastic_sigma", 0, "above 0 and at most 100"),
        ("contrast", 1.5, "from 0 to 1"),
        ("noise", float("nan"), "from 0 to 255"),
    ],
)
def test_an_augmentation_rejects_invalid_arguments(name, value, interval):
    with pytest.raises(RecipeError, match=f"recipe: {name} is {value!r}; it must be a number {interval}"):
        Augmentation(**{name: value})


def test_a_flip_is_on_or_off():
    with pytest.raises(RecipeError, match="recipe: horizontal_flip is 1; it must be true or false"):
        Augmentation(horizontal_flip=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"monitor": "loss"}, "recipe: monitor is 'loss'; it must be one of val_loss, val_accuracy"),
        ({"patience": 0}, "recipe: patience is 0; it must be a whole number from 1 to 100,000"),
        ({"min_delta": -1e-9}, "recipe: min_delta is -1e-09; it must be a number from 0"),
        ({"restore_best_weights": 1}, "recipe: restore_best_weights is 1; it must be true or false"),
    ],
    ids=str,
)
def test_early_stopping_rejects_invalid_arguments(arguments, message):
    with pytest.raises(RecipeError, match=message):
        EarlyStopping(**arguments)


@pytest.mark.parametrize(
    ("stopping", "values", "best", "stopped_after"),
    [
        (EarlyStopping(), [0.5, 0.4, 0.3], 3, None),
        (EarlyStopping(), [0.5, 0.4, 0.4, 0.1], 2, 3),  # as good is no improvement
        (EarlyStopping(patience=2), [0.5, 0.6, 0.4, 0.5, 0.4, 0.1], 3, 5),
        (EarlyStopping(min_delta=0.1, patience=2), [0.5, 0.45, 0.39, 0.35, 0.3], 3, 5),  # each against the last counted
        (EarlyStopping("val_accuracy", 2), [0.7, 0.9, 0.9, 0.8, 1.0], 2, 4),
        (EarlyStopping("val_accuracy", 1, min_delta=0.1), [0.5, 0.7, 0.75], 2, 3),
        (EarlyStopping(), [0.5, 0.6], 1, 2),
        (EarlyStopping(patience=3), [0.5, 0.6, 0.7], 1, None),
    ],
    ids=str,
)
def test_early_stopping_stops_after_its_patience(stopping, values, best, stopped_after):
    reached = [epoch for epoch in range(1, len(values) + 1) if stopping.is_reached(values[:epoch])]
    assert next(iter(reached), None) == stopped_after
    assert stopping.best_epoch(values[:stopped_after]) == best


def test_early_stopping_has_no_best_epoch_before_the_first():
    assert EarlyStopping().best_epoch([]) == 0
    assert not EarlyStopping().is_reached([])


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=lambda recipe: recipe.name)
def test_the_recipes_that_come_with_convscope_train_on_every_image_to_the_last_epoch(recipe):
    assert (recipe.validation_fraction, recipe.early_stopping) == (0, None)


@pytest.mark.parametrize("warmup", [-0.1, 1.1, float("nan"), True])
def test_a_schedule_rejects_a_warmup(warmup):
    with pytest.raises(RecipeError, match=r"recipe: warmup is .*; it must be a number from 0 to 1"):
        Schedule("linear", warmup)


@pytest.mark.parametrize("warmup", [0, 1])
def test_one_cycle_needs_a_way_up_and_a_way_down(warmup):
    with pytest.raises(RecipeError, match="it must be a number above 0 and below 1"):
        Schedule("one_cycle", warmup)


@pytest.mark.parametrize(
    ("schedule", "factors"),
    [
        (Schedule(), [1] * 10),
        (Schedule("constant", 0.2), [0.5, *[1] * 9]),
        (Schedule("linear"), [1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1]),
        (Schedule("linear", 0.5), [0.2, 0.4, 0.6, 0.8, 1, 1, 0.8, 0.6, 0.4, 0.2]),
        (Schedule("linear", 1), [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]),
        (Schedule("cosine", 0.6), [*np.arange(1, 7) / 6, 1, (1 + 0.5**0.5) / 2, 0.5, (1 - 0.5**0.5) / 2]),
        (Schedule("one_cycle", 0.2), [0.04, 0.52, *(1 + np.cos(np.pi * np.arange(8) / 8)) / 2]),
    ],
    ids=str,
)
def test_a_schedule_follows_its_formula(schedule, factors):
    np.testing.assert_allclose(schedule.factors(10), factors, atol=1e-15)


@pytest.mark.parametrize("kind", ["constant", "linear", "cosine", "one_cycle"])
@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_schedule_of_few_steps_moves_at_each(kind, steps):
    factors = Schedule(kind, 0.1).factors(steps)
    assert factors.shape == (steps,)
    assert ((factors > 0) & (factors <= 1)).all()


def test_learning_rates_run_over_all_epochs_of_a_run():
    recipe = Recipe(epochs=3, batch_size=4, optimizer=Adam(0.5), schedule=Schedule("linear"))
    rates = recipe.learning_rates(6)  # two steps an epoch, the second one short
    assert rates.dtype == np.float32
    np.testing.assert_array_equal(rates, (0.5 * (1 - np.arange(6) / 6)).astype(np.float32).reshape(3, 2))
