"""Training: bits, resuming, validation images, early stopping, divergence, histories and single passes."""

import json
from dataclasses import replace

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight
from tests.engine.epochs import assert_same_bits, train as train_epoch

import convscope as cs
from convscope.base.errors import ArchitectureError, DivergedError, RecipeError
from convscope.base.streams import random_stream
from convscope.engine import initial_weights, open_network
from convscope.training import History, TrainingState, describe_choice

RECIPE = cs.Recipe(epochs=3, batch_size=64)
# A recipe with every option.
FULL = cs.Recipe(
    epochs=3, batch_size=64, schedule=cs.Schedule("one_cycle", 0.3), label_smoothing=0.1,
    augmentation=cs.Augmentation(2, 15.0, 0.2, 10.0, 0.1, 20.0, 3.0, 6, 0.3, 30.0, 10.0),
    class_weights=(1, 1, 2, 1, 1, 1, 0.5, 1, 1, 1), clip_norm=1.0, averaging=0.9, weight_bits=4,
    optimizer=cs.SGD(0.1, 0.9, nesterov=True, weight_decay=1e-4),
)  # fmt: skip


def test_train_learns_far_beyond_chance(small_mnist: cs.Splits):
    model, history = cs.train(cs.presets.cnn, small_mnist, RECIPE)
    assert history.val_accuracy[-1] > 0.6  # chance is about 0.1
    assert history.loss[-1] < history.loss[0]
    assert np.mean(model.predict(small_mnist.test.images) == small_mnist.test.labels) == history.val_accuracy[-1]


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [RECIPE, FULL], ids=["plain", "full"])
def test_a_seed_gives_the_same_bits_on_one_and_two_threads_and_another_seed_others(small_mnist: cs.Splits, recipe):
    models = [
        cs.train(cs.presets.cnn, small_mnist.train.take(np.arange(300)), recipe, seed=seed, threads=threads)[0]
        for seed, threads in ((1, 1), (1, 2), (2, 2))
    ]
    digests = [model.weights_sha256 for model in models]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize("recipe", [RECIPE, FULL], ids=["plain", "full"])
def test_train_resumed_from_any_epoch_equals_an_unbroken_run(small_mnist: cs.Splits, engine, recipe):
    data = cs.Splits(small_mnist.train.take(np.arange(80)), small_mnist.test.take(np.arange(20)))
    states: list[TrainingState] = []
    whole, history = cs.train(cs.presets.ann, data, recipe, engine=engine, on_epoch=states.append)
    assert [len(state.history) for state in states] == [0, 1, 2, 3]
    for state in states[:3]:
        resumed, again = cs.train(cs.presets.ann, data, recipe, engine=engine, state=state)
        assert resumed.weights_sha256 == whole.weights_sha256
        assert again.val_loss == history.val_loss


@pytest.mark.parametrize("engine", ["native", "reference"])
def test_classic_is_plain_steps_of_adam_over_the_shuffled_images(small_mnist: cs.Splits, engine):
    data, architecture = small_mnist.train.take(np.arange(100)), cs.presets.ann()
    model, _ = cs.train(architecture, data, replace(cs.recipes.classic, epochs=2, batch_size=32), seed=5, engine=engine)
    network = open_network(architecture, initial_weights(architecture, 5), engine)
    for epoch in (1, 2):
        train_epoch(network, data, order=random_stream(5, "shuffle", epoch).permutation(100))
    assert_same_bits(model.weights, network.weights())


def test_train_leaves_the_first_state_as_it_was_given(small_mnist: cs.Splits):
    states: list[TrainingState] = []
    cs.train(cs.presets.ann, small_mnist, cs.Recipe(epochs=1), on_epoch=states.append)
    assert any((states[0].weights[name] != states[1].weights[name]).any() for name in states[0].weights)


def test_train_measures_validation_images_only_if_they_are_given(small_mnist: cs.Splits):
    train, validation = small_mnist.train.divide(0.2)
    _, alone = cs.train(cs.presets.ann, train, cs.Recipe(epochs=1))
    assert alone.val_loss == alone.val_accuracy == ()
    _, measured = cs.train(cs.presets.ann, train, cs.Recipe(epochs=1), validation=validation)
    assert len(measured.val_loss) == len(measured.val_accuracy) == 1
    assert alone.loss == measured.loss


