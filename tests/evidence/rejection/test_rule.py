"""Scores and thresholds of a rule of rejection."""

import json

import numpy as np
import pytest

from convscope.base.errors import RunError
from convscope.evidence.rejection.rule import (
    SCORES,
    TITLES,
    RejectionRule,
    compute_scores,
    energy,
    max_logit,
    max_probability,
)

LOGITS = np.array([[0.0, np.log(3.0)], [2.0, 2.0], [-800.0, 700.0]])  # probabilities 1/4, 3/4; 1/2, 1/2; 0, 1


def test_energy_is_the_logarithm_of_the_sum_of_exponentials_worked_by_hand():
    np.testing.assert_allclose(energy(LOGITS), [np.log(4), 2 + np.log(2), 700], rtol=1e-15)


def test_max_logit_and_max_probability_are_the_largest_of_each_row():
    np.testing.assert_array_equal(max_logit(LOGITS), [np.log(3), 2, 700])
    np.testing.assert_allclose(max_probability(LOGITS), [0.75, 0.5, 1.0], rtol=1e-15)


def test_every_score_has_a_title():
    assert set(TITLES) == set(SCORES)


def find_rule(stored, score):
    return next(x["rule"] for x in stored if x["rule"]["thresholds"].keys() == {score, "image_statistics"})


def test_the_rules_that_earlier_versions_stored_give_the_same_scores(stored, noise_part):
    for record in stored:
        rule = RejectionRule.from_dict(record["rule"])
        np.testing.assert_allclose(rule.scores(*noise_part), record["scores"], rtol=1e-4)
        assert rule.to_dict() == record["rule"]


def test_a_rule_from_json_gives_the_same_bits(rule, part):
    model, _, held_out = part
    written = json.dumps(rule.to_dict(), allow_nan=False)
    again = RejectionRule.from_dict(json.loads(written))
    assert json.dumps(again.to_dict()) == written
    np.testing.assert_array_equal(again.scores(model, held_out.images), rule.scores(model, held_out.images))
    assert len(written) < 200_000


def test_a_rule_refuses_images_below_any_of_its_thresholds(stored, noise_part):
    model, images = noise_part
    for record in stored:
        rule = RejectionRule.from_dict(record["rule"])
        fitted = rule.distance, rule.statistics
        scores = compute_scores(model, images, model.logits(images), list(rule.thresholds), *fitted)
        below = np.any([scores[name] < threshold for name, threshold in rule.thresholds.items()], axis=0)
        np.testing.assert_array_equal(rule.refuses(model, images), below)
        assert rule.scores(model, images).dtype == np.float64


def plain_rule(thresholds, medians):
    return RejectionRule(thresholds=thresholds, medians=medians, keep=0.9, num_held_out=10, num_kept=9)


def test_scores_are_combined_on_a_scale_from_the_threshold_to_the_median():
    rule = plain_rule({"energy": 2.0, "max_logit": -1.0}, {"energy": 4.0, "max_logit": 9.0})
    scores = {"energy": np.array([4.0, 2.0, 8.0, np.nan]), "max_logit": np.array([9.0, 9.0, -2.0, 9.0])}
    # The smaller of (energy - 2) / (4 - 2) and (max_logit + 1) / (9 + 1).
    np.testing.assert_allclose(rule.combine(scores), [1, 0, -0.1, np.nan])
    assert rule.title == "energy + largest logit"
    even = plain_rule({"energy": 2.0}, {"energy": 2.0})  # a median at the threshold
    assert even.combine({"energy": np.array([1.5])}).tolist() == [-0.5]


def test_a_score_that_is_no_number_is_refused(rule, part, monkeypatch):
    monkeypatch.setattr(RejectionRule, "scores", lambda *_: np.array([np.nan, 0.0]))
    assert rule.refuses(part[0], part[2].images[:2]).tolist() == [True, False]


def test_images_of_another_size_are_refused_by_every_score(stored, noise_part):
    for record in stored:
        with pytest.raises(ValueError, match="this model needs uint8"):
            RejectionRule.from_dict(record["rule"]).scores(noise_part[0], np.zeros((2, 20, 20, 1), np.uint8))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (None, r"rejection: \$: expected object"),
        ({"thresholds": {"best": 1.0}}, "invalid enum value 'best'"),
        ({"thresholds": {}}, r"\$.thresholds: expected object of length >= 1"),
        ({"medians": {"energy": 1.0}}, "medians are for"),
        ({"thresholds": {"energy": 1.0}, "medians": {"energy": 2.0}},
         "but the rule has values that no threshold uses of mahalanobis"),
        ({"distance": None}, "but the rule has no values of mahalanobis"),
        ({"statistics": None}, "but the rule has no values of image_statistics"),
        ({"statistics": {"centre": [1.0, 2.0, 3.0]}}, r"\$.statistics: object missing required field precision"),
        ({"statistics": {"centre": [1.0, 2.0], "precision": [[1.0, 0.0], [0.0, 1.0]]}}, "centre has 2 numbers"),
        ({"statistics": {"centre": [float("nan")] * 3, "precision": [[0.0] * 3] * 3}}, r"\$.statistics.centre\[0\]"),
        ({"statistics": {"centre": [0.0] * 3, "precision": [[0.0] * 3, [0.0], [0.0]]}}, "precision"),
        ({"statistics": {"centre": [0.0] * 51, "precision": []}}, r"\$.statistics.centre: expected array of length"),
        ({"thresholds": {"mahalanobis": float("nan"), "image_statistics": 0}}, r"\$.thresholds"),
        ({"num_kept": 10**9}, "num_kept is 1000000000 of 20"),
    ],
)  # fmt: skip
def test_from_dict_says_which_field_is_wrong(stored, change, message):
    value = find_rule(stored, "mahalanobis")
    value = {**value, **change} if isinstance(change, dict) else change
    with pytest.raises(RunError, match=message):
        RejectionRule.from_dict(value)


def test_a_rule_for_a_layer_that_the_model_lacks_is_refused_when_it_scores(stored, noise_part):
    value = find_rule(stored, "mahalanobis")
    rule = RejectionRule.from_dict({**value, "distance": {**value["distance"], "layer": "elsewhere"}})
    with pytest.raises(ValueError, match="layer 'elsewhere' is missing"):
        rule.scores(*noise_part)
