"""One pass over the images of a split, in blocks: what can be counted and summed without holding them all.

`images` may be any array that gives slices of itself, such as one on a disk: never more than a block of it is held.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.data.datasets import Dataset
from convscope.data.datasets.disk.images import blocks
from convscope.data.inspection.pictures import shrink

MOST_CLASS_VALUES = 1 << 24
"""Beyond so many values in all class images, they are taken of images shrunk to at most 32 pixels a side."""

_NEAR_END = 16  # grey levels that count as black or white ground, as in `convscope.data.handwriting`

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Scan:
    """What one pass over a split counted.

    Attributes:
        class_counts: (K,) images of each class.
        histogram: (C, 256) how often each value stands in each channel.
        blank: (n,) the images of which every channel has one value throughout.
        num_grey: images whose colour channels are equal; 0 where there are not three of them.
        num_light_ground: images whose border has a mean of at least 128.
        border_near_ends: share of all border values within 16 levels of 0 or 255.
        intensity_means: (K,) of the images' mean values; NaN for a class without images.
        intensity_variances: (K,) of the same, with n - 1 as divisor; NaN for fewer than two images.
    """

    split: str
    num_images: int
    class_counts: Integers
    histogram: Integers
    blank: Integers
    num_grey: int
    num_light_ground: int
    border_near_ends: float
    intensity_means: Floats
    intensity_variances: Floats


@dataclass(frozen=True, eq=False)
class ClassImages:
    """The mean and the variance of each pixel over the training images of a class.

    Attributes:
        means: (K, H, W, C) float32, 0 to 255; NaN for a class without images.
        variances: (K, H, W, C) float32, with n as divisor; NaN for a class without images.
        factor: by which the images were shrunk before; 1 unless there are very many values.
    """

    means: NDArray[np.float32]
    variances: NDArray[np.float32]
    factor: int


def scan_split(dataset: Dataset) -> Scan:
    """Return what a pass over a split counts."""
    return _Pass(dataset, with_class_images=False).scan


def scan_classes(dataset: Dataset) -> tuple[Scan, ClassImages]:
    """Return what a pass over a split counts, and its class images."""
    whole = _Pass(dataset, with_class_images=True)
    return whole.scan, whole.class_images()


class _Pass:
    """The sums of one pass, all of them whole numbers, so that the order of the images cannot matter."""

    def __init__(self, dataset: Dataset, *, with_class_images: bool) -> None:
        height, width, channels = shape = dataset.image_shape
        self._classes = dataset.num_classes
        self._factor = 1
        if dataset.num_classes * height * width * channels > MOST_CLASS_VALUES:
            self._factor = -(-max(height, width) // 32)
        small = (-(-height // self._factor), -(-width // self._factor), channels)
        self._small = small
        sums_shape = (self._classes if with_class_images else 0, small[0] * small[1] * small[2])
        self._sums, self._squares = np.zeros(sums_shape, np.uint64), np.zeros(sums_shape, np.uint64)
        histogram = np.zeros((channels, 256), np.int64)
        totals = np.zeros(len(dataset), np.int64)
        blank = list[Integers]()
        num_grey = num_light = near_ends = num_border = 0
        is_border = np.ones((height, width), bool)
        is_border[1:-1, 1:-1] = False
        start = 0
        for images in blocks(dataset.images):
            planes = [np.ascontiguousarray(images[..., c]).reshape(len(images), -1) for c in range(channels)]
            is_blank = np.ones(len(images), bool)
            for channel, values in enumerate(planes):
                histogram[channel] += np.bincount(values.reshape(-1), minlength=256)
                totals[start : start + len(images)] += values.sum(axis=1, dtype=np.int64)
                is_blank &= values.min(axis=1) == values.max(axis=1)
            blank.append(np.flatnonzero(is_blank) + start)
            if channels >= 3:
                num_grey += int(((planes[0] == planes[1]) & (planes[0] == planes[2])).all(axis=1).sum())
            border = images[:, is_border][..., : channels if channels in (1, 3) else max(1, channels - 1)]
            num_light += int((border.mean(axis=(1, 2)) >= 128).sum())
            near_ends += int(np.count_nonzero((border < _NEAR_END) | (border > 255 - _NEAR_END)))
            num_border += border.size
            if with_class_images:
                self._add(images, dataset.labels[start : start + len(images)], shape)
            start += len(images)
        self._counts = dataset.class_counts
        means, variances = _by_class(totals / (height * width * channels), dataset.labels, self._counts)
        self.scan = Scan(
            split=dataset.split,
            num_images=len(dataset),
            class_counts=self._counts,
            histogram=histogram,
            blank=np.concatenate(blank),
            num_grey=num_grey,
            num_light_ground=num_light,
            border_near_ends=near_ends / num_border,
            intensity_means=means,
            intensity_variances=variances,
        )

    def _add(self, images: NDArray[np.uint8], labels: NDArray[Any], shape: tuple[int, int, int]) -> None:
        if self._factor > 1:
            images = shrink(list(images), shape)
        rows = images.reshape(len(images), -1)
        order = np.argsort(labels, kind="stable")
        starts = np.flatnonzero(np.diff(labels[order].astype(np.int64), prepend=-1))
        for members in np.split(order, starts[1:]):  # a class at a time: several times as fast as reduceat
            label = labels[members[0]]
            values = rows[members].astype(np.uint32)
            self._sums[label] += values.sum(axis=0, dtype=np.uint64)
            values *= values
            self._squares[label] += values.sum(axis=0, dtype=np.uint64)

    def class_images(self) -> ClassImages:
        counts = np.where(self._counts > 0, self._counts, 1)
        means = np.empty(self._sums.shape, np.float32)
        variances = np.empty(self._sums.shape, np.float32)
        for label in range(self._classes):  # one at a time: all of them as float64 may not fit
            if self._counts[label] == 0:
                means[label] = variances[label] = np.nan
                continue
            mean = self._sums[label] / counts[label]
            means[label] = mean
            variances[label] = np.maximum(self._squares[label] / counts[label] - mean**2, 0)
        shape = (self._classes, *self._small)
        return ClassImages(means.reshape(shape), variances.reshape(shape), self._factor)


def _by_class(values: Floats, labels: NDArray[Any], counts: Integers) -> tuple[Floats, Floats]:
    """Return (K,) means and variances of `values` (N,), NaN where there are too few."""
    some, several = np.maximum(counts, 1), np.maximum(counts - 1, 1)
    means = np.bincount(labels, values, len(counts)) / some
    variances = np.bincount(labels, (values - means[labels]) ** 2, len(counts)) / several
    return np.where(counts > 0, means, np.nan), np.where(counts > 1, variances, np.nan)