# Steps so large that a small network soon does worse on images that it does not train on.
STOPPING = cs.Recipe(
    epochs=12, batch_size=32, optimizer=cs.Adam(0.01), validation_fraction=0.3,
    early_stopping=cs.EarlyStopping(patience=2),
)  # fmt: skip


@pytest.fixture(scope="module")
def few(small_mnist: cs.Splits) -> cs.Splits:
    return cs.Splits(small_mnist.train.take(np.arange(200)), small_mnist.test.take(np.arange(20)))


@pytest.mark.parametrize("monitor", ["val_loss", "val_accuracy"])
def test_early_stopping_restores_the_weights_that_were_best_on_the_validation_images(few: cs.Splits, monitor):
    recipe = replace(STOPPING, early_stopping=cs.EarlyStopping(monitor, patience=2))
    states: list[TrainingState] = []
    model, history = cs.train(cs.presets.ann, few, recipe, on_epoch=states.append)
    values = getattr(history, monitor)
    best = int(np.argmin(values) if monitor == "val_loss" else np.argmax(values)) + 1
    assert history.best_epoch == best == len(history) - 2  # two epochs of patience
    assert len(history) < recipe.epochs
    assert model.provenance["epoch"] == best
    assert_same_bits(model.weights, states[best].weights)
    _, validation = few.train.divide(0.3, seed=0)
    assert np.mean(model.predict(validation.images) == validation.labels) == history.val_accuracy[best - 1]
    _, whole = cs.train(cs.presets.ann, few, replace(recipe, early_stopping=None))
    assert len(whole) == recipe.epochs
    assert whole.val_loss[: len(history)] == history.val_loss


def test_early_stopping_never_looks_at_the_test_images(few: cs.Splits):
    model, history = cs.train(cs.presets.ann, few, STOPPING)
    other_test = replace(few.test, images=255 - few.test.images)
    again, same = cs.train(cs.presets.ann, cs.Splits(few.train, other_test), STOPPING)
    assert again.weights_sha256 == model.weights_sha256
    assert (same.val_loss, same.val_split) == (history.val_loss, "validation")


def test_a_held_out_fraction_is_not_trained_on(few: cs.Splits):
    recipe = cs.Recipe(epochs=2, validation_fraction=0.3)
    kept, held_out = few.train.divide(0.3, seed=4)
    model, history = cs.train(cs.presets.ann, few, recipe, seed=4)
    expected, measured = cs.train(cs.presets.ann, kept, cs.Recipe(epochs=2), seed=4, validation=held_out)
    assert model.weights_sha256 == expected.weights_sha256
    assert (history.val_loss, history.val_accuracy) == (measured.val_loss, measured.val_accuracy)
    assert (history.val_split, history.best_epoch) == ("validation", None)
    assert model.provenance["num_images"] == len(kept) < 200
    assert model.provenance["epoch"] == 2


@pytest.mark.parametrize("epochs", [4, 5])
def test_the_best_weights_are_taken_also_after_the_last_epoch(few: cs.Splits, epochs: int):
    patient = replace(STOPPING, epochs=epochs, early_stopping=cs.EarlyStopping(patience=100))
    states: list[TrainingState] = []
    model, history = cs.train(cs.presets.ann, few, patient, on_epoch=states.append)
    assert len(history) == epochs
    best = int(np.argmin(history.val_loss)) + 1
    assert history.best_epoch == best
    assert_same_bits(model.weights, states[best].weights)


def test_without_restoring_the_model_has_the_weights_of_the_epoch_it_stopped_after(few: cs.Splits):
    recipe = replace(STOPPING, early_stopping=cs.EarlyStopping(patience=2, restore_best_weights=False))
    states: list[TrainingState] = []
    model, history = cs.train(cs.presets.ann, few, recipe, on_epoch=states.append)
    restored, same = cs.train(cs.presets.ann, few, STOPPING)
    assert len(history) == len(same) < recipe.epochs
    assert (history.best_epoch, model.provenance["epoch"]) == (None, len(history))
    assert model.weights_sha256 != restored.weights_sha256
    assert not states[-1].best_weights
    assert_same_bits(model.weights, states[-1].weights)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize("averaging", [0, 0.9])
