"""Bootstrap intervals of a calibration's figures, and the errors that chance alone would show.

All figures before and after a temperature come from the same resamples, so their changes have intervals too.
"""

from typing import Any

import numpy as np
from msgspec import UNSET, UnsetType
from numpy.typing import NDArray

from convscope.base.records import Fraction, Interval, Record
from convscope.evidence.calibration.reliability import Binning, bin_edges
from convscope.evidence.calibration.scores import Scores

FIGURES = ("ece_by_width", "ece_by_mass", "brier", "negative_log_likelihood", "aurc")
"""The figures that have an interval, in order: the expected calibration errors (ECE) in bins of equal width and of
equally many images, two losses, and the area under the curve of risk and coverage (AURC)."""

_BINNINGS: tuple[Binning, Binning] = ("width", "mass")
_MAX_DRAWS = 10**8  # images in all resamples, which takes about ten seconds
_BLOCK = 1 << 21  # draws that are in memory at once
_MAX_RESAMPLES, _MIN_RESAMPLES = 1000, 200  # whatever the number of images


class Estimate(Record, kw_only=True):
    """A figure with the ends (low, high) of its 95 % interval."""

    value: float
    interval: Interval


class Chance(Record, kw_only=True):
    """The calibration error that these confidences would show on as many images if each were exactly right.

    Attributes:
        mean: the mean error of such draws.
        low, limit: the 95 % range of such draws; earlier runs lack `low`.
    """

    mean: Fraction
    low: Fraction | UnsetType = UNSET
    limit: Fraction


