"""Images that stay in their file and are read in parts, as they are needed.

A file of more than `in_memory_bytes()` is not read when its data set is loaded. `DiskImages` then replaces the array:
it has an array's shape and returns arrays for indices. Code that needs all images goes over `blocks`. `disk/files.py`
decides which files can stay on disk.
"""

import hashlib
import os
import threading
import weakref
from collections.abc import Iterator
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, TypeGuard, cast

import numpy as np
from numpy.typing import NDArray

from convscope.base.errors import DatasetError
from convscope.data.datasets.data_file import Images

IN_MEMORY_VARIABLE = "CONVSCOPE_IN_MEMORY_BYTES"
PART_BYTES = 1 << 26
"""Parts up to this are read at once, however small `in_memory_bytes()` is, so that small samples are plain arrays."""
BLOCK_BYTES = 1 << 22  # a block: small enough for a processor's cache, large enough for a disk to read quickly
_WINDOW_BYTES = 1 << 20  # limit for a read that spans rows with gaps between them
_GAP_BYTES = 1 << 14  # reading over a gap of this size costs less than a second read
_UNKNOWN_MEMORY = 1 << 32  # assumed if the system does not say how much memory is free


def in_memory_bytes() -> int:
    """Get the size up to which a file of images is read into memory.

    It is $CONVSCOPE_IN_MEMORY_BYTES, or else a quarter of the memory that is free to this process now.

    Raises:
        DatasetError: if the variable is not a whole number of bytes.
    """
    text = os.environ.get(IN_MEMORY_VARIABLE, "")
    if not text:
        return free_memory() // 4
    if not (text.isascii() and text.isdigit()):
        raise DatasetError(f"{IN_MEMORY_VARIABLE} is {text!r}; it must be a whole number of bytes")
    return int(text)


def is_on_disk(images: object) -> "TypeGuard[DiskImages]":
    """True if these images are read from a file as they are needed."""
    return isinstance(images, DiskImages)


