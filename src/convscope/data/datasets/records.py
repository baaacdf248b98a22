"""Records of data sets, as in run.json and in the output of commands, and the options with which they were loaded."""

from typing import Annotated, Any

import numpy as np
from msgspec import Meta
from msgspec.structs import force_setattr

from convscope.base.arguments import check_seed, convert
from convscope.base.records import Count, Record, Sha256


class SourceFile(Record):
    """A file that a data set was read from, with the SHA-256 of its uncompressed bytes (of an archive: as it is).

    Attributes:
        num_damaged: damaged pictures of a folder, archive or table that were left out.
        damaged: the files of the first 200 of them.
    """

    name: str
    sha256: str
    num_damaged: Count = 0
    damaged: tuple[str, ...] = ()


class SplitRecord(Record, kw_only=True):
    """One split of a data set without its pixels; the attributes are those of `Dataset`."""

    name: str
    split: str
    num_images: Count
    image_shape: tuple[Count, Count, Count]
    image_dtype: str
    label_dtype: str
    pixel_range: tuple[Count, Count]
    class_names: tuple[str, ...]
    class_counts: tuple[Count, ...]
    sha256: Sha256
    source: tuple[SourceFile, ...]


MAX_SIDE = 4096
"""Largest height and width, in pixels, of images that a network may read."""

_Side = Annotated[int, Meta(ge=1, le=MAX_SIDE)]


class LoadOptions(Record):
    """The options of `load_dataset`, with which it gives the same data again.

    Attributes:
        test_fraction: fraction of each class that was split off for tests; None if the data have a test split.
        seed: chose which images were split off.
        image_size: (H, W) to which images were resized; None if they are as in the file.
        skip_damaged: whether pictures that cannot be read are left out.

    Raises:
        ValueError: if the fraction is not between 0 and 1, or a side of the size is not from 1 to 4,096.
    """

    test_fraction: Annotated[float, Meta(gt=0, lt=1)] | None = None
    seed: Count = 0
    image_size: tuple[_Side, _Side] | None = None
    skip_damaged: bool = False

    def __post_init__(self) -> None:
        fraction, size = self.test_fraction, self.image_size
        if fraction is not None and not (isinstance(fraction, int | float) and 0 < fraction < 1):
            raise ValueError(f"test_fraction is {fraction!r}; it must lie between 0 and 1")
        # The record is frozen; numbers of NumPy become Python's, which JSON can hold.
        force_setattr(self, "seed", check_seed(self.seed))
        convert(self.skip_damaged, bool, "skip_damaged")
        if size is not None:
            if not isinstance(size, tuple | list) or len(size) != 2 or not all(map(_is_side, size)):
                raise ValueError(f"image_size is {size!r}; it must be (height, width), each from 1 to {MAX_SIDE:,}")
            force_setattr(self, "image_size", (int(size[0]), int(size[1])))


def _is_side(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and 1 <= int(value) <= MAX_SIDE


class SplitsRecord(Record, kw_only=True):
    """Both splits of a data set without their pixels; the attributes are those of `Splits`."""

    name: str
    train: SplitRecord
    test: SplitRecord
    options: LoadOptions
