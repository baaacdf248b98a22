"""From arrays as they were read to a data set: the halves are held against each other, and errors name their files."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convscope.datasets.data_file import Images, Labels
from convscope.datasets.dataset import Dataset, SourceFile, Splits
from convscope.errors import DatasetError

MAX_CLASSES = 4096  # above the 3,832 of Kuzushiji-Kanji; a label beyond is damage, and K × K tables are to come
MAX_CHANNELS = 4


@dataclass(frozen=True)
class Half:
    """One split as read: arrays not yet held against each other, and what to call their files in an error."""

    images: NDArray[np.uint8]
    labels: Labels
    images_from: str
    labels_from: str
    source: tuple[SourceFile, ...]


def make_splits(name: str, train: Half, test: Half, class_names: tuple[str, ...] | None = None) -> Splits:
    """Hold the halves against each other and make them a data set.

    Raises:
        DatasetError: naming the files that do not fit together.
    """
    for half in (train, test):
        _check_half(half)
    train_images, test_images = _with_channels(train), _with_channels(test)
    if train_images.shape[1:] != test_images.shape[1:]:
        raise DatasetError(
            f"{train.images_from} holds images of (H, W, C) = {train_images.shape[1:]}, but {test.images_from} of "
            f"{test_images.shape[1:]}; both splits must have images of one size"
        )
    if class_names is None:
        highest = max(int(train.labels.max()), int(test.labels.max()))
        class_names = tuple(str(label) for label in range(max(highest + 1, 2)))
    return Splits(
        train=Dataset(train_images, train.labels, class_names, name, "train", train.source),
        test=Dataset(test_images, test.labels, class_names, name, "test", test.source),
    )


def _check_half(half: Half) -> None:
    if half.images.ndim not in (3, 4):
        raise DatasetError(
            f"{half.images_from} has the shape {half.images.shape}; images must be (N, H, W) or (N, H, W, C)"
        )
    if half.labels.ndim != 1:
        raise DatasetError(f"{half.labels_from} has the shape {half.labels.shape}; labels must be (N,)")
    if len(half.images) != len(half.labels):
        raise DatasetError(
            f"{half.images_from} holds {len(half.images):,} images, but {half.labels_from} "
            f"{len(half.labels):,} labels; there must be as many of each: are these files of one data set?"
        )
    if half.images.ndim == 4 and half.images.shape[3] > MAX_CHANNELS:
        raise DatasetError(
            f"{half.images_from} has {half.images.shape[3]} channels by its shape {half.images.shape}; "
            f"save it as (N, H, W, C) with at most {MAX_CHANNELS} channels, which come last"
        )
    lowest, highest = int(half.labels.min()), int(half.labels.max())
    if lowest < 0 or highest >= MAX_CLASSES:
        raise DatasetError(
            f"{half.labels_from} has labels from {lowest} to {highest}; they must lie between 0 and {MAX_CLASSES - 1}, "
            "counted from 0"
        )


def _with_channels(half: Half) -> Images:
    """Return the images as (N, H, W, C), without a copy."""
    return half.images if half.images.ndim == 4 else half.images[..., np.newaxis]


def file_name(path: Path) -> str:
    """Return the last part of a path as text that can be written anywhere, whatever bytes the file system has."""
    name = path.name or path.resolve().name or "custom"
    return os.fsencode(name).decode(errors="replace")