def count_resamples(num_images: int) -> int:
    """Compute the number of resamples: 1,000, and fewer for more than 100,000 images, down to 200."""
    return int(np.clip(_MAX_DRAWS // num_images, _MIN_RESAMPLES, _MAX_RESAMPLES))


def bootstrap(
    before: Scores, after: Scores, num_bins: int, stream: np.random.Generator
) -> tuple[dict[str, Estimate], dict[str, Estimate], dict[str, Estimate]]:
    """Estimate each of `FIGURES` before, after, and after less before, from `count_resamples` draws of the N images.

    Intervals are basic ("reverse percentile") for the calibration errors, because noise only ever adds to these and a
    resample has the noise twice, and percentile for the others. The bins are those of the original images. A basic
    interval mirrors the resamples at the value: if it is 0.03 and they lie from 0.04 to 0.06, it is 0.00 to 0.02.

    All are estimated together, as a vector of three times five numbers:

        0 ... 4    the five figures before, in the order of `FIGURES`
        5 ... 9    the five figures after
        10 ... 14  their five changes, after less before

    Source: Davison and Hinkley 1997, sections 5.2 and 5.3, through `scipy.stats.bootstrap`.
    """
    # Here and not above: it takes as long to import as all of convscope.
    from scipy import stats

    count = len(before.is_correct)
    statistics = [_Statistic(scores, num_bins) for scores in (before, after)]

    def figures(indices: NDArray[np.int64], axis: int) -> NDArray[np.float64]:
        assert axis == -1, axis  # SciPy gives many resamples at once, a row each
        rows = np.atleast_2d(indices)
        # A resample as weights: how often each image was drawn, as 1 0 2 0 for the images 0, 2, 2. Then all figures
        # are products with matrices.
        weights = np.empty((count, len(rows)))
        for column, row in enumerate(rows):
            weights[:, column] = np.bincount(row, minlength=count)
        first, second = (statistic(weights) for statistic in statistics)
        values = np.concatenate([first, second, second - first])  # (15, resamples)
        return values if indices.ndim == 2 else values[:, 0]

    settings: dict[str, Any] = {"vectorized": True, "batch": max(1, _BLOCK // count), "rng": stream}
    basic = stats.bootstrap(
        (np.arange(count),), figures, n_resamples=count_resamples(count), method="basic", **settings
    )
    # From the same resamples.
    percentile = stats.bootstrap(
        (np.arange(count),), figures, n_resamples=0, bootstrap_result=basic, method="percentile", **settings
    )
    results = dict[str, Estimate](), dict[str, Estimate](), dict[str, Estimate]()  # before, after, changes
    # The values are those of the images as they are, each drawn once; the intervals are at the same index.
    for index, value in enumerate(figures(np.arange(count), -1).tolist()):
        part, name = index // len(FIGURES), FIGURES[index % len(FIGURES)]
        # In simulations, percentile intervals of an ECE hardly ever contained the true value (dev/LOG.md, 2026-11-25).
        is_error = name.startswith("ece")
        interval = (basic if is_error else percentile).confidence_interval
        low, high = float(interval.low[index]), float(interval.high[index])
        if is_error and part < 2:  # an error is never negative, but its change may be
            low, high = max(low, 0.0), max(high, 0.0)
        results[part][name] = Estimate(value=value, interval=(low, high))
    return results


def chance_errors(scores: Scores, num_bins: int, stream: np.random.Generator) -> tuple[Chance, Chance, Interval]:
    """Simulate the calibration errors, by width and by mass, of a network whose confidences are exact.

    In each of `count_resamples` draws, an image is correct with the probability of its confidence. The third result is
    the 97.5 % range of the accuracy of these draws. Outside it are 2.5 % of the draws, and 2.5 % are above the `limit`
    of an error, so that a calibrated network fails one of the two tests in at most 5 %.

    Source: Bröcker and Smith 2007, consistency resampling, here of the error and not of the bins.
    """
    count = len(scores.is_correct)
    # (num_bins, N), 1 where the image is in the bin: `mask @ hits` are the correct images of each bin.
    masks = [_bin_matrix(scores.confidence, num_bins, binning, np.ones(count)) for binning in _BINNINGS]
    expected = [mask @ scores.confidence for mask in masks]
    draws = list[NDArray[np.float64]]()  # (3, rows) each: both errors and the accuracy
    num_left = count_resamples(count)
    while num_left:
        rows = min(num_left, max(1, _BLOCK // count))
        hits = (stream.random((rows, count)) < scores.confidence).astype(np.float64).T
        # Per bin |correct images - sum of confidences|, summed over the bins; divided by N it is the error.
        gaps = [np.abs(mask @ hits - mean[:, None]).sum(axis=0) for mask, mean in zip(masks, expected, strict=True)]
        draws.append(np.stack([*gaps, hits.sum(axis=0)]) / count)
        num_left -= rows
    figures = np.concatenate(draws, axis=1)
    ends = [(float(row.mean()), *np.quantile(row, (0.025, 0.975)).tolist()) for row in figures[:2]]
    width, mass = (Chance(mean=mean, low=low, limit=limit) for mean, low, limit in ends)
    low, high = np.quantile(figures[2], (0.0125, 0.9875)).tolist()
    return width, mass, (low, high)


class _Statistic:
    """The five `FIGURES` of R resamples, (5, R), computed from weights (N, R): how often each image was drawn."""

    def __init__(self, scores: Scores, num_bins: int) -> None:
        gaps = scores.is_correct - scores.confidence
        self.bins = [_bin_matrix(scores.confidence, num_bins, binning, gaps) for binning in _BINNINGS]
        self.means = _sparse(np.stack([scores.brier, scores.negative_log_likelihood]))
        self.order = np.argsort(scores.doubt, kind="stable")
        self.wrong = (~scores.is_correct[self.order]).astype(np.float64)

    def __call__(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        count = len(weights)
        errors = [np.abs(matrix @ weights).sum(axis=0) / count for matrix in self.bins]
        # By rising doubt: if the images up to n are accepted and the others refused, risk n is wrong / accepted. AURC
        # is the mean of the risks, in which an image that was drawn w times counts w times: of the weights 2 0 1, with
        # only the last image wrong, accepted is 2 2 3, wrong 0 0 1, and AURC (2 · 0 + 0 · 0 + 1 · 1/3) / 3.
        ordered = weights[self.order]
        accepted = np.maximum(ordered.cumsum(axis=0), 1)
        wrong = (ordered * self.wrong[:, None]).cumsum(axis=0)
        aurc = (ordered * wrong / accepted).sum(axis=0) / count
        return np.stack([*errors, *(self.means @ weights / count), aurc])


def _bin_matrix(confidence: NDArray[np.float64], num_bins: int, binning: Binning, values: NDArray[np.float64]) -> Any:
    """Make the sparse (num_bins, N) matrix with each image's value in the row of its bin."""
    bins = np.searchsorted(bin_edges(confidence, num_bins, binning), confidence)
    return _sparse((values, (bins, np.arange(len(confidence)))), (num_bins, len(confidence)))


def _sparse(values: Any, shape: tuple[int, int] | None = None) -> Any:
    """Make a sparse matrix: its products are summed in a fixed order, while BLAS's order depends on the threads."""
    from scipy.sparse import csr_array

    return csr_array(values, shape=shape)
