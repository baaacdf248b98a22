"""The claims of an atlas, against networks that are drawn at random, of which the right answers are known."""

import re
from math import sqrt

import numpy as np
import pytest
from atlas.counts import AnswerCounts
from atlas.crossed import CrossedSeeds
from atlas.images import Agreement, hard_images
from atlas.page import render
from atlas.power import DIFFERENCES, power_table, simulate_power
from atlas.spread import Spread
from atlas.summary import summarize
from estimates import Estimate, correlate
from numpy.typing import NDArray
from scipy.stats import ttest_ind
from variation import RunVariation

import convscope as cs

CLASSES = 5


def answers_of(wrong: NDArray[np.bool_], y_true: NDArray[np.int64], stream: np.random.Generator) -> NDArray[np.uint8]:
    """Answers (n, M) that are wrong where they should be, by a class at random."""
    others = (y_true + stream.integers(1, CLASSES, wrong.shape)) % CLASSES
    return np.where(wrong, others, y_true).astype(np.uint8)


def drawn(chances: NDArray[np.float64], num_runs: int, seed: int) -> AnswerCounts:
    """Networks (n, M) that miss each image with its chance, for itself."""
    stream = np.random.default_rng(seed)
    y_true = stream.integers(0, CLASSES, chances.shape[-1])
    wrong = stream.random((num_runs, chances.shape[-1])) < chances
    return AnswerCounts.of(answers_of(wrong, y_true, stream), y_true, CLASSES)


def hold(estimates: list[Estimate], truth: float) -> float:
    """The share of intervals that hold the truth."""
    return float(np.mean([one.low <= truth <= one.high for one in estimates]))


def test_what_is_counted_is_what_is_there(monkeypatch: pytest.MonkeyPatch):
    stream = np.random.default_rng(0)
    y_true, answers = stream.integers(0, CLASSES, 31), stream.integers(0, CLASSES, (17, 31)).astype(np.uint8)
    monkeypatch.setattr("atlas.counts.MAX_COMPARED", 100)  # several blocks
    counts = AnswerCounts.of(answers, y_true, CLASSES)
    assert (counts.misses == (answers != y_true).sum(axis=0)).all()
    assert counts.accuracies == pytest.approx((answers == y_true).mean(axis=1))
    assert all((counts.answers[i] == np.bincount(answers[:, i], minlength=CLASSES)).all() for i in range(31))
    assert abs((~counts.half).sum() - counts.half.sum()) == 1
    assert (counts.wrong_of_runs[:, 1] == (answers != y_true)[:, counts.half].sum(axis=1)).all()
    with pytest.raises(ValueError, match="answers are"):
        AnswerCounts.of(answers[:1], y_true, CLASSES)


def test_networks_that_miss_each_image_for_itself_spread_as_that_says():
    chances = np.random.default_rng(1).beta(0.1, 2, 400)
    truth = sqrt((chances * (1 - chances)).sum()) / 400
    spreads = [Spread.of(drawn(chances, 200, seed)) for seed in range(150)]
    assert np.mean([one.sd for one in spreads]) == pytest.approx(truth, rel=0.02)
    assert np.mean([one.sd_independent for one in spreads]) == pytest.approx(truth, rel=0.02)
    binomial = sqrt(chances.mean() * (1 - chances.mean()) / 400)
    assert np.mean([one.sd_binomial for one in spreads]) == pytest.approx(binomial, rel=0.02)
    assert 0.89 <= np.mean([one.sd_interval[0] <= truth <= one.sd_interval[1] for one in spreads]) <= 0.99
    mean = 1 - chances.mean()
    assert 0.89 <= np.mean([one.mean_interval[0] <= mean <= one.mean_interval[1] for one in spreads]) <= 0.99
    assert 0.89 <= hold([one.halves for one in spreads], 0.0) <= 0.99
    assert np.mean([one.maximum for one in spreads]) == pytest.approx(
        np.mean([one.expected_maximum for one in spreads]), abs=0.2 * truth
    )


def better_and_worse(own: float, num_runs: int, seed: int) -> AnswerCounts:
    """Networks of which each misses all images a little more or less often."""
    stream = np.random.default_rng(seed)
    chances = np.clip(0.1 + own * stream.standard_normal((num_runs, 1)), 0, 1) * np.ones(2000)
    return drawn(chances, num_runs, seed)


