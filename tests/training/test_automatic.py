"""The recipe `auto`: its trials, its choice, and the training that follows."""

import numpy as np
import pytest

import convscope as cs
from convscope.base.errors import DivergedError
from convscope.training.automatic import Choice, choose_training, loss_of

BUDGET = 1e11  # multiply-adds; the largest network takes some 30 steps in a trial


def _make_bars(num_images: int = 60, shape: tuple[int, int, int] = (10, 10, 1)) -> cs.Dataset:
    """Make images with a bright column at the left (class 0) or at the right (class 1), so flips swap the classes."""
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 60, (num_images, *shape), np.uint8), np.arange(num_images) % 2
    images[labels == 0, :, 1] = images[labels == 1, :, -2] = 255
    return cs.Dataset.from_arrays(images, labels)


@pytest.fixture(scope="module")
def choice() -> Choice:
    return choose_training(_make_bars(), budget=BUDGET, seed=1, threads=1)


def test_each_network_is_tried_then_two_longer_then_the_cheapest_with_changes(choice: Choice):
    trials = choice.search.trials
    assert {trial.network for trial in trials[:4]} == {"cnn", "wide", "wide-x2", "residual-x0.5"}
    assert [(trial.augmentation, trial.share) for trial in trials[:6]] == [("shift", 1 / 24)] * 4 + [
        ("shift", 1 / 8)
    ] * 2
    assert [trial.augmentation for trial in trials[6:9]] == ["bend", "flip", "cutout"]
    assert {trial.network for trial in trials[6:]} == {"cnn"}
    assert choice.search.num_held_out == 12  # a fifth of each class
    assert {trial.num_images for trial in trials} == {48}


def test_the_network_has_the_lowest_loss_on_shifted_images(choice: Choice):
    best = min(choice.search.trials[:6], key=loss_of)
    assert choice.architecture.name == best.network
    assert choice.recipe.name == "auto"


def test_a_change_is_chosen_only_if_loss_and_accuracy_agree(choice: Choice):
    shift, *changed = (choice.search.trials[0], *choice.search.trials[6:])
    helpful = [t for t in changed if loss_of(t) < loss_of(shift) and (t.accuracy or 0) >= (shift.accuracy or 0)]
    assert choice.search.augmentation == min(helpful or [shift], key=loss_of).augmentation
    assert bool(choice.recipe.augmentation.cutout) == (choice.search.augmentation == "cutout")


def test_flips_that_swap_classes_are_not_chosen(choice: Choice):
    losses = {trial.augmentation: trial.loss for trial in choice.search.trials[6:]}
    assert losses["flip"] > 3 * losses["cutout"]
    assert not choice.recipe.augmentation.horizontal_flip


def test_the_choice_depends_on_the_seed_and_not_on_the_threads():
    network = cs.presets.small((10, 10, 1), 2)
    first, again, of_another_seed = (
        choose_training(_make_bars(), network, budget=2e9, seed=seed, threads=threads)
        for seed, threads in ((1, 1), (1, 2), (2, 1))
    )
    assert again == first
    assert of_another_seed.search != first.search


def test_a_network_that_is_given_is_kept():
    network = cs.presets.small((10, 10, 1), 2)
    choice = choose_training(_make_bars(), network, budget=BUDGET)
    assert choice.architecture == network
    assert {trial.network for trial in choice.search.trials} == {"small"}
    assert [trial.share for trial in choice.search.trials[:3]] == [1 / 24, 1 / 8, 1 / 24]


def test_the_training_takes_the_rest_of_the_budget_unless_longer_trials_were_no_better():
    images, network = _make_bars(2_000), cs.presets.small((10, 10, 1), 2)
    choice = choose_training(images, network, budget=1e10)
    short, longer, *changed = choice.search.trials
    rest = 1e10 * (1 - 1 / 24 - 1 / 8 - len(changed) / 24)
    expected = rest / (3 * network.macs * len(images)) if loss_of(longer) < loss_of(short) else short.epochs
    assert choice.recipe.epochs == pytest.approx(expected, abs=1)


def test_if_no_network_learns_the_cheapest_takes_the_rest_of_the_budget():
    bars = _make_bars(200)
    noise = cs.Dataset.from_arrays(bars.images, np.random.default_rng(1).permutation(bars.labels))  # nothing to learn
    choice = choose_training(noise, budget=1e11)
    assert {trial.share for trial in choice.search.trials} == {1 / 24}
    assert (choice.architecture.name, choice.search.augmentation) == ("cnn", "shift")


def test_networks_too_expensive_for_the_images_are_left_out():
    choice = choose_training(_make_bars(600, (12, 12, 1)), budget=2e10)
    assert {trial.network for trial in choice.search.trials} == {"cnn"}
    # 30 steps of `cnn` in a 24th take 8.3e9 multiply-adds.
    untried = choose_training(_make_bars(600, (12, 12, 1)), budget=8e9)
    assert (untried.architecture.name, untried.search.trials) == ("cnn", ())


def test_rows_of_a_table_get_a_dense_network_and_no_changes():
    random = np.random.default_rng(0)
    rows = cs.Dataset.from_arrays(random.integers(0, 255, (40, 1, 30, 1), np.uint8), np.arange(40) % 2)
    choice = choose_training(rows, budget=BUDGET)
    assert (choice.architecture.name, choice.recipe.augmentation) == ("ann", cs.Augmentation())


def test_nothing_is_tried_if_no_class_has_three_images():
    choice = choose_training(_make_bars(4), budget=BUDGET)
    assert (choice.architecture.name, choice.search.trials, choice.search.num_held_out) == ("wide", (), 0)
    cs.train(choice.architecture, _make_bars(4), choice.recipe)


def test_a_search_in_which_every_trial_diverges_is_an_error():
    layers = (cs.Flatten(), cs.Dense(2, activation="softmax"))
    huge = cs.Architecture(cs.Input(10, 10, 1, scale=1e38), layers, "huge")
    with pytest.raises(DivergedError, match="each of 2 trials diverged; check the input's scale"):
        choose_training(_make_bars(), huge, budget=BUDGET)
