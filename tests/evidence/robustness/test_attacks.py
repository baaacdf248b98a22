import numpy as np
import pytest
from msgspec import structs
from tests.noise import init_model

import convscope as cs
from convscope.base.metrics import wilson_interval
from convscope.evidence.robustness import attacks as module
from convscope.evidence.robustness import measure_attacks, pgd, random_signs
from convscope.evidence.robustness.attacks import EPSILONS, METHODS


@pytest.fixture(scope="module")
def attacks(model, digits):
    return measure_attacks(model, digits, steps=10, restarts=2)


def select(attacks, method):
    return [attack for attack in attacks.attacks if attack.method == method]


def test_all_methods_are_measured_at_all_sizes(attacks):
    assert [(x.method, x.epsilon) for x in attacks.attacks] == [(m, e) for m in METHODS for e in EPSILONS]
    assert all(attack.interval == wilson_interval(round(attack.accuracy * 60), 60) for attack in attacks.attacks)


def test_noise_is_the_accuracy_on_its_pictures(attacks, model, digits):
    labels = digits.labels.astype(np.int64)
    before = model.predict(digits.images)
    for attack in select(attacks, "noise"):
        answers = model.predict(random_signs(digits.images, attack.epsilon))
        assert (attack.accuracy, attack.changed) == ((answers == labels).mean(), (answers != before).mean())


def test_no_size_leaves_the_images_as_they_are(attacks, model, digits):
    clean = (model.predict(digits.images) == digits.labels).mean()
    assert attacks.accuracy == clean
    for method in METHODS:
        assert select(attacks, method)[0].accuracy == clean
        assert select(attacks, method)[0].changed == 0


@pytest.mark.slow
def test_pgd_includes_images_fooled_at_smaller_epsilons(attacks, model, digits):
    labels = digits.labels.astype(np.int64)
    wrong = model.predict(digits.images) != labels
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
    assert all(a.accuracy <= n.accuracy for a, n in zip(select(attacks, "pgd"), select(attacks, "noise"), strict=True))
    assert select(attacks, "pgd")[-1].accuracy <= 0.1


def test_the_median_lies_on_the_line_between_the_sizes_beside_it(attacks):
    fooled = [1 - attack.accuracy / attacks.accuracy for attack in select(attacks, "pgd")]
    index = next(number for number, share in enumerate(fooled) if share >= 0.5)
    expected = np.interp(0.5, fooled[index - 1 : index + 1], EPSILONS[index - 1 : index + 1])
    assert attacks.median_epsilon == pytest.approx(expected)
    assert EPSILONS[index - 1] < attacks.median_epsilon <= EPSILONS[index]


def test_the_median_of_known_shares_is_interpolated():
    wrong = np.array([np.arange(8) < count for count in (0, 2, 6)])  # a quarter at 10, three quarters at 30
    median, (low, high) = module._find_median((0, 10, 30), wrong)
    assert median == pytest.approx(20)
    assert low < 10  # at 10 Wilson's interval of a quarter, 7 to 59 %, holds a half
    assert high is None  # at 30 that of three quarters, 41 to 93 %, does too
    assert module._find_median((30,), wrong[2:])[0] == pytest.approx(20)  # interpolated from no fooled image at 0
    assert module._find_median((0, 10), wrong[:2])[0] is None
    assert module._find_median((0, 10), wrong[:2, :0]) == (None, None)


def test_the_interval_of_the_median_contains_the_population_median():
    stream, sizes, held = np.random.default_rng(0), (0, 5, 10, 20, 40), 0
    for _ in range(500):
        breaks = stream.exponential(12 / np.log(2), 200)  # the median is 12
        _, (low, high) = module._find_median(sizes, np.array([breaks < size for size in sizes]))
        shares = 1 - 0.5 ** (np.array(sizes) / 12)
        held += low <= np.interp(0.5, shares, sizes) <= high
    assert 0.92 <= held / 500 <= 0.98


def test_a_median_beyond_the_largest_epsilon_is_none(model, digits):
    assert measure_attacks(model, digits, epsilons=(0, 1), steps=2).median_epsilon is None


def test_examples_are_images_of_different_classes_before_and_after(attacks, model, digits):
    shown = attacks.examples
    pictures, answers = shown.pictures.unpack(), np.array(shown.predictions)
    assert len(set(shown.labels)) == len(shown.labels) == 6
    np.testing.assert_array_equal(shown.labels, digits.labels[list(shown.indices)])
    np.testing.assert_array_equal(pictures[:, 0], digits.images[list(shown.indices)])
    np.testing.assert_array_equal(answers[:, 0], shown.labels)
    for index, epsilon in enumerate(shown.epsilons, 1):
        moved = np.abs(pictures[:, index].astype(int) - pictures[:, 0])
        assert 0 < moved.max() <= epsilon
        probabilities = model.probabilities(np.ascontiguousarray(pictures[:, index]))
        np.testing.assert_array_equal(answers[:, index], probabilities.argmax(axis=1))
        np.testing.assert_allclose(np.array(shown.probabilities)[:, index], probabilities.max(axis=1), atol=5.1e-5)


def test_rows_of_predictions_that_all_lack_a_size_are_refused(attacks):
    short = tuple(row[:-1] for row in attacks.examples.predictions)
    with pytest.raises(ValueError, match=r"there are not \d predictions of each image"):
        structs.replace(
            attacks.examples, predictions=short, probabilities=tuple(row[:-1] for row in attacks.examples.probabilities)
        )


def test_images_are_left_out_evenly_and_where_the_model_costs_too_much(model, mnist, monkeypatch):
    dataset = mnist.test.take(np.arange(200))
    few = measure_attacks(model, dataset, epsilons=(0, 8), steps=2, most_images=30)
    assert (few.num_images, few.num_images_left_out) == (30, 170)
    assert max(few.examples.indices) > 60
    np.testing.assert_array_equal(few.examples.pictures.unpack()[:, 0], dataset.images[list(few.examples.indices)])
    monkeypatch.setattr(module, "_MAX_MACS", 0)
    assert measure_attacks(model, dataset, epsilons=(0, 8), steps=2).num_images == 50


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


def test_it_shows_itself_as_a_table(attacks):
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
        ({"most_images": 0}, "most_images is 0; it must be at least 1"),
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
