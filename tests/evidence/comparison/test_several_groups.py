"""Comparing every pair of several groups, with corrected p-values."""

import numpy as np
import pytest

from convscope.base.metrics import holm
from convscope.evidence.comparison import compare_all, compare_groups
from convscope.evidence.comparison.several_groups import MAX_PAIRS
from convscope.evidence.comparison.words import format_p_number

from .conftest import draw_correct, make_group

ACCURACIES = {"best": 0.93, "same": 0.93, "worse": 0.86, "worst": 0.7}


def make_groups(models=3):
    return [
        make_group(name, draw_correct(number, models, 300, accuracy))
        for number, (name, accuracy) in enumerate(ACCURACIES.items())
    ]


def test_every_pair_is_compared_with_the_p_value_of_a_single_comparison():
    made = make_groups()
    result = compare_all(made)
    pairs = [("best", "same"), ("best", "worse"), ("best", "worst"), ("same", "worse"), ("same", "worst")]
    assert [comparison.names for comparison in result.comparisons] == [*pairs, ("worse", "worst")]
    assert result.comparisons[1].p_value == compare_groups(made[0], made[2]).p_value


@pytest.mark.parametrize(("models", "pairs"), [(1, "all"), (3, "first")])
def test_p_values_are_corrected_by_holm(models, pairs):
    result = compare_all(make_groups(models), pairs=pairs)
    expected = holm([comparison.p_value for comparison in result.comparisons])
    np.testing.assert_allclose([comparison.adjusted_p_value for comparison in result.comparisons], expected)
    assert [comparison.is_distinguishable for comparison in result.comparisons] == (expected < 0.05).tolist()


def test_pairs_first_compares_each_group_with_the_first():
    result = compare_all(make_groups(), pairs="first")
    assert [pair.names for pair in result.comparisons] == [("best", "same"), ("best", "worse"), ("best", "worst")]


def test_two_groups_are_one_comparison_without_correction():
    made = make_groups()[:2]
    result = compare_all(made)
    assert result.comparisons[0].adjusted_p_value is None
    assert str(result) == str(compare_groups(*made))
    assert result._repr_html_() == compare_groups(*made)._repr_html_()


def test_text_and_html_show_each_group_and_each_pair_and_what_was_corrected():
    made = [*make_groups(), make_group("<b>", draw_correct(9, 3, 300, 0.9))]
    result = compare_all(made)
    text, html = str(result), result._repr_html_()
    assert text.startswith("5 groups on the 300 test images of shapes")
    rows = [line.split() for line in text.splitlines() if " - " in line]
    verdicts = {True: "yes", False: "no"}
    for row, pair in zip(rows, result.comparisons, strict=True):
        assert (row[0], row[2]) == pair.names
        p_values = [format_p_number(p) for p in (pair.p_value, pair.adjusted_p_value)]
        assert " ".join(row).endswith(" ".join([*p_values, verdicts[pair.is_distinguishable]]))
    assert "corrected for 10 comparisons, the intervals are not" in " ".join(text.split())
    assert "<b>" not in html
    assert "&lt;b&gt;" in html


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: compare_all(make_groups()[:1]), "there are 1 groups; give at least two"),
        (lambda: compare_all([make_group("a", [1]), make_group("a", [0])]), "two groups are called 'a'"),
        (lambda: compare_all(make_groups(), pairs="some"), "pairs is 'some'"),
        (lambda: compare_all([make_group("a", [1]), make_group("b", [1, 0])]), "were evaluated on different images"),
        (lambda: compare_all([make_group(f"{n}", [1]) for n in range(46)]),
         f"1035 pairs, and the limit is {MAX_PAIRS}"),
    ],
)  # fmt: skip
def test_compare_all_rejects_invalid_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()
