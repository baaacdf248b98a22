"""Comparing two groups of runs, each a network and recipe with several seeds."""

import numpy as np
import pytest
from scipy import stats

from convscope.base.statistics import group_accuracy_interval, group_difference
from convscope.evidence.comparison import GroupComparison, RunGroup, compare, compare_groups

from .conftest import draw_correct, make_candidate, make_group


def test_a_group_is_described_by_its_models():
    is_correct = draw_correct(0, 6, 500, 0.9)
    group = make_group("cnn", is_correct, seeds=(3, 1, 4, 15, 9, 2))
    accuracies = is_correct.mean(axis=1)
    assert group.accuracies == pytest.approx(tuple(accuracies))
    assert group.errors == tuple((~is_correct).sum(axis=1))
    assert (group.accuracy, group.sd) == pytest.approx((accuracies.mean(), accuracies.std(ddof=1)))
    assert group.accuracy_interval == group_accuracy_interval(~is_correct)
    assert group.num_errors == pytest.approx((~is_correct).sum() / 6)


def test_a_group_of_one_has_no_spread_and_wilsons_interval():
    is_correct = draw_correct(1, 1, 500, 0.9)
    group = make_group("cnn", is_correct)
    theirs = stats.binomtest(int(is_correct.sum()), 500).proportion_ci(0.95, method="wilson")
    assert group.sd is None
    assert group.accuracy_interval == pytest.approx((theirs.low, theirs.high))


def test_a_group_of_candidates_has_their_predictions_and_mean_times():
    is_correct = draw_correct(2, 3, 50, 0.8)
    candidates = [
        make_candidate("cnn", row, training_seconds=seconds, latency_seconds=None if seconds == 2 else 0.1)
        for row, seconds in zip(is_correct, (1.0, 2.0, 6.0), strict=True)
    ]
    group = RunGroup.from_candidates(candidates, (5, 6, 7), "mine")
    assert (group.name, group.seeds) == ("mine", (5, 6, 7))
    assert (group.training_seconds, group.latency_seconds) == (3.0, None)  # a mean only where all are known
    np.testing.assert_array_equal(group.wrong, ~is_correct)
    assert (group.parameters, group.macs, group.weights_bytes) == (10, 20, 40)


def test_groups_of_one_model_compare_the_two_models():
    correct_a, correct_b = draw_correct(3, 1, 400, 0.9), draw_correct(4, 1, 400, 0.8)
    groups = compare_groups(make_group("cnn", correct_a), make_group("ann", correct_b, seeds=(7,)))
    single = compare(make_candidate("cnn", correct_a[0]), make_candidate("ann", correct_b[0]))
    assert groups.degrees_of_freedom is None
    assert groups.sentence == single.sentence
    of_groups, of_pair = groups.to_dict(), single.to_dict()
    for side in "ab":
        assert of_groups.pop(side).items() >= of_pair.pop(side).items()
    assert of_groups.items() >= of_pair.items()


def test_runs_are_not_paired_by_their_seeds():
    correct_a, correct_b = draw_correct(5, 5, 300, 0.9), draw_correct(6, 5, 300, 0.85)
    same, shifted = (
        compare_groups(make_group("cnn", correct_a), make_group("ann", correct_b, seeds=seeds))
        for seeds in ((0, 1, 2, 3, 4), (7, 6, 5, 9, 8))
    )
    direct = group_difference(~correct_a, ~correct_b)
    for comparison in (same, shifted):
        assert comparison.accuracy_difference_interval == direct.interval
        assert (comparison.error_ratio_interval, comparison.p_value) == (direct.ratio_interval, direct.p_value)


def test_verdict_of_groups_far_apart_names_the_better_and_the_ratio():
    comparison = compare_groups(
        make_group("ann", draw_correct(9, 5, 2000, 0.8)), make_group("cnn", draw_correct(10, 5, 2000, 0.95))
    )
    low, high = comparison.error_ratio_interval
    assert comparison.is_distinguishable
    fewer, least, greatest = (f"{100 * (1 - ratio):.0f}" for ratio in (comparison.error_ratio, high, low))
    assert comparison.verdict == f"cnn makes {fewer} % fewer errors than ann (95 % interval: {least} to {greatest} %)"


def test_verdict_of_similar_groups_is_no_significant_difference():
    is_correct = draw_correct(11, 10, 500, 0.9)
    comparison = compare_groups(make_group("a", is_correct[:5]), make_group("b", is_correct[5:]))
    assert not comparison.is_distinguishable
    assert comparison.verdict.startswith("No significant difference: accuracy of a minus accuracy of b is ")


