"""A data set by its name, or from a folder or file of one's own."""

import os
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path

from convscope.datasets.dataset import LoadOptions, Splits
from convscope.datasets.halves import file_name, make_splits
from convscope.datasets.named.catalogue import DATASETS, find_entry, read_entry
from convscope.datasets.named.entries import OnProgress
from convscope.datasets.readers.formats import read_file, read_folder
from convscope.errors import DatasetError


def load_dataset(
    name_or_path: str | os.PathLike[str],
    *,
    test_fraction: float | None = None,
    seed: int = 0,
    image_size: tuple[int, int] | None = None,
    on_progress: OnProgress | None = None,
) -> Splits:
    """Load a data set, by its name or from a folder or file of one's own.

    Args:
        name_or_path: a name in `DATASETS`; or a folder or zip archive of IDX files (plain, gzip, xz or zip), Parquet or
            CSV files, `.npy` arrays, pictures in a folder for each class, or a table of their names and labels; or an
            `.npz`, Parquet or CSV file alone. docs/datasets.md shows each. A name comes first: a folder of that name is
            reached as `./name`.
        test_fraction: share of each class that is cut off as the test split, where the source has none; a fifth unless
            told otherwise.
        seed: which images are cut off.
        image_size: (H, W) of all images: pictures of other sizes are averaged to it, and rows of pixels cut into it.
        on_progress: called as `on_progress(file, bytes_so_far, bytes_in_all_or_None)` while something is fetched.

    Returns:
        both splits: images (N, H, W, C) uint8, labels (N,); read-only. Classes are called as text labels and folders
        are, in natural order; numbers in arrays and IDX files are "0" to the highest. `Splits.options` has what to pass
        to get the same again.

    Raises:
        DatasetError: if there is no such name or path, a file is missing, damaged or not as its digest says, the counts
            of images and labels differ, the images have several sizes, a label is out of range, or the source has a
            test split beside which another is asked for.
        ValueError: if `test_fraction` is not between 0 and 1, or `image_size` is not of two numbers from 1 to 4,096.

    Example:
        >>> data = load_dataset("mnist")
        >>> data.train.images.shape, data.train.class_names[data.train.labels[0]]
        ((60000, 28, 28, 1), '5')
    """
    options = LoadOptions(test_fraction, seed, image_size)
    entry = find_entry(name_or_path)
    if entry is not None:
        return read_entry(entry, options, on_progress=on_progress)
    path = Path(name_or_path)
    is_folder = exists = False
    if str(name_or_path):  # an empty path would mean the current folder
        with suppress(OSError, ValueError):  # a name too long, a folder that may not be entered, a NUL
            is_folder, exists = path.is_dir(), path.exists()
    if not exists:
        raise DatasetError(_unknown(str(name_or_path)))
    parts = read_folder(path, options.image_size) if is_folder else read_file(path, options.image_size)
    return make_splits(file_name(path), parts.train, parts.test, parts.class_names, options)


def _unknown(name: str) -> str:
    meant = get_close_matches(name, DATASETS, n=1)
    hint = f"did you mean {meant[0]!r}" if meant else "see the names with `convscope data list`"
    return (
        f"{name[:200]!r} is neither the name of a data set nor a folder or file that can be read; {hint}, or give a "
        "path"
    )
