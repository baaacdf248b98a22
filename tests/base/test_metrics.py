"""Metrics of predictions and their intervals, compared with SciPy, scikit-learn, simulations and their definitions."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import softmax as scipy_softmax, xlogy
from scipy.stats import binomtest, t as student
from sklearn.metrics import balanced_accuracy_score, confusion_matrix as sklearn_confusion_matrix, f1_score, log_loss

from convscope.base import metrics

CLASS_COUNTS = (2, 10, 100)
Z = 1.959963984540054  # the 97.5th percentile of the normal distribution


def draw_logits(num_classes):
    """Return logits and labels of 500 images; the first 250 are easy, so that not all predictions are wrong."""
    stream = np.random.default_rng(0)
    logits = stream.normal(0, 3, (500, num_classes)).astype(np.float32)
    y_true = stream.integers(0, num_classes, 500)
    logits[np.arange(250), y_true[:250]] += 8
    return logits, y_true


@pytest.mark.parametrize("num_classes", CLASS_COUNTS)
def test_softmax_is_scipys(num_classes):
    logits, _ = draw_logits(num_classes)
    np.testing.assert_allclose(metrics.softmax(logits), scipy_softmax(logits.astype(np.float64), axis=1), rtol=1e-12)


@pytest.mark.parametrize("num_classes", CLASS_COUNTS)
def test_cross_entropy_is_scikit_learns_log_loss(num_classes):
    logits, y_true = draw_logits(num_classes)
    expected = log_loss(y_true, scipy_softmax(logits.astype(np.float64), axis=1), labels=range(num_classes))
    assert metrics.cross_entropy(logits, y_true) == pytest.approx(expected, rel=1e-12)


def test_cross_entropies_equal_those_of_single_images():
    stream = np.random.default_rng(4)
    logits, y_true = stream.normal(size=(7, 5)).astype(np.float32), stream.integers(0, 5, 7)
    entropies = metrics.cross_entropies(logits, y_true)
    assert entropies.dtype == np.float64
    alone = [metrics.cross_entropy(logits[n : n + 1], y_true[n : n + 1]) for n in range(7)]
    np.testing.assert_array_equal(entropies, alone)
    assert metrics.cross_entropy(logits, y_true) == entropies.mean()


def test_cross_entropy_of_huge_logits_is_finite_and_exact():
    logits = np.array([[1e6, 0.0], [0.0, -1e6]], np.float32)
    assert metrics.cross_entropy(logits, np.array([1, 0])) == 5e5


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
@pytest.mark.parametrize("num_classes", CLASS_COUNTS)
def test_confusion_matrix_is_scikit_learns(num_classes, dtype):
    logits, y_true = draw_logits(num_classes)
    y_pred = logits.argmax(axis=1)
    matrix = metrics.confusion_matrix(y_true.astype(dtype), y_pred.astype(dtype), num_classes)
    assert matrix.dtype == np.int64
    np.testing.assert_array_equal(matrix, sklearn_confusion_matrix(y_true, y_pred, labels=range(num_classes)))


def draw_unbalanced_matrix(num_images, seed, num_classes, accuracy):
    """Draw a confusion matrix whose class k occurs k times as often as class 1; return it with the true macro F1.

    The true accuracy of each class, and so the balanced accuracy, is `accuracy`.
    """
    chances = np.full((num_classes, num_classes), (1 - accuracy) / (num_classes - 1))
    np.fill_diagonal(chances, accuracy)
    chances *= np.arange(1, num_classes + 1)[:, None] / (num_classes * (num_classes + 1) / 2)
    matrix = np.random.default_rng(seed).multinomial(num_images, chances.ravel()).reshape(chances.shape)
    true_f1 = np.mean(2 * np.diagonal(chances) / (chances.sum(axis=0) + chances.sum(axis=1)))
    return matrix, true_f1


@pytest.mark.parametrize("num_classes", CLASS_COUNTS)
def test_balanced_accuracy_and_macro_f1_are_scikit_learns(num_classes):
    logits, y_true = draw_logits(num_classes)
    y_pred = logits.argmax(axis=1)
    matrix = metrics.confusion_matrix(y_true, y_pred, num_classes)
    assert metrics.balanced_accuracy(matrix)[0] == pytest.approx(balanced_accuracy_score(y_true, y_pred), rel=1e-12)
    assert metrics.macro_f1(matrix)[0] == pytest.approx(f1_score(y_true, y_pred, average="macro"), rel=1e-12)


def test_classes_that_never_occur_do_not_count():
    matrix = np.zeros((4, 4), np.int64)
    matrix[:2, :2] = [[9, 1], [2, 8]]
    for measure in (metrics.balanced_accuracy, metrics.macro_f1):
        assert measure(matrix) == measure(matrix[:2, :2])


@pytest.mark.parametrize("freedom", [1.5, 999, 1000, 1234.5, 1e6])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_quantiles_of_student_are_scipys(freedom, confidence):
    expected = student.ppf((1 + confidence) / 2, freedom)
    assert metrics.student_quantile(freedom, confidence) == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize(("num_images", "num_classes", "accuracy"), [(150, 5, 0.9), (300, 30, 0.7)])
def test_intervals_of_balanced_accuracy_and_macro_f1_cover_the_truth(num_images, num_classes, accuracy):
    is_covered = []
    for seed in range(400):
        matrix, true_f1 = draw_unbalanced_matrix(num_images, seed, num_classes, accuracy)
        _, accuracy_interval = metrics.balanced_accuracy(matrix)
        _, f1_interval = metrics.macro_f1(matrix)
        is_covered.append([
            accuracy_interval[0] <= accuracy <= accuracy_interval[1], f1_interval[0] <= true_f1 <= f1_interval[1]
        ])  # fmt: skip
    coverage = np.mean(is_covered, axis=0)
    assert (coverage > 0.91).all(), coverage  # 91 % is about four standard deviations below 95 % of 400 draws
    assert (coverage < 0.99).all(), coverage


@pytest.mark.parametrize("matrix", [np.diag([3, 40]), np.diag([1, 1, 1]), np.array([[0, 5], [7, 0]])])
def test_intervals_of_all_correct_and_all_wrong_reach_1_and_0(matrix):
    for value, (low, high) in (metrics.balanced_accuracy(matrix), metrics.macro_f1(matrix)):
        assert value in (0, 1)
        assert low == value == 0 < high < 1 or 0 < low < high == value == 1


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
@pytest.mark.parametrize(("successes", "trials"), [(0, 1), (1, 1), (0, 50), (50, 50), (3, 7), (9903, 10000)])
def test_wilson_interval_is_scipys(successes, trials, confidence):
    theirs = binomtest(successes, trials).proportion_ci(confidence, method="wilson")
    computed = metrics.wilson_interval(successes, trials, confidence)
    assert computed == pytest.approx((theirs.low, theirs.high), abs=1e-12)


@given(st.integers(1, 10**6), st.floats(0, 1))
def test_wilson_interval_contains_the_fraction_and_stays_within_0_and_1(trials, fraction):
    successes = round(fraction * trials)
    low, high = metrics.wilson_interval(successes, trials)
    assert 0 <= low <= successes / trials <= high <= 1


@pytest.mark.parametrize(("only_a", "only_b", "count"), [(1, 7, 21), (40, 20, 160), (3, 160, 10_000), (0, 9, 300)])
def test_the_ends_of_a_paired_interval_are_where_the_score_is_z(only_a, only_b, count):
    """Check each end d by its definition: there only_a - only_b is Z of its standard errors from n d.

    If d is the true difference of the accuracies, q the chance that B alone is correct and q + d that A alone is, an
    image adds -1, 1 or 0 to only_a - only_b, with the mean d and the variance 2 q + d - d². The likeliest q counts.

    Source: Tango 1998, Statistics in Medicine 17, 891-908.
    """
    not_differing = count - only_a - only_b
    for difference in np.ravel(metrics.difference_interval(np.array([only_a]), np.array([only_b]), count)).tolist():

        def negative_log_likelihood(q, d=difference):
            return -(xlogy(only_a, q + d) + xlogy(only_b, q) + xlogy(not_differing, 1 - 2 * q - d))

        bounds = (max(0.0, -difference), (1 - difference) / 2)  # all three chances are at least 0
        q = minimize_scalar(negative_log_likelihood, bounds=bounds, method="bounded", options={"xatol": 1e-12}).x
        standard_error = np.sqrt(count * (2 * q + difference - difference**2))
        assert abs(only_a - only_b - count * difference) / standard_error == pytest.approx(Z, rel=1e-4)


def test_the_paired_interval_of_equal_predictions_contains_zero():
    low, high = metrics.difference_interval(np.array([0]), np.array([0]), 1000)
    # No prediction differs, so q is 0 and the score is z where d n = z sqrt(n (d - d^2)).
    assert high[0] == -low[0] == pytest.approx(Z**2 / (1000 + Z**2), rel=1e-12)


@pytest.mark.slow
@settings(max_examples=40)
@given(st.integers(1, 3000), st.floats(0, 1), st.floats(0, 1))
def test_paired_interval_contains_the_difference_and_is_mirrored_by_swapping(count, fraction, part):
    differing = round(fraction * count)
    a = np.array([round(part * differing)])
    b = differing - a
    low, high = metrics.difference_interval(a, b, count)
    assert -1 <= low[0] <= (a - b)[0] / count <= high[0] <= 1
    assert low[0] < high[0]
    assert metrics.difference_interval(b, a, count) == (-high, -low)


@pytest.mark.parametrize(("only_a", "only_b"), [(0, 0), (0, 5), (5, 0), (7, 7), (1, 2), (44, 143), (400, 300)])
def test_mcnemar_exact_is_scipys_binomial_test(only_a, only_b):
    differing = only_a + only_b
    expected = binomtest(only_a, differing, 0.5).pvalue if differing else 1.0
    assert metrics.mcnemar_exact(only_a, only_b) == pytest.approx(expected, rel=1e-9)


LABELS = np.array([0, 1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.cross_entropy(np.zeros((3, 2)), LABELS), "3 rows of logits but 2 labels"),
        (lambda: metrics.cross_entropy(np.zeros((2, 1)), LABELS), "from 0 to 1; labels must lie from 0 to 0"),
        (lambda: metrics.cross_entropy(np.zeros((0, 2)), LABELS[:0]), "N at least 1"),
        (lambda: metrics.accuracy(LABELS[:0], LABELS[:0]), "N at least 1"),
        (lambda: metrics.accuracy(LABELS, LABELS[:1]), r"y_true is \(2,\) and y_pred \(1,\)"),
        (lambda: metrics.confusion_matrix(LABELS, LABELS[:1], 2), r"y_true is \(2,\) and y_pred \(1,\)"),
        (lambda: metrics.confusion_matrix(LABELS[:0], LABELS[:0], 2), "N at least 1"),
        (lambda: metrics.confusion_matrix(LABELS + 1, LABELS, 2), "y_true runs from 1 to 2"),
        (lambda: metrics.confusion_matrix(LABELS, LABELS - 1, 2), "y_pred runs from -1 to 0"),
        (lambda: metrics.difference_interval(np.array([2]), np.array([1]), 2), "exceed the images"),
        (lambda: metrics.difference_interval(np.array([0]), np.array([0]), 1, 1.0), "confidence is 1.0"),
        (lambda: metrics.wilson_interval(3, 2), "between 0 and the trials"),
        (lambda: metrics.wilson_interval(1, 2, 1.0), "confidence is 1.0"),
        (lambda: metrics.wilson_interval(1, 2, 0.0), "confidence is 0.0"),
        (lambda: metrics.mcnemar_exact(-1, 2), "counts must be at least 0"),
    ],
)
def test_metrics_reject_invalid_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()
