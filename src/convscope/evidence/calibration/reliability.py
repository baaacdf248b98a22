"""The reliability diagram: the accuracy of images in bins of confidence.

If 200 images have confidences from 0.9 to 1, 0.95 on average, and 180 are correct, this bin is 0.05 overconfident. The
calibration error is the mean of such gaps, weighted by the images of the bins.
"""

from typing import Annotated, Literal, get_args

import numpy as np
from msgspec import UNSET, Meta, UnsetType
from numpy.typing import NDArray

from convscope.base.metrics import wilson_interval
from convscope.base.records import Fraction, Positive, Record, to_tuple
from convscope.evidence.records import check_lengths

Binning = Literal["width", "mass"]
"""Bins of equal width in confidence, or of equally many images."""


NumBins = Annotated[int, Meta(ge=1, le=1000)]


class Reliability(Record, kw_only=True):
    """The accuracy and the mean confidence of the images in each bin.

    Attributes:
        num_bins: the number of bins, with empty ones; the values below are of bins with images, by rising confidence.
        low, high: the bounds of each bin's confidences; an image on a bound is in the lower bin.
        num_images: the number of images in each bin.
        confidence, accuracy: the mean of each bin.
        accuracy_low, accuracy_high: the ends of the 95 % Wilson interval of its accuracy.
        ece: the expected calibration error: the mean of |accuracy - confidence|, weighted by images.
        mce, mce_num_images: measures of earlier versions; they are not shown.
    """

    binning: Binning
    num_bins: NumBins
    low: tuple[Fraction, ...]
    high: tuple[Fraction, ...]
    num_images: Annotated[tuple[Positive, ...], Meta(min_length=1)]
    confidence: tuple[Fraction, ...]
    accuracy: tuple[Fraction, ...]
    accuracy_low: tuple[Fraction, ...]
    accuracy_high: tuple[Fraction, ...]
    ece: Fraction
    mce: Fraction | UnsetType = UNSET
    mce_num_images: Positive | UnsetType = UNSET

    def __post_init__(self) -> None:
        names = ("num_images", "low", "high", "confidence", "accuracy", "accuracy_low", "accuracy_high")
        check_lengths(**{name: getattr(self, name) for name in names})


def measure_reliability(
    confidence: NDArray[np.float64], is_correct: NDArray[np.bool_], num_bins: int = 15, binning: Binning = "width"
) -> Reliability:
    """Measure the accuracy in bins of confidence (N,), from the flags (N,) of correct predictions.

    Noise only adds to the error, and more bins have more noise: never quote an error without its bins. With equal
    widths, most bins of a good network are nearly empty. With equal masses none is, but equal confidences stay in a
    bin, so there may be fewer bins.

    Source: Guo and others 2017, section 2, equations 2, 3 and 5; error by Naeini, Cooper and Hauskrecht 2015, who bin
    by mass.

    Raises:
        ValueError: if the lengths differ, there is no image, a confidence is not from 0 to 1, `num_bins` is not from 1
            to 1000, or the binning is unknown.

    >>> measured = measure_reliability(np.array([0.55, 0.95, 0.95, 0.95]), np.array([True, True, True, False]), 10)
    >>> measured.num_images, measured.accuracy[0], round(measured.ece, 4)
    ((1, 3), 1.0, 0.325)
    """
    if confidence.ndim != 1 or confidence.shape != is_correct.shape or not len(confidence):
        raise ValueError(
            f"confidence is {confidence.shape}, is_correct {is_correct.shape}; both must be (N,), N at least 1"
        )
    if not (confidence.min() >= 0 and confidence.max() <= 1):
        raise ValueError(f"confidence runs from {confidence.min()} to {confidence.max()}; it must lie from 0 to 1")
    check_bins(num_bins)
    if binning not in get_args(Binning):
        raise ValueError(f"binning is {binning!r}; it must be one of {', '.join(get_args(Binning))}")
    edges = bin_edges(confidence, num_bins, binning)
    # A confidence equal to an edge is in the bin below it.
    bins = np.searchsorted(edges, confidence)
    counts = np.bincount(bins, minlength=num_bins)
    # Empty bins have no accuracy, and add nothing to the error.
    kept = np.flatnonzero(counts)
    correct_counts = np.bincount(bins[is_correct], minlength=num_bins)[kept]
    images = counts[kept].astype(np.int64)
    # Bins of equal size begin and end at the extreme confidences.
    outer = (0.0, 1.0) if binning == "width" else (confidence.min(), confidence.max())
    bounds = np.concatenate([outer[:1], edges, outer[1:]])  # bin i lies between the bounds i and i + 1
    low, high = wilson_interval(correct_counts, images)
    means = np.bincount(bins, weights=confidence, minlength=num_bins)[kept] / images
    accuracy = correct_counts / images
    return Reliability(
        binning=binning,
        num_bins=num_bins,
        low=to_tuple(bounds[kept]),
        high=to_tuple(bounds[kept + 1]),
        num_images=to_tuple(images),
        confidence=to_tuple(means),
        accuracy=to_tuple(accuracy),
        accuracy_low=to_tuple(low),
        accuracy_high=to_tuple(high),
        # Σ images/N · |accuracy - confidence| (Naeini et al. 2015).
        ece=float((images * np.abs(accuracy - means)).sum() / images.sum()),
    )


def bin_edges(confidence: NDArray[np.float64], num_bins: int, binning: Binning) -> NDArray[np.float64]:
    """Compute the (num_bins - 1,) inner bounds of the bins; `np.searchsorted(edges, confidence)` numbers the bins."""
    if binning == "width":
        return np.linspace(0, 1, num_bins + 1)[1:-1]
    return np.asarray(np.quantile(confidence, np.arange(1, num_bins) / num_bins))


def check_bins(num_bins: int) -> None:
    """Raise `ValueError` unless `num_bins` is from 1 to 1000."""
    if not 1 <= num_bins <= 1000:
        raise ValueError(f"num_bins is {num_bins}; it must be from 1 to 1000")