def test_a_run_that_stops_early_resumes_from_any_epoch_to_the_same_bits(few: cs.Splits, engine, averaging):
    recipe = replace(STOPPING, averaging=averaging, early_stopping=cs.EarlyStopping(patience=1))
    states: list[TrainingState] = []
    whole, history = cs.train(cs.presets.ann, few, recipe, engine=engine, on_epoch=states.append)
    for state in states if engine == "native" else (states[0], states[len(states) // 2], states[-2]):
        resumed, again = cs.train(cs.presets.ann, few, recipe, engine=engine, state=state)
        assert resumed.weights_sha256 == whole.weights_sha256
        assert replace(again, seconds=history.seconds) == history


def test_train_refuses_a_state_without_its_best_weights(few: cs.Splits):
    states: list[TrainingState] = []
    cs.train(cs.presets.ann, few, replace(STOPPING, epochs=2), on_epoch=states.append)
    with pytest.raises(ValueError, match="state has no best_weights, those after epoch"):
        cs.train(cs.presets.ann, few, STOPPING, state=replace(states[2], best_weights={}))


NO_VALIDATION = replace(STOPPING, validation_fraction=0)
NEEDED = "early_stopping needs validation images, because the test images must not be used for choices"


@pytest.mark.parametrize(
    ("recipe", "validation", "message"),
    [
        (NO_VALIDATION, "none", NEEDED),
        (NO_VALIDATION, "test", NEEDED),
        (STOPPING, "train", r"validation is given, but the recipe's validation_fraction is 0\.3"),
        (replace(STOPPING, validation_fraction=0.001), "none",
         r"validation_fraction 0\.001 of the 200 images of mnist leaves none on one side"),
        (replace(STOPPING, validation_fraction=0.98), "none",
         r"validation_fraction 0\.98 of the 200 images of mnist leaves no training image of class '.'"),
    ],
    ids=["no images", "test images", "two ways", "too few", "too many"],
)  # fmt: skip
def test_train_refuses_to_choose_by_test_images_or_by_none(few: cs.Splits, recipe, validation: str, message: str):
    validation_images = {"none": None, "test": few.test, "train": few.train}[validation]
    with pytest.raises(ValueError, match=message):
        cs.train(cs.presets.ann, few, recipe, validation=validation_images)


@pytest.mark.parametrize(
    ("stopping", "epochs", "best", "words"),
    [
        (None, 3, None, ""),
        (cs.EarlyStopping(), 3, 2, "stopped after epoch 3 of 9, 1 epoch without a better val_loss; weights of epoch 2"),
        (cs.EarlyStopping("val_accuracy", 4, restore_best_weights=False), 6, None,
         "stopped after epoch 6 of 9, 4 epochs without a better val_accuracy; weights of epoch 6"),
        (cs.EarlyStopping(), 9, 8, "all 9 epochs trained; weights of epoch 8"),
    ],
    ids=str,
)  # fmt: skip
def test_the_description_of_early_stopping_names_the_last_and_the_best_epoch(
    stopping, epochs: int, best: int, words: str
):
    column = (0.5,) * epochs
    history = History(column, column, column, column, column, "validation", best)
    assert describe_choice(history, cs.Recipe(epochs=9, early_stopping=stopping)) == words


@pytest.mark.slow
def test_train_reports_progress_within_an_epoch(small_mnist: cs.Splits):
    seen, recipe = [], cs.Recipe(epochs=2, batch_size=1)  # small steps: an epoch takes long enough to be reported on
    cs.train(cs.presets.cnn, small_mnist, recipe, on_progress=lambda *values: seen.append(values))
    assert seen
    for epoch, images, loss, accuracy in seen:
        assert epoch in (1, 2)
        assert 0 < images <= 1000
        assert loss > 0
        assert accuracy >= 0


def test_train_refuses_data_that_do_not_fit_the_architecture(small_mnist: cs.Splits):
    with pytest.raises(ArchitectureError, match=r"28 × 28 × 1 .* 8 × 8 × 1"):
        cs.train(cs.presets.ann((8, 8, 1), 10), small_mnist, RECIPE)
    with pytest.raises(ArchitectureError, match=r"10 classes.*26 outputs"):
        cs.train(cs.presets.ann((28, 28, 1), 26), small_mnist, RECIPE)


@pytest.mark.slow
def test_fast_reaches_99_percent_in_one_epoch(mnist: cs.Splits):
    _, history = cs.train(cs.presets.cnn, mnist, cs.recipes.fast)
    assert len(history) == 1
    assert history.val_accuracy[0] > 0.99


def test_the_learning_rates_of_all_epochs_are_computed_once(small_mnist: cs.Splits, monkeypatch: pytest.MonkeyPatch):
    computed, learning_rates = list[int](), cs.Recipe.learning_rates
    monkeypatch.setattr(cs.Recipe, "learning_rates", lambda *args: computed.append(1) or learning_rates(*args))
    cs.train(cs.presets.ann, small_mnist.train.take(range(64)), cs.Recipe(epochs=3))
    assert len(computed) == 1


_DENSE = (cs.Dense(3),)
# Layers, recipe, and the name of the weight that is not finite after a step, though the loss before the step was.
# Pixels of 0 to 2 are multiplied by 1e37, and float32 ends at 3.4e38.
FINITE_LOSSES = {
    "weights": (_DENSE, {"optimizer": cs.SGD(100.0)}, "dense/kernel"),
    "averages": (_DENSE, {"optimizer": cs.SGD(100.0), "averaging": 0.9}, "dense/kernel"),
    "rounded weights": (_DENSE, {"optimizer": cs.SGD(100.0), "weight_bits": 2}, "dense/kernel"),
    "statistics": ((cs.BatchNormalization(), *_DENSE), {}, "batch_normalization/moving_variance"),
}


@pytest.mark.parametrize("engine", ["native", "reference"])
@pytest.mark.parametrize("what", FINITE_LOSSES)
def test_training_diverges_where_the_loss_is_finite_and_a_weight_is_not(what: str, engine: str):
    layers, changes, name = FINITE_LOSSES[what]
    architecture = cs.Architecture(cs.Input(2, 2, scale=1e37), (cs.Flatten(), *layers))
    data = cs.Dataset(np.arange(120, dtype=np.uint8).reshape(30, 2, 2, 1) % 3, np.arange(30) % 3, ("a", "b", "c"))
    states = []
    with pytest.raises(DivergedError, match=rf"diverged in epoch 1 \({name} (inf|-inf|nan)\); lower"):
        cs.train(architecture, data, cs.Recipe(batch_size=30, **changes), engine=engine, on_epoch=states.append)
    assert [len(state.history) for state in states] == [0]


def test_training_diverges_where_the_validation_loss_is_not_finite():
    architecture = cs.Architecture(cs.Input(2, 2, scale=1e37), (cs.Flatten(), cs.Dense(3)))
    dark = cs.Dataset(np.zeros((30, 2, 2, 1), np.uint8), np.arange(30) % 3, ("a", "b", "c"))
    bright = replace(dark, images=np.full((30, 2, 2, 1), 255, np.uint8), split="test")
    states = []
    with pytest.raises(DivergedError, match=r"diverged in epoch 1 \(val_loss nan\); lower the learning rate"):
        cs.train(architecture, cs.Splits(dark, bright), on_epoch=states.append)
    assert [len(state.history) for state in states] == [0]


def test_balanced_class_weights_count_only_the_images_trained_on(small_mnist: cs.Splits):
    uneven = small_mnist.train.take(np.flatnonzero((small_mnist.train.labels != 3) | (np.arange(1000) % 5 == 0)))
    kept, _ = uneven.divide(0.25, 0)
    weights = compute_class_weight("balanced", classes=np.arange(10), y=kept.labels)
    recipe = cs.Recipe(epochs=1, validation_fraction=0.25, class_weights="balanced")
    balanced = cs.train(cs.presets.ann, uneven, recipe)[0]
    explicit = cs.train(cs.presets.ann, uneven, replace(recipe, class_weights=tuple(weights)))[0]
    assert balanced.weights_sha256 == explicit.weights_sha256


def test_an_image_of_weight_zero_teaches_nothing(small_mnist: cs.Splits):
    data = replace(small_mnist.train, weights=(small_mnist.train.labels != 3).astype(np.float32))
    model, _ = cs.train(cs.presets.ann, data, cs.Recipe(epochs=3))
    assert 3 not in model.predict(data.images)
    assert (model.predict(data.images) == data.labels)[data.labels != 3].mean() > 0.8


def test_train_refuses_images_that_all_have_weight_zero(small_mnist: cs.Splits):
    numbers = np.arange(1000, dtype=np.float32)
    _, held_out = replace(small_mnist.train, weights=numbers).divide(0.2)
    for weights, fraction in ((0 * numbers, 0.0), (np.isin(numbers, held_out.weights).astype(np.float32), 0.2)):
        data = replace(small_mnist.train, weights=weights)
        with pytest.raises(ValueError, match=r"the weights of all [\d,]+ training images of mnist are zero"):
            cs.train(cs.presets.ann, data, cs.Recipe(epochs=1, validation_fraction=fraction))


def test_train_refuses_class_weights_for_other_classes(small_mnist: cs.Splits):
    with pytest.raises(RecipeError, match="the recipe has 2 class weights, but architecture ann has 10 outputs"):
        cs.train(cs.presets.ann, small_mnist, cs.Recipe(class_weights=(1.0, 2.0)))


def test_history_survives_a_round_trip_through_rows():
    history = History((0.5, 0.25), (0.8, 0.9), (0.4, 0.3), (0.85, 0.95), (1.0, 1.5))
    assert history.rows()[1] == {
        "epoch": 2, "loss": 0.25, "accuracy": 0.9, "val_loss": 0.3, "val_accuracy": 0.95, "seconds": 1.5,
    }  # fmt: skip
    assert History.from_rows(history.rows()) == history
    without = History((0.5,), (0.8,), (), (), (1.0,))
    assert "val_loss" not in without.rows()[0]
    assert History.from_rows(without.rows()) == without


def test_history_survives_a_round_trip_through_json():
    history = History((0.5, 0.25), (0.8, 0.9), (0.4, 0.3), (0.85, 0.95), (1.0, 1.5), "validation", 2)
    assert History.from_dict(json.loads(json.dumps(history.to_dict()))) == history


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"loss": (1.0,)}, "1 values of loss but 0 of accuracy"),
        ({"loss": (1.0,), "accuracy": (1.0,), "seconds": (1.0,), "val_loss": (1.0,)}, "but 0 of val_accuracy"),
        ({"best_epoch": 1}, "best_epoch is 1, but history has epochs 1 to 0"),
        ({"loss": (float("nan"),), "accuracy": (1.0,), "seconds": (1.0,)}, "not finite"),
    ],
)
def test_history_refuses_columns_of_different_lengths_and_values_that_are_not_finite(columns, message: str):
    with pytest.raises(ValueError, match=message):
        History(**columns)


def test_history_is_displayed_as_a_table_of_measured_columns():
    history = History((0.5, 0.25), (0.8, 0.9), (), (), (1.5, 1.25))
    assert str(history).splitlines()[0].split() == ["epoch", "loss", "accuracy", "seconds"]
    assert str(history).splitlines()[-1].split() == ["2", "0.2500", "0.9000", "1.25"]
    assert history._repr_html_().count("<tr>") == 3
    measured = History((0.5,), (0.8,), (0.6,), (0.7,), (1.5,))
    assert "test_accuracy" in measured._repr_html_()
    assert str(replace(measured, best_epoch=1)).splitlines()[-1].split()[:2] == ["1", "(best)"]
