"""What a person would check first in a data set: `inspect_dataset` takes both splits to an `Inspection`.

Counts, balance, duplicates, blank images, range, polarity, class images, and what the number
of images cannot tell. Nothing is trained, and nothing is changed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from html import escape
from itertools import chain
from typing import Any

import numpy as np
from msgspec import convert
from numpy.typing import NDArray

from convscope.base.arguments import checked
from convscope.base.packing import Packed, pack_first
from convscope.base.records import Count, Record, Recorded, from_attributes, to_tuple
from convscope.base.tables import clip, html_table, printable, text_table
from convscope.data.datasets import Dataset, Splits
from convscope.data.datasets.records import SplitsRecord
from convscope.data.inspection.balance import Guessing, Resolution, guessing, resolution
from convscope.data.inspection.copies import Copies, CopiesRecord, find_copies
from convscope.data.inspection.duplicates import Member
from convscope.data.inspection.finding import Finding, Measurements
from convscope.data.inspection.findings import find
from convscope.data.inspection.pictures import PicturePlace, PicturesRecord, SmallPictures, shrink
from convscope.data.inspection.scan import scan_classes, scan_split
from convscope.data.inspection.split_facts import FactsRecord, facts_of

LARGEST_PICTURE = 64
"""Pixels a side up to which pictures keep their size; larger ones are shrunk by a whole factor to at most 32."""

_CLASS_IMAGES_BYTES = 3_000_000  # of each, means and variances, as JSON
_PICTURES_BYTES = 4_000_000
_MOST_PICTURE_VALUES = 1 << 22  # of pictures at their own size
_MOST_CLASS_VALUES = 1 << 21  # of class images at their own size
_MOST_BLANK_SHOWN, _MOST_GROUPS_SHOWN, _MOST_MEMBERS_SHOWN = 12, 24, 3
_EXAMPLES = ((12, 6), (200, 3), (1 << 62, 1))  # to how many classes so many first images of each
_MOST_CLASSES_IN_TEXT = 40
_NAME_WIDTH = 40


class ClassImagesRecord(Record, kw_only=True):
    """Mean and variance of the training images of each class with images, (n, H, W, C) packed, as many as have room."""

    labels: tuple[Count, ...]
    means: Packed
    variances: Packed


class InspectedSplits(Record, kw_only=True):
    """What each split holds."""

    train: FactsRecord
    test: FactsRecord


class InspectionRecord(Record, kw_only=True):
    """An inspection; the attributes are those of `Inspection`."""

    name: str
    class_names: tuple[str, ...]
    image_shape: tuple[Count, Count, Count]
    findings: tuple[Finding, ...]
    splits: InspectedSplits
    guessing: Guessing
    resolution: Resolution
    class_resolution: Resolution | None
    copies: CopiesRecord
    class_images: ClassImagesRecord
    examples: tuple[Member, ...]
    blank: tuple[Member, ...]
    pictures: PicturesRecord


class DataInfo(SplitsRecord, kw_only=True):
    """A data set, what is known of it by its name, and what an inspection shows.

    Attributes:
        accuracy: what others have reached.
        page: the path of the page, if one was written.
    """

    title: str | None
    licence: str | None
    source: str | None
    accuracy: str | None
    notes: str | None
    inspection: InspectionRecord
    page: str | None = None


@dataclass(frozen=True, eq=False)
class Inspection(Measurements, Recorded):
    """What a person would check first: the measurements, and what they give reason to say."""

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """What needs a person's eye, the gravest first."""
        return find(self)

    def to_record(self) -> InspectionRecord:
        """Return it as a record: of pictures and class images what has room, some megabytes at most."""
        return from_attributes(
            InspectionRecord,
            self,
            splits=InspectedSplits(train=self.train.to_record(), test=self.test.to_record()),
            class_images=self._class_images(),
            pictures=self.pictures.to_record(_PICTURES_BYTES),
        )

    def __str__(self) -> str:
        facts = text_table(("", "training", "test"), self._facts())
        counts = self.train.class_counts + self.test.class_counts
        shown = self._shown_classes()
        title = "" if len(shown) == len(counts) else f"the {len(shown)} classes with the fewest training images\n"
        classes = title + text_table(("class", "training", "test", "mean value"), self._classes(shown))
        return "\n\n".join([self._findings_text(), facts, classes])

    def _repr_html_(self) -> str:
        found = "".join(
            f"<li><strong>{escape(one.severity)}</strong>: {escape(printable(one.text))} "
            f"{escape(printable(one.next_step))}</li>"
            for one in self.findings
        )
        facts = html_table(("", "training", "test"), self._facts())
        classes = html_table(("class", "training", "test", "mean value"), self._classes(self._shown_classes()))
        return f"<div><ul>{found}</ul>{facts}<details><summary>classes</summary>{classes}</details></div>"

    def _findings_text(self) -> str:
        if not self.findings:
            return "No problems were found."
        return "\n".join(printable(f"{one.severity}: {one.text} {one.next_step}") for one in self.findings)

    def _facts(self) -> Iterator[tuple[str, str, str]]:
        halves = (self.train, self.test)

        def row(name: str, *cells: str) -> tuple[str, str, str]:
            return name, cells[0], cells[1]

        yield row("images", *(f"{half.num_images:,}" for half in halves))
        yield row(
            "classes with images", *(f"{half.balance.num_classes:,} of {len(self.class_names):,}" for half in halves)
        )
        yield row("largest to smallest class", *(f"{half.balance.ratio:.2f}" for half in halves))
        yield row("effective classes", *(f"{half.balance.effective_classes:.2f}" for half in halves))
        yield (
            "accuracy by chance, by majority",
            "",
            f"{_percent(self.guessing.chance)}, {_percent(self.guessing.majority_accuracy)}",
        )
        yield row("identical to an earlier one", *(f"{extra:,}" for extra in self.copies.num_extra))
        yield "identical to a training image", "", f"{self.copies.num_leaked:,}"
        yield "similar to a training image", "", f"{self.copies.num_near_leaked:,}"
        yield row("blank", *(f"{len(half.blank):,}" for half in halves))
        yield row("pixel values", *(f"{half.low} to {half.high}, {len(half.values)} distinct" for half in halves))
        yield row(
            "share of 0, of 255", *(f"{_percent(half.share_black)}, {_percent(half.share_white)}" for half in halves)
        )
        yield row("mean, deviation", *(f"{half.mean:.1f}, {half.deviation:.1f}" for half in halves))
        if self.image_shape[2] >= 3:
            yield row("grey, stored as colour", *(f"{half.num_grey:,}" for half in halves))
        yield row("polarity", *(half.polarity for half in halves))
        yield row(
            "centred", *(f"yes, {h.handwriting.target} pixels long" if h.handwriting.centre else "no" for h in halves)
        )
        low, high = self.resolution.interval
        share = self.resolution.num_right / self.resolution.num_images
        yield f"{_percent(share)} correct could truly be", "", f"{_percent(low)} to {_percent(high)}"

    def _shown_classes(self) -> list[int]:
        order = range(len(self.class_names))
        if len(self.class_names) <= _MOST_CLASSES_IN_TEXT:
            return list(order)
        return sorted(order, key=lambda label: int(self.train.class_counts[label]))[:_MOST_CLASSES_IN_TEXT]

    def _classes(self, labels: list[int]) -> Iterator[tuple[str, ...]]:
        for label in labels:
            mean = self.train.scan.intensity_means[label]
            yield (
                clip(self.class_names[label], _NAME_WIDTH),
                f"{self.train.class_counts[label]:,}",
                f"{self.test.class_counts[label]:,}",
                "" if np.isnan(mean) else f"{mean:.1f}",
            )

    def _class_images(self) -> ClassImagesRecord:
        """Return means and variances, rounded, of the classes with images, as many of the first as have room."""
        labels = np.flatnonzero(self.train.class_counts)
        means, variances = self.class_images.means[labels], self.class_images.variances[labels]
        if means.size > _MOST_CLASS_VALUES or max(means.shape[1:3]) > LARGEST_PICTURE:
            means, variances = _averaged(means), _averaged(variances)
        packed_means = pack_first(np.rint(means).astype(np.uint8), _CLASS_IMAGES_BYTES)
        packed: NDArray[Any] = np.rint(variances).astype("<u2")
        packed_variances = pack_first(packed, _CLASS_IMAGES_BYTES)
        return ClassImagesRecord(
            labels=to_tuple(labels), means=convert(packed_means, Packed), variances=convert(packed_variances, Packed)
        )


