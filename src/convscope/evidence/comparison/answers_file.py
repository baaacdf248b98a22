"""Read what a run answered to its test images from its `predictions.npz`, which may be damaged or hostile."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convscope.data.datasets.data_file import RefusedError, open_data_file
from convscope.data.datasets.readers.npz import DAMAGE, read_member


def read_answers(path: Path, num_images: int, num_classes: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return y_true and y_pred, (N,) int64 each; the probabilities are not read.

    Args:
        num_images: how many there must be, N.
        num_classes: what the labels must be below, K.

    Raises:
        DatasetError: if the file is missing, unreadable or no zip archive, lacks one of the two, or one is not N whole
            numbers from 0 to K - 1; memory stays bounded by what the file can hold.
    """

    def check(name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        if shape != (num_images,) or dtype.kind not in "iu":
            raise RefusedError(
                f"{name} is {str(dtype)[:80]} of shape {shape}; by run.json it must be {num_images:,} whole numbers, "
                "so use another copy of the run"
            )

    found = list[NDArray[np.int64]]()
    with open_data_file(path) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                for name in ("y_true", "y_pred"):
                    if f"{name}.npy" not in archive.namelist():
                        raise RefusedError(f"has no array {name}; use another copy of the run")
                    labels = read_member(archive, name, check).astype(np.int64)
                    if labels.min() < 0 or labels.max() >= num_classes:
                        raise RefusedError(
                            f"{name} runs from {labels.min()} to {labels.max()}, but there are {num_classes} classes; "
                            "use another copy of the run"
                        )
                    found.append(labels)
        except DAMAGE as error:
            reason = " ".join(str(error).split())[:100] or type(error).__name__
            raise RefusedError(f"is no whole .npz archive ({reason}); use another copy of the run") from error
    return found[0], found[1]
