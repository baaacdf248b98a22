"""What a person would check first in a data set: `inspect_dataset` takes both splits to an `Inspection`.

Counts, balance, duplicates, blank images, range, polarity, and what the number of images cannot tell. Nothing is
trained, and nothing is changed.
"""

from collections.abc import Iterator
from html import escape
from itertools import chain

import numpy as np
from msgspec import structs

from convscope.base.arguments import checked
from convscope.base.tables import clip, html_table, printable, text_table
from convscope.data.datasets import Dataset, Splits
from convscope.data.datasets.records import SplitsRecord
from convscope.data.inspection.balance import guessing, resolution
from convscope.data.inspection.copies import Copies, find_copies
from convscope.data.inspection.duplicates import Member
from convscope.data.inspection.finding import Finding, Measurements
from convscope.data.inspection.findings import find
from convscope.data.inspection.pictures import PicturePlace, take_pictures
from convscope.data.inspection.split_facts import InspectedSplits, facts_of, scan_split

LARGEST_PICTURE = 64
"""Pixels a side up to which pictures keep their size; larger ones are shrunk by a whole factor to at most 32."""

_PICTURES_BYTES = 4_000_000
_MOST_BLANK_SHOWN, _MOST_GROUPS_SHOWN, _MOST_MEMBERS_SHOWN = 12, 24, 3
_EXAMPLES = ((12, 6), (200, 3), (1 << 62, 1))  # to how many classes so many first images of each
_MOST_CLASSES_IN_TEXT = 40
_NAME_WIDTH = 40


class Inspection(Measurements, kw_only=True):
    """What a person would check first: the measurements, and what they give reason to say.

    Attributes:
        findings: what needs a person's eye, the gravest first.
    """

    findings: tuple[Finding, ...] = ()

    def __repr__(self) -> str:
        return f"Inspection({self.name!r}, {len(self.findings)} findings)"

    def __str__(self) -> str:
        facts = text_table(("", "training", "test"), self._facts())
        shown = self._shown_classes()
        title = (
            "" if len(shown) == len(self.class_names) else f"the {len(shown)} classes with the fewest training images\n"
        )
        classes = title + text_table(("class", "training", "test"), self._classes(shown))
        return "\n\n".join([self._findings_text(), facts, classes])

    def _repr_html_(self) -> str:
        found = "".join(
            f"<li><strong>{escape(one.severity)}</strong>: {escape(printable(one.text))} "
            f"{escape(printable(one.next_step))}</li>"
            for one in self.findings
        )
        facts = html_table(("", "training", "test"), self._facts())
        classes = html_table(("class", "training", "test"), self._classes(self._shown_classes()))
        return f"<div><ul>{found}</ul>{facts}<details><summary>classes</summary>{classes}</details></div>"

    def _findings_text(self) -> str:
        if not self.findings:
            return "No problems were found."
        return "\n".join(printable(f"{one.severity}: {one.text} {one.next_step}") for one in self.findings)

    def _facts(self) -> Iterator[tuple[str, str, str]]:
        halves = (self.splits.train, self.splits.test)

        def row(name: str, *cells: str) -> tuple[str, str, str]:
            return name, cells[0], cells[1]

        yield row("images", *(f"{half.num_images:,}" for half in halves))
        yield row(
            "classes with images", *(f"{half.balance.num_classes:,} of {len(self.class_names):,}" for half in halves)
        )
        yield row("largest to smallest class", *(f"{half.balance.ratio:.2f}" for half in halves))
        yield (
            "accuracy by chance, by majority",
            "",
            f"{_percent(self.guessing.chance)}, {_percent(self.guessing.majority_accuracy)}",
        )
        yield row("identical to an earlier one", *(f"{extra:,}" for extra in self.copies.num_extra))
        yield "identical to a training image", "", f"{self.copies.num_leaked:,}"
        yield "similar to a training image", "", f"{self.copies.num_near_leaked:,}"
        yield row("blank", *(f"{half.num_blank:,}" for half in halves))
        yield row(
            "pixel values", *(f"{h.pixels.low} to {h.pixels.high}, {h.pixels.num_values} distinct" for h in halves)
        )
        yield row("mean, deviation", *(f"{h.pixels.mean:.1f}, {h.pixels.deviation:.1f}" for h in halves))
        if self.image_shape[2] >= 3:
            yield row("grey, stored as colour", *(f"{half.num_grey:,}" for half in halves))
        yield row("polarity", *(half.polarity for half in halves))
        yield row("centred", *(f"yes, {h.target} pixels long" if h.centred else "no" for h in halves))
        low, high = self.resolution.interval
        share = self.resolution.num_correct / self.resolution.num_images
        yield f"{_percent(share)} correct could truly be", "", f"{_percent(low)} to {_percent(high)}"

    def _shown_classes(self) -> list[int]:
        order = range(len(self.class_names))
        if len(self.class_names) <= _MOST_CLASSES_IN_TEXT:
            return list(order)
        return sorted(order, key=lambda label: self.splits.train.class_counts[label])[:_MOST_CLASSES_IN_TEXT]

    def _classes(self, labels: list[int]) -> Iterator[tuple[str, ...]]:
        for label in labels:
            yield (
                clip(self.class_names[label], _NAME_WIDTH),
                f"{self.splits.train.class_counts[label]:,}",
                f"{self.splits.test.class_counts[label]:,}",
            )


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
    inspection: Inspection
    page: str | None = None


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
    train_scan, test_scan = scan_split(splits.train), scan_split(splits.test)
    copies = find_copies(splits, {"train": train_scan.blank, "test": test_scan.blank})
    examples = tuple(_first_of_classes(splits.train))
    blank = tuple(
        Member(split=split, index=int(index), label=int(half.labels[index]))
        for split, half, scan in (("train", splits.train, train_scan), ("test", splits.test, test_scan))
        for index in scan.blank[:_MOST_BLANK_SHOWN]
    )
    train_counts, test_counts = splits.train.class_counts, splits.test.class_counts
    in_test = test_counts[test_counts > 0]
    measured = Inspection(
        name=splits.name,
        class_names=splits.class_names,
        image_shape=splits.image_shape,
        splits=InspectedSplits(train=facts_of(splits.train, train_scan), test=facts_of(splits.test, test_scan)),
        guessing=guessing(train_counts, test_counts),
        resolution=resolution(len(splits.test)),
        class_resolution=resolution(int(in_test.min())) if len(in_test) > 1 else None,
        copies=copies,
        examples=examples,
        blank=blank,
        pictures=take_pictures(splits, _places(copies, blank, examples), _PICTURES_BYTES, LARGEST_PICTURE),
    )
    return structs.replace(measured, findings=find(measured))


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


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