@checked
def inspect_dataset(splits: Splits) -> Inspection:
    """Return what a person would check first in a data set.

    The images are read in blocks, so they may lie on a disk; of very many not all are searched for duplicates, and the
    findings say so.

    >>> import numpy as np
    >>> from convscope.data.datasets import Dataset, Splits
    >>> images = (np.arange(4 * 64) ** 2 % 251).astype(np.uint8).reshape(4, 8, 8, 1)
    >>> train = Dataset(images[:3], np.array([0, 1, 1]), ("a", "b"))
    >>> test = Dataset(images[2:], np.array([1, 0]), ("a", "b"), split="test")
    >>> inspect_dataset(Splits(train, test)).findings[0].text
    '1 of 2 test images (50.0 %) are identical to a training image.'
    """
    train_scan, class_images = scan_classes(splits.train)
    test_scan = scan_split(splits.test)
    copies = find_copies(splits, {"train": train_scan.blank, "test": test_scan.blank})
    examples = tuple(_first_of_classes(splits.train))
    blank = tuple(
        Member(split=split, index=int(index), label=int(half.labels[index]))
        for split, half, scan in (("train", splits.train, train_scan), ("test", splits.test, test_scan))
        for index in scan.blank[:_MOST_BLANK_SHOWN]
    )
    in_test = test_scan.class_counts[test_scan.class_counts > 0]
    return Inspection(
        name=splits.name,
        class_names=splits.class_names,
        image_shape=splits.image_shape,
        train=facts_of(splits.train, "train", train_scan),
        test=facts_of(splits.test, "test", test_scan),
        guessing=guessing(train_scan.class_counts, test_scan.class_counts),
        resolution=resolution(test_scan.num_images),
        class_resolution=resolution(int(in_test.min())) if len(in_test) > 1 else None,
        copies=copies,
        class_images=class_images,
        examples=examples,
        blank=blank,
        pictures=_pictures(splits, _places(copies, blank, examples)),
    )