def blocks(images: "Images | DiskImages", max_bytes: int | None = None) -> Iterator[NDArray[np.uint8]]:
    """Yield all images (N, H, W, C) in order, in blocks of at most `max_bytes` (4 MiB); of an array, views."""
    step = max(1, (BLOCK_BYTES if max_bytes is None else max_bytes) // max(1, images.nbytes // len(images)))
    for start in range(0, len(images), step):
        yield images[start : start + step]


def count_memory_bytes(images: "Images | DiskImages") -> int:
    """Count the bytes of memory that images take; images on disk take only their row numbers."""
    if is_on_disk(images):
        return 0 if images.rows is None else images.rows.nbytes
    return images.nbytes


class DiskImages:
    """Images (N, H, W, C) uint8 in a file, or some of them in any order.

    An index gives an array: an image (H, W, C) for a number, several (n, H, W, C) for a slice, an array of numbers or a
    mask (N,). To read more than `in_memory_bytes()` at once is an error, since the machine would begin to swap. Several
    threads may read at once.

    Args:
        path: the path of the file, which stays open.
        offset: the byte at which the first image begins.
        shape: (N, H, W, C) as the file has them.
        rows: which of the file's images these are, in this order; by default all.

    Raises:
        DatasetError: if the file cannot be opened; from every method that reads, if it has changed or cannot be read.
    """

    def __init__(
        self,
        path: Path,
        offset: int,
        shape: tuple[int, int, int, int],
        rows: NDArray[np.integer[Any]] | None = None,
        file: "_File | None" = None,
    ) -> None:
        self._file = _File(path) if file is None else file
        self._offset, self._file_shape, self.rows = offset, shape, rows
        self.shape = (shape[0] if rows is None else len(rows), *shape[1:])
        self.dtype, self.ndim = np.dtype(np.uint8), 4
        self.image_bytes = shape[1] * shape[2] * shape[3]

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def path(self) -> Path:
        return self._file.path

    @property
    def size(self) -> int:
        return len(self) * self.image_bytes

    @property
    def nbytes(self) -> int:
        """The bytes of all images as an array, whether or not there is one."""
        return self.size

    def __repr__(self) -> str:
        return f"<{len(self):,} images of {self.shape[1:]} in {self.path}>"

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        first, rest = (key[0], key[1:]) if isinstance(key, tuple) and key else (key, ())
        if isinstance(first, int | np.integer):
            image: NDArray[np.uint8] = self.read(self._positions(np.array([first], np.int64)))[0]
            return image[rest] if rest else image
        if isinstance(first, slice):
            indices = range(*first.indices(len(self)))
            self._check_limit(len(indices))  # before `arange`, which allocates, too
            positions = np.arange(indices.start, indices.stop, indices.step)
        else:
            positions = self._positions(first)
            self._check_limit(len(positions))
        images = self.read(positions)
        return images[(slice(None), *rest)] if rest else images

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        for block in blocks(self):
            yield from block

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Read all images, unless they are larger than `in_memory_bytes()`."""
        if copy is False:
            raise ValueError(f"{self!r} cannot become an array without being read")
        return np.asarray(self[:], dtype)

    def take(self, indices: Any) -> Images:
        """Take the images at `indices` (n,), in that order: as an array if they are few, else still on disk."""
        positions = self._positions(indices)
        if len(positions) * self.image_bytes <= _max_read_bytes():
            return self.read(positions)
        rows = self.rows
        if rows is not None:
            rows = rows[positions]
        else:
            rows = positions.astype(np.uint32) if len(self) < 1 << 32 else positions  # half the memory
        return as_images(DiskImages(self.path, self._offset, self._file_shape, rows, self._file))

    def read(self, positions: NDArray[np.integer[Any]], out: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
        """Read the images at `positions` (n,), each from 0 to N - 1, in that order, into `out` (n, H, W, C).

        The file is read from front to back, whatever the order of `positions`, in groups of rows that are near to each
        other. Rows 3 4 5 | 900 901 903 are two groups: over the gap between them, a second read is cheaper. The first
        group is read straight into `out`. The second has a gap, so it is read with row 902 and then copied.
        """
        if out is None:
            out = np.empty((len(positions), *self.shape[1:]), np.uint8)
        rows = (positions if self.rows is None else self.rows[positions]).astype(np.int64)
        target = out.reshape(len(rows), self.image_bytes)
        order = None
        if (np.diff(rows) < 0).any():
            order = np.argsort(rows, kind="stable")
            rows = rows[order]
        steps = np.diff(rows)
        ends = np.append(np.flatnonzero((steps - 1) * self.image_bytes > _GAP_BYTES) + 1, len(rows))
        # The number of steps other than 1 before each row, in the example 0 0 0 | 1 1 2. If it is the same at both ends
        # of a group, the group has no gaps.
        num_gaps = np.concatenate([[0], np.cumsum(steps != 1)])
        begin = 0
        for end in ends.tolist():
            if order is None and end > begin and num_gaps[end - 1] == num_gaps[begin]:
                self._file.read(target[begin:end], self._offset + int(rows[begin]) * self.image_bytes)
            else:
                self._read_windows(rows, order, begin, end, target)
            begin = end
        self._file.check_unchanged()  # after reading: otherwise a file that changes meanwhile would go unnoticed
        return out

    def _read_windows(
        self, rows: NDArray[np.int64], order: NDArray[np.intp] | None, begin: int, end: int, target: NDArray[np.uint8]
    ) -> None:
        """Read `rows[begin:end]` of the file, ascending, with the gaps between them, and copy the rows to `target`.

        Each read is a window of at most `_WINDOW_BYTES`. If that is 4 rows, the rows 900 901 903 904 take two windows,
        900 to 903 and 904. `order` tells where each row belongs in `target`.
        """
        step = max(1, _WINDOW_BYTES // self.image_bytes)
        while begin < end:
            first = int(rows[begin])
            stop = begin + int(np.searchsorted(rows[begin:end], first + step))
            window = np.empty((int(rows[stop - 1]) - first + 1, self.image_bytes), np.uint8)
            self._file.read(window, self._offset + first * self.image_bytes)
            positions = slice(begin, stop) if order is None else order[begin:stop]
            target[positions] = window[rows[begin:stop] - first]
            begin = stop

    @property
    def file_sha256(self) -> str:
        """The SHA-256 of the whole file, whichever of its images these are."""
        return self._file.sha256

    @cached_property
    def pixel_range(self) -> tuple[int, int]:
        """The smallest and the largest value of any pixel."""
        low, high = 255, 0
        for block in blocks(self):
            low, high = min(low, int(block.min())), max(high, int(block.max()))
        return low, high

    def _positions(self, indices: Any) -> NDArray[np.int64]:
        """Convert indices, a mask or negative numbers to positions from 0 to N - 1, as NumPy does."""
        array = np.asarray(indices)
        if array.dtype == bool and array.shape == (len(self),):
            return np.flatnonzero(array)
        if array.size == 0:
            array = array.astype(np.int64)
        if array.ndim != 1 or array.dtype.kind not in "iu":
            raise IndexError(f"images on disk take a number, a slice or a list of numbers as index, not {indices!r}")
        if array.size and not -len(self) <= array.min() <= array.max() < len(self):
            raise IndexError(f"index {array.min()} to {array.max()} is out of bounds for {len(self)} images")
        array = array.astype(np.int64)
        return np.where(array < 0, array + len(self), array)

    def _check_limit(self, count: int) -> None:
        if count * self.image_bytes > _max_read_bytes():
            raise DatasetError(
                f"{self.path}: {count:,} images at once are {count * self.image_bytes:,} bytes, more than the limit "
                f"for memory; process them in parts, or set {IN_MEMORY_VARIABLE} to this number of bytes"
            )

    def __reduce__(self) -> tuple[Any, ...]:
        return DiskImages, (self.path, self._offset, self._file_shape, self.rows, self._file)


def as_images(images: DiskImages) -> Images:
    """Cast images on disk to the type of a data set's images, which they replace as far as indexing goes."""
    return cast(Images, images)


class _File:
    """A file that stays open and must stay as it is."""

    def __init__(self, path: Path, stamp: tuple[int, int] | None = None) -> None:
        self.path = path
        try:
            self._file = path.open("rb", buffering=0)
        except OSError as error:
            raise DatasetError(f"{path}: cannot be opened ({error.strerror}); check the path") from error
        # Closes the file when the last images that use it are gone, without a ResourceWarning.
        weakref.finalize(self, self._file.close)
        self._lock = threading.Lock()
        self.stamp = self._stamp() if stamp is None else stamp
        self.check_unchanged()

    def __reduce__(self) -> tuple[Any, ...]:
        # Another process opens the file for itself: a descriptor means nothing there.
        return _File, (self.path, self.stamp)

    def read(self, into: NDArray[np.uint8], offset: int) -> None:
        """Fill an array, contiguous in memory, with the bytes from `offset` on; several threads may read at once."""
        view, filled = into.reshape(-1).data, 0
        try:
            while filled < len(view):
                count = self._read_some(view[filled:], offset + filled)
                if not count:
                    raise self._change_error()
                filled += count
        except OSError as error:
            reason = error.strerror or error
            raise DatasetError(f"{self.path}: cannot be read ({reason}); check the disk or copy it again") from error

    def _read_some(self, view: memoryview, offset: int) -> int:
        if hasattr(os, "preadv"):
            return os.preadv(self._file.fileno(), [view], offset)
        with self._lock:  # without preadv (Windows), threads share the file's position
            self._file.seek(offset)
            return self._file.readinto(view) or 0

    def check_unchanged(self) -> None:
        if self._stamp() != self.stamp:
            raise self._change_error()

    @cached_property
    def sha256(self) -> str:
        digest, piece = hashlib.sha256(), np.empty(BLOCK_BYTES, np.uint8)
        size = self.stamp[0]
        for start in range(0, size, len(piece)):
            part = piece[: size - start]
            self.read(part, start)
            digest.update(part.data)
        self.check_unchanged()
        return digest.hexdigest()

    def _stamp(self) -> tuple[int, int]:
        """The file's size and time of change, which tell if it was written to since."""
        status = os.fstat(self._file.fileno())
        return status.st_size, status.st_mtime_ns

    def _change_error(self) -> DatasetError:
        return DatasetError(f"{self.path}: has changed since the data set was loaded; load it again")


def _max_read_bytes() -> int:
    return max(in_memory_bytes(), PART_BYTES)


@lru_cache(maxsize=1)
def _cgroup_files() -> tuple[Path, ...]:
    """List the files with the memory limits of this process's control group and of its parents."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ()
    files = list[Path]()
    for line in lines:
        _, controllers, name = line.split(":", 2)  # such as "0::/user.slice/a", or "5:memory:/docker/b" before
        group = Path(name.lstrip("/"))
        if not controllers:
            files += [Path("/sys/fs/cgroup") / part / "memory.max" for part in (group, *group.parents)]
        elif controllers == "memory":  # the older version, with a tree for each controller
            root = Path("/sys/fs/cgroup/memory")
            files += [root / part / "memory.limit_in_bytes" for part in (group, *group.parents)]
    return tuple(files)


def free_memory() -> int:
    """Estimate an upper bound of the bytes that this process may still take: the least of what the system says."""
    limits = []
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                limits.append(int(line.split()[1]) * 1024)
    except OSError:
        if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
            limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for path in _cgroup_files():
        try:
            text = path.read_text(encoding="ascii").strip()
        except OSError:
            continue
        if text.isdigit():  # the group's limit, not what is left of it; "max" is no bound
            limits.append(int(text))
    return min(limits, default=_UNKNOWN_MEMORY)
