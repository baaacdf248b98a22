"""The accuracy under attacks and noise of each size."""

import numpy as np
import pytest
from msgspec import structs
from tests.noise import init_model

import convscope as cs
from convscope.base.metrics import wilson_interval
from convscope.evidence.robustness import attacks as module, measure_attacks, pgd, random_signs
from convscope.evidence.robustness.attacks import EPSILONS, METHODS


@pytest.fixture(scope="module")
def attacks(model, digits):
    return measure_attacks(model, digits, steps=10, restarts=2)


def select(attacks, method):
    return [attack for attack in attacks.attacks if attack.method == method]


def test_all_methods_are_measured_at_all_sizes(attacks):
    assert [(x.method, x.epsilon) for x in attacks.attacks] == [(m, e) for m in METHODS for e in EPSILONS]
    for attack in attacks.attacks:
        assert attack.interval == wilson_interval(round(attack.accuracy * 60), 60)  # of 60 digits


def test_noise_is_measured_on_images_changed_by_random_signs(attacks, model, digits):
    labels = digits.labels.astype(np.int64)
    before = model.predict(digits.images)
    for attack in select(attacks, "noise"):
        predictions = model.predict(random_signs(digits.images, attack.epsilon))
        assert (attack.accuracy, attack.changed) == ((predictions == labels).mean(), (predictions != before).mean())


def test_attacks_of_epsilon_zero_change_nothing(attacks, model, digits):
    clean = (model.predict(digits.images) == digits.labels).mean()
    assert attacks.accuracy == clean
    for method in METHODS:
        assert select(attacks, method)[0].accuracy == clean
        assert select(attacks, method)[0].changed == 0


@pytest.mark.slow
def test_pgd_includes_images_fooled_at_smaller_epsilons(attacks, model, digits):
    labels = digits.labels.astype(np.int64)
    wrong = model.predict(digits.images) != labels
    # Of the epsilons 2, 4 and 8, each attacks only the images that smaller ones did not fool.
    for attack in select(attacks, "pgd")[1:4]:
        left = ~wrong
        attacked = pgd(
            model, digits.images[left], labels[left], attack.epsilon, steps=min(10, 4 * attack.epsilon), restarts=2,
            indices=np.flatnonzero(left),
        )  # fmt: skip
        wrong[left] |= model.predict(attacked) != labels[left]
        assert attack.accuracy == 1 - wrong.mean()
    accuracies = [attack.accuracy for attack in select(attacks, "pgd")]
    assert accuracies == sorted(accuracies, reverse=True)


def test_the_attack_is_stronger_than_noise_and_reaches_chance(attacks):
    for attack, noise in zip(select(attacks, "pgd"), select(attacks, "noise"), strict=True):
        assert attack.accuracy <= noise.accuracy
    assert select(attacks, "pgd")[-1].accuracy <= 0.1  # chance for ten classes


def test_the_median_is_interpolated_between_the_epsilons_below_and_above_it(attacks):
    fooled = [1 - attack.accuracy / attacks.accuracy for attack in select(attacks, "pgd")]
    index = next(index for index, share in enumerate(fooled) if share >= 0.5)
    expected = np.interp(0.5, fooled[index - 1 : index + 1], EPSILONS[index - 1 : index + 1])
    assert attacks.median_epsilon == pytest.approx(expected)
    assert EPSILONS[index - 1] < attacks.median_epsilon <= EPSILONS[index]


def test_the_interval_of_the_median_contains_the_population_median():
    stream, epsilons, held = np.random.default_rng(0), (0, 5, 10, 20, 40), 0
    fooled_shares = 1 - 0.5 ** (np.array(epsilons) / 12)  # of the population below, whose median is 12
    median = np.interp(0.5, fooled_shares, epsilons)  # as interpolated between these epsilons
    for _ in range(500):
        smallest_fooling = stream.exponential(12 / np.log(2), 200)  # epsilons of 200 images
        _, (low, high) = module._find_median(epsilons, np.array([smallest_fooling < epsilon for epsilon in epsilons]))
        held += low <= median <= high
    assert 0.92 <= held / 500 <= 0.98  # 95 % are expected, with a standard error of 1 %


def test_a_median_beyond_the_largest_epsilon_is_none(model, digits):
    assert measure_attacks(model, digits, epsilons=(0, 1), steps=2).median_epsilon is None