def test_the_verdict_goes_by_the_corrected_p_value_where_there_is_one():
    a, b = make_group("a", [True]), make_group("b", [False])
    intervals = {"accuracy_difference_interval": (0.1, 1.0), "error_ratio_interval": (2.0, np.inf)}
    alone = GroupComparison(a, b, **intervals, p_value=0.04, degrees_of_freedom=None)
    corrected = GroupComparison(a, b, **intervals, p_value=0.04, degrees_of_freedom=None, adjusted_p_value=0.08)
    assert alone.is_distinguishable
    assert "makes no errors" in alone.verdict
    assert not corrected.is_distinguishable
    unclear = "No significant difference between these runs: accuracy of a minus accuracy of b"
    assert corrected.verdict.startswith(unclear)


@pytest.mark.parametrize(
    ("models", "part"),
    [
        ((1, 1), "With one run each, this comparison does not cover other seeds."),
        ((1, 3), "There is only one run of cnn. The comparison holds for that run"),
        ((3, 1), "There is only one run of ann"),
        ((2, 3), "With 2 seeds the interval covers the true value in 98 to 100 % of cases."),
        ((5, 6), "With 5 seeds the interval covers the true value in 95 to 99 % of cases."),
        ((30, 30), "images of this kind, with these recipes, which may suit one of them better, and this"),
    ],
)
def test_limits_name_the_questions_that_stay_open(models, part):
    cnn, ann = (draw_correct(12, num_models, 60, 0.7) for num_models in models)
    comparison = compare_groups(make_group("cnn", cnn), make_group("ann", ann))
    assert part in comparison.limits
    assert comparison.limits in comparison.sentence


def test_sentence_says_what_was_counted_and_how():
    correct_a, correct_b = draw_correct(13, 5, 400, 0.9), draw_correct(14, 5, 400, 0.8)
    sentence = compare_groups(make_group("cnn", correct_a), make_group("ann", correct_b)).sentence
    assert sentence.startswith(
        f"On the 400 test images of shapes, 5 models of cnn make on average {(~correct_a).sum() / 5:.1f} errors and 5 "
        f"models of ann make on average {(~correct_b).sum() / 5:.1f}. The accuracies differ by +"
    )
    assert "over seeds and images)" in sentence


def test_text_shows_verdict_costs_and_latency():
    group = make_group("cnn", draw_correct(16, 3, 90, 0.8), training_seconds=2.5, latency_seconds=2e-5)
    comparison = compare_groups(group, make_group("ann", draw_correct(17, 3, 90, 0.8)))
    text = str(comparison)
    assert text.splitlines()[0] == f"{comparison.verdict}."
    assert "2.50 s" in text
    assert "cnn: one image takes 20.0 µs, 1,000 images take unknown" in text
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"is_correct": [[1, 0], [0, 1]], "seeds": (3, 3)}, r"seeds of a are \[3, 3\]; give each seed once"),
        ({"is_correct": [1, 0], "seeds": (3, 4)}, r"y_pred of a is \(1, 2\); it must be \(2, 2\)"),
        ({"is_correct": np.zeros((0, 2)), "seeds": ()}, "at least one of each"),
        ({"is_correct": [1, 0], "macs": -1}, "macs is -1; it must be finite and at least 0"),
    ],
)
def test_a_group_rejects_invalid_arguments(changed, message):
    with pytest.raises(ValueError, match=message):
        make_group("a", **changed)


@pytest.mark.parametrize(
    ("candidates", "message"),
    [
        ([], "candidates is empty"),
        ([make_candidate("a", [1, 0]), make_candidate("a", [1, 0], split="train")], "split is 'test' for a but"),
        ([make_candidate("a", [1, 0]), make_candidate("a", [1, 0], labels=[0, 1])], "evaluated on different images"),
    ],
)
def test_a_group_of_candidates_rejects_invalid_arguments(candidates, message):
    with pytest.raises(ValueError, match=message):
        RunGroup.from_candidates(candidates, range(len(candidates)))


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        ((-0.01, 0.015), "equivalent"),
        ((0.005, 0.019), "equivalent"),
        ((0.021, 0.04), "different"),
        ((-0.05, -0.03), "different"),
        ((-0.01, 0.03), "first not worse"),
        ((-0.03, 0.01), "second not worse"),
        ((-0.03, 0.03), "undecided"),
    ],
)
def test_a_margin_is_compared_with_the_interval(interval, expected):
    unused = {"error_ratio_interval": (0.5, 2.0), "p_value": 0.5, "degrees_of_freedom": 4.0}
    groups = make_group("a", draw_correct(1, 3, 50, 0.9)), make_group("b", draw_correct(2, 3, 50, 0.9))
    comparison = GroupComparison(*groups, accuracy_difference_interval=interval, **unused, margin=0.02)
    assert comparison.equivalence == comparison.to_dict()["equivalence"] == expected
    assert "2 points" in str(comparison)
    assert GroupComparison(*groups, accuracy_difference_interval=interval, **unused).equivalence is None
