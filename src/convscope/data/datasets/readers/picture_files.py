"""Images that are picture files of their own, read into one array.

Names and the bytes behind them to (N, H, W, C). All must have one size, unless a size is asked for; if one has colours,
all get three channels.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from math import prod

import numpy as np

from convscope.base.averaging import average
from convscope.base.errors import DatasetError, ImageFileError
from convscope.data.datasets.data_file import Images, sealed
from convscope.data.datasets.disk.images import free_memory
from convscope.data.image_files import picture_size, read_picture

SIZES_SHOWN = 4


def read_pictures(
    names: Sequence[str],
    content_of: Callable[[str], bytes],
    called: Callable[[str], str],
    image_size: tuple[int, int] | None,
) -> tuple[Images, str]:
    """Return the images (N, H, W, C), read-only, and a SHA-256 over the names and the bytes of the files.

    Args:
        names: of the files, at least one.
        content_of: gives a file's bytes.
        called: gives what an error calls a file.
        image_size: (H, W) to average each picture to.

    Raises:
        DatasetError: naming the file that is no picture, or saying how many pictures have which size.
    """
    digest = hashlib.sha256()
    images: Images | None = None
    for place, name in enumerate(names):
        content = content_of(name)
        for part in (name.encode(errors="surrogateescape"), content):
            digest.update(len(part).to_bytes(8, "little"))
            digest.update(part)
        try:
            picture = read_picture(content, called(name))
        except ImageFileError as error:
            raise DatasetError(f"{error}") from error
        if image_size is not None:
            picture = average(picture, *image_size)
        if images is None:
            images = _room(len(names), picture.shape, called(name))
        if picture.shape[:2] != images.shape[1:3]:
            raise _sizes_differ(names, content_of, called)
        if picture.shape[2] > images.shape[3]:
            in_colour = _room(len(names), picture.shape, called(name))
            in_colour[:place] = images[:place]
            images = in_colour
        images[place] = picture
    assert images is not None, "there is at least one name"
    return sealed(images), digest.hexdigest()


def _room(count: int, shape: tuple[int, ...], called: str) -> Images:
    if count * prod(shape) <= free_memory():
        with suppress(MemoryError):
            return np.empty((count, *shape), np.uint8)
    raise DatasetError(
        f"{called}: {count:,} pictures of {shape[0]} × {shape[1]} pixels do not fit into memory; give a smaller image "
        "size (height and width) to resize them to"
    )


def _sizes_differ(
    names: Sequence[str], content_of: Callable[[str], bytes], called: Callable[[str], str]
) -> DatasetError:
    """Return the error that says how many pictures have which size, and an example of each."""
    sizes: Counter[tuple[int, int]] = Counter()
    example: dict[tuple[int, int], str] = {}
    for name in names:
        try:
            size = picture_size(content_of(name), called(name))
        except ImageFileError as error:
            return DatasetError(f"{error}")
        sizes[size] += 1
        example.setdefault(size, name)
    common = sizes.most_common(SIZES_SHOWN)
    shown = ", ".join(f"{count:,} of {size[0]} × {size[1]} (such as {example[size]!r})" for size, count in common)
    more = f" and {len(sizes) - SIZES_SHOWN:,} other sizes" if len(sizes) > SIZES_SHOWN else ""
    return DatasetError(
        f"{called(names[0])}: the pictures have different sizes: {shown}{more}; give an image size (height and width) "
        "to resize them to"
    )
