"""Comparing two models by their predictions for the same images."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest
from tests.noise import init_model

import convscope as cs
from convscope.base import metrics, statistics
from convscope.evidence.comparison import Candidate, PairedCounts

from .conftest import make_candidate, make_group


def compare_counts(both_correct, only_a, only_b, both_wrong, names=("cnn", "ann")):
    """Compare two candidates by the number of images that both, only one or none of them classify correctly."""
    counts = (both_correct, only_a, only_b, both_wrong)
    correct_a, correct_b = (np.repeat(pattern, counts) for pattern in ([True, True, False, False], [True, False] * 2))
    return cs.compare(make_candidate(names[0], correct_a), make_candidate(names[1], correct_b))


def test_comparison_agrees_with_scipy_and_the_two_evaluations():
    stream = np.random.default_rng(1)
    comparison = cs.compare(
        make_candidate("a", stream.random(3000) < 0.95), make_candidate("b", stream.random(3000) < 0.9)
    )
    counts = comparison.counts
    only_a, only_b = counts.only_a_correct, counts.only_b_correct
    assert counts.num_images == comparison.num_images == 3000
    assert counts.both_correct + only_a == 3000 - comparison.a.num_errors
    assert counts.both_correct + only_b == 3000 - comparison.b.num_errors
    assert comparison.p_value == pytest.approx(binomtest(only_a, only_a + only_b).pvalue, rel=1e-9)
    assert comparison.accuracy_difference == pytest.approx(comparison.a.accuracy - comparison.b.accuracy)


def test_intervals_are_the_score_intervals_of_the_counts():
    comparison = compare_counts(9760, 143, 44, 53)
    difference = metrics.difference_interval(np.array([143]), np.array([44]), 10_000)
    assert comparison.accuracy_difference_interval == pytest.approx(tuple(np.ravel(difference)))
    assert comparison.error_ratio_interval == statistics.error_ratio_interval(143, 44, 53)


@pytest.mark.parametrize(
    ("counts", "sentence"),
    [
        ((9760, 143, 44, 53),
         "On the 10,000 test images of shapes, with one run each, cnn makes 97 errors and ann 196. Exactly one of "
         "the two is correct on 187 images. If both were equally good, a split this uneven would "
         "almost never happen (p = 2e-13). With one run each, this comparison does not cover other seeds."),
        ((94, 3, 2, 1),
         "On the 100 test images of shapes, with one run each, cnn makes 3 errors and ann 4. "
         "Exactly one of the two is correct on 5 images. If both were equally good, a split this uneven would "
         "happen with p = 1: no significant difference. With one run each, this comparison does not cover other "
         "seeds."),
    ],
)  # fmt: skip
def test_sentence_says_what_was_counted(counts, sentence):
    assert compare_counts(*counts).sentence == sentence


@pytest.mark.parametrize(
    ("counts", "part"),
    [
        ((10, 0, 0, 0),
         "neither cnn nor ann makes any errors. Both classify exactly the same images correctly, so the test"),
        ((8, 0, 0, 2), "cnn and ann each make 2 errors. Both classify exactly the same images correctly"),
        ((0, 0, 0, 1), "On the 1 test image of shapes, with one run each, cnn and ann each make 1 error."),
        ((9, 1, 0, 0), "cnn makes no errors and ann 1. Exactly one of the two is correct on 1 image. If both"),
        ((9, 0, 1, 0), "cnn makes 1 error and ann no errors. Exactly one"),
        ((9, 1, 1, 0), "cnn and ann each make 1 error. Exactly one of the two is correct on 2 images. If both"),
        ((0, 2000, 0, 0), "cnn makes no errors and ann 2,000. Exactly one of the two is correct on 2,000 images. If"),
        ((0, 2000, 0, 0), "would almost never happen (p < 1e-300)."),
    ],
)  # fmt: skip
def test_the_sentence_is_correct_for_few_or_no_errors_and_for_large_counts(counts, part):
    assert part in compare_counts(*counts).sentence


@pytest.mark.parametrize(
    ("split", "images"), [("train", "training images"), ("validation", "validation images"), ("mine", "mine images")]
)
def test_sentence_names_the_split(split, images):
    comparison = cs.compare(make_candidate("a", [1, 0], split), make_candidate("b", [0, 0], split))
    assert f"On the 2 {images} of shapes" in comparison.sentence


MORE_SEEDS = "; more seeds are needed to compare the architectures or recipes"


@pytest.mark.parametrize(
    ("counts", "verdict"),
    [
        ((9760, 143, 44, 53),
         f"This run of cnn makes 51 % fewer errors than this run of ann (95 % interval: 40 to 59 %){MORE_SEEDS}"),
        ((9760, 44, 143, 53),
         f"This run of ann makes 51 % fewer errors than this run of cnn (95 % interval: 40 to 59 %){MORE_SEEDS}"),
        ((990, 10, 0, 0), "This run of cnn makes no errors and this run of ann 10 (95 % interval: 62 to 100 % fewer)"),
        ((94, 3, 2, 1), "No significant difference between these runs: "
         "accuracy of cnn minus accuracy of ann is +1.00 [\N{MINUS SIGN}4.44, +6.76] points"),
        ((10, 0, 0, 0), "No significant difference between these runs: "
         "accuracy of cnn minus accuracy of ann is 0.00 [\N{MINUS SIGN}27.75, +27.75] points"),
    ],
)  # fmt: skip
def test_verdict_says_who_makes_fewer_errors_or_that_none_does(counts, verdict):
    assert compare_counts(*counts).verdict == verdict


def test_verdict_clips_long_names_and_shows_no_control_characters():
    verdict = compare_counts(990, 10, 0, 0, names=("x" * 200, "a\x1b[31m")).verdict
    assert verdict.startswith(
        f"This run of {'x' * 31}… makes no errors and this run of a\N{REPLACEMENT CHARACTER}[31m 10 (95 %"
    )


@pytest.mark.slow
def test_the_intervals_of_two_runs_exclude_equality_exactly_where_the_exact_test_is_significant():
    for only_a in range(0, 60, 4):
        for only_b in range(0, 60, 5):
            counts = PairedCounts(1000, only_a, only_b, 7)
            is_significant = counts.p_value < 0.05
            low, high = counts.accuracy_difference_interval
            assert is_significant == (not low <= 0 <= high)
            low, high = counts.error_ratio_interval
            assert is_significant == (not low <= 1 <= high)


def test_error_ratio_is_none_where_the_first_makes_no_error():
    comparison = compare_counts(9, 1, 0, 0)
    assert comparison.error_ratio is None
    assert comparison.error_ratio_interval[1] == np.inf
    assert comparison.to_dict()["error_ratio_interval"][1] is None


def test_two_runs_of_the_same_name_get_suffixes():
    comparison = compare_counts(5, 3, 1, 1, names=("ann", "ann"))
    assert comparison.names == ("ann (first)", "ann (second)")
    assert "ann (first) makes 2 errors and ann (second) 4" in comparison.sentence


@pytest.mark.parametrize("counts", [(5, 3, 1, 1), (9, 1, 0, 0), (10, 0, 0, 0)])
def test_to_dict_is_finite_plain_json(counts):
    comparison = compare_counts(*counts)
    values = comparison.to_dict()
    assert json.loads(json.dumps(values, allow_nan=False)) == values
    assert sum(values[key] for key in ("both_correct", "only_a_correct", "only_b_correct", "both_wrong")) == 10
    assert (values["a"]["name"], values["b"]["name"]) == ("cnn", "ann")
    assert values["a"]["accuracy_interval"] == list(comparison.a.accuracy_interval)
    assert (values["p_value"], values["sentence"]) == (comparison.p_value, comparison.sentence)


def test_text_shows_costs_and_the_two_by_two_table():
    costs = {"parameters": 118_282, "macs": 118_016, "weights_bytes": 473_128, "training_seconds": 3.456}
    comparison = cs.compare(make_candidate("cnn", [1, 1, 1, 0]), make_candidate("ann", [1, 0, 0, 0], **costs))
    lines = str(comparison).splitlines()
    assert " ".join(lines[: lines.index("")]) == f"{comparison.verdict}."
    assert max(map(len, lines)) <= 100
    assert "118,282" in str(comparison)
    assert "462.0 KB" in str(comparison)
    assert "3.46 s" in str(comparison)
    after_verdict = lines[lines.index("") + 1 :]
    assert " ".join(after_verdict[: after_verdict.index("")]) == comparison.sentence
    assert "unknown" in next(line for line in lines if line.startswith("cnn  "))
    assert [line.split() for line in lines[-2:]] == [["cnn", "correct", "1", "2"], ["cnn", "wrong", "0", "1"]]


def test_text_and_json_show_latencies_where_they_are_known():
    fast = make_candidate("cnn", [1, 1], latency_seconds=0.00025, latency_1000_seconds=0.0125)
    comparison = cs.compare(fast, make_candidate("ann", [1, 0]))
    assert "cnn: one image takes 0.25 ms, 1,000 images take 12.50 ms" in str(comparison)
    assert "ann: one image" not in str(comparison)
    assert comparison.to_dict()["a"]["latency_1000_seconds"] == 0.0125
    assert comparison.to_dict()["b"]["latency_seconds"] is None


def test_html_shows_names_as_text():
    html = compare_counts(5, 3, 1, 1, names=("<img src=x>", "b"))._repr_html_()
    assert "<img" not in html
    assert "&lt;img src=x&gt;" in html


def test_candidate_from_model_counts_its_costs():
    model = init_model(cs.presets.cnn())
    candidate = Candidate.from_model(model, make_candidate("a", [1]).evaluation, training_seconds=1.5)
    assert (candidate.name, candidate.parameters, candidate.macs) == ("cnn", 108_618, 758_592)
    assert (candidate.weights_bytes, candidate.training_seconds) == (4 * 108_618, 1.5)
    quantized = Candidate.from_model(model, candidate.evaluation, weight_bits=4)
    filters = 16 + 32 + 128 + 10
    # Two weights of 4 bits a byte; for each filter a quantization step and a bias of 4 bytes each.
    assert quantized.weights_bytes == (108_618 - filters) // 2 + 4 * filters + 4 * filters


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"split": "validation"}, "split is 'test' for a but 'validation' for b"),
        ({"dataset_name": "others"}, "dataset_name is 'shapes' for a but 'others' for b"),
        ({"labels": [0, 1]}, "a and b were evaluated on different images of shapes"),
        ({"is_correct": [1, 1, 1]}, "a and b were evaluated on different images of shapes"),
    ],
)
@pytest.mark.parametrize(("compare", "make"), [(cs.compare, make_candidate), (cs.compare_groups, make_group)])
def test_comparison_rejects_other_images(compare, make, wrong, message):
    with pytest.raises(ValueError, match=message):
        compare(make("a", [1, 0]), make("b", **{"is_correct": [1, 0], **wrong}))


def test_comparison_rejects_other_class_names():
    a = make_candidate("a", [1, 0])
    b = replace(a, name="b", evaluation=replace(a.evaluation, class_names=("no", "maybe")))
    with pytest.raises(ValueError, match=r"class_names is \('no', 'yes'\) for a"):
        cs.compare(a, b)


def test_a_candidate_counts_parameters_that_are_not_trained():
    layers = (cs.Flatten(), cs.Dense(2), cs.BatchNormalization())
    model = init_model(cs.Architecture(cs.Input(2, 2), layers))
    candidate = Candidate.from_model(model, make_candidate("a", [1, 0]).evaluation)
    # Dense: 4 · 2 + 2. The normalisation trains 2 · 2 parameters and keeps 2 · 2 moving statistics; each has 4 bytes.
    assert (candidate.parameters, candidate.weights_bytes) == (10 + 4, 4 * (10 + 8))


@pytest.mark.parametrize(
    "cost",
    [
        {"parameters": -1}, {"macs": -1}, {"weights_bytes": -1}, {"training_seconds": float("nan")},
        {"latency_seconds": -1.0}, {"latency_1000_seconds": float("inf")},
    ],
)  # fmt: skip
def test_candidate_rejects_negative_and_infinite_costs(cost):
    with pytest.raises(ValueError, match=f"{next(iter(cost))} is .*; it must be finite and at least 0"):
        make_candidate("a", [1], **cost)