def test_what_carries_over_to_other_images_is_the_share_of_the_variance_that_is_the_network_s():
    own = 0.005
    chance = 0.1 * 0.9 / 2000
    truth = own**2 / (own**2 + chance)
    found = [Spread.of(better_and_worse(own, 300, seed)).carries_over for seed in range(100)]
    assert np.mean([one.value for one in found]) == pytest.approx(truth, abs=0.02)
    assert 0.88 <= hold(found, truth) <= 1.0


def test_the_interval_of_a_skewed_spread_holds_its_sd():
    stream, held = np.random.default_rng(3), 0
    y_true, half = np.zeros(10**5, np.int64), np.arange(10**5) % 2 == 0
    for _ in range(300):
        wrong = (100 * stream.exponential(1.0, (200, 1))).astype(np.int64)
        counts = AnswerCounts(y_true, np.full((10**5, 1), 200), np.hstack([wrong, 0 * wrong]), half)
        low, high = Spread.of(counts).sd_interval
        held += low <= 0.001 <= high
    assert 0.86 <= held / 300 <= 0.99


def test_the_hardest_images_come_first_with_what_they_are_taken_for():
    y_true = np.array([0, 1, 2, 3, 4, 0, 1])
    answers = np.tile(y_true, (100, 1)).astype(np.uint8)
    answers[:90, 2] = 4
    answers[90:95, 2] = 3
    answers[:40, 5] = 1
    found = hard_images(AnswerCounts.of(answers, y_true, CLASSES), 10, {2: True})
    assert [(one.index, one.misses, one.answer, one.answer_share) for one in found] == [
        (2, 95, 4, 0.9),
        (5, 40, 1, 0.4),
    ]
    assert [one.is_known_error for one in found] == [True, False]
    low, high = found[1].interval
    assert low < 0.4 < high
    assert [one.is_known_error for one in hard_images(AnswerCounts.of(answers, y_true, CLASSES), 1, None)] == [None]


def test_networks_that_err_independently_do_not_agree_beyond_chance():
    found = [Agreement.of(drawn(np.full(1500, 0.2), 50, seed)) for seed in range(150)]
    assert 0.89 <= hold([one.error_kappa for one in found], 0.0) <= 0.99
    assert 0.89 <= hold([one.both_wrong for one in found], 0.2) <= 0.99
    assert 0.89 <= hold([one.same_mistake for one in found], 1 / (CLASSES - 1)) <= 0.99
    same = 0.8**2 + 0.2**2 / (CLASSES - 1)
    assert 0.89 <= hold([one.same_answer for one in found], same) <= 0.99
    chance = 1 / CLASSES
    assert 0.89 <= hold([one.answer_kappa for one in found], (same - chance) / (1 - chance)) <= 0.99


def test_networks_that_err_on_the_hard_images_agree_as_their_chances_say():
    found = list[Estimate]()
    for seed in range(150):
        chances = np.where(np.random.default_rng(seed).random(2000) < 0.1, 0.7, 0.02)
        found.append(Agreement.of(drawn(chances, 40, seed)).error_kappa)
    rate = 0.1 * 0.7 + 0.9 * 0.02
    truth = (0.1 * 0.7**2 + 0.9 * 0.02**2 - rate**2) / (rate - rate**2)
    assert 0.89 <= hold(found, truth) <= 0.99


def test_equal_networks_agree_in_everything():
    y_true = np.arange(50) % CLASSES
    answers = np.tile(y_true, (9, 1)).astype(np.uint8)
    answers[:, :5] = (y_true[:5] + 1) % CLASSES
    found = Agreement.of(AnswerCounts.of(answers, y_true, CLASSES))
    assert [one.value for one in (found.answer_kappa, found.error_kappa, found.same_answer, found.both_wrong)] == [
        1
    ] * 4
    assert (found.always_wrong, found.always_right, found.sometimes_wrong) == (0.1, 0.9, 0.0)
    right = np.tile(y_true, (9, 1)).astype(np.uint8)
    assert Agreement.of(AnswerCounts.of(right, y_true, CLASSES)).same_mistake is None


