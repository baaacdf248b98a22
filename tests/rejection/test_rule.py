import json
import zlib
from base64 import b64encode

import numpy as np
import pytest

from convscope.errors import ConvscopeError, RunError
from convscope.rejection.rule import RejectionRule


def by_score(rules, score):
    return next(rule for rule in rules if rule.score == score)


@pytest.mark.parametrize("score", ["energy", "max_logit", "max_probability", "mahalanobis"])
def test_a_rule_from_json_gives_the_same_bits(rules, part, score):
    model, _, held_out = part
    rule = by_score(rules, score)
    written = json.dumps(rule.to_dict(), allow_nan=False)
    again = RejectionRule.from_dict(json.loads(written))
    assert json.dumps(again.to_dict()) == written
    np.testing.assert_array_equal(again.scores(model, held_out.images), rule.scores(model, held_out.images))
    assert again.threshold == rule.threshold
    assert len(written) < 200_000


def test_a_rule_refuses_what_scores_below_its_threshold(rules, part):
    model, _, held_out = part
    for rule in rules:
        scores = rule.scores(model, held_out.images)
        np.testing.assert_array_equal(rule.refuses(model, held_out.images), scores < rule.threshold)
        assert scores.dtype == np.float64


def test_a_score_that_is_no_number_is_refused(rules, part, monkeypatch):
    monkeypatch.setattr(RejectionRule, "scores", lambda *_: np.array([np.nan, 1e9]))
    assert rules[0].refuses(part[0], part[2].images[:2]).tolist() == [True, False]


def test_images_of_another_size_are_refused_by_every_score(rules, part):
    for rule in rules:
        with pytest.raises(ValueError, match="this model reads uint8"):
            rule.scores(part[0], np.zeros((2, 20, 20, 1), np.uint8))


def packed(data, shape, dtype="float32"):
    return {"dtype": dtype, "shape": shape, "data": b64encode(zlib.compress(data)).decode()}


GIVEN = packed(np.zeros(4, np.float32).tobytes(), [4])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (None, "rejection is an object with score"),
        ([1], "rejection is an object with score"),
        ({"score": "best"}, "score is 'best'; it must be one of energy"),
        ({"score": ["energy"]}, "score is"),
        ({"score": "energy"}, "score is energy, but distance is"),
        ({"distance": None}, "score is mahalanobis, but distance is None"),
        ({"threshold": float("nan")}, "threshold is nan"),
        ({"threshold": float("inf")}, "threshold is inf"),
        ({"threshold": 10**400}, "threshold is 1"),
        ({"threshold": True}, "threshold is True"),
        ({"threshold": "0"}, "threshold is '0'"),
        ({"keep": 1.5}, "keep is 1.5; it must be a number from 0 to 1"),
        ({"num_held_out": 0}, "num_held_out is 0"),
        ({"num_held_out": None}, "num_held_out is None"),
        ({"num_kept": 1e9}, "num_kept is"),
        ({"made_up": {"patches": 2}}, "made_up 'patches' is 2"),
        ({"made_up": [0.5]}, r"made_up is \[0.5\]"),
        ({"more": 1}, "rejection has no 'more'"),
        ({"distance": 5}, "distance is an object with layer"),
        ({"distance": {"layer": "dense"}}, "distance needs 'centre'"),
    ],
)
def test_from_dict_says_which_field_is_wrong(rules, change, message):
    value = by_score(rules, "mahalanobis").to_dict()
    value = {**value, **change} if isinstance(change, dict) else change
    with pytest.raises(RunError, match=message):
        RejectionRule.from_dict(value)


@pytest.mark.parametrize("name", ["score", "threshold", "made_up"])
def test_from_dict_says_which_field_is_missing(rules, name):
    value = rules[0].to_dict()
    del value[name]
    with pytest.raises(RunError, match=f"rejection needs '{name}'"):
        RejectionRule.from_dict(value)


@pytest.mark.parametrize(
    "block",
    [
        None,
        3,
        {},
        "text",
        {**GIVEN, "dtype": "float64"},
        {**GIVEN, "shape": [4, 1]},
        {**GIVEN, "shape": [5]},
        {**GIVEN, "shape": [3]},
        {**GIVEN, "shape": [-4]},
        {**GIVEN, "shape": [4.0]},
        {**GIVEN, "shape": [True]},
        {**GIVEN, "shape": 4},
        {**GIVEN, "shape": [10**12]},
        {**GIVEN, "data": "!" + GIVEN["data"]},
        {**GIVEN, "data": GIVEN["data"][:-8]},
        {**GIVEN, "data": 5},
        {**GIVEN, "scales": [1.0]},
        packed(bytes(50_000_000), [4]),
        packed(np.full(4, np.nan, np.float32).tobytes(), [4]),
    ],
)
def test_an_array_that_is_not_what_it_says_is_one_error(rules, block):
    value = by_score(rules, "mahalanobis").to_dict()
    value["distance"] = {**value["distance"], "centre": block}
    with pytest.raises(ConvscopeError, match="centre"):
        RejectionRule.from_dict(value)


def test_a_layer_that_is_not_there_is_an_error_when_it_is_read(rules, part):
    value = by_score(rules, "mahalanobis").to_dict()
    rule = RejectionRule.from_dict({**value, "distance": {**value["distance"], "layer": "elsewhere"}})
    with pytest.raises(ValueError, match="layer 'elsewhere' is missing"):
        rule.scores(part[0], part[2].images)
