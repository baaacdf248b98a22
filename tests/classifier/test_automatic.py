"""The recipe `auto` of `CNNClassifier`: it is that of a run, parameters change what it chose, and errors come first."""

# ruff: noqa: N806  (X is scikit-learn's name)

from functools import partial

import numpy as np
import pytest

import convscope as cs
from convscope import CNNClassifier
from convscope.training.automatic import choose_training

BUDGET = 1e9  # multiply-adds; a trial takes 30 steps


@pytest.fixture
def few(small_mnist: cs.Splits, monkeypatch):
    """(X, y) of a hundred twos and threes of 14 × 14 pixels, for trials within a small budget."""
    monkeypatch.setattr("convscope.classifier.estimator.choose_training", partial(choose_training, budget=BUDGET))
    train = small_mnist.train
    chosen = np.flatnonzero((train.labels == 2) | (train.labels == 3))[:100]
    return train.images[chosen, ::2, ::2], train.labels[chosen]


def test_fit_trains_the_network_and_the_recipe_that_the_trials_choose(few):
    X, y = few
    sample_weight = np.arange(100) % 3
    classifier = CNNClassifier(recipe="auto", random_state=4).fit(X, y, sample_weight)
    data = cs.Dataset.from_arrays(X, y - 2, class_names=["2", "3"], weights=sample_weight)
    choice = choose_training(data, budget=BUDGET, seed=4)
    model, _ = cs.train(choice.architecture, data, choice.recipe, seed=4)
    assert classifier.model_.weights_sha256 == model.weights_sha256
    assert classifier.model_.name != CNNClassifier(epochs=1).fit(X, y).model_.name
    assert classifier.model_.provenance["recipe"]["name"] == "auto"
    assert classifier.n_iter_ == choice.recipe.epochs


def test_parameters_change_the_recipe_that_was_chosen_for_a_given_network(few):
    X, y = few
    parameters = {"epochs": 2, "batch_size": 10, "learning_rate": 0.003, "class_weight": {2: 2.0}}
    classifier = CNNClassifier("ann", "auto", validation_fraction=0.2, random_state=0, **parameters).fit(X, y)
    recipe = classifier.model_.provenance["recipe"]
    assert classifier.model_.name == "ann"
    assert (recipe["name"], recipe["epochs"], recipe["batch_size"]) == ("auto", 2, 10)
    assert recipe["optimizer"]["learning_rate"] == 0.003
    assert recipe["class_weights"] == [2, 1]
    assert len(classifier.history_.val_loss) == 2


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"batch_size": -1}, "batch_size is -1"),
        ({"epochs": 0}, "epochs is 0"),
        ({"validation_fraction": 0.001}, "leaves none on one side"),
        ({"class_weight": "fair"}, "class_weights is 'fair'"),
    ],
)
def test_errors_are_raised_before_the_trials(few, monkeypatch, parameters, message):
    monkeypatch.setattr("convscope.classifier.estimator.choose_training", None)
    with pytest.raises(ValueError, match=message):
        CNNClassifier(recipe="auto", **parameters).fit(*few)
