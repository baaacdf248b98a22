"""Losses, counts, intervals and tests, as functions of arrays of labels, predictions and logits.

Labels y_true and y_pred are (N,) whole numbers below K; logits are (N, K). Nothing here knows a data set or a model.

    of logits           softmax, log_softmax, cross_entropies, and their mean cross_entropy
    of predictions      accuracy, confusion_matrix
    of its cells        class_metrics; balanced_accuracy and macro_f1, each with an interval
    of counts           wilson_interval of one share, difference_interval and mcnemar_exact of two models
    of p-values         holm
"""

from math import comb
from statistics import NormalDist
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

Integers = NDArray[np.integer[Any]]
Floats = NDArray[np.floating[Any]]


def softmax(logits: Floats) -> NDArray[np.float64]:
    """Return the probabilities (N, K) that finite `logits` (N, K) stand for; each row sums to 1."""
    shifted = np.asarray(logits, np.float64)
    # Less the largest, so that no exponential overflows; the quotient stays the same.
    exponentials = np.exp(shifted - shifted.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True))


def log_softmax(logits: Floats) -> NDArray[np.float64]:
    """Return the logarithms (N, K) of the probabilities that `logits` (N, K) stand for.

    It is finite even for a probability that is too small for a float, because no probability is computed on the way.
    """
    shifted = np.asarray(logits, np.float64)
    shifted = shifted - shifted.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def cross_entropy(logits: Floats, y_true: Integers) -> float:
    """Return the mean over the images of their `cross_entropies`, in nats.

    Raises:
        ValueError: if there is no image, the lengths differ, or a label is not below K.

    >>> round(cross_entropy(np.zeros((1, 4)), np.array([2])), 6)  # log 4: it knows nothing
    1.386294
    """
    return float(cross_entropies(logits, y_true).mean())


def cross_entropies(logits: Floats, y_true: Integers) -> NDArray[np.float64]:
    """Return (N,), for each image -log(softmax probability of the true class), in nats.

    See `log_softmax`.

    Raises:
        ValueError: if there is no image, the lengths differ, or a label is not below K.
    """
    _check_labels("y_true", y_true, logits.shape[1])
    if len(logits) != len(y_true):
        raise ValueError(
            f"there are {len(logits)} rows of logits but {len(y_true)} labels; there must be one label per row"
        )
    return -log_softmax(logits)[np.arange(len(y_true)), y_true]


def accuracy(y_true: Integers, y_pred: Integers) -> float:
    """Return the fraction of the N images whose predicted label is the true one.

    Raises:
        ValueError: if there is no image or the lengths differ.
    """
    _check_pair(y_true, y_pred)
    return float((y_true == y_pred).mean())


def confusion_matrix(y_true: Integers, y_pred: Integers, num_classes: int) -> NDArray[np.int64]:
    """Return (K, K) int64: how many images of class `row` were predicted as class `column`.

    Raises:
        ValueError: if there is no image, the lengths differ, or a label is not below `num_classes`.

    >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), num_classes=2)
    array([[1, 1],
           [0, 1]])
    """
    _check_pair(y_true, y_pred)
    _check_labels("y_true", y_true, num_classes)
    _check_labels("y_pred", y_pred, num_classes)
    # Cell (row, column) of the matrix is number row · K + column, so one bincount counts all cells.
    cells = y_true.astype(np.int64) * num_classes + y_pred
    return np.bincount(cells, minlength=num_classes**2).astype(np.int64).reshape(num_classes, num_classes)


