"""How well scores separate two sets: AUROC, false positives and their intervals."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score, roc_curve

from convscope.base.metrics import wilson_interval
from convscope.evidence.rejection.rule import SCORES, RuleNumbers
from convscope.evidence.rejection.separation import (
    auroc,
    auroc_interval,
    effective_number,
    false_positive_rate,
    joint_thresholds,
)


def draw_scores(seed, num_known=300, num_outside=170):
    """Scores with many ties."""
    stream = np.random.default_rng(seed)
    return np.round(stream.normal(1, 1, num_known), 1), np.round(stream.normal(0, 1.5, num_outside), 1)


@pytest.mark.parametrize("seed", range(5))
def test_auroc_is_that_of_scikit_learn(seed):
    known, outside = draw_scores(seed)
    truth = np.r_[np.ones(len(known)), np.zeros(len(outside))]
    assert auroc(known, outside) == pytest.approx(roc_auc_score(truth, np.r_[known, outside]), abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_false_positive_rate_is_where_scikit_learns_curve_reaches_95_percent(seed):
    known, outside = draw_scores(seed)
    truth = np.r_[np.ones(len(known)), np.zeros(len(outside))]
    rates, kept, _ = roc_curve(truth, np.r_[known, outside], drop_intermediate=False)
    assert false_positive_rate(known, outside) == pytest.approx(rates[np.argmax(kept >= 0.95)], abs=1e-12)


def test_the_interval_equals_the_published_interval():
    # R package SingleCaseES: NAP of [20,20,26,25,22,23] and [28,25,24,27,30,30,29] is 38.5 / 42, with Newcombe's 90 %
    # interval. The function gives the same interval of an area, for 6 and 7 values.
    low, _ = auroc_interval(38.5 / 42, 6, 7, confidence=0.9)
    assert low == pytest.approx(0.6591091902344411, abs=1e-8)


@pytest.mark.parametrize("area", [0.0, 1.0])
def test_the_interval_of_perfect_scores_has_a_width_and_one_end_on_the_area(area):
    low, high = auroc_interval(area, 40, 30)
    assert high - low > 0.02
    assert area in (low, high)


def test_the_interval_is_mirrored_with_the_scores():
    low, high = auroc_interval(0.8, 50, 20)
    assert auroc_interval(1 - 0.8, 50, 20) == pytest.approx((1 - high, 1 - low), abs=1e-9)


def test_the_interval_holds_the_true_area_about_as_often_as_it_says():
    stream, held = np.random.default_rng(0), 0
    true_area = norm.cdf(2 / np.sqrt(2))  # of normal scores whose means lie 2 deviations apart
    for _ in range(400):
        area = auroc(stream.normal(2, 1, 60), stream.normal(0, 1, 40))
        low, high = auroc_interval(area, 60, 40)
        held += low <= true_area <= high
    assert 0.92 <= held / 400 <= 0.99  # 95 % are expected, and the standard error is 1.1 %


@pytest.mark.parametrize(
    ("scores", "keep", "message"),
    [
        ([], 0.9, "scores is empty"),
        ([1.0], 0.0, "keep is 0.0"),
        ([1.0], 1.0, "keep is 1.0"),
        ([1.0], float("nan"), "keep is nan"),
    ],
)
def test_joint_thresholds_reject_impossible_arguments(scores, keep, message):
    with pytest.raises(ValueError, match=message):
        joint_thresholds({"a": np.array(scores)}, keep)


@pytest.mark.parametrize("keep", [0.99, 0.95, 0.5])
def test_joint_thresholds_are_the_highest_that_may_refuse_a_new_image_too(keep):
    stream = np.random.default_rng(0)
    first = stream.normal(size=2000)
    scores = {"a": first, "b": first + stream.normal(size=2000), "guard": stream.normal(size=2000)}
    thresholds = joint_thresholds(scores, keep, "guard", 0.2)

    def count_refused(**changed):
        return np.any([scores[name] <= (thresholds | changed)[name] for name in scores], axis=0).sum()

    allowed = int((1 - keep) * 2001 + 1e-9) - 1  # of 2,000 images and a new one, which may be refused, too
    assert count_refused() <= allowed
    assert (scores["guard"] < thresholds["guard"]).sum() <= 0.2 * allowed
    next_higher = {name: scores[name][scores[name] > thresholds[name]].min() for name in ("a", "b")}
    assert count_refused(**next_higher) > allowed
    assert (scores["a"] < thresholds["a"]).sum() == (scores["b"] < thresholds["b"]).sum()


@pytest.mark.parametrize("count", [50, 300, 1000])
def test_a_rule_refuses_at_most_its_share_of_new_images_on_average(count):
    stream, shares, held = np.random.default_rng(count), [], 0
    for _ in range(400):
        scores = dict(zip(SCORES[:3], stream.normal(size=(3, count)), strict=True))
        thresholds = joint_thresholds(scores, 0.95, SCORES[2], 0.2)
        kept = int(np.all([scores[name] >= thresholds[name] for name in thresholds], axis=0).sum())
        rule = RuleNumbers(thresholds, {}, 0.95, num_held_out=count, num_kept=kept)
        shares.append(1 - norm.sf(list(thresholds.values())).prod())  # the scores are independent
        held += rule.refusal_range[0] <= shares[-1] <= rule.refusal_range[1]
    assert np.mean(shares) < rule.max_refused_share + 3 * np.std(shares) / np.sqrt(400)
    assert held > 370  # of 400; 380 are expected, with a standard deviation of 4.4


def measure_coverage(share, spread, letters=17, drawn_per_letter=56, trials=400):
    """Count how often two intervals hold the share over all letters: that by letters, and Wilson's by images."""
    stream = np.random.default_rng(0)
    clusters = np.repeat(np.arange(letters), drawn_per_letter)
    counts = np.zeros(2)
    for _ in range(trials):
        shares = stream.beta(share * spread, (1 - share) * spread, letters)
        refused = stream.random(letters * drawn_per_letter) < shares[clusters]
        number = effective_number(refused, clusters)
        for index, count in enumerate((number, len(refused))):
            low, high = wilson_interval(refused.mean() * count, count)
            counts[index] += low <= share <= high
    return counts / trials


@pytest.mark.parametrize(("share", "spread"), [(0.4, 4), (0.2, 8), (0.7, 2)])
def test_the_interval_by_letters_covers_what_it_says_and_one_by_images_does_not(share, spread):
    by_letters, by_images = measure_coverage(share, spread)
    assert 0.92 <= by_letters <= 0.98  # 95 % ± 2.75 standard deviations of 400 trials
    assert by_images < 0.85


def test_clusters_of_one_image_count_as_images():
    values = np.random.default_rng(0).random(3000)
    # A little fewer than 3,000: Student's t instead of the normal distribution.
    assert effective_number(values, np.arange(3000)) == pytest.approx(3000, rel=0.005)


def test_equal_values_count_as_clusters_and_one_cluster_as_one_image():
    assert 20 < effective_number(np.ones(900), np.arange(900) // 30) < 30  # 30 clusters, and Student's t
    assert effective_number(np.array([0.0, 1.0]), np.zeros(2, int)) == 1
