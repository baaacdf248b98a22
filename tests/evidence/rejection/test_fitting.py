"""Fitting a rule of rejection to held-out images."""

from dataclasses import replace

import numpy as np
import pytest
from tests.noise import init_model, random_dataset

import convscope as cs
from convscope.evidence.rejection import fit_rejection
from convscope.evidence.rejection.distance import fit_distance
from convscope.evidence.rejection.fitting import GUARD, SCORES_OF_A_RULE
from convscope.evidence.rejection.rule import max_logit

pytestmark = pytest.mark.slow


def noise(count=50, num_classes=3, shape=(8, 8, 3)):
    return random_dataset(count, shape, num_classes, seed=1)


def init_model_for(dataset, seed=0, preset=cs.presets.ann):
    return init_model(preset(dataset.image_shape, dataset.num_classes), dataset.class_names, seed)


@pytest.mark.parametrize("keep", [0.9, 0.99])
def test_the_scores_of_a_rule_together_keep_the_stated_share_of_held_out_images(part, keep):
    model, _, held_out = part
    rule = fit_rejection(model, [part], keep=keep)
    assert tuple(rule.thresholds) == SCORES_OF_A_RULE
    refused = rule.refuses(model, held_out.images)
    assert (~refused).sum() == rule.num_kept
    # The share kept is a little above `keep`: ties and three thresholds leave at most 6 of 300 images unrefused.
    share_kept = rule.num_kept / len(held_out)
    assert 1 - rule.max_refused_share <= share_kept < keep + 6.5 / len(held_out)
    assert rule.num_held_out == len(held_out)
    by_guard = (rule.statistics.scores(held_out.images) < rule.thresholds[GUARD]).sum()
    assert by_guard <= 0.2 * (1 - keep) * len(held_out) + 1e-9  # `GUARD_SHARE`


def test_siblings_set_the_thresholds_by_the_images_that_each_has_not_seen():
    dataset = noise(60)
    whole, parts = init_model_for(dataset), []
    for fold in range(3):
        is_out = np.arange(60) % 3 == fold
        sibling = init_model_for(dataset, fold + 1)
        parts.append((sibling, dataset.take(np.flatnonzero(~is_out)), dataset.take(np.flatnonzero(is_out))))
    # Of 60 images and a new one 6 may be refused, so at most 5 lie at or below thresholds, which are among the lowest.
    rule = fit_rejection(whole, parts, keep=0.9)
    logits = np.concatenate([max_logit(sibling.logits(out.images)) for sibling, _, out in parts])
    assert rule.thresholds["max_logit"] in np.sort(logits)[:5]
    distances = [fit_distance(sibling, seen).scores(sibling, out.images) for sibling, seen, out in parts]
    assert rule.thresholds["mahalanobis"] in np.sort(np.concatenate(distances))[:5]
    # The distance that the rule keeps is the model's own, fitted to all images that it was trained on.
    _, seen, out = parts[0]
    together = replace(seen, images=np.concatenate([seen.images, out.images]), labels=np.r_[seen.labels, out.labels])
    expected = fit_distance(whole, together).scores(whole, dataset.images)
    np.testing.assert_array_equal(rule.distance.scores(whole, dataset.images), expected)


def test_held_out_images_beyond_the_limit_are_left_out_evenly(monkeypatch):
    monkeypatch.setattr("convscope.evidence.rejection.fitting._MAX_HELD_OUT", 10)
    dataset = noise()
    model = init_model_for(dataset)
    assert fit_rejection(model, [(model, dataset, dataset)] * 2).num_held_out == 10


@pytest.mark.parametrize("preset", [cs.presets.cnn, cs.presets.ann])
@pytest.mark.parametrize(("count", "num_classes", "shape"), [(6, 2, (10, 11, 1)), (50, 200, (12, 10, 3))])
def test_few_images_and_many_classes_give_rules_too(preset, count, num_classes, shape):
    dataset = noise(count, num_classes, shape)
    model = init_model_for(dataset, preset=preset)
    some, others = dataset.take(np.arange(0, count, 2)), dataset.take(np.arange(1, count, 2))
    rule = fit_rejection(model, [(model, some, others)])
    assert not rule.refuses(model, others.images).any()  # 1 % of so few images is less than one
    assert np.isfinite(rule.scores(model, some.images)).all()


def test_a_rule_refuses_noise_blank_images_and_negatives(rule, part):
    stream = np.random.default_rng(2)
    uniform = stream.integers(0, 256, (300, 28, 28, 1), np.uint8)
    blank = np.broadcast_to(np.arange(256, dtype=np.uint8)[:, None, None, None], (256, 28, 28, 1)).copy()
    for images in (uniform, blank, 255 - part[2].images[:300]):
        assert rule.refuses(part[0], images).mean() >= 0.99


def test_a_rule_for_colour_blobs_refuses_noise_and_blank_images_too():
    # A round blob near the middle of each image, in the colour of its class on a dark ground.
    stream = np.random.default_rng(0)
    grid = np.indices((16, 16)) / 15
    centres = stream.uniform(0.3, 0.7, (400, 2, 1, 1))
    bumps = np.exp(-((grid - centres) ** 2).sum(axis=1) / 0.05)[..., None]
    labels = np.arange(400) % 3
    images = (60 + 150 * bumps * np.eye(3)[labels][:, None, None] + stream.normal(0, 4, (400, 16, 16, 3))).clip(0, 255)
    dataset = cs.Dataset(images.astype(np.uint8), labels, ("red", "green", "blue"), "blobs", "train")
    model = init_model_for(dataset)
    rule = fit_rejection(model, [(model, dataset.take(np.arange(200)), dataset.take(np.arange(200, 400)))])
    blank = np.broadcast_to(np.arange(0, 256, 5, dtype=np.uint8)[:, None, None, None], (52, 16, 16, 3)).copy()
    assert rule.refuses(model, blank).all()
    assert rule.refuses(model, stream.integers(0, 256, (100, 16, 16, 3), np.uint8)).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"parts": []}, "parts is empty"),
        ({"keep": 0.0}, "keep is 0.0; it must lie between 0 and 1"),
        ({"keep": 1}, "keep is 1; it must lie between 0 and 1"),
    ],
)
def test_fit_rejection_rejects_what_gives_no_threshold(arguments, message):
    dataset = noise()
    model = init_model_for(dataset)
    with pytest.raises(ValueError, match=message):
        fit_rejection(model, **{"parts": [(model, dataset, dataset)], **arguments})


def test_fit_rejection_rejects_other_classes_and_sizes():
    dataset = noise()
    model, others, larger = init_model_for(dataset), noise(num_classes=4), noise(shape=(9, 9, 3))
    with pytest.raises(ValueError, match="noise has 4 classes"):
        fit_rejection(model, [(model, dataset, others)])
    with pytest.raises(ValueError, match="noise has 3 classes"):
        fit_rejection(model, [(init_model_for(others), dataset, dataset)])
    with pytest.raises(ValueError, match="this model needs uint8"):
        fit_rejection(model, [(model, larger, larger)])