@pytest.mark.parametrize("difference", DIFFERENCES)
def test_a_number_of_seeds_finds_a_difference_as_often_as_it_says(difference: float):
    counts = drawn(np.random.default_rng(7).beta(0.05, 4, 10_000), 1000, 7)
    variation = RunVariation.of_counts(counts.wrong_of_runs.sum(axis=1), counts.misses)
    [row] = [row for row in power_table(variation, counts.accuracies) if row.difference == difference]
    assert row.num_seeds is not None
    assert row.power >= 0.8
    assert row.simulated_power == pytest.approx(row.power, abs=0.02)
    fewer = simulate_power(counts.accuracies, difference, max(2, row.num_seeds // 2), 4000) / 4000
    assert fewer < 0.7
    normal = np.random.default_rng(8).normal(0.99, variation.sd_seeds, (2, 4000, row.num_seeds))
    p_values = ttest_ind(normal[0], normal[1] + difference, axis=1).pvalue
    assert (p_values < 0.05).mean() == pytest.approx(row.power, abs=0.02)


def test_an_early_epoch_tells_of_the_last_one_what_their_correlation_says():
    stream = np.random.default_rng(9)
    held = list[Estimate]()
    for _ in range(300):
        first = stream.standard_normal(100)
        held.append(correlate(first, 0.6 * first + 0.8 * stream.standard_normal(100)))
    assert 0.91 <= hold(held, 0.6) <= 0.99
    assert correlate(np.ones(9), np.arange(9.0)) is None


def test_an_atlas_says_what_its_networks_do_and_its_page_shows_it():
    data = cs.load_dataset("mnist").test.take(np.arange(300))
    stream = np.random.default_rng(4)
    wrong = stream.random((120, 300)) < stream.beta(0.2, 3, 300)
    others = (data.labels + stream.integers(1, 10, wrong.shape)) % 10
    y_pred = np.where(wrong, others, data.labels).astype(np.uint8)
    accuracies = (y_pred == data.labels).mean(axis=1)
    value = summarize("cnn, two", y_pred, data, [(accuracy - 0.01, accuracy) for accuracy in accuracies.tolist()])
    assert (value["num_runs"], value["num_images"]) == (120, 300)
    assert value["spread"]["sd"] == pytest.approx(accuracies.std(ddof=1))
    assert sum(level["count"] for level in value["histogram"]) == 120
    assert value["num_missed"] == int(wrong.any(axis=0).sum())
    assert [row["epoch"] for row in value["early"]] == [1]
    assert value["source"] is None  # a part of the test images is another data set
    assert value["hard_images"][0]["misses"] == int(wrong.sum(axis=0).max())
    crossed = CrossedSeeds.of("cnn, two", np.random.default_rng(5).normal(0.99, 0.001, (3, 3))).to_dict()
    page = render(value | {"crossed": crossed, "num_crossed": 3}, data)
    assert page.count("<section>") == 6
    assert page.count("<img ") == len(value["hard_images"])
    assert "http" not in re.sub("http://www.w3.org/[0-9]+/(svg|xlink)", "", page).replace("http-equiv", "")


WORLDS = {
    "weights": (2.0, 0.0, 1.0),
    "order": (0.0, 2.0, 1.0),
    "both": (1.0, 1.0, 1.0),
    "neither": (0.0, 0.0, 1.0),
}


@pytest.mark.parametrize("world", WORLDS)
def test_crossed_seeds_tell_what_carries_the_variance(world: str):
    sds = WORLDS[world]
    truth = np.square(sds) / np.square(sds).sum()
    stream, found = np.random.default_rng(11), list[CrossedSeeds]()
    for _ in range(200):
        rows, columns, rest = (stream.standard_normal(shape) for shape in ((12, 1), 10, (12, 10)))
        found.append(CrossedSeeds.of("", 0.99 + 0.001 * (sds[0] * rows + sds[1] * columns + sds[2] * rest)))
    for place, name in enumerate(("weights", "order", "together")):
        shares = [getattr(one, name).share for one in found]
        assert hold(shares, truth[place]) >= 0.9
        assert np.mean([one.value for one in shares]) == pytest.approx(truth[place], abs=0.08)
        squares = np.mean([getattr(one, name).sd ** 2 for one in found])
        assert squares == pytest.approx((0.001 * sds[place]) ** 2, abs=0.25e-6)
    assert np.mean([one.together.share.high - one.together.share.low for one in found]) < 0.75


def test_crossed_seeds_that_are_all_equal_have_no_variance():
    found = CrossedSeeds.of("cnn", np.full((3, 4), 0.5))
    assert [found.weights.sd, found.order.sd, found.together.sd] == [0.0, 0.0, 0.0]
    assert found.to_dict()["weights"]["share"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    with pytest.raises(ValueError, match="accuracies are"):
        CrossedSeeds.of("cnn", np.zeros((1, 4)))
