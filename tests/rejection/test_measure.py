import json

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve
from statsmodels.stats.proportion import proportion_confint

import convscope as cs
from convscope.engine import initial_weights
from convscope.metrics import softmax
from convscope.packing import unpack
from convscope.rejection import fit_rules, measure_rejection
from convscope.rejection.strangers import stranger_sets


@pytest.fixture(scope="module")
def known(mnist):
    return mnist.test.take(np.arange(700))


@pytest.fixture(scope="module")
def other(mnist):
    """Digits in negative: images of another data set that is on every machine."""
    some = mnist.train.take(np.arange(4000, 4150))
    return cs.Dataset(255 - some.images, some.labels, some.class_names, "negatives", "test")


@pytest.fixture(scope="module")
def measured(rules, part, known, other):
    return measure_rejection(rules, part[0], known, other, most=120)


def test_what_is_refused_of_the_test_images_is_what_each_rule_refuses(measured, rules, part, known):
    model = part[0]
    right = model.predict(known.images) == known.labels
    for rule in rules:
        refused = rule.refuses(model, known.images)
        for share, of in ((measured.known.right, right), (measured.known.wrong, ~right)):
            assert (share[rule.score].count, share[rule.score].total) == ((refused & of).sum(), of.sum())
        answered = measured.known.right_among_answered[rule.score]
        assert (answered.count, answered.total) == ((~refused & right).sum(), (~refused).sum())


def test_every_set_is_measured_by_every_score(measured, rules, part, known, other):
    model = part[0]
    sets, _ = stranger_sets(known, other, most=120)
    assert [one.name for one in measured.strangers] == [one.name for one in sets]
    assert measured.strangers[0].name == "negatives"
    for one, result in zip(sets, measured.strangers, strict=True):
        assert result.num_images == len(one.images)
        assert [score.score for score in result.scores] == [rule.score for rule in rules]
        for rule, score in zip(rules, result.scores, strict=True):
            mine, theirs = rule.scores(model, known.images), rule.scores(model, one.images)
            truth = np.r_[np.ones(len(mine)), np.zeros(len(theirs))]
            assert score.auroc == pytest.approx(roc_auc_score(truth, np.r_[mine, theirs]), abs=1e-12)
            assert score.auroc_interval[0] <= score.auroc <= score.auroc_interval[1]
            rates, kept, _ = roc_curve(truth, np.r_[mine, theirs], drop_intermediate=False)
            assert score.false_positive_rate == pytest.approx(rates[np.argmax(kept >= 0.95)], abs=1e-12)
            count = int((theirs < rule.threshold).sum())
            assert (score.refused.count, score.refused.total) == (count, len(theirs))
            expected = proportion_confint(count, len(theirs), method="wilson")
            assert score.refused.interval == pytest.approx(expected, abs=1e-9)


def test_the_answers_to_strangers_are_the_models(measured, part, known, other):
    sets, _ = stranger_sets(known, other, most=120)
    for one, result in zip(sets, measured.strangers, strict=True):
        probabilities = softmax(part[0].logits(one.images))
        assert result.mean_probability == pytest.approx(probabilities.max(axis=1).mean(), abs=1e-12)
        assert result.num_sure == (probabilities.max(axis=1) >= 0.99).sum()
        counts = np.bincount(probabilities.argmax(axis=1), minlength=10)
        assert (result.answer, result.num_answer) == (counts.argmax(), counts.max())


def test_the_histograms_hold_every_image_and_change_at_the_threshold(measured, rules):
    rule, edges = rules[0], np.array(measured.edges)
    assert rule.threshold in measured.edges
    assert np.diff(edges) == pytest.approx(np.diff(edges)[0])
    below = np.searchsorted(edges, rule.threshold)
    refused = measured.known.right[rule.score].count + measured.known.wrong[rule.score].count
    assert (sum(measured.known.histogram), sum(measured.known.histogram[:below])) == (700, refused)
    for result in measured.strangers:
        assert sum(result.histogram) == result.num_images
        assert sum(result.histogram[:below]) == result.scores[0].refused.count


def test_the_pictures_are_images_of_the_sets_from_the_highest_score_to_the_lowest(measured, rules, part, known, other):
    model, rule = part[0], rules[0]
    sets, _ = stranger_sets(known, other, most=120)
    for one, result in zip(sets, measured.strangers, strict=True):
        shown = result.examples
        assert len(shown.images) == len(shown.answers) == 4
        scores = rule.scores(model, shown.images)
        whole = rule.scores(model, one.images)
        assert (np.diff(scores) <= 0).all()
        assert (scores[0], scores[-1]) == (whole.max(), whole.min())
        assert shown.refused == tuple(rule.refuses(model, shown.images).tolist())
        assert shown.answers == tuple(model.predict(shown.images).tolist())
    refused = measured.known.refused
    np.testing.assert_array_equal(refused.images, known.images[list(refused.indices)])
    assert refused.labels == tuple(known.labels[list(refused.indices)].tolist())
    assert all(refused.refused)


