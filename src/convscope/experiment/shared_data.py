"""Data for several processes of one machine, which map the images from one file instead of loading their own."""

import copy
from pathlib import Path

import numpy as np

from convscope.data.datasets import Dataset, Splits
from convscope.data.datasets.disk.images import is_on_disk


class SharedSplits:
    """Splits without their images, and the files that these lie in; it travels to another process of this machine."""

    def __init__(self, splits: Splits, folder: Path) -> None:
        """Write the images into `folder`, which stays for as long as processes open what is in it.

        Images that stay on disk are read from where they are.
        """
        self._options = splits.options
        self._parts = [_without_images(part, folder) for part in (splits.train, splits.test)]

    def open(self) -> Splits:
        """Return the splits, with images that all processes share."""
        train, test = (_with_images(part, path) for part, path in self._parts)
        return Splits(train, test, self._options)

    @property
    def sha256(self) -> tuple[str, str]:
        """The digests of the training and test images."""
        return self._parts[0][0].sha256, self._parts[1][0].sha256


_Part = tuple[Dataset, Path | None]


def _without_images(part: Dataset, folder: Path) -> _Part:
    if is_on_disk(part.images):
        return part, None
    _ = part.sha256, part.handwriting  # so that no process has to find them out again
    path = folder / f"{part.split}.npy"
    np.save(path, part.images)
    bare = copy.copy(part)
    object.__setattr__(bare, "images", None)
    return bare, path


def _with_images(part: Dataset, path: Path | None) -> Dataset:
    if path is None:
        return part
    whole = copy.copy(part)
    object.__setattr__(whole, "images", np.load(path, mmap_mode="r").view(np.ndarray))
    return whole


_opened: dict[tuple[str, str], Splits] = {}


def open_shared(shared: SharedSplits) -> Splits:
    """Return the splits, opened once in each process."""
    if shared.sha256 not in _opened:
        _opened.clear()
        _opened[shared.sha256] = shared.open()
    return _opened[shared.sha256]