def test_examples_are_images_of_different_classes_before_and_after(attacks, model, digits):
    shown = attacks.examples
    pictures, predictions = shown.pictures.unpack(), np.array(shown.predictions)  # column 0 is without attack
    assert len(set(shown.labels)) == len(shown.labels) == 6
    np.testing.assert_array_equal(shown.labels, digits.labels[list(shown.indices)])
    np.testing.assert_array_equal(pictures[:, 0], digits.images[list(shown.indices)])
    np.testing.assert_array_equal(predictions[:, 0], shown.labels)
    for index, epsilon in enumerate(shown.epsilons, 1):
        moved = np.abs(pictures[:, index].astype(int) - pictures[:, 0])
        assert 0 < moved.max() <= epsilon
        probabilities = model.probabilities(np.ascontiguousarray(pictures[:, index]))
        np.testing.assert_array_equal(predictions[:, index], probabilities.argmax(axis=1))
        # Stored with four decimals.
        np.testing.assert_allclose(np.array(shown.probabilities)[:, index], probabilities.max(axis=1), atol=5.1e-5)


def test_rows_of_predictions_that_all_lack_an_epsilon_are_refused(attacks):
    examples = attacks.examples
    predictions = tuple(row[:-1] for row in examples.predictions)
    probabilities = tuple(row[:-1] for row in examples.probabilities)
    with pytest.raises(ValueError, match=r"there are not \d predictions of each image"):
        structs.replace(examples, predictions=predictions, probabilities=probabilities)


def test_images_are_left_out_evenly_and_where_the_model_costs_too_much(model, mnist, monkeypatch):
    dataset = mnist.test.take(np.arange(200))
    few = measure_attacks(model, dataset, epsilons=(0, 8), steps=2, max_images=30)
    assert (few.num_images, few.num_images_left_out) == (30, 170)
    assert max(few.examples.indices) > 60  # indices of the data set, not of the 30 images
    np.testing.assert_array_equal(few.examples.pictures.unpack()[:, 0], dataset.images[list(few.examples.indices)])
    monkeypatch.setattr(module, "_MAX_MACS", 0)
    assert measure_attacks(model, dataset, epsilons=(0, 8), steps=2).num_images == 50  # the fewest, at any cost


@pytest.mark.parametrize(("shape", "num_classes"), [((8, 8, 1), 2), ((20, 11, 3), 100)])
def test_a_network_that_has_learned_nothing_is_measured_too(shape, num_classes):
    stream = np.random.default_rng(0)
    images = stream.integers(0, 256, (4, *shape)).astype(np.uint8)
    model = init_model(cs.Architecture(cs.Input(*shape), (cs.Flatten(), cs.Dense(num_classes))))
    labels = (model.predict(images) + 1) % num_classes
    result = measure_attacks(model, cs.Dataset(images, labels, model.class_names), steps=2)
    assert result.accuracy == 0
    assert result.median_epsilon is None
    assert len(result.examples.indices) == 0
    result.to_dict()


def test_text_and_html_are_tables_of_the_accuracies(attacks):
    text = str(attacks)
    assert "60 test images of mnist" in text
    assert f"{100 * select(attacks, 'pgd')[3].accuracy:.2f} %" in text
    assert "<table" in attacks._repr_html_()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"epsilons": ()}, "epsilons are .*; give rising whole numbers from 0 to 255"),
        ({"epsilons": (8, 4)}, "give rising whole numbers"),
        ({"epsilons": (0, 256)}, "give rising whole numbers"),
        ({"epsilons": (0, 0.5)}, r"epsilons\[1\] is 0.5; it must be a whole number"),
        ({"max_images": 0}, "max_images is 0; it must be at least 1"),
        ({"steps": 0}, "steps is 0; it must be at least 1"),
        ({"restarts": 0}, "restarts is 0; it must be at least 1"),
    ],
)
def test_wrong_arguments_are_refused(model, digits, arguments, message):
    with pytest.raises((TypeError, ValueError), match=message):
        measure_attacks(model, digits, **arguments)


def test_a_data_set_of_other_classes_or_sizes_is_refused(model, digits):
    with pytest.raises(ValueError, match="but this model has 10"):
        measure_attacks(model, cs.Dataset(digits.images, digits.labels % 2, ("even", "odd")))
    with pytest.raises(ValueError, match="this model needs uint8"):
        measure_attacks(model, cs.Dataset(digits.images[:, 1:], digits.labels, digits.class_names))
