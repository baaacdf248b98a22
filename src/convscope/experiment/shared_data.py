"""Share images between processes of one machine, which map them from one file instead of loading them.

On Linux the file has no name. Other processes open it as /proc/PID/fd/NUMBER, by the id of the process that wrote it
and the number of the open file there. The system deletes it when that process ends in any way. On other systems it is a
file in a temporary folder.
"""

import copy
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from convscope.base.errors import ConvscopeError
from convscope.data.datasets import Dataset, Splits
from convscope.data.datasets.disk.images import is_on_disk

_Part = tuple[Dataset, Path | None]
"""A data set without its images and the file that has them, or a data set that is on disk anyway and None."""


class SharedSplits:
    """Splits without their images, and the files with the images, to send to another process of this machine."""

    def __init__(self, splits: Splits, files: ExitStack) -> None:
        """Write the images in memory to temporary files, which exist until `files` is closed."""
        self._options = splits.options
        self._parts = [_without_images(part, files) for part in (splits.train, splits.test)]

    def open(self) -> Splits:
        """Open the splits with the shared images."""
        train, test = (_with_images(part, path) for part, path in self._parts)
        return Splits(train, test, self._options)

    @property
    def sha256(self) -> tuple[str, str]:
        """The digests of the training and test images."""
        return self._parts[0][0].sha256, self._parts[1][0].sha256


@contextmanager
def share(splits: Splits) -> Iterator[SharedSplits]:
    """Share splits with other processes until the block ends.

    Raises:
        ConvscopeError: if the images do not fit into the folder of temporary files.
    """
    with ExitStack() as files:
        try:
            shared = SharedSplits(splits, files)
        except OSError as error:
            raise ConvscopeError(
                f"{tempfile.gettempdir()}: cannot hold a copy of the images for the processes "
                f"({error.strerror or error}); free some space, or set TMPDIR to another folder"
            ) from error
        yield shared


def _without_images(part: Dataset, files: ExitStack) -> _Part:
    """Write the images of `part` to a file, and copy the rest of it."""
    if is_on_disk(part.images):
        return part, None
    _ = part.sha256, part.handwriting  # cached properties, computed here once instead of in each process
    handles = Path(f"/proc/{os.getpid()}/fd")
    if handles.is_dir():  # on Linux
        file = files.enter_context(tempfile.TemporaryFile(buffering=0))  # noqa: SIM115
        path = handles / str(file.fileno())
        np.save(file, part.images)
    else:
        folder = tempfile.TemporaryDirectory(prefix="convscope-", ignore_cleanup_errors=True)
        path = Path(files.enter_context(folder)) / "images.npy"
        np.save(path, part.images)
    bare = copy.copy(part)
    object.__setattr__(bare, "images", None)  # not by `replace`, which would check the lengths and drop the digests
    return bare, path


def _with_images(part: Dataset, path: Path | None) -> Dataset:
    if path is None:
        return part
    whole = copy.copy(part)
    # As a plain array on the mapped memory, since other code expects no `memmap`.
    object.__setattr__(whole, "images", np.load(path, mmap_mode="r").view(np.ndarray))
    return whole


_opened: dict[tuple[str, str], Splits] = {}  # the splits opened last, by `SharedSplits.sha256`


def open_shared(shared: SharedSplits) -> Splits:
    """Open shared splits, once in each process."""
    if shared.sha256 not in _opened:
        _opened.clear()
        _opened[shared.sha256] = shared.open()
    return _opened[shared.sha256]
