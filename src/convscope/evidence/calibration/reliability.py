"""The reliability diagram: images in bins by how sure the network is, and how often each bin is right."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from convscope.base.metrics import wilson_interval

Binning = Literal["width", "mass"]
"""Bins of equal width in confidence, or of equally many images."""


@dataclass(frozen=True, eq=False)
class Reliability:
    """How often the answers of each bin are right, and how often the network says they are.

    Attributes:
        num_bins: how many were asked for; the arrays (B,) below hold those with an image, least sure first.
        low, high: the bounds of each bin's confidences; an image on a bound is in the lower bin.
        num_images: in each bin.
        confidence, accuracy: the mean of each bin.
        accuracy_low, accuracy_high: the ends of the 95 % Wilson interval of its accuracy.
    """

    binning: Binning
    num_bins: int
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    num_images: NDArray[np.int64]
    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    accuracy_low: NDArray[np.float64]
    accuracy_high: NDArray[np.float64]

    @property
    def ece(self) -> float:
        """The expected calibration error: |accuracy - confidence| of the bins, weighted by their images."""
        gaps = np.abs(self.accuracy - self.confidence)
        return float((self.num_images * gaps).sum() / self.num_images.sum())

    @property
    def mce(self) -> float:
        """The maximum calibration error: the largest |accuracy - confidence|, often that of a bin of a few images."""
        return float(np.abs(self.accuracy - self.confidence).max())

    @property
    def mce_num_images(self) -> int:
        """How many images the bin of `mce` has."""
        return int(self.num_images[np.abs(self.accuracy - self.confidence).argmax()])

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain JSON."""
        names = ("low", "high", "num_images", "confidence", "accuracy", "accuracy_low", "accuracy_high")
        return {
            "binning": self.binning,
            "num_bins": self.num_bins,
            **{name: getattr(self, name).tolist() for name in names},
            "ece": self.ece,
            "mce": self.mce,
            "mce_num_images": self.mce_num_images,
        }


def measure_reliability(
    confidence: NDArray[np.float64], right: NDArray[np.bool_], num_bins: int = 15, binning: Binning = "width"
) -> Reliability:
    """Return how often the answers in each bin of confidence (N,) are right (N,).

    The more bins, the more of the error is noise of the bins, which only adds to it: read no error without its bins.
    Of equal widths, most bins of a good network are nearly empty; of equal masses, none is, but equal confidences stay
    in one bin, so there may be fewer.

    Source: Guo and others 2017, section 2, equations 2, 3 and 5; error by Naeini, Cooper and Hauskrecht 2015, who bin
    by mass.

    Raises:
        ValueError: if the lengths differ, there is no image, a confidence is not from 0 to 1, `num_bins` is not from 1
            to 1000, or the binning is unknown.

    >>> measured = measure_reliability(np.array([0.55, 0.95, 0.95, 0.95]), np.array([True, True, True, False]), 10)
    >>> measured.num_images.tolist(), measured.accuracy.round(3).tolist(), round(measured.ece, 4)
    ([1, 3], [1.0, 0.667], 0.325)
    """
    if confidence.ndim != 1 or confidence.shape != right.shape or not len(confidence):
        raise ValueError(f"confidence is {confidence.shape} and right {right.shape}; both must be (N,), N at least 1")
    if not (confidence.min() >= 0 and confidence.max() <= 1):
        raise ValueError(f"confidence runs from {confidence.min()} to {confidence.max()}; it must lie from 0 to 1")
    check_bins(num_bins)
    if binning not in get_args(Binning):
        raise ValueError(f"binning is {binning!r}; it must be one of {', '.join(get_args(Binning))}")
    edges = bin_edges(confidence, num_bins, binning)
    place = np.searchsorted(edges, confidence)
    counts = np.bincount(place, minlength=num_bins)
    kept = np.flatnonzero(counts)
    right_counts = np.bincount(place[right], minlength=num_bins)[kept]
    images = counts[kept].astype(np.int64)
    outer = (0.0, 1.0) if binning == "width" else (confidence.min(), confidence.max())
    bounds = np.concatenate([outer[:1], edges, outer[1:]])
    low, high = wilson_interval(right_counts, images)
    return Reliability(
        binning=binning,
        num_bins=num_bins,
        low=bounds[kept],
        high=bounds[kept + 1],
        num_images=images,
        confidence=np.bincount(place, weights=confidence, minlength=num_bins)[kept] / images,
        accuracy=right_counts / images,
        accuracy_low=low,
        accuracy_high=high,
    )


def bin_edges(confidence: NDArray[np.float64], num_bins: int, binning: Binning) -> NDArray[np.float64]:
    """Return the (num_bins - 1,) inner bounds of the bins; `np.searchsorted(edges, confidence)` gives each its bin."""
    if binning == "width":
        return width_edges(num_bins)
    return np.asarray(np.quantile(confidence, np.arange(1, num_bins) / num_bins))


def width_edges(num_bins: int) -> NDArray[np.float64]:
    """Return the (num_bins - 1,) inner bounds of bins of equal width from 0 to 1."""
    return np.linspace(0, 1, num_bins + 1)[1:-1]


def check_bins(num_bins: int) -> None:
    """Raise `ValueError` unless `num_bins` is from 1 to 1000."""
    if not 1 <= num_bins <= 1000:
        raise ValueError(f"num_bins is {num_bins}; it must be from 1 to 1000")
