"""Load the data of a run by name or path; arrays in memory must be passed again when the run is opened."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from convscope.base.errors import RunError
from convscope.data.datasets import Dataset, LoadOptions, Splits, as_dataset, load_splits, make_portable
from convscope.data.datasets.named.entries import OnProgress
from convscope.data.datasets.raw_splits import TEST_FRACTION, RawSplit, make_splits
from convscope.storage.records import RunData

DataChoice = Annotated[
    str | Path | Dataset | Splits | tuple[Any, Any],
    "a data set's name, a path, Splits, a Dataset, or a pair (X, y) of images and labels",
]

IN_MEMORY = ""
"""The name of arrays in memory in `run.json` and `RunSpec.dataset`."""


def load_data(data: DataChoice, options: LoadOptions, on_progress: OnProgress | None = None) -> tuple[str, Splits]:
    """Load the data of a run; also return the argument by which the run records them.

    Args:
        data: an argument of `load_dataset`, `Splits`, or a `Dataset` or pair (X, y), from which a test split is taken.
        options: those of loading, and of the test split.

    Raises:
        DatasetError: as `load_dataset` does.
        ValueError: if `options` do not apply to `data`, or a pair is no data set.
        TypeError: if `data` has another type.
    """
    if isinstance(data, Splits):
        if options.test_fraction is not None or options.image_size is not None:
            raise ValueError(
                "test_fraction and image_size are for data without a test split; leave them out for Splits"
            )
        return IN_MEMORY, Splits(_name_split(data.train, "train"), _name_split(data.test, "test"))
    if not isinstance(data, str | Path):
        data = as_dataset(data, "data")
        # As a file with training images alone, from which `make_splits` takes the test split.
        raw = RawSplit(data.images, data.labels, data.name, data.name, data.source, None, data.files, data.weights)
        return IN_MEMORY, make_splits(data.name, raw, None, data.class_names, options)
    return make_portable(data), load_splits(data, options, on_progress)


def _name_split(dataset: Dataset, split: str) -> Dataset:
    return dataset if dataset.split == split else replace(dataset, split=split)


def loading_words(options: LoadOptions) -> list[str]:
    """Write loading options as arguments of a command."""
    words = list[str]()
    if options.test_fraction not in (None, TEST_FRACTION):
        words += ["--test-fraction", f"{options.test_fraction:g}"]
    if options.image_size is not None:
        words += ["--image-size", "{}x{}".format(*options.image_size)]
    return [*words, "--skip-damaged"] if options.skip_damaged else words


def load_again(
    recorded: RunData, path: Path, data: DataChoice | None = None, on_progress: OnProgress | None = None
) -> Splits:
    """Load the data of the run at `path` again, and check that they are still the same.

    Args:
        recorded: the `dataset` of `run.json`.
        data: the arrays, if the run was made from arrays in memory.

    Raises:
        RunError: if the data have changed, or the run was made from arrays and `data` is None.
        DatasetError: if the data cannot be loaded any more.
    """
    splits = read_again(recorded, path, data, on_progress)
    name = recorded.argument if data is None else "data"
    for part in (splits.train, splits.test):
        if part.sha256 != getattr(recorded, part.split).sha256:
            raise RunError(
                f"{name}: the {part.split} images, labels or weights have changed since {path} was made; restore them, "
                "or start a new run"
            )
    return splits


def read_again(
    recorded: RunData, path: Path, data: DataChoice | None = None, on_progress: OnProgress | None = None
) -> Splits:
    """Load the data of the run at `path` again, whether or not they have changed; otherwise as `load_again`."""
    options = recorded.options
    if data is None and recorded.argument == IN_MEMORY:
        raise RunError(
            f"{path}: was made from arrays, and the folder keeps only their digests; open it in Python with the "
            f"same data: cs.open_run({str(path)!r}, data=...)"
        )
    if isinstance(data, Splits):
        options = LoadOptions()  # they have a test split already, and `load_data` refuses options for it
    return load_data(recorded.argument if data is None else data, options, on_progress)[1]
