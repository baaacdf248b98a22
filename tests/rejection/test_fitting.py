from dataclasses import replace

import numpy as np
import pytest

import convscope as cs
from convscope.engine import initial_weights
from convscope.rejection import SCORES, fit_rejection, fit_rules
from convscope.rejection.distance import fit_distance
from convscope.rejection.made_up import make_up
from convscope.rejection.separation import auroc


def noise(count=50, num_classes=3, shape=(8, 8, 3)):
    stream = np.random.default_rng(1)
    names = tuple(f"class {number}" for number in range(num_classes))
    images = stream.integers(0, 256, (count, *shape), np.uint8)
    return cs.Dataset(images, stream.integers(0, num_classes, count), names, "noise", "train")


def untrained(dataset, seed=0, preset=cs.presets.ann):
    architecture = preset(dataset.image_shape, dataset.num_classes)
    return cs.Model(architecture, initial_weights(architecture, seed), dataset.class_names)


def test_there_is_a_rule_for_each_score_the_best_by_made_up_strangers_first(rules, part):
    model, _, held_out = part
    assert {rule.score for rule in rules} == set(SCORES)
    means = [rule.mean_made_up for rule in rules]
    assert means == sorted(means, reverse=True)
    made_up = make_up(held_out, 500)
    for rule in rules:
        expected = {
            kind: auroc(rule.scores(model, held_out.images), rule.scores(model, images))
            for kind, images in made_up.items()
        }
        assert rule.made_up == pytest.approx(expected, abs=1e-12)
        assert rule.num_made_up == 2000
    assert fit_rejection(model, [part]).to_dict() == rules[0].to_dict()


@pytest.mark.parametrize("keep", [0.9, 0.99])
def test_a_threshold_lets_through_what_it_is_to_keep_of_the_held_out_images(part, keep):
    model, _, held_out = part
    for rule in fit_rules(model, [part], keep=keep):
        kept = (~rule.refuses(model, held_out.images)).sum()
        assert kept == rule.num_kept
        assert keep <= kept / len(held_out) < keep + 1.5 / len(held_out)
        assert rule.num_held_out == len(held_out)


def test_siblings_set_the_threshold_by_the_images_that_each_has_not_seen():
    dataset = noise(60)
    whole, parts = untrained(dataset), []
    for fold in range(3):
        is_out = np.arange(60) % 3 == fold
        sibling = untrained(dataset, fold + 1)
        parts.append((sibling, dataset.take(np.flatnonzero(~is_out)), dataset.take(np.flatnonzero(is_out))))
    rules = {rule.score: rule for rule in fit_rules(whole, parts, keep=0.9)}
    energies = np.concatenate([rules["energy"].scores(sibling, out.images) for sibling, _, out in parts])
    assert rules["energy"].threshold == np.sort(energies)[6]
    distances = [fit_distance(sibling, seen).scores(sibling, out.images) for sibling, seen, out in parts]
    assert rules["mahalanobis"].threshold == np.sort(np.concatenate(distances))[6]
    # What the model itself is measured with is fitted to all images that it was trained on.
    _, seen, out = parts[0]
    together = replace(seen, images=np.concatenate([seen.images, out.images]), labels=np.r_[seen.labels, out.labels])
    expected = fit_distance(whole, together).scores(whole, dataset.images)
    np.testing.assert_array_equal(rules["mahalanobis"].scores(whole, dataset.images), expected)


def test_held_out_images_beyond_the_most_are_left_out_evenly(monkeypatch):
    monkeypatch.setattr("convscope.rejection.fitting._MOST_HELD_OUT", 10)
    dataset = noise()
    model = untrained(dataset)
    assert {rule.num_held_out for rule in fit_rules(model, [(model, dataset, dataset)] * 2)} == {10}


@pytest.mark.parametrize("preset", [cs.presets.cnn, cs.presets.ann])
@pytest.mark.parametrize(("count", "num_classes", "shape"), [(6, 2, (10, 11, 1)), (50, 200, (12, 10, 3))])
def test_few_images_and_many_classes_give_rules_too(preset, count, num_classes, shape):
    dataset = noise(count, num_classes, shape)
    model = untrained(dataset, preset=preset)
    some, others = dataset.take(np.arange(0, count, 2)), dataset.take(np.arange(1, count, 2))
    for rule in fit_rules(model, [(model, some, others)]):
        assert not rule.refuses(model, others.images).any()  # less than one of a hundred
        assert np.isfinite(rule.scores(model, some.images)).all()


def test_the_same_arguments_give_the_same_rules(part, rules):
    assert [rule.to_dict() for rule in fit_rules(part[0], [part])] == [rule.to_dict() for rule in rules]


def test_it_finds_what_a_glance_finds(rules):
    inverted = next(rule for rule in rules if rule.score == "mahalanobis").made_up["inverted"]
    assert inverted > 0.9
    assert rules[0].mean_made_up > 0.85


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"parts": []}, "parts is empty"),
        ({"keep": 0.0}, "keep is 0.0; it must lie between 0 and 1"),
        ({"keep": 1}, "keep is 1; it must lie between 0 and 1"),
    ],
)
def test_fit_rules_rejects_what_gives_no_threshold(arguments, message):
    dataset = noise()
    model = untrained(dataset)
    with pytest.raises(ValueError, match=message):
        fit_rules(model, **{"parts": [(model, dataset, dataset)], **arguments})


def test_fit_rules_rejects_other_classes_and_sizes():
    dataset = noise()
    model, others, larger = untrained(dataset), noise(num_classes=4), noise(shape=(9, 9, 3))
    with pytest.raises(ValueError, match="noise has 4 classes"):
        fit_rules(model, [(model, dataset, others)])
    with pytest.raises(ValueError, match="noise has 3 classes"):
        fit_rules(model, [(untrained(others), dataset, dataset)])
    with pytest.raises(ValueError, match="this model reads uint8"):
        fit_rules(model, [(model, larger, larger)])
