"""Load a data set by its name, or from a user's folder or file."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Literal

import numpy as np
from msgspec import structs

from convscope.base.arguments import Seed, checked
from convscope.base.errors import DatasetError
from convscope.base.spelling import did_you_mean, is_path
from convscope.data.datasets.data_file import Labels
from convscope.data.datasets.dataset import Dataset, Splits
from convscope.data.datasets.named.catalogue import find_entry, read_entry
from convscope.data.datasets.named.entries import DATASETS, OnProgress
from convscope.data.datasets.raw_splits import RawSplit, RawSplits, check_splits, divide_split, file_name, make_splits
from convscope.data.datasets.readers.containers import PictureConverter
from convscope.data.datasets.readers.formats import read_file, read_folder
from convscope.data.datasets.records import LoadOptions


@checked
def load_dataset(
    name_or_path: str | os.PathLike[str],
    *,
    test_fraction: float | None = None,
    seed: Seed = 0,
    image_size: tuple[int, int] | None = None,
    skip_damaged: bool = False,
    on_progress: OnProgress | None = None,
) -> Splits:
    """Load a data set by its name, or from your own folder or file.

    Args:
        name_or_path: a name in `DATASETS`; or a folder or zip archive of IDX files (plain, gzip or zip), Parquet or
            CSV files, `.npy` arrays, pictures in a folder for each class, or a table of their names and labels; or an
            `.npz`, Parquet or CSV file alone. docs/datasets.md shows each. A name comes first: a folder of that name is
            reached as `./name`.
        test_fraction: fraction of each class that is split off for tests, if the source has no test split; a fifth by
            default.
        seed: chooses which images are split off.
        image_size: (H, W) of all images: pictures of other sizes are averaged to it, and rows of pixels cut into it.
        skip_damaged: whether pictures that cannot be read are left out; `Splits.num_damaged` counts them.
        on_progress: called as `on_progress(file, bytes_so_far, bytes_in_all_or_None)` while something is fetched.

    Returns:
        both splits: images (N, H, W, C) uint8, labels (N,); read-only. Classes have the names of text labels and
        folders, in natural order; numbers in arrays and IDX files are "0" to the highest. With `Splits.options`, the
        same splits are made again.

    Raises:
        DatasetError: if there is no such name or path, a file is missing, damaged or not as its digest says, the counts
            of images and labels differ, the images have several sizes, a label is out of range, or another test split
            is requested than that of the source.
        ValueError: if `test_fraction` is not between 0 and 1, or `image_size` is not of two numbers from 1 to 4,096.

    Example:
        >>> data = load_dataset("mnist")
        >>> data.train.images.shape, data.train.class_names[data.train.labels[0]]
        ((60000, 28, 28, 1), '5')
    """
    return load_splits(name_or_path, LoadOptions(test_fraction, seed, image_size, skip_damaged), on_progress)


def load_splits(
    name_or_path: str | os.PathLike[str], options: LoadOptions, on_progress: OnProgress | None = None
) -> Splits:
    """Load a data set as `load_dataset` does with these options."""
    entry = find_entry(name_or_path)
    if entry is not None:
        return read_entry(entry, options, on_progress=on_progress)
    content = _read_content(name_or_path, options)
    return make_splits(file_name(Path(name_or_path)), content.train, content.test, content.class_names, options)


def load_for_classes(
    name_or_path: str | os.PathLike[str],
    class_names: tuple[str, ...],
    split: Literal["all", "train", "test"],
    options: LoadOptions,
    on_progress: OnProgress | None = None,
    converter: PictureConverter | None = None,
) -> list[Dataset]:
    """Load images of a data set with the labels of a network for the classes `class_names`.

    The data set may lack some of these classes, and training images or test images. Classes are matched by name.

    Args:
        name_or_path, on_progress: as for `load_dataset`.
        split: which images. A source without splits is cut for "train" and "test" as `load_dataset` cuts it.
        options: as those of `load_dataset`; "all" ignores `test_fraction` and `seed`.
        converter: converts pictures in files to images of the network, unless they are already like these.

    Returns:
        a data set for each split of the source, or the chosen one; for a source without splits its `split` is "all",
        unless it was cut.

    Raises:
        DatasetError: if an image is of another class or there is no such split; and as `load_dataset`, except that one
            split and one class are enough.
    """
    name, content = _read_raw_splits(name_or_path, options, on_progress, converter)
    raw_by_name = {key: raw for key, raw in (("train", content.train), ("test", content.test)) if raw is not None}
    raw_splits, names = check_splits(list(raw_by_name.values()), content.class_names, options.image_size)
    checked_by_name = dict(zip(raw_by_name, raw_splits, strict=True))
    if set(checked_by_name) == {"train"}:
        # Data without splits are used as a whole, or cut as `load_dataset` cuts them with the same fraction and seed:
        # then "test" has no image that a network was trained on.
        whole = raw_splits[0]
        checked_by_name = {"all": whole} if split == "all" else divide_split(whole, len(names), options)
    if split not in ("all", *checked_by_name):
        raise DatasetError(f"{name_or_path}: has no {split} split, only {' and '.join(checked_by_name)}; omit --split")
    return [
        Dataset(raw.images, _relabel(raw, names, class_names), class_names, name, key, raw.source, raw.files)
        for key, raw in checked_by_name.items()
        if split in ("all", key)
    ]


def _read_raw_splits(
    name_or_path: str | os.PathLike[str],
    options: LoadOptions,
    on_progress: OnProgress | None,
    converter: PictureConverter | None,
) -> tuple[str, RawSplits]:
    """Read a data set, and return its name with the splits as they are, whose labels may be of any classes."""
    entry = find_entry(name_or_path)
    if entry is None:
        return file_name(Path(name_or_path)), _read_content(name_or_path, options, converter)
    # Named sets have a test split, and then `read_entry` refuses a fraction; here it only applies to other data.
    splits = read_entry(entry, structs.replace(options, test_fraction=None), on_progress=on_progress)
    name = splits.name
    train, test = (RawSplit(s.images, s.labels, name, name, s.source) for s in (splits.train, splits.test))
    return name, RawSplits(train, test, splits.class_names)


def _relabel(raw: RawSplit, names: tuple[str, ...], wanted: tuple[str, ...]) -> Labels:
    """Convert the labels of `raw` from indices in `names` to indices in `wanted`."""
    label_of = {name: label for label, name in enumerate(wanted)}
    used = np.unique(raw.labels).tolist()
    if unknown := [names[label] for label in used if names[label] not in label_of]:
        more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        known_more = f" and {len(wanted) - 10} more" if len(wanted) > 10 else ""
        raise DatasetError(
            f"{raw.labels_from}: has images of class {unknown[0]!r}{more}, which the network does not know; it knows "
            f"{', '.join(wanted[:10])}{known_more}. Remove these images, or rename the classes as in the network"
        )
    # A table from old to new labels, applied to all labels at once; labels that do not occur stay 0.
    numbers = np.zeros(max(used) + 1, np.int64)
    numbers[used] = [label_of[names[label]] for label in used]
    return numbers[raw.labels]


def _read_content(
    name_or_path: str | os.PathLike[str], options: LoadOptions, converter: PictureConverter | None = None
) -> RawSplits:
    """Read the data at a path; raises `DatasetError` if there is none that can be read."""
    path = Path(name_or_path)
    is_folder = exists = False
    if str(name_or_path):  # an empty path would mean the current folder
        with suppress(OSError, ValueError):  # a name too long, a folder that may not be entered, a NUL
            is_folder, exists = path.is_dir(), path.exists()
    if not exists:
        name = str(name_or_path)
        if is_path(name):
            raise DatasetError(f"{name[:200]}: no such file or folder; check the path")
        hint = did_you_mean(name, DATASETS) or "; `convscope data list` prints the names; a path works too"
        raise DatasetError(f"{name[:200]!r}: no data set, file or folder has this name{hint}")
    read = read_folder if is_folder else read_file
    return read(path, options.image_size, skip_damaged=options.skip_damaged, converter=converter)


def make_portable(dataset: str | Path) -> str:
    """Make an argument of `load_dataset` valid in any folder: a path becomes absolute, a name stays."""
    return str(dataset) if dataset in DATASETS else str(Path(dataset).resolve())