def class_metrics(
    confusion_matrix: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return each class's precision, recall and F1, (K,) each, from 0 to 1.

    Precision is the fraction of the images predicted as the class that are of it, recall the fraction of its images
    that were found, F1 their harmonic mean. Where there is nothing to divide by (a class that was never predicted, or
    of which there is no image) the value is 0.0, scikit-learn's `zero_division=0`: it then says that nothing was
    measured.

    >>> precision, recall, f1 = class_metrics(np.array([[3, 1], [0, 0]]))
    >>> precision.tolist(), recall.tolist()
    ([1.0, 0.0], [0.75, 0.0])
    """
    correct = np.diagonal(confusion_matrix)
    support, predicted = confusion_matrix.sum(axis=1), confusion_matrix.sum(axis=0)
    return _divide(correct, predicted), _divide(correct, support), _divide(2 * correct, support + predicted)


def balanced_accuracy(confusion_matrix: NDArray[np.int64]) -> tuple[float, tuple[float, float]]:
    """Return the mean recall over the classes that have images, and (low, high), its 95 % interval.

    Each class counts alike, however many images it has, so always predicting the largest class gives 1 / K. The
    interval is Wilson's for as many images as would give one proportion the variance of this mean.

    Source: Brodersen and others 2010 (the value); Korn and Graubard 1998 (an effective number of trials). In
    simulations of 2 to 10 classes with 50 to 10,000 images it covers the truth in 92 to 99 %.

    >>> value, (low, high) = balanced_accuracy(np.array([[90, 10], [1, 3]]))
    >>> f"{value:.4f} [{low:.4f}, {high:.4f}]"
    '0.8250 [0.5440, 0.9491]'
    """
    support = confusion_matrix.sum(axis=1)
    correct, images = np.diagonal(confusion_matrix)[support > 0], support[support > 0]
    value = float((correct / images).mean())
    return value, _compute_wilson_interval(value, _count_effective_images(correct, images))


def student_quantile(freedom: float, confidence: float) -> float:
    """Compute the t that Student's distribution with these degrees of freedom exceeds, in size, with 1 - `confidence`.

    Source: Abramowitz and Stegun 1964, 26.7.5, for 1,000 degrees and more, where it is right to 7 digits.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    if freedom >= 1000:  # as with thousands of test images: loading SciPy takes longer than evaluating
        return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    from scipy.special import stdtrit

    return float(stdtrit(freedom, (1 + confidence) / 2))


def macro_f1(confusion_matrix: NDArray[np.int64]) -> tuple[float, tuple[float, float]]:
    """Return the mean F1 over the classes that have images or predictions, and (low, high), its 95 % interval.

    The interval is found in four steps:

    1. Half a correct and half a wrong prediction are added to each class.
    2. The delta method gives the variance of the mean F1 of this matrix, and Satterthwaite's rule the degrees of
       freedom of that variance.
    3. The interval is Wilson's for as many images as would give one proportion this variance, with Student's t.
    4. Few images of a class make its F1 too low on average, by about F1 (1 - F1) / (images + predictions). The interval
       is moved up by that, and always holds the value.

    In simulations of 10 to 40 classes it covers the truth in 93 to 98 % of cases with 10 images a class or more, in 91
    to 99 % with 5 (benchmarks/metric_claims.py).

    Source: Takahashi, Yamamoto, Kuchiba and Koyama 2022 (the variance); Satterthwaite 1946 (degrees of freedom).

    >>> value, (low, high) = macro_f1(np.array([[90, 10], [1, 3]]))
    >>> f"{value:.4f} [{low:.4f}, {high:.4f}]"
    '0.6477 [0.4111, 0.8365]'
    """
    occurs = confusion_matrix.sum(axis=0) + confusion_matrix.sum(axis=1) > 0
    counts = confusion_matrix[np.ix_(occurs, occurs)]
    support, identity = counts.sum(axis=1), np.eye(len(counts))
    value = float(_compute_f1(counts)[0].mean())
    if len(counts) == 1:  # a single class occurs, so every prediction is correct
        return value, wilson_interval(int(support[0]), int(support[0]))
    # Half a correct prediction, and half a wrong one spread evenly over the other classes. Without them, intervals for
    # classes of 5 to 20 images covered the truth in 76 to 97 % of simulations; with them in 92 to 98 %.
    smoothed = counts + 0.5 * (support > 0)[:, np.newaxis] * (identity + (1 - identity) / (len(counts) - 1))
    variance = _compute_f1_variance(smoothed / smoothed.sum(), int(support.sum()))
    f1, size = _compute_f1(smoothed / smoothed.sum())
    # The bias of each class's F1; size · smoothed.sum() is its images + its predictions.
    bias = f1 * (1 - f1) / size / smoothed.sum()
    # Satterthwaite's rule needs each class's share of the variance. Bias and variance of a class's F1 are both about
    # proportional to F1 (1 - F1) / its images, so the share of the bias stands for it.
    freedom = bias.sum() ** 2 / (bias**2 / np.maximum(support - 1, 1)).sum()
    # Wilson's interval uses z. With (z / t)^2 times the images it is as wide as with Student's t.
    ratio = NormalDist().inv_cdf(0.975) / student_quantile(float(freedom), 0.95)
    images = f1.mean() * (1 - f1.mean()) / variance * ratio**2
    low, high = _compute_wilson_interval(min(value + float(bias.mean()), 1.0), float(images))
    return value, (min(low, value), max(high, value))


def _compute_f1(cells: Integers | Floats) -> tuple[Floats, Floats]:
    """Compute each class's F1, 2 cells[i, i] / size[i], and `size`, the sum of its row and its column."""
    size = np.asarray(cells.sum(axis=0) + cells.sum(axis=1), np.float64)
    return np.asarray(2 * np.diagonal(cells) / size, np.float64), size


def _compute_f1_variance(share: Floats, num_images: int) -> float:
    """Compute the variance of the mean F1 by the delta method; `share` (K, K) are the cells, which sum to 1.

    To first order, the mean F1 is a sum over the images of the slope of the image's cell. So its variance is that of
    one image's slope, Σ share slope² - (Σ share slope)², divided by the images.
    """
    f1, size = _compute_f1(share)
    # The derivative of the mean F1 with respect to the share of each cell. From F1[i] = 2 share[i, i] / size[i] follows
    # d mean / d share[i, j] = (2 [i = j] / size[i] - F1[i] / size[i] - F1[j] / size[j]) / K.
    slope = (2 * np.eye(len(f1)) / size - (f1 / size)[:, np.newaxis] - f1 / size) / len(f1)
    return float((share * slope**2).sum() - (share * slope).sum() ** 2) / num_images


def _count_effective_images(correct: Integers, images: Integers) -> float:
    """Return the number of images for which one proportion has the variance of the mean of `correct` / `images` (K,).

    A proportion p of n images has the variance p (1 - p) / n, here solved for n.

    Half a correct and half a wrong prediction are added to each class (Jeffreys), so that a class with one image, which
    is classified correctly, does not count as one without variance.
    """
    recall = (correct + 0.5) / (images + 1)
    variance = float((recall * (1 - recall) / images).sum()) / len(images) ** 2
    return float(recall.mean() * (1 - recall.mean()) / variance)


def _compute_wilson_interval(value: float, images: float) -> tuple[float, float]:
    low, high = wilson_interval(np.array([value * images]), np.array([images]))
    return float(low[0]), float(high[0])


@overload
def wilson_interval(successes: float, trials: float, confidence: float = 0.95) -> tuple[float, float]: ...
@overload
def wilson_interval(
    successes: Integers | Floats, trials: Integers | Floats, confidence: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...
def wilson_interval(
    successes: float | Integers | Floats, trials: float | Integers | Floats, confidence: float = 0.95
) -> tuple[float, float] | tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (low, high), the Wilson score interval of the probability behind `successes` of `trials`.

    Two numbers give two floats, arrays give two arrays; effective numbers need not be whole. It stays within 0 to 1 and
    is usable for no or all successes, which the normal approximation is not; no trial at all gives (0, 1). It covers
    the noise of a finite number of images, and says nothing about other training seeds or other kinds of images.

    Source: Wilson 1927, without continuity correction.

    Raises:
        ValueError: unless 0 <= successes <= trials and 0 < confidence < 1.

    >>> low, high = wilson_interval(9903, 10000)
    >>> f"{low:.4f} to {high:.4f}"
    '0.9882 to 0.9920'
    """
    k, n = np.broadcast_arrays(np.asarray(successes, np.float64), np.asarray(trials, np.float64))
    if not np.all((k >= 0) & (k <= n)):
        raise ValueError(f"successes are {successes} of trials {trials}; they must lie between 0 and the trials")
    check_confidence(confidence)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    centre = (k + z**2 / 2) / (n + z**2)
    # k (n - k) / n, or 0 if there is no trial.
    spread = np.divide(k * (n - k), n, out=np.zeros(n.shape), where=n > 0)
    half = z * np.sqrt(spread + z**2 / 4) / (n + z**2)
    # The ends are exact where rounding would leave them a hair off: 0 for no success, 1 for no failure.
    low = np.where(k == 0, 0.0, np.maximum(centre - half, 0.0))
    high = np.where(k == n, 1.0, np.minimum(centre + half, 1.0))
    return (float(low), float(high)) if low.ndim == 0 else (low, high)


def mcnemar_exact(only_a: int, only_b: int) -> float:
    """Return the two-sided exact p-value of McNemar's test.

    Of the images that exactly one of two models classifies correctly, model A has `only_a` and model B `only_b`.
    If they were equally good, each such image would fall to either like a fair coin; the p-value is how often coins
    fall at least so unevenly. With no such image it is 1. It compares two trained networks, not two ways of training.

    Source: McNemar 1947, with the binomial distribution in place of its normal approximation.

    Raises:
        ValueError: if a count is negative.

    >>> mcnemar_exact(0, 5)
    0.0625
    """
    if only_a < 0 or only_b < 0:
        raise ValueError(f"only_a is {only_a} and only_b is {only_b}; counts must be at least 0")
    count, fewer = only_a + only_b, min(only_a, only_b)
    if count > 1000:
        from scipy.special import bdtr

        return min(1.0, float(2 * bdtr(fewer, count, 0.5)))
    # Both tails overlap if the counts are equal.
    return min(1.0, 2 * sum(comb(count, number) for number in range(fewer + 1)) / (1 << count))


def difference_interval(
    only_a: Integers, only_b: Integers, num_images: int, confidence: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (low, high), the score interval of the difference between the accuracies of A and B on the same images.

    Of n = `num_images`, A alone is correct on a = `only_a` and B alone on b = `only_b`, arrays of one shape; the
    measured difference is (a - b) / n. The interval holds each difference d for which a - b lies less than z standard
    deviations from its expectation n d. If d is true, the images are of three kinds:

        correct       share of the images    counted     adds to a - b
        A alone       q + d                  a            1
        B alone       q                      b           -1
        both, none    1 - 2 q - d            n - a - b    0

    So the variance of a - b is n (2 q + d - d^2). The likeliest q, where the derivative of
    a log(q + d) + b log(q) + (n - a - b) log(1 - 2 q - d) is 0, is a root of
    2 n q^2 + ((2 n - a + b) d - a - b) q - b d (1 - d) = 0. So the interval is usable where the two differ on no image,
    where the normal approximation has no width. It covers the choice of the images alone.

    Source: Tango 1998, Statistics in Medicine 17, 891-908, without continuity correction; the ends by bisection.

    Raises:
        ValueError: unless there is an image, 0 <= only_a, 0 <= only_b, their sum is at most `num_images`, and
            0 < confidence < 1.

    >>> low, high = difference_interval(np.array([30]), np.array([10]), 1000)
    >>> f"{low[0]:.4f} to {high[0]:.4f}"
    '0.0080 to 0.0336'
    """
    a, b = np.broadcast_arrays(np.asarray(only_a, np.float64), np.asarray(only_b, np.float64))
    if num_images < 1 or not np.all((a >= 0) & (b >= 0) & (a + b <= num_images)):
        raise ValueError(
            f"only_a is {only_a} and only_b {only_b} of {num_images} images; their sum must not exceed the images"
        )
    check_confidence(confidence)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    # The upper end is minus the lower end of B's lead over A.
    return _find_difference_low(a, b, num_images, z), -_find_difference_low(b, a, num_images, z)


def _find_difference_low(a: NDArray[np.float64], b: NDArray[np.float64], n: int, z: float) -> NDArray[np.float64]:
    """Find the lower end of `difference_interval`, between -1 and the difference itself."""
    low, high = np.full(a.shape, -1.0), (a - b) / n
    for _ in range(56):  # halvings from 2 to the last bit of a float
        d = (low + high) / 2
        half = ((2 * n - a + b) * d - a - b) / 2  # half the linear coefficient of the equation for q
        q = (np.sqrt(half**2 + 2 * n * b * d * (1 - d)) - half) / (2 * n)
        variance = np.maximum(n * (2 * q + d * (1 - d)), 0.0)
        is_rejected = a - b - n * d >= z * np.sqrt(variance)  # the test rejects d, so the end lies above it
        low, high = np.where(is_rejected, d, low), np.where(is_rejected, high, d)
    return low


def average_ranks(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return (N,) the ranks of `values` (N,) from 1; equal values share the mean of their ranks.

    >>> average_ranks(np.array([0.5, 0.1, 0.5]))
    array([2.5, 1. , 2.5])
    """
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    # Values that stand `counts` times take the ranks ends - counts + 1 to ends, whose mean is ends - (counts - 1) / 2.
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2)[inverse])


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Return (M,) p-values corrected for being the best of M: the chance of any false finding stays below the level.

    The smallest is multiplied by M, the next by M - 1 and so on; none is smaller than one before it, nor above 1.

    Source: Holm 1979, Scandinavian Journal of Statistics 6, 65-70.

    Raises:
        ValueError: unless they are (M,) numbers from 0 to 1.

    >>> holm([0.01, 0.04, 0.03]).round(6).tolist()
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(p_values, np.float64)
    if values.ndim != 1 or not np.all((values >= 0) & (values <= 1)):
        raise ValueError(f"p_values are {p_values!r:.100}; they must be (M,) numbers from 0 to 1")
    order = np.argsort(values, kind="stable")
    stepped = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    # A larger p-value has a smaller factor; the running maximum keeps its product from being below that of a smaller.
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return adjusted


def check_confidence(confidence: float) -> None:
    """Raise `ValueError` unless `confidence` lies between 0 and 1."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}; it must lie between 0 and 1")


def _divide(numerator: NDArray[np.int64], denominator: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.divide(numerator, denominator, out=np.zeros(numerator.shape), where=denominator > 0)


def _check_pair(y_true: Integers, y_pred: Integers) -> None:
    if y_true.ndim != 1 or y_true.shape != y_pred.shape or not len(y_true):
        raise ValueError(f"y_true is {y_true.shape} and y_pred {y_pred.shape}; both must be (N,) with N at least 1")


def _check_labels(name: str, labels: Integers, num_classes: int) -> None:
    if labels.ndim != 1 or not len(labels):
        raise ValueError(f"{name} is {labels.shape}; it must be (N,) with N at least 1")
    lowest, highest = int(labels.min()), int(labels.max())
    if lowest < 0 or highest >= num_classes:
        raise ValueError(f"{name} runs from {lowest} to {highest}; labels must lie from 0 to {num_classes - 1}")
