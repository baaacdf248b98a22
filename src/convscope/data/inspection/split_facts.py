"""What one split holds, in numbers: what a pass over it counted, and what follows from that."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from convscope.base.records import Byte, Count, Fraction, NonNegative, Record, from_attributes, to_tuple
from convscope.data.datasets import Dataset
from convscope.data.handwriting import Handwriting
from convscope.data.inspection.balance import Balance, balance
from convscope.data.inspection.scan import Scan

_MOST_BLANK_IN_RECORD = 200
_EVEN_BORDER = 0.95  # as in `convscope.data.handwriting`
_SPLIT_NAMES = {"train": "training", "test": "test"}


class PixelsRecord(Record, kw_only=True):
    """The values of a split's pixels; the attributes are those of `SplitFacts`."""

    low: Byte
    high: Byte
    num_values: Count
    share_black: Fraction
    share_white: Fraction
    mean: NonNegative
    deviation: NonNegative
    histogram: tuple[Count, ...]


class FactsRecord(Record, kw_only=True):
    """What one split holds; the attributes are those of `SplitFacts`, its scan and its handwriting.

    Attributes:
        blank: the first 200 blank images.
        centred: whether each image holds one thing, sized and centred on an even ground.
        intensity_means: of each class; None without images.
    """

    num_images: Count
    class_counts: tuple[Count, ...]
    balance: Balance
    pixels: PixelsRecord
    num_blank: Count
    blank: tuple[Count, ...]
    num_grey: Count
    polarity: str
    num_light_ground: Count
    centred: bool
    target: Count
    intensity_means: tuple[float | None, ...]


@dataclass(frozen=True, eq=False)
class SplitFacts:
    """What one split holds.

    Attributes:
        split: "train" or "test".
        scan: what was counted.
        handwriting: how an image like these is made from a photo.
    """

    split: str
    scan: Scan = field(repr=False)
    handwriting: Handwriting
    balance: Balance

    @property
    def name(self) -> str:
        """ "training" or "test"."""
        return _SPLIT_NAMES.get(self.split, self.split)

    @property
    def num_images(self) -> int:
        return self.scan.num_images

    @property
    def class_counts(self) -> NDArray[np.int64]:
        return self.scan.class_counts

    @property
    def blank(self) -> NDArray[np.int64]:
        """(n,) the images that have one value throughout."""
        return self.scan.blank

    @property
    def num_grey(self) -> int:
        return self.scan.num_grey

    @property
    def num_light_ground(self) -> int:
        return self.scan.num_light_ground

    @cached_property
    def histogram(self) -> NDArray[np.int64]:
        """(256,) how often each value stands in any channel."""
        return np.asarray(self.scan.histogram.sum(axis=0), np.int64)

    @property
    def values(self) -> list[int]:
        """The values that occur."""
        return [int(value) for value in np.flatnonzero(self.histogram)]

    @property
    def low(self) -> int:
        return self.values[0]

    @property
    def high(self) -> int:
        return self.values[-1]

    @property
    def share_black(self) -> float:
        """Share of the values that are 0."""
        return float(self.histogram[0] / self.histogram.sum())

    @property
    def share_white(self) -> float:
        """Share of the values that are 255."""
        return float(self.histogram[255] / self.histogram.sum())

    @property
    def mean(self) -> float:
        return float(self.histogram @ np.arange(256) / self.histogram.sum())

    @property
    def deviation(self) -> float:
        """The standard deviation of all values."""
        return float(np.sqrt(max(self.histogram @ np.arange(256) ** 2 / self.histogram.sum() - self.mean**2, 0)))

    @property
    def polarity(self) -> str:
        """ "light ink on dark", "dark ink on light" or "uneven background"."""
        if not self.handwriting.centre and self.scan.border_near_ends < _EVEN_BORDER:
            return "uneven background"
        return "light ink on dark" if self.handwriting.ink == "light" else "dark ink on light"

    def to_record(self) -> FactsRecord:
        """Return the facts with the first 200 blank images."""
        counts = self.scan.class_counts
        means = (None if counts[k] == 0 else float(mean) for k, mean in enumerate(self.scan.intensity_means))
        return from_attributes(
            FactsRecord,
            self,
            pixels=from_attributes(PixelsRecord, self, num_values=len(self.values)),
            num_blank=len(self.blank),
            blank=to_tuple(self.blank[:_MOST_BLANK_IN_RECORD]),
            centred=self.handwriting.centre,
            target=self.handwriting.target,
            intensity_means=tuple(means),
        )


def facts_of(dataset: Dataset, split: str, scan: Scan) -> SplitFacts:
    """Return the facts of a split called `split`, of which `scan` was counted."""
    return SplitFacts(split, scan, dataset.handwriting, balance(scan.class_counts))
