"""Measure the images of a split in a pass over blocks, of which one is in memory at a time."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convscope.base.records import Byte, Count, NonNegative, Record, to_tuple
from convscope.data.datasets import Dataset
from convscope.data.datasets.disk.images import blocks
from convscope.data.handwriting import Handwriting

_MAX_BLANK = 200  # blank images that the record lists
_EVEN_BORDER = 0.95  # as in `convscope.data.handwriting`
_NEAR_END = 16  # grey levels that count as black or white ground, as there

Integers = NDArray[np.int64]


class PixelFacts(Record, kw_only=True):
    """The values of a split's pixels.

    Attributes:
        num_values: different values.
    """

    low: Byte
    high: Byte
    num_values: Count


class Balance(Record, kw_only=True):
    """The distribution of a split's images over the classes.

    Attributes:
        num_classes: classes with at least one image.
        missing: labels of the classes without one.
        smallest, largest: labels of the classes with the fewest (of those with any) and the most images.
        ratio: images of the largest class to images of the smallest.
    """

    num_classes: Count
    missing: tuple[Count, ...]
    smallest: Count
    largest: Count
    smallest_count: Count
    largest_count: Count
    ratio: NonNegative


class SplitFacts(Record, kw_only=True):
    """The content of a split.

    Attributes:
        class_counts: (K,) images of each class.
        blank: the first 200 of `num_blank` images, each of whose channels has a single value.
        blank_files: their files, if images have files of their own.
        num_grey: images whose colour channels are equal; 0 if there are fewer than three.
        polarity: "light ink on dark", "dark ink on light" or "uneven background".
        num_light_ground: images whose border has a mean of at least 128.
    """

    num_images: Count
    class_counts: tuple[Count, ...]
    balance: Balance
    pixels: PixelFacts
    num_blank: Count
    blank: tuple[Count, ...]
    blank_files: tuple[str, ...]
    num_grey: Count
    polarity: str
    num_light_ground: Count


class InspectedSplits(Record, kw_only=True):
    """The content of each split."""

    train: SplitFacts
    test: SplitFacts


@dataclass(frozen=True, eq=False)
class Scan:
    """The counts of one pass over a split.

    Attributes:
        histogram: (C, 256), the number of pixels with each value in each channel.
        blank: (n,), the images each of whose channels has a single value.
        num_grey, num_light_ground: see `SplitFacts`.
        border_near_ends: share of all border values within 16 levels of 0 or 255.
    """

    histogram: Integers
    blank: Integers
    num_grey: int
    num_light_ground: int
    border_near_ends: float


def scan_split(dataset: Dataset) -> Scan:
    """Count values, blank, grey and light images in a pass over a split."""
    height, width, channels = dataset.image_shape
    histogram = np.zeros((channels, 256), np.int64)
    blank = list[Integers]()
    num_grey = num_light = near_ends = num_border = start = 0
    # The last of two or four channels is alpha, which is no colour.
    num_colours = channels if channels in (1, 3) else max(1, channels - 1)
    is_border = np.ones((height, width), bool)
    # A frame one pixel wide.
    is_border[1:-1, 1:-1] = False
    for images in blocks(dataset.images):
        # Channel by channel, each contiguous in memory.
        planes = [np.ascontiguousarray(images[..., c]).reshape(len(images), -1) for c in range(channels)]
        is_blank = np.ones(len(images), bool)
        for channel, values in enumerate(planes):
            histogram[channel] += np.bincount(values.reshape(-1), minlength=256)
            # Blank is one value in each channel, and not one over all channels: a red image is blank too.
            is_blank &= values.min(axis=1) == values.max(axis=1)
        blank.append(np.flatnonzero(is_blank) + start)
        if channels >= 3:
            num_grey += int(((planes[0] == planes[1]) & (planes[0] == planes[2])).all(axis=1).sum())
        border = images[:, is_border][..., :num_colours]  # (n, pixels of the frame, colours)
        num_light += int((border.mean(axis=(1, 2)) >= 128).sum())
        near_ends += int(np.count_nonzero((border < _NEAR_END) | (border > 255 - _NEAR_END)))
        num_border += border.size
        start += len(images)
    return Scan(histogram, np.concatenate(blank), num_grey, num_light, near_ends / num_border)


def facts_of(dataset: Dataset, scan: Scan) -> SplitFacts:
    """Build the record of a split from its scan."""
    return SplitFacts(
        num_images=len(dataset),
        class_counts=to_tuple(dataset.class_counts),
        balance=_balance(dataset.class_counts),
        pixels=_pixels(scan.histogram.sum(axis=0)),
        num_blank=len(scan.blank),
        blank=to_tuple(scan.blank[:_MAX_BLANK]),
        blank_files=tuple(dataset.files[index] for index in scan.blank[:_MAX_BLANK]) if dataset.files else (),
        num_grey=scan.num_grey,
        polarity=_polarity(dataset.handwriting, scan.border_near_ends),
        num_light_ground=scan.num_light_ground,
    )


def _balance(class_counts: Integers) -> Balance:
    """Measure the balance of counts (K,), at least one of which is above zero."""
    present = np.flatnonzero(class_counts)
    counts = class_counts[present]
    smallest, largest = present[counts.argmin()], present[counts.argmax()]
    return Balance(
        num_classes=len(present),
        missing=tuple(np.flatnonzero(class_counts == 0).tolist()),
        smallest=int(smallest),
        largest=int(largest),
        smallest_count=int(counts.min()),
        largest_count=int(counts.max()),
        ratio=float(counts.max() / counts.min()),
    )


def _pixels(histogram: Integers) -> PixelFacts:
    values = np.flatnonzero(histogram)
    return PixelFacts(low=int(values[0]), high=int(values[-1]), num_values=len(values))


def _polarity(handwriting: Handwriting, border_near_ends: float) -> str:
    if not handwriting.centre and border_near_ends < _EVEN_BORDER:
        return "uneven background"
    return "light ink on dark" if handwriting.ink == "light" else "dark ink on light"
