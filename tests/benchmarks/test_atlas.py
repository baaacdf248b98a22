"""The estimates of an atlas (the statistics of thousands of runs), on simulated networks whose true values are known.

A 95 % interval must contain the true value in about 95 % of simulations; the bounds on this coverage, such as 0.89 to
0.99, allow for chance in a few hundred simulations.
"""

import re
from math import sqrt

import numpy as np
import pytest
from atlas.counts import PredictionCounts
from atlas.crossed import PARTS, CrossedSeeds
from atlas.images import Agreement, list_hard_images
from atlas.page import render
from atlas.spread import Spread
from atlas.summary import summarize
from estimates import Estimate
from numpy.typing import NDArray

import convscope as cs

CLASSES = 5


def draw_predictions(chances: NDArray[np.float64], num_runs: int, seed: int) -> PredictionCounts:
    """Draw the predictions of networks that miss each image independently with its chance; a wrong class is random."""
    stream = np.random.default_rng(seed)
    y_true = stream.integers(0, CLASSES, chances.shape[-1])
    wrong = stream.random((num_runs, chances.shape[-1])) < chances
    wrong_classes = (y_true + stream.integers(1, CLASSES, wrong.shape)) % CLASSES
    return PredictionCounts.from_predictions(np.where(wrong, wrong_classes, y_true).astype(np.uint8), y_true, CLASSES)


def compute_coverage(estimates: list[Estimate], truth: float) -> float:
    """Return the fraction of intervals that contain the true value."""
    return float(np.mean([estimate.low <= truth <= estimate.high for estimate in estimates]))


def test_counts_match_the_files(monkeypatch: pytest.MonkeyPatch):
    stream = np.random.default_rng(0)
    y_true = stream.integers(0, CLASSES, 31)
    answers = stream.integers(0, CLASSES, (17, 31)).astype(np.uint8)  # of 17 networks to 31 images
    monkeypatch.setattr("atlas.counts.MAX_COMPARED", 100)  # so few that they are counted in several blocks
    counts = PredictionCounts.from_predictions(answers, y_true, CLASSES)
    assert (counts.misses == (answers != y_true).sum(axis=0)).all()
    assert counts.accuracies == pytest.approx((answers == y_true).mean(axis=1))
    assert all((counts.predictions[i] == np.bincount(answers[:, i], minlength=CLASSES)).all() for i in range(31))
    assert (counts.errors == (answers != y_true).sum(axis=1)).all()
    with pytest.raises(ValueError, match="predictions are"):
        PredictionCounts.from_predictions(answers[:1], y_true, CLASSES)


def test_networks_that_err_independently_have_a_binomial_spread():
    chances = np.random.default_rng(1).beta(0.1, 2, 400)  # of 400 images, most of them easy
    true_sd = sqrt((chances * (1 - chances)).sum()) / 400
    spreads = [Spread.from_counts(draw_predictions(chances, 200, seed)) for seed in range(150)]
    assert np.mean([spread.sd for spread in spreads]) == pytest.approx(true_sd, rel=0.02)
    assert np.mean([spread.sd_independent for spread in spreads]) == pytest.approx(true_sd, rel=0.02)
    binomial = sqrt(chances.mean() * (1 - chances.mean()) / 400)
    assert np.mean([spread.sd_binomial for spread in spreads]) == pytest.approx(binomial, rel=0.02)
    sd_estimates = [Estimate(spread.sd, *spread.sd_interval) for spread in spreads]
    assert 0.89 <= compute_coverage(sd_estimates, true_sd) <= 0.99
    mean_estimates = [Estimate(spread.mean, *spread.mean_interval) for spread in spreads]
    assert 0.89 <= compute_coverage(mean_estimates, 1 - chances.mean()) <= 0.99
    assert compute_coverage([spread.carries_over for spread in spreads], 0.0) >= 0.89
    assert np.mean([spread.maximum for spread in spreads]) == pytest.approx(
        np.mean([spread.expected_maximum for spread in spreads]), abs=0.2 * true_sd
    )


def test_the_reproducible_share_is_the_networks_share_of_the_variance():
    sd_of_networks = 0.01  # of their error rates, around 10 %
    variance_of_images = 0.1 * 0.9 / 500  # the binomial variance over 500 images
    true_share = sd_of_networks**2 / (sd_of_networks**2 + variance_of_images)
    estimates = list[Estimate]()
    for seed in range(100):
        error_rates = 0.1 + sd_of_networks * np.random.default_rng(seed).standard_normal((300, 1))
        chances = np.clip(error_rates, 0, 1) * np.ones(500)
        estimates.append(Spread.from_counts(draw_predictions(chances, 300, seed)).carries_over)
    assert np.mean([estimate.value for estimate in estimates]) == pytest.approx(true_share, abs=0.02)
    assert 0.88 <= compute_coverage(estimates, true_share) <= 1.0


