"""Find images that occur more than once in a data set, equal or near.

Equal images with two labels are certainly a fault, and a test image that is also a training image measures memory. Near
images need a look: two simple drawings may be alike without being copies. Copies that were moved, rotated or mirrored
are not found.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np
from msgspec import UNSET, UnsetType, structs
from numpy.typing import NDArray

from convscope.base.arguments import checked
from convscope.base.records import Change, Count, Fraction, Record, Recorded, from_attributes
from convscope.base.tables import Tabular, clip
from convscope.data.datasets import Dataset, evenly
from convscope.data.inspection.near import FLATTEST, components, deviations, near_pairs
from convscope.data.inspection.pictures import SplitName

_MAX_GROUPS_IN_JSON = 200
_MAX_MEMBERS_IN_JSON = 12
_MAX_SHOWN = 10  # groups in a table


class Member(Record, kw_only=True):
    """An image of a group, by its split, its index there, its label, and its file if it has one of its own."""

    split: SplitName
    index: Count
    label: Count
    file: str | UnsetType = UNSET


class DuplicateGroup(Record, kw_only=True):
    """Images that are equal or near to one another.

    Attributes:
        is_equal: whether all are equal, byte for byte.
        correlation: 1 for equal images; for near ones the lowest that links an image to the others.
        members: at least two, training images first; in JSON the first 12.
    """

    num_images: Count
    is_equal: bool
    correlation: Change
    has_two_labels: bool
    is_across_splits: bool
    members: tuple[Member, ...]

    @classmethod
    def of(cls, members: Sequence[Member], is_equal: bool = True, correlation: float = 1.0) -> "DuplicateGroup":
        return cls(
            num_images=len(members),
            is_equal=is_equal,
            correlation=correlation,
            has_two_labels=len({member.label for member in members}) > 1,
            is_across_splits=len({member.split for member in members}) > 1,
            members=tuple(members),
        )


class DuplicatesRecord(Record, kw_only=True):
    """The counts of all groups, and the first 200 of them; the attributes are those of `Duplicates`."""

    num_train: Count
    num_test: Count
    threshold: Fraction
    num_compared: Count
    num_left_out: Count
    num_flat: Count
    num_groups: Count
    num_equal_groups: Count
    num_groups_with_two_labels: Count
    num_groups_across_splits: Count
    num_test_duplicates: Count
    groups: tuple[DuplicateGroup, ...]


@dataclass(frozen=True)
class Duplicates(Tabular, Recorded):
    """The groups of equal and near images of a data set.

    Attributes:
        threshold: the correlation from which two images are near.
        num_compared: distinct images that were compared with each other; all images were compared for equality.
        num_left_out: distinct images beyond the number that is compared, sampled evenly.
        num_flat: distinct images of a single shade (see `near.FLATTEST`), for which no correlation is defined.
        groups: first those with two labels, then those across the splits, then equal ones, then larger ones.
    """

    _header = ("Images", "Members", "Labels", "Correlation")
    _left = 3

    dataset_name: str
    class_names: tuple[str, ...]
    num_train: int
    num_test: int
    threshold: float
    num_compared: int
    num_left_out: int
    num_flat: int
    groups: tuple[DuplicateGroup, ...] = field(repr=False)

    def find_leaks(self) -> NDArray[np.int64]:
        """Find the indices of test images that duplicate a training image."""
        across = (group.members for group in self.groups if group.is_across_splits)
        return np.array(
            sorted(member.index for members in across for member in members if member.split == "test"), np.int64
        )

    def to_record(self) -> DuplicatesRecord:
        return from_attributes(
            DuplicatesRecord,
            self,
            num_groups=len(self.groups),
            num_equal_groups=sum(group.is_equal for group in self.groups),
            num_groups_with_two_labels=sum(group.has_two_labels for group in self.groups),
            num_groups_across_splits=sum(group.is_across_splits for group in self.groups),
            num_test_duplicates=len(self.find_leaks()),
            groups=tuple(
                structs.replace(group, members=group.members[:_MAX_MEMBERS_IN_JSON])
                for group in self.groups[:_MAX_GROUPS_IN_JSON]
            ),
        )

    def _headline(self) -> str:
        equal = sum(group.is_equal for group in self.groups)
        near, images = len(self.groups) - equal, self.num_train + self.num_test
        left_out = f" ({self.num_left_out:,} images were not compared)" if self.num_left_out else ""
        return (
            f"{equal:,} group{'s' * (equal != 1)} of identical images and {near:,} of similar ones (correlation of at "
            f"least {self.threshold:g}) among the {images:,} images of {self.dataset_name}{left_out}"
        )

    def _rows(self) -> list[tuple[str, ...]]:
        rows = list[tuple[str, ...]]()
        for group in self.groups[:_MAX_SHOWN]:
            first = group.members[:4]
            more = ", ..." if len(group.members) > len(first) else ""
            images = ", ".join(member.file or f"{member.split} {member.index}" for member in first)
            different = sorted({member.label for member in first})
            labels = ", ".join(clip(self.class_names[label], 12) for label in different)
            correlation = "equal" if group.is_equal else f"{group.correlation:.4f}"
            rows.append((f"{len(group.members):,}", images + more, labels, correlation))
        return rows


@checked
def find_duplicates(
    train: Dataset, test: Dataset, *, threshold: float = 0.99, most_compared: int = 100_000
) -> Duplicates:
    """Find the equal and near images within and across `train` and `test`.

    Equal images have the same bytes. Near images have a correlation of at least `threshold`: brightness and contrast do
    not matter, a moved edge does. A group is linked by pairs, so two images of a large group may be less alike.

    >>> from convscope.data.datasets import Dataset, evenly
    >>> images = (np.arange(3 * 64) ** 2 % 251).astype(np.uint8).reshape(3, 8, 8, 1)
    >>> train = Dataset(images, np.array([0, 1, 0]), ("a", "b"))
    >>> test = Dataset(images[1:2], np.array([0]), ("a", "b"), split="test")
    >>> group = find_duplicates(train, test).groups[0]
    >>> [(member.split, member.index) for member in group.members], group.is_equal, group.has_two_labels
    ([('train', 1), ('test', 0)], True, True)

    Args:
        threshold: the correlation of all pixel values from which images are near. At 0.98 MNIST has 622 pairs of ones
            that are simply alike, at 0.99 three, at 0.995 none.
        most_compared: distinct images that are searched for near pairs, sampled evenly if there are more. Equal images
            are searched among all. The time grows with the square of this number.

    Raises:
        ValueError: if the image sizes differ, or `threshold` or `most_compared` is out of its range.
    """
    if train.image_shape != test.image_shape:
        raise ValueError(f"train images are {train.image_shape}, but test images {test.image_shape}")
    if not 0 < threshold < 1:
        raise ValueError(f"threshold is {threshold}; it must lie between 0 and 1")
    if most_compared < 2:
        raise ValueError(f"most_compared is {most_compared}; it must be at least 2")

    def pixels(numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
        rows = np.empty((len(numbers), train.images[0].size), np.uint8)
        # Images are numbered through both splits: 0 to len(train) - 1, then the test images.
        is_test = numbers >= len(train)
        rows[~is_test] = train.images[numbers[~is_test]].reshape(-1, rows.shape[1])
        rows[is_test] = test.images[numbers[is_test] - len(train)].reshape(-1, rows.shape[1])
        return rows

    first_equal = _first_equal((train.images, test.images))
    distinct = np.unique(first_equal)
    # The correlation of nearly flat images is that of their noise, so only exact equality counts for them.
    varied = distinct[deviations(pixels, distinct) >= FLATTEST]
    # The number of pairs grows with the square of the number of images; if there are too many, a sample is compared.
    compared = varied[evenly(len(varied), most_compared)]
    pairs, correlations = near_pairs(pixels, compared, threshold)
    return Duplicates(
        dataset_name=train.name,
        class_names=train.class_names,
        num_train=len(train),
        num_test=len(test),
        threshold=threshold,
        num_compared=len(compared),
        num_left_out=len(varied) - len(compared),
        num_flat=len(distinct) - len(varied),
        groups=_groups(train, test, first_equal, pairs, correlations),
    )


def _first_equal(splits: Sequence[NDArray[np.uint8]]) -> NDArray[np.int64]:
    """Find for each image, numbered through all splits, the number of the first image with the same bytes.

    Images a b a c b give 0 1 0 3 1. Sorted by their digests, the images 0 2 | 1 4 | 3 are the groups of equal ones.
    """
    packed = bytearray()  # sixteen bytes for each image; a dict would take a hundred
    for images in splits:
        # Image by image, since the images may lie on disk.
        for image in images:
            packed += blake2b(image.tobytes(), digest_size=16).digest()
    digests = np.frombuffer(packed, np.uint64).reshape(-1, 2)
    order = np.lexsort((digests[:, 0], digests[:, 1]))  # stable, so the first of equal images comes first
    is_new = np.ones(len(order), bool)  # differs from the image before it in this order
    is_new[1:] = (digests[order[1:]] != digests[order[:-1]]).any(axis=1)
    first = np.empty(len(order), np.int64)
    # cumsum numbers the groups of equal images in this order; order[is_new] is the first image of each.
    first[order] = order[is_new][np.cumsum(is_new) - 1]
    return first


def _groups(
    train: Dataset,
    test: Dataset,
    first_equal: NDArray[np.int64],
    pairs: NDArray[np.int64],
    correlations: NDArray[np.floating[Any]],
) -> tuple[DuplicateGroup, ...]:
    """Group images that are equal or `pairs` (P, 2) of near ones, in the order of `Duplicates.groups`.

    Each image is linked to the first one that equals it. With 5 images, `first_equal` 0 1 0 3 4 and the pair (0, 3),
    the groups are 0 2 3 | 1 | 4. The first is near, with the pair's correlation; single images are no group.
    """
    count = len(first_equal)
    group_of = components(count, np.concatenate([np.stack([np.arange(count), first_equal], axis=1), pairs]))
    # By the number of a group; there are at most as many groups as images.
    lowest = np.ones(count)
    np.minimum.at(lowest, group_of[pairs[:, 0]], correlations)
    is_near = np.zeros(count, bool)
    is_near[group_of[pairs[:, 0]]] = True
    # order[starts[g] : starts[g] + sizes[g]] are the images of group g, training images first.
    order = np.argsort(group_of, kind="stable")
    sizes = np.bincount(group_of)
    starts = np.cumsum(sizes) - sizes
    groups = list[DuplicateGroup]()
    for number in np.flatnonzero(sizes > 1).tolist():
        images = order[starts[number] : starts[number] + sizes[number]].tolist()
        members = [_member(train, test, image) for image in images]
        groups.append(DuplicateGroup.of(members, not is_near[number], float(lowest[number])))

    def rank(group: DuplicateGroup) -> tuple[bool, bool, bool, int]:  # False comes before True
        return not group.has_two_labels, not group.is_across_splits, not group.is_equal, -len(group.members)

    return tuple(sorted(groups, key=rank))


def _member(train: Dataset, test: Dataset, number: int) -> Member:
    split, dataset, index = ("train", train, number) if number < len(train) else ("test", test, number - len(train))
    return Member(split=split, index=index, label=int(dataset.labels[index]), file=dataset.file_of(index) or UNSET)
