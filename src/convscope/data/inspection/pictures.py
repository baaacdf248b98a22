"""Pack small pictures of the images that an audit names."""

from collections.abc import Iterable, Sequence
from typing import Annotated

import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from convscope.base.packing import Packed, RowPacker
from convscope.base.records import Count, Record
from convscope.data.datasets import Splits

LARGEST = 32
"""Largest height and width of a picture in pixels; a larger image is shrunk by a whole factor."""

SplitName = Annotated[str, Meta(pattern="^(train|test)$", max_length=5)]
PicturePlace = tuple[str, int]
"""A split's name, "train" or "test", and an index in it."""


class PicturesRecord(Record, kw_only=True):
    """Small pictures (P, H, W, C), packed, of images by split and index."""

    splits: tuple[SplitName, ...]
    indices: tuple[Count, ...]
    images: Packed

    def __post_init__(self) -> None:
        count, shape = len(self.splits), self.images.shape
        if count != len(self.indices) or len(shape) != 4 or shape[0] != count or not all(shape[1:]):
            raise ValueError(f"{count} splits, {len(self.indices)} indices and images of the shape {shape} do not fit")


def take_pictures(splits: Splits, named: Iterable[PicturePlace], max_bytes: int) -> PicturesRecord:
    """Pack pictures of the `named` images, each once, in the order in which they are first named.

    Args:
        max_bytes: limit for their JSON; the pictures beyond it are left out.
    """
    distinct = list(dict.fromkeys(named))
    images = [
        np.asarray((splits.train if split == "train" else splits.test).images[index]) for split, index in distinct
    ]
    shape = splits.image_shape
    packed = RowPacker(shrink(images, shape)).pack(max_bytes)
    shown = distinct[: packed.shape[0]]
    return PicturesRecord(
        splits=tuple(split for split, _ in shown), indices=tuple(index for _, index in shown), images=packed
    )


def shrink(
    images: Sequence[NDArray[np.uint8]], shape: tuple[int, int, int], largest: int = LARGEST
) -> NDArray[np.uint8]:
    """Shrink images of `shape` (H, W, C) to (N, h, w, C), at most `largest` pixels a side, by means of squares."""
    from PIL import Image  # here and not above: only this needs it

    factor = -(-max(shape[:2]) // largest)  # rounded up, as the sides below
    small = (-(-shape[0] // factor), -(-shape[1] // factor), shape[2])
    shrunk = np.empty((len(images), *small), np.uint8)
    for number, image in enumerate(images):
        for channel in range(shape[2]):
            shrunk[number, ..., channel] = np.asarray(Image.fromarray(image[..., channel]).reduce(factor))
    return shrunk
