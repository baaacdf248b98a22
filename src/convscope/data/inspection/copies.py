"""Count the images that occur more than once in a data set, within a split or in both."""

from collections import defaultdict
from collections.abc import Iterator
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from convscope.base.records import Count, Record
from convscope.data.datasets import Splits
from convscope.data.inspection.duplicates import DuplicateGroup, DuplicatesRecord, Member, find_duplicates


class Copies(Record, kw_only=True):
    """The numbers of equal and near images within and across the splits.

    Attributes:
        num_extra: (train, test) images that repeat an earlier image of their split.
        num_leaked: test images that are equal to a training image.
        num_leaked_otherwise: leaked images with another label than each equal training image.
        num_near_leaked: test images that are near to a training image, but equal to none.
        num_conflicts: groups of equal images with differing labels, except for blank images.
        duplicates: the groups from `find_duplicates`.
    """

    num_extra: tuple[Count, Count]
    num_leaked: Count
    num_leaked_otherwise: Count
    num_near_leaked: Count
    num_conflicts: Count
    duplicates: DuplicatesRecord


def find_copies(splits: Splits, blank: dict[str, NDArray[np.int64]]) -> Copies:
    """Find and count the equal and near images of both splits.

    Args:
        blank: for each split the indices of its blank images. They count as copies of each other, but different labels
            among them are no conflict.
    """
    duplicates = find_duplicates(splits.train, splits.test)
    equal = tuple(part for group in duplicates.groups for part in _equal_parts(group, splits))
    is_blank = {(split, int(index)) for split, indices in blank.items() for index in indices}
    # The test images of a group that has a training image are leaked.
    leaking = [group for group in equal if _count(group, "train")]
    num_leaked = sum(_count(group, "test") for group in leaking)
    return Copies(
        duplicates=duplicates.to_record(),
        num_extra=(
            # Of each group of equal images, all but the first in a split are superfluous.
            sum(max(_count(group, "train") - 1, 0) for group in equal),
            sum(max(_count(group, "test") - 1, 0) for group in equal),
        ),
        num_leaked=num_leaked,
        num_leaked_otherwise=sum(map(_count_leaked_otherwise, leaking)),
        # All test images with an equal or near training image, less those with an equal one.
        num_near_leaked=len(duplicates.find_leaks()) - num_leaked,
        # Blank images are equal whatever their labels are; they are a finding of their own.
        num_conflicts=sum(
            group.has_two_labels and (group.members[0].split, group.members[0].index) not in is_blank for group in equal
        ),
    )


def _equal_parts(group: DuplicateGroup, splits: Splits) -> Iterator[DuplicateGroup]:
    """Yield the groups of equal images within a group, whose members may be partly equal and partly near."""
    if group.is_equal:
        yield group
        return
    by_pixels = defaultdict[bytes, list[Member]](list)
    for member in group.members:
        images = (splits.train if member.split == "train" else splits.test).images
        # A group joins chains: a equals b, and b is near to c. Only equal bytes count here.
        by_pixels[blake2b(np.asarray(images[member.index]).tobytes(), digest_size=16).digest()].append(member)
    for members in by_pixels.values():
        if len(members) > 1:
            yield DuplicateGroup.of(members)


def _count_leaked_otherwise(group: DuplicateGroup) -> int:
    """Count the test images of a group of equal images with another label than each of its training images."""
    train_labels = {member.label for member in group.members if member.split == "train"}
    return sum(member.split == "test" and member.label not in train_labels for member in group.members)


def _count(group: DuplicateGroup, split: str) -> int:
    return sum(member.split == split for member in group.members)