def _places(copies: Copies, blank: tuple[Member, ...], examples: tuple[Member, ...]) -> list[PicturePlace]:
    """Return the images to show: those that stand twice, blank ones, and the first of each class."""
    groups = copies.duplicates.groups[:_MOST_GROUPS_SHOWN]
    twice = chain.from_iterable(group.members[:_MOST_MEMBERS_SHOWN] for group in groups)
    return [(one.split, one.index) for one in chain(twice, blank, examples)]


def _first_of_classes(dataset: Dataset) -> Iterator[Member]:
    """Yield the first images of each class, one of each class before the second of any."""
    number = next(number for most, number in _EXAMPLES if dataset.num_classes <= most)
    order = np.argsort(dataset.labels, kind="stable")
    counts = dataset.class_counts
    starts = np.cumsum(counts) - counts
    for turn in range(number):
        for label in np.flatnonzero(counts > turn).tolist():
            yield Member(split="train", index=int(order[starts[label] + turn]), label=label)


def _pictures(splits: Splits, places: list[PicturePlace]) -> SmallPictures:
    distinct = tuple(dict.fromkeys(places))
    images = [np.asarray((splits.train if split == "train" else splits.test).images[i]) for split, i in distinct]
    small = max(splits.image_shape[:2]) <= LARGEST_PICTURE and len(images) * images[0].size <= _MOST_PICTURE_VALUES
    return SmallPictures(distinct, np.stack(images) if small else shrink(images, splits.image_shape))


def _averaged(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (N, h, w, C), averaged over whole squares so that both sides are at most 32."""
    height, width = images.shape[1:3]
    factor = -(-max(height, width) // 32)
    rows, columns = np.arange(0, height, factor), np.arange(0, width, factor)
    sums = np.add.reduceat(np.add.reduceat(images, rows, axis=1), columns, axis=2)
    tall, wide = np.diff(rows, append=height), np.diff(columns, append=width)
    return np.asarray(sums / (tall[:, None] * wide)[None, :, :, None], np.float32)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
