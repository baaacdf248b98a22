"""Read a run's predictions for its test images from its `predictions.npz`, which may be damaged or hostile.

The file is a zip archive with a member for each array: `y_true.npy`, `y_pred.npy` and `y_prob.npy`. The header of a
member claims a type and a shape. A `check` compares them with what run.json says before any number is read, so a few
bytes that claim a billion numbers take no memory.
"""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.data.datasets.data_file import DataFileError, open_data_file, reason
from convscope.data.datasets.readers.npz import DAMAGE, read_member

Labels = NDArray[np.int64]


def read_labels_and_predictions(path: Path, num_images: int, num_classes: int) -> tuple[Labels, Labels]:
    """Read y_true and y_pred, (N,) int64 each, without the probabilities.

    Args:
        num_images: the expected N.
        num_classes: the expected K.

    Raises:
        DatasetError: if the file is missing, unreadable or no zip archive, lacks one of the two, or one is not N whole
            numbers from 0 to K - 1; memory stays bounded by what the file can hold.
    """
    with _open(path) as archive:
        return _labels(archive, "y_true", num_images, num_classes), _labels(archive, "y_pred", num_images, num_classes)


def read_predictions(path: Path, num_images: int, num_classes: int) -> tuple[Labels, Labels, NDArray[np.float32]]:
    """Read y_true and y_pred, (N,) int64 each, and y_prob, (N, K) float32.

    Raises:
        DatasetError: as `read_labels_and_predictions` does, or if a probability is not between 0 and 1.
    """
    with _open(path) as archive:
        y_true, y_pred = (_labels(archive, name, num_images, num_classes) for name in ("y_true", "y_pred"))
        return y_true, y_pred, _probabilities(archive, (num_images, num_classes))


@contextmanager
def _open(path: Path) -> Iterator[zipfile.ZipFile]:
    with open_data_file(path) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                yield archive
        except DAMAGE as error:
            raise DataFileError(
                f"is not a complete .npz archive ({reason(error)}); use another copy of the run"
            ) from error


def _labels(archive: zipfile.ZipFile, name: str, num_images: int, num_classes: int) -> Labels:
    rule = f"by run.json it must be {num_images:,} whole numbers"
    labels = _member(archive, name, (num_images,), "iu", rule).astype(np.int64)
    if labels.min() < 0 or labels.max() >= num_classes:
        raise DataFileError(
            f"{name} runs from {labels.min()} to {labels.max()}, but there are {num_classes} classes; "
            "use another copy of the run"
        )
    return labels


def _probabilities(archive: zipfile.ZipFile, expected: tuple[int, int]) -> NDArray[np.float32]:
    y_prob = _member(archive, "y_prob", expected, "f", f"it must be float32 of shape {expected}")
    if not ((y_prob >= 0) & (y_prob <= 1)).all():  # also for NaN
        raise DataFileError("y_prob is not between 0 and 1; use another copy of the run")
    return y_prob


def _member(archive: zipfile.ZipFile, name: str, expected: tuple[int, ...], kinds: str, rule: str) -> NDArray[Any]:
    """Read an array of the expected shape and of one of NumPy's kinds of types; "f" stands for float32 alone."""

    def check(name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        if shape != expected or dtype.kind not in kinds or (kinds == "f" and dtype != np.float32):
            raise DataFileError(f"{name} is {str(dtype)[:80]} of shape {shape}; {rule}, so use another copy of the run")

    if f"{name}.npy" not in archive.namelist():
        raise DataFileError(f"has no array {name}; use another copy of the run")
    return read_member(archive, name, check)