def test_the_hardest_images_come_first_with_their_usual_wrong_answer():
    y_true = np.array([0, 1, 2, 3, 4, 0, 1])
    answers = np.tile(y_true, (100, 1)).astype(np.uint8)
    answers[:90, 2] = 4  # image 2: 90 of 100 networks predict class 4
    answers[90:95, 2] = 3
    answers[:40, 5] = 1
    counts = PredictionCounts.from_predictions(answers, y_true, CLASSES)
    hardest = list_hard_images(counts, 10, {2: True})
    rows = [(image.index, image.misses, image.answer, image.answer_share) for image in hardest]
    assert rows == [(2, 95, 4, 0.9), (5, 40, 1, 0.4)]
    assert [image.is_known_error for image in hardest] == [True, False]
    low, high = hardest[1].interval
    assert low < 0.4 < high
    assert [image.is_known_error for image in list_hard_images(counts, 1, None)] == [None]


def test_networks_that_err_independently_do_not_agree_beyond_chance():
    agreements = [Agreement.from_counts(draw_predictions(np.full(1500, 0.2), 50, seed)) for seed in range(150)]
    same = 0.8**2 + 0.2**2 / (CLASSES - 1)  # two networks are both correct, or both wrong with the same class
    chance = 1 / CLASSES
    true_values = {
        "error_kappa": 0.0, "both_wrong": 0.2, "same_mistake": 1 / (CLASSES - 1), "same_answer": same,
        "answer_kappa": (same - chance) / (1 - chance),
    }  # fmt: skip
    for name, truth in true_values.items():
        assert 0.89 <= compute_coverage([getattr(agreement, name) for agreement in agreements], truth) <= 0.99


def test_the_summary_of_an_atlas_matches_its_predictions_and_its_page_is_complete():
    data = cs.load_dataset("mnist").test.take(np.arange(300))
    stream = np.random.default_rng(4)
    wrong = stream.random((120, 300)) < stream.beta(0.2, 3, 300)
    wrong_classes = (data.labels + stream.integers(1, 10, wrong.shape)) % 10
    y_pred = np.where(wrong, wrong_classes, data.labels).astype(np.uint8)
    accuracies = (y_pred == data.labels).mean(axis=1)
    two_epochs = [(accuracy - 0.01, accuracy) for accuracy in accuracies.tolist()]
    value = summarize("cnn, two", y_pred, data, two_epochs)
    assert (value["num_runs"], value["num_images"]) == (120, 300)
    assert value["spread"]["sd"] == pytest.approx(accuracies.std(ddof=1))
    assert sum(level["count"] for level in value["histogram"]) == 120
    assert value["num_missed"] == int(wrong.any(axis=0).sum())
    assert [row["epoch"] for row in value["early"]] == [1]
    assert value["source"] is None  # 300 of MNIST's 10,000 test images are not the published data set
    assert value["hard_images"][0]["misses"] == int(wrong.sum(axis=0).max())
    crossed = CrossedSeeds.from_flags("cnn, two", wrong[:9].reshape(3, 3, -1)).to_dict()
    page = render(value, crossed | {"num_crossed": 3}, data)
    assert page.count("<section>") == 5
    assert page.count("<img ") == len(value["hard_images"])
    loads = re.sub("http://www.w3.org/[0-9]+/(svg|xlink)", "", page).replace("http-equiv", "")
    assert "http" not in loads  # the page needs no network


WORLDS = {
    "no interaction": (0.5, 0.35, 0.0),
    "some of all": (0.5, 0.35, 0.3),
    "an interaction": (0.5, 0.35, 1.0),
    "weights": (2.0, 0.0, 0.5),
    "luck alone": (0.0, 0.0, 0.0),
}
"""Standard deviations of the error rate by initial weights, by image order and by their interaction.

The unit is the standard deviation that independent chance on single images ("luck") gives.
"""


@pytest.mark.parametrize("world", WORLDS)
def test_crossed_seeds_divide_the_variance_into_its_four_parts(world: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("atlas.crossed.NUM_DRAWS", 2000)
    stream, size, images = np.random.default_rng(11), 12, 150
    chances = 0.05 + 0.9 * stream.beta(0.5, 2, images)
    image_variances = chances * (1 - chances)
    luck = sqrt(image_variances.sum()) / images
    # A network's shift of the error rate moves each image in proportion to its variance.
    sds, loads = luck * np.array(WORLDS[world]), image_variances / image_variances.mean()
    # On one image no prediction tells the interaction from luck, so this part of the interaction counts as luck.
    interaction_as_luck = sds[2] ** 2 * (loads**2).sum() / images**2
    # Of a chance p that varies, the mean of p (1 - p) is that of its mean, less its variance.
    luck_variance = (image_variances - (sds**2).sum() * loads**2).sum() / images**2 + interaction_as_luck
    variances = np.array([sds[0] ** 2, sds[1] ** 2, sds[2] ** 2 - interaction_as_luck, luck_variance])
    divisions = list[CrossedSeeds]()
    for _ in range(60):
        shapes = ((size, 1), (1, size), (size, size))  # weights, order, interaction
        shift = sum(sd * stream.standard_normal(shape) for sd, shape in zip(sds, shapes, strict=True))
        divisions.append(
            CrossedSeeds.from_flags("", stream.random((size, size, images)) < chances + shift[..., None] * loads)
        )
    for part, true_share in zip(PARTS, variances / variances.sum(), strict=True):
        shares = [getattr(division, part).share for division in divisions]
        assert compute_coverage(shares, true_share) >= 0.85
        assert np.mean([share.value for share in shares]) == pytest.approx(true_share, abs=0.08)
        assert np.mean([share.high - share.low for share in shares]) < 0.6
