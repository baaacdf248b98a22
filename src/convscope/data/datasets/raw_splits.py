"""Make a data set of the arrays that a reader returned: check them, resize images, and split off test images.

Errors name the files.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from convscope.base.arguments import check_name
from convscope.base.averaging import average
from convscope.base.errors import DatasetError
from convscope.base.streams import random_stream
from convscope.data.datasets.data_file import Images, Labels, seal
from convscope.data.datasets.dataset import Dataset, Splits
from convscope.data.datasets.disk.images import blocks, is_on_disk
from convscope.data.datasets.readers.labels import MAX_CLASSES, sort_names
from convscope.data.datasets.records import LoadOptions, SourceFile

MAX_CHANNELS = 4  # red, green, blue and alpha
TEST_FRACTION = 0.2
"""Fraction of each class that is split off for tests by default."""


@dataclass(frozen=True)
class RawSplit:
    """A split of a data set before it is checked: its arrays, and the names of their files for errors.

    Attributes:
        images: uint8 (N, H, W) or (N, H, W, C).
        labels: (N,) whole numbers: classes, or indices in `names`.
        names: the names of labels that are text; the classes are the names of both splits, sorted.
        files, weights: see `Dataset`.
    """

    images: Images
    labels: Labels
    images_from: str
    labels_from: str
    source: tuple[SourceFile, ...]
    names: tuple[str, ...] | None = None
    files: tuple[str, ...] = ()
    weights: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class RawSplits:
    """The content of a source of data: one or two splits, and class names in the order of the labels.

    A source without splits is all `train`.
    """

    train: RawSplit | None
    test: RawSplit | None = None
    class_names: tuple[str, ...] | None = None


def make_splits(
    name: str,
    train: RawSplit | None,
    test: RawSplit | None,
    class_names: tuple[str, ...] | None = None,
    options: LoadOptions | None = None,
) -> Splits:
    """Check that the splits fit each other, and make a data set of them.

    Args:
        test: None if the source has no test split. Then a fraction of each class of `train` is split off:
            `options.test_fraction` or `TEST_FRACTION`.
        class_names: in the order of the labels; without them, text labels are sorted, and numbers name themselves.
        options: as the caller stated them; `Splits.options` has those that were used.

    Raises:
        DatasetError: naming the files that do not fit together.
    """
    options = options or LoadOptions()
    if train is None:
        where = name if test is None else test.images_from
        raise DatasetError(
            f"{where}: holds test images only; add training images, or measure a run on these images with "
            "convscope evaluate"
        )
    if test is not None and options.test_fraction is not None:
        raise DatasetError(
            f"{test.images_from}: is already a test split, so no other is split off; omit the test fraction"
        )
    raw_splits, class_names = check_splits([raw for raw in (train, test) if raw], class_names, options.image_size)
    if len(class_names) < 2:
        raise DatasetError(
            f"{train.labels_from}: holds one class only, {class_names[0]!r}; add images of at least one other class"
        )
    if test is None:
        raw_splits = list(divide_split(raw_splits[0], len(class_names), options).values())
        options = structs.replace(options, test_fraction=_fraction(options))
    else:  # no images were split off, so no seed was used
        options = structs.replace(options, seed=0)
    train_set, test_set = (
        Dataset(raw.images, raw.labels, class_names, name, split, raw.source, raw.files, raw.weights)
        for raw, split in zip(raw_splits, ("train", "test"), strict=True)
    )
    return Splits(train_set, test_set, options)


def divide_split(raw: RawSplit, num_classes: int, options: LoadOptions) -> dict[str, RawSplit]:
    """Divide data without splits into "train" and "test" as `options` state; see `cut_test`.

    Raises:
        DatasetError: if each class has one image.
    """
    train, test = cut_test(raw.labels, num_classes, _fraction(options), options.seed)
    if len(test) == 0:
        raise DatasetError(
            f"{raw.images_from}: each class has one image, so none is left for testing; add images or a test split"
        )
    return {
        split: replace(
            raw,
            images=_take(raw.images, indices),
            labels=cast(Labels, seal(raw.labels[indices])),
            files=tuple(raw.files[index] for index in indices) if raw.files else (),
            weights=None if raw.weights is None else raw.weights[indices],
        )
        for split, indices in zip(("train", "test"), (train, test), strict=True)
    }


def _fraction(options: LoadOptions) -> float:
    return TEST_FRACTION if options.test_fraction is None else options.test_fraction


def _take(images: Images, indices: NDArray[np.int64]) -> Images:
    return images.take(indices) if is_on_disk(images) else seal(images[indices])


def check_splits(
    raw_splits: list[RawSplit], class_names: tuple[str, ...] | None, image_size: tuple[int, int] | None
) -> tuple[list[RawSplit], tuple[str, ...]]:
    """Check the splits, and return them with images (N, H, W, C) and labels as indices of the class names returned.

    Raises:
        DatasetError: naming the files that do not fit together.
    """
    raw_splits = [_resize(raw, image_size) for raw in raw_splits]
    for raw in raw_splits:
        _check_split(raw, class_names)
    # Grey images (N, H, W) get their channel.
    raw_splits = [r if r.images.ndim == 4 else replace(r, images=r.images[..., np.newaxis]) for r in raw_splits]
    first, last = raw_splits[0], raw_splits[-1]
    if first.images.shape[1:] != last.images.shape[1:]:
        raise DatasetError(
            f"{first.images_from} holds images of {' × '.join(map(str, first.images.shape[1:]))} (height × width × "
            f"channels), but {last.images_from} of {' × '.join(map(str, last.images.shape[1:]))}; both splits must "
            "have images of one size"
        )
    if class_names is None:
        return _number_labels(raw_splits)
    for label, name in enumerate(class_names):
        check_name(name, f"{first.labels_from}: the name of class {label}", DatasetError)
    return raw_splits, class_names


def _resize(raw: RawSplit, image_size: tuple[int, int] | None) -> RawSplit:
    """Average the images to `image_size`, if they have another size."""
    images = raw.images
    if image_size is None or images.ndim not in (3, 4) or images.shape[1:3] == image_size:
        return raw
    channels = images.shape[3:]
    resized = np.empty((len(images), *image_size, *channels), np.uint8)
    start = 0
    for block in blocks(images):
        # (n, H, W, C) to (H, W, n C): all images and channels are averaged together, as channels of one picture.
        flat = np.moveaxis(block, 0, 2).reshape(*block.shape[1:3], -1)
        averaged = average(flat, *image_size).reshape(*image_size, len(block), *channels)
        resized[start : start + len(block)] = np.moveaxis(averaged, 2, 0)
        start += len(block)
    return replace(raw, images=cast(Images, seal(resized)))


def _number_labels(raw_splits: list[RawSplit]) -> tuple[list[RawSplit], tuple[str, ...]]:
    """Name the classes, and number labels that are text in the order of their sorted names, the same in all splits."""
    if raw_splits[0].names is None:
        # A class may lack images in a split; and a classifier needs two classes at least.
        highest = max(int(raw.labels.max()) for raw in raw_splits)
        return raw_splits, tuple(str(label) for label in range(max(highest + 1, 2)))
    class_names = sort_names(*(raw.names or () for raw in raw_splits))
    if len(class_names) > MAX_CLASSES:
        raise DatasetError(
            f"{raw_splits[0].labels_from} and {raw_splits[-1].labels_from} have {len(class_names):,} different labels; "
            f"the limit is {MAX_CLASSES}"
        )
    label_of = {name: label for label, name in enumerate(class_names)}
    renumbered = []
    for raw in raw_splits:
        numbers = np.array([label_of[name] for name in raw.names or ()], dtype=np.int64)
        # The labels index the split's own names; this translates them to the sorted names of both splits.
        renumbered.append(replace(raw, labels=seal(numbers[raw.labels]), names=None))
    return renumbered, class_names


def _check_split(raw: RawSplit, class_names: tuple[str, ...] | None) -> None:
    """Raise `DatasetError` unless the shapes of a split fit together and its labels are those of classes."""
    if raw.images.ndim not in (3, 4):
        raise DatasetError(
            f"{raw.images_from} has the shape {raw.images.shape}; images must be (N, H, W) or (N, H, W, C)"
        )
    if raw.labels.ndim != 1:
        raise DatasetError(f"{raw.labels_from} has the shape {raw.labels.shape}; labels must be (N,)")
    if len(raw.images) != len(raw.labels):
        raise DatasetError(
            f"{raw.images_from} holds {len(raw.images):,} images, but {raw.labels_from} holds {len(raw.labels):,} "
            "labels; check that both files belong to the same data set"
        )
    if raw.images.ndim == 4 and raw.images.shape[3] > MAX_CHANNELS:
        raise DatasetError(
            f"{raw.images_from} has {raw.images.shape[3]} channels by its shape {raw.images.shape}; "
            f"save it as (N, H, W, C) with at most {MAX_CHANNELS} channels, which come last"
        )
    lowest, highest = int(raw.labels.min()), int(raw.labels.max())
    max_classes = MAX_CLASSES if class_names is None else len(class_names)
    if lowest < 0 or highest >= max_classes:
        raise DatasetError(
            f"{raw.labels_from} has labels from {lowest} to {highest}; they must lie between 0 and {max_classes - 1}, "
            "counted from 0"
        )


def file_name(path: Path) -> str:
    """Get the last part of a path as valid text, whatever bytes the file system has."""
    name = path.name or path.resolve().name or "custom"
    return os.fsencode(name).decode(errors="replace")


def cut_test(
    labels: Labels, num_classes: int, fraction: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Choose (train, test): the indices of the images of each, in rising order, drawn by the stream "test split".

    Each class gives `fraction` of its images, rounded so that the numbers add up to that fraction of all images. At
    least one image of each class is left for training. A fifth of three classes of 7 images is 1.4 of each and 4.2 in
    all: each gives 1, and chance decides which of them gives the fourth image.

    Raises:
        ValueError: if `fraction` is not between 0 and 1.
    """
    if not 0 < fraction < 1:
        raise ValueError(f"fraction is {fraction}; it must lie between 0 and 1")
    stream = random_stream(seed, "test split")
    counts = np.bincount(labels, minlength=num_classes)
    max_counts = np.maximum(counts - 1, 0)
    exact = fraction * counts
    wanted = np.minimum(np.floor(exact).astype(np.int64), max_counts)  # test images of each class
    # Rounding down leaves fewer than the fraction of all images. At least one image is for testing.
    missing = max(round(fraction * len(labels)), 1) - int(wanted.sum())
    # The classes with the largest remainders get one more; chance decides between equal remainders. These are compared
    # in nine decimals, since equal ones may differ in their last bit.
    order = np.lexsort((stream.permutation(num_classes), -np.round(exact - np.floor(exact), 9)))
    for label in order:
        if missing > 0 and wanted[label] < max_counts[label]:
            wanted[label] += 1
            missing -= 1
    is_test = np.zeros(len(labels), dtype=bool)
    # by_class[starts[c] : starts[c + 1]] are the images of class c, in rising order.
    by_class = np.argsort(labels, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts)])
    for label in range(num_classes):
        members = by_class[starts[label] : starts[label + 1]]
        is_test[stream.permutation(members)[: wanted[label]]] = True
    return np.flatnonzero(~is_test), np.flatnonzero(is_test)
