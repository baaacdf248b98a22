"""Inspect a data set: counts, balance, duplicates, blank images, range and polarity; nothing is trained or changed."""

from collections.abc import Iterator
from html import escape

from msgspec import structs

from convscope.base.arguments import checked
from convscope.base.tables import clip, html_table, printable, text_table
from convscope.data.datasets import Splits
from convscope.data.datasets.records import SplitsRecord
from convscope.data.inspection.copies import find_copies
from convscope.data.inspection.findings import Finding, Measurements, find
from convscope.data.inspection.split_facts import InspectedSplits, facts_of, scan_split

_MAX_CLASSES_IN_TEXT = 40
_NAME_WIDTH = 40


class Inspection(Measurements, kw_only=True):
    """The first checks of a data set: its measurements, and the findings that follow from them.

    Attributes:
        findings: facts that need attention, the most severe first.
    """

    findings: tuple[Finding, ...] = ()

    def __repr__(self) -> str:
        return f"Inspection({self.name!r}, {len(self.findings)} findings)"

    def __str__(self) -> str:
        facts = text_table(("", "training", "test"), self._facts())
        shown = self._choose_classes()
        title = (
            "" if len(shown) == len(self.class_names) else f"the {len(shown)} classes with the fewest training images\n"
        )
        classes = title + text_table(("class", "training", "test"), self._classes(shown))
        findings = "\n".join(printable(f"{part.severity}: {part.text} {part.next_step}") for part in self.findings)
        return "\n\n".join([findings or "No problems were found.", facts, classes])

    def _repr_html_(self) -> str:
        items = "".join(
            f"<li><strong>{escape(finding.severity)}</strong>: {escape(printable(finding.text))} "
            f"{escape(printable(finding.next_step))}</li>"
            for finding in self.findings
        )
        facts = html_table(("", "training", "test"), self._facts())
        classes = html_table(("class", "training", "test"), self._classes(self._choose_classes()))
        return f"<div><ul>{items}</ul>{facts}<details><summary>classes</summary>{classes}</details></div>"

    def _facts(self) -> Iterator[tuple[str, str, str]]:
        splits = (self.splits.train, self.splits.test)

        def row(name: str, *cells: str) -> tuple[str, str, str]:
            return name, cells[0], cells[1]

        yield row("images", *(f"{split.num_images:,}" for split in splits))
        yield row(
            "classes with images", *(f"{split.balance.num_classes:,} of {len(self.class_names):,}" for split in splits)
        )
        yield row("largest to smallest class", *(f"{split.balance.ratio:.2f}" for split in splits))
        yield row("identical to an earlier one", *(f"{extra:,}" for extra in self.copies.num_extra))
        yield "identical to a training image", "", f"{self.copies.num_leaked:,}"
        yield "similar to a training image", "", f"{self.copies.num_near_leaked:,}"
        yield row("blank", *(f"{split.num_blank:,}" for split in splits))
        pixels = [split.pixels for split in splits]
        yield row("pixel values", *(f"{facts.low} to {facts.high}, {facts.num_values} distinct" for facts in pixels))
        if self.image_shape[2] >= 3:
            yield row("grey, stored as colour", *(f"{split.num_grey:,}" for split in splits))
        yield row("polarity", *(split.polarity for split in splits))

    def _choose_classes(self) -> list[int]:
        order = range(len(self.class_names))
        if len(self.class_names) <= _MAX_CLASSES_IN_TEXT:
            return list(order)
        # The rarest classes are those with problems.
        return sorted(order, key=lambda label: self.splits.train.class_counts[label])[:_MAX_CLASSES_IN_TEXT]

    def _classes(self, labels: list[int]) -> Iterator[tuple[str, ...]]:
        for label in labels:
            yield (
                clip(self.class_names[label], _NAME_WIDTH),
                f"{self.splits.train.class_counts[label]:,}",
                f"{self.splits.test.class_counts[label]:,}",
            )


class DataInfo(SplitsRecord, kw_only=True):
    """A data set, the published facts about it if it has a name, and its inspection.

    Attributes:
        accuracy: a published accuracy.
    """

    title: str | None
    licence: str | None
    source: str | None
    accuracy: str | None
    notes: str | None
    inspection: Inspection


@checked
def inspect_dataset(splits: Splits) -> Inspection:
    """Check a data set for damaged images, duplicates, leaks and imbalance.

    The images are read in blocks, so they may stay on a disk. In very large sets, not all images are searched for
    duplicates, and a finding says so.

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
    measured = Inspection(
        name=splits.name,
        class_names=splits.class_names,
        image_shape=splits.image_shape,
        splits=InspectedSplits(train=facts_of(splits.train, train_scan), test=facts_of(splits.test, test_scan)),
        copies=copies,
    )
    # Findings read the measurements, which must be complete before.
    return structs.replace(measured, findings=find(measured))
