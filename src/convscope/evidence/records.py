"""Common fields of the records of evidence: the digest of the model and the images used.

TopicRecord          weights_sha256
    DatasetRecord        dataset_name
        SplitRecord          split
            DataRecord           num_images
                ImagesRecord         num_images_left_out
            ClassesRecord        class_names, num_images, num_images_left_out
"""

from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType, field

from convscope.base.packing import Packed
from convscope.base.records import Count, Positive, Record, Sha256
from convscope.data.datasets import Dataset

Split = Annotated[str, Meta(pattern="^(train|validation|test)$", max_length=10)]
Size = Annotated[int, Meta(ge=1, le=1 << 31)]
Coordinate = Annotated[int, Meta(ge=0, le=1 << 31)]
"""A row or a column."""
Label = Count
"""A class, from 0; a record with class names checks by `check_labels` that it exists."""


class TopicRecord(Record, kw_only=True):
    """Base of the records of a topic.

    Attributes:
        weights_sha256: the digest of the run's weights; the run folder adds it.
    """

    weights_sha256: Sha256 | UnsetType = UNSET


class DatasetRecord(TopicRecord, kw_only=True):
    """Base of measurements on a data set.

    Attributes:
        dataset_name: `dataset` in JSON.
    """

    dataset_name: str = field(name="dataset")


class SplitRecord(DatasetRecord, kw_only=True):
    """Base of measurements on a split of a data set."""

    split: Split


class DataRecord(SplitRecord, kw_only=True):
    """Base of measurements on a number of images."""

    num_images: Positive


class ImagesRecord(DataRecord, kw_only=True):
    """Base of measurements on some images of a split.

    Attributes:
        num_images: images that were used, sampled evenly.
        num_images_left_out: the other images of the split.
    """

    num_images_left_out: Count


class ClassesRecord(SplitRecord, kw_only=True):
    """As `ImagesRecord`, with the names of the classes.

    It repeats the fields instead of inheriting them, so that the names come before the numbers in JSON.
    """

    class_names: tuple[str, ...]
    num_images: Positive
    num_images_left_out: Count


def describe_images(dataset: Dataset, num_used: int) -> dict[str, Any]:
    """Collect the fields of a `ClassesRecord` for `num_used` images of a data set, sampled evenly."""
    return {
        "dataset_name": dataset.name,
        "split": dataset.split,
        "class_names": dataset.class_names,
        "num_images": num_used,
        "num_images_left_out": len(dataset) - num_used,
    }


def check_labels(names: Sequence[str], labels: Sequence[int], field_name: str) -> None:
    """Raise `ValueError` unless each of the `labels` in a field is a class of `names`."""
    if labels and max(labels) >= len(names):
        raise ValueError(f"{field_name}: there is no class {max(labels)} of {len(names)}")


def check_lengths(**lists: Sequence[object]) -> None:
    """Raise `ValueError` unless all lists are as long as the first."""
    first, *names = lists
    for name in names:
        if len(lists[name]) != len(lists[first]):
            raise ValueError(f"{name} has {len(lists[name])} values, {first} {len(lists[first])}")


def check_packed(field_name: str, array: Packed, dtype: str, *shape: int | None) -> None:
    """Raise `ValueError` unless the packed array in a field has this type and shape; None is any length above 0.

    Of the shape (2, None), (2, 5) is right and (2, 0) is not.
    """
    fits = len(shape) == len(array.shape) and all(
        length == expected if expected is not None else length > 0
        for length, expected in zip(array.shape, shape, strict=True)
    )
    if not fits or array.dtype != dtype:
        raise ValueError(f"{field_name} is {array.dtype} of the shape {array.shape}")
