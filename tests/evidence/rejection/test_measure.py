"""What a rule of rejection refuses: test images, altered ones, and images of other kinds."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score, roc_curve
from tests.noise import init_model, random_dataset

import convscope as cs
from convscope.base.records import decode, encode
from convscope.evidence.rejection import fit_rejection, measure_rejection
from convscope.evidence.rejection.measure import alter
from convscope.evidence.rejection.out_of_distribution import out_of_distribution_sets

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def known(mnist):
    """Test images, whose classes the model knows."""
    return mnist.test.take(np.arange(700))


@pytest.fixture(scope="module")
def negatives(mnist):
    """Digits in negative, as images of another data set."""
    some = mnist.train.take(np.arange(4000, 4150))
    return cs.Dataset(255 - some.images, some.labels, some.class_names, "negatives", "test")


@pytest.fixture(scope="module")
def sets(known, negatives):
    """The sets of images that belong to no class."""
    return out_of_distribution_sets(known, negatives, max_images=120)[0]


@pytest.fixture(scope="module")
def measured(rule, model, known, negatives):
    return measure_rejection(rule, model, known, negatives, max_images=120)


def test_refused_test_images_equal_those_of_the_rule(measured, rule, model, known):
    is_correct, refused = model.predict(known.images) == known.labels, rule.refuses(model, known.images)
    for share, members in ((measured.known.correct, is_correct), (measured.known.wrong, ~is_correct)):
        assert (share[rule.name].count, share[rule.name].total) == ((refused & members).sum(), members.sum())
    accepted = measured.known.correct_among_accepted[rule.name]
    assert (accepted.count, accepted.total) == ((~refused & is_correct).sum(), (~refused).sum())


def test_every_set_is_measured(measured, rule, model, known, sets):
    known_scores = rule.scores(model, known.images)
    assert [result.name for result in measured.out_of_distribution] == [images.name for images in sets]
    assert measured.out_of_distribution[0].name == "negatives"
    for measurement, result in zip(sets, measured.out_of_distribution, strict=True):
        assert result.num_images == len(measurement.images)
        (score,), set_scores = result.rules, rule.scores(model, measurement.images)
        assert score.rule == rule.name
        truth = np.r_[np.ones(len(known_scores)), np.zeros(len(set_scores))]
        assert score.auroc == pytest.approx(roc_auc_score(truth, np.r_[known_scores, set_scores]), abs=1e-12)
        assert score.auroc_interval[0] <= score.auroc <= score.auroc_interval[1]
        rates, kept, _ = roc_curve(truth, np.r_[known_scores, set_scores], drop_intermediate=False)
        assert score.false_positive_rate == pytest.approx(rates[np.argmax(kept >= 0.95)], abs=1e-12)
        count = int((set_scores < 0).sum())
        assert (score.refused.count, score.refused.total) == (count, len(set_scores))
        low, high = binomtest(count, len(set_scores)).proportion_ci(method="wilson")
        if measurement.clusters is None:
            assert score.refused.interval == pytest.approx((low, high), abs=1e-9)
        else:  # similar images tell less, so the interval is wider
            assert score.refused.interval[1] - score.refused.interval[0] >= high - low - 1e-9


def test_confidences_for_each_set_are_the_calibrated_probabilities(measured, rule, model, known, negatives, sets):
    confident = replace(model, calibration={"temperature": 0.5})
    calibrated = measure_rejection(rule, confident, known, negatives, max_images=120)
    for images, result in zip(sets, calibrated.out_of_distribution, strict=True):
        probabilities = confident.calibrated_probabilities(images.images)
        sure = probabilities.max(axis=1) >= 0.99
        assert result.mean_probability == pytest.approx(probabilities.max(axis=1).mean(), abs=1e-12)
        assert result.num_confident == sure.sum()
        assert result.num_confident_accepted == (sure & ~rule.refuses(confident, images.images)).sum()
        counts = np.bincount(probabilities.argmax(axis=1), minlength=10)
        assert (result.most_frequent, result.num_most_frequent) == (counts.argmax(), counts.max())
    assert (calibrated.temperature, measured.temperature) == (0.5, None)
    num_confident = [sum(images.num_confident for images in x.out_of_distribution) for x in (measured, calibrated)]
    assert num_confident[0] < num_confident[1]  # a temperature below 1 makes predictions more confident


def test_the_cost_of_refusing_is_also_measured_on_altered_images(measured, rule, model, known):
    some = known.take(np.linspace(0, 699, 120).round().astype(np.int64))
    names = [result.name for result in measured.altered]
    assert names == ["shifted by 2 pixels", "shifted by 4 pixels", "rotated by 15°", "rotated by 30°"]
    for result, altered in zip(measured.altered, alter(some).values(), strict=True):
        is_correct = model.predict(altered) == some.labels
        assert result.accuracy == is_correct.mean()
        refused = rule.refuses(model, altered)
        share = result.correct[rule.name]
        assert (share.count, share.total) == ((refused & is_correct).sum(), is_correct.sum())
    shifted = next(iter(alter(some).values()))  # each image by 2 pixels to one of four sides
    back = [np.roll(shifted, offset, (1, 2)) for offset in ((2, 0), (-2, 0), (0, 2), (0, -2))]
    inner = np.s_[..., 4:-4, 4:-4, :]  # beyond, pixels were rolled in from the other side
    matches = [(images[inner] == some.images[inner]).all(axis=(1, 2, 3)) for images in back]
    assert np.any(matches, axis=0).all()


def test_the_pictures_are_images_of_the_sets_from_the_highest_score_to_the_lowest(measured, rule, model, known, sets):
    for tested_set, result in zip(sets, measured.out_of_distribution, strict=True):
        shown = result.examples
        images = shown.images.unpack()
        assert len(images) == len(shown.predictions) == 4
        scores = rule.scores(model, images)
        whole = rule.scores(model, tested_set.images)
        assert (np.diff(scores) <= 1e-9).all()  # the last digits of a score depend on the other images of the call
        np.testing.assert_allclose((scores[0], scores[-1]), (whole.max(), whole.min()), rtol=1e-9)
        assert shown.refused == tuple(rule.refuses(model, images).tolist())
        assert shown.predictions == tuple(model.predict(images).tolist())
    refused = measured.known.refused
    np.testing.assert_array_equal(refused.images.unpack(), known.images[list(refused.indices)])
    assert refused.labels == tuple(known.labels[list(refused.indices)].tolist())
    assert all(refused.refused)


def test_the_indices_of_pictures_refer_to_the_original_data_set(rule, model, known, negatives, monkeypatch):
    monkeypatch.setattr("convscope.evidence.rejection.measure._MAX_KNOWN", 350)
    some = measure_rejection(rule, model, known, negatives, max_images=5)
    assert (some.num_images, some.num_images_left_out) == (350, 350)
    refused = some.known.refused
    np.testing.assert_array_equal(refused.images.unpack(), known.images[list(refused.indices)])


def test_text_and_html_have_a_row_for_each_set(measured):
    text, html = str(measured), measured._repr_html_()
    tested = ("classified correctly", "classified wrongly", "rotated by 30°")
    for name in (*tested, "negatives", "letters", "uniform noise", "blank"):
        assert any(line.startswith(name) for line in text.splitlines())
        assert f">{name}</td>" in html
    share = measured.out_of_distribution[0].rules[0].refused
    assert str(share) in next(line for line in text.splitlines() if line.startswith("negatives"))


def test_omitted_images_are_reported(rule, model, known, monkeypatch, tmp_path):
    monkeypatch.setattr("convscope.evidence.rejection.out_of_distribution.FASHION_MNIST", tmp_path / "<none>.gz")
    measured = measure_rejection(rule, model, known, max_images=3)
    assert measured.left_out.keys() == {"other data set"}
    assert "Left out: other data set" in str(measured)
    assert "&lt;none&gt;.gz" in measured._repr_html_()


@pytest.mark.parametrize(("count", "num_classes", "shape"), [(3, 3, (8, 8, 1)), (40, 100, (70, 10, 3))])
def test_few_images_many_classes_and_other_sizes_are_measured_too(count, num_classes, shape, negatives):
    dataset = random_dataset(count, shape, num_classes, split="test")
    model = init_model(cs.presets.ann(shape, num_classes))
    rule = fit_rejection(model, [(model, dataset, dataset)])
    measured = measure_rejection(rule, model, dataset, negatives, max_images=9)
    assert decode(encode(measured), cs.Rejection, "rejection.json") == measured
    assert measured.num_images == count
    assert measured.known.refused.images.shape[0] == 0  # 1 % of so few images is less than one
    assert max(measured.out_of_distribution[0].examples.images.shape[1:3]) <= 64


def test_measure_rejection_rejects_invalid_arguments(rule, model, known, negatives):
    with pytest.raises(ValueError, match="max_images is 0"):
        measure_rejection(rule, model, known, negatives, max_images=0)
    with pytest.raises(ValueError, match="which has the images of"):
        measure_rejection(rule, model, known, known)
    named = cs.Dataset(known.images, known.labels, tuple("abcdefghij"), "letters", "test")
    with pytest.raises(ValueError, match="label 0 is 'a' in letters"):
        measure_rejection(rule, model, named, negatives)