def test_the_indices_of_pictures_are_places_in_the_data_set_as_it_was_given(rules, part, known, other, monkeypatch):
    monkeypatch.setattr("convscope.rejection.measure._MOST_KNOWN", 350)
    some = measure_rejection(rules, part[0], known, other, most=5)
    assert (some.num_images, some.num_images_left_out) == (350, 350)
    refused = some.known.refused
    np.testing.assert_array_equal(refused.images, known.images[list(refused.indices)])


def test_the_same_arguments_give_the_same_result(measured, rules, part, known, other):
    assert measure_rejection(rules, part[0], known, other, most=120).to_dict() == measured.to_dict()


def test_one_rule_is_measured_as_it_is_among_others(measured, rules, part, known, other):
    alone = measure_rejection(rules[0], part[0], known, other, most=120)
    assert [one.scores for one in alone.strangers] == [one.scores[:1] for one in measured.strangers]
    assert "Refused by each score" in str(measured)
    assert "Refused by each score" not in str(alone)


def test_to_dict_is_finite_plain_json(measured):
    value = measured.to_dict()
    text = json.dumps(value, allow_nan=False)
    assert json.loads(text) == value
    assert len(text) < 60_000
    strangers = value["strangers"][0]
    np.testing.assert_array_equal(unpack(strangers["examples"]["images"]), measured.strangers[0].examples.images)
    assert strangers["scores"][0]["refused"]["value"] == measured.strangers[0].scores[0].refused.value
    assert "distance" not in value["rules"][0]


def test_text_and_html_have_a_row_for_each_set(measured):
    text, html = str(measured), measured._repr_html_()
    for name in ("answered rightly", "answered wrongly", "negatives", "letters", "uniform noise", "blank"):
        assert any(line.startswith(name) for line in text.splitlines())
        assert f">{name}</td>" in html
    share = measured.strangers[0].scores[0].refused
    assert str(share) in next(line for line in text.splitlines() if line.startswith("negatives"))


def test_what_is_left_out_is_said(rules, part, known, monkeypatch, tmp_path):
    monkeypatch.setattr("convscope.rejection.strangers.FASHION_MNIST", tmp_path / "<none>.gz")
    measured = measure_rejection(rules, part[0], known, most=3)
    assert measured.to_dict()["left_out"].keys() == {"other data set"}
    assert "Left out: other data set" in str(measured)
    assert "&lt;none&gt;.gz" in measured._repr_html_()


@pytest.mark.parametrize(("count", "num_classes", "shape"), [(3, 3, (8, 8, 1)), (40, 100, (70, 10, 3))])
def test_few_images_many_classes_and_other_sizes_are_measured_too(count, num_classes, shape, other):
    stream = np.random.default_rng(0)
    names = tuple(f"class {number}" for number in range(num_classes))
    images = stream.integers(0, 256, (count, *shape), np.uint8)
    dataset = cs.Dataset(images, stream.integers(0, num_classes, count), names, "noise", "test")
    architecture = cs.presets.ann(shape, num_classes)
    model = cs.Model(architecture, initial_weights(architecture, 0), names)
    rules = fit_rules(model, [(model, dataset, dataset)])
    measured = measure_rejection(rules, model, dataset, other, most=9)
    value = json.loads(json.dumps(measured.to_dict(), allow_nan=False))
    assert value["num_images"] == count
    assert measured.known.refused.images.shape[0] == 0  # less than one of a hundred
    assert max(measured.strangers[0].examples.images.shape[1:3]) <= 64


def test_measure_rejection_rejects_what_does_not_fit(rules, part, known, other):
    model = part[0]
    with pytest.raises(ValueError, match=r"rules are of \[\]; give one or more"):
        measure_rejection([], model, known, other)
    with pytest.raises(ValueError, match="each of another score"):
        measure_rejection([rules[0], rules[0]], model, known, other)
    with pytest.raises(ValueError, match="most is 0"):
        measure_rejection(rules, model, known, other, most=0)
    with pytest.raises(ValueError, match="whose images are those of"):
        measure_rejection(rules, model, known, known)
    named = cs.Dataset(known.images, known.labels, tuple("abcdefghij"), "letters", "test")
    with pytest.raises(ValueError, match="label 0 is 'a' in letters"):
        measure_rejection(rules, model, named, other)
