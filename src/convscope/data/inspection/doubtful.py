"""List the pictures of a data set that need a look, a row for each: copies, blank and damaged ones."""

from collections.abc import Iterator
from dataclasses import dataclass

from convscope.base.arguments import checked
from convscope.data.datasets import Splits
from convscope.data.inspection.duplicates import find_duplicates
from convscope.data.inspection.split_facts import scan_split


@dataclass(frozen=True)
class DoubtfulImage:
    """An image that needs a look.

    Attributes:
        file: the picture that it was read from, if it has one of its own.
        split, index, class_name: None for damaged pictures, which were left out.
        finding: "equal" or "similar" to the others of its group, "blank" or "damaged".
        group: the number of the group of copies, from 1.
        is_conflict: whether images of the group have different labels.
    """

    file: str | None
    split: str | None
    index: int | None
    class_name: str | None
    finding: str
    group: int | None = None
    is_conflict: bool | None = None


@checked
def list_doubtful(splits: Splits) -> Iterator[DoubtfulImage]:
    """List copies group by group, then blank images, then the first 200 damaged files.

    Groups with different labels come first. An image may be listed twice, as blank and as a copy.
    """
    for number, group in enumerate(find_duplicates(splits.train, splits.test).groups, 1):
        finding = "equal" if group.is_equal else "similar"
        for member in group.members:
            class_name = splits.class_names[member.label]
            yield DoubtfulImage(
                member.file or None, member.split, member.index, class_name, finding, number, group.has_two_labels
            )
    for split, part in (("train", splits.train), ("test", splits.test)):
        for index in scan_split(part).blank.tolist():
            yield DoubtfulImage(part.file_of(index), split, index, part.class_names[part.labels[index]], "blank")
    for source in dict.fromkeys((*splits.train.source, *splits.test.source)):
        for file in source.damaged:
            yield DoubtfulImage(file, None, None, None, "damaged")
