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
from numpy.typing import NDArray

from convscope.base.averaging import average
from convscope.base.errors import DatasetError, ImageFileError
from convscope.data.datasets.data_file import Images, sealed
from convscope.data.datasets.disk.images import free_memory
from convscope.data.image_files import picture_size, read_picture

SIZES_SHOWN = 4
DAMAGED_SHOWN = 10
"""How many damaged pictures an error names."""


def read_pictures(
    names: Sequence[str],
    content_of: Callable[[str], bytes],
    called: Callable[[str], str],
    image_size: tuple[int, int] | None,
    skip_damaged: bool = False,
) -> tuple[Images, NDArray[np.intp], str]:
    """Return the images (n, H, W, C), read-only, the places (n,) of their names, and a SHA-256.

    The digest is over the names and the bytes of these files.

    Args:
        names: of the files, at least one.
        content_of: gives a file's bytes.
        called: gives what an error calls a file.
        image_size: (H, W) to average each picture to.
        skip_damaged: whether files that are no picture are left out.

    Raises:
        DatasetError: naming the files that are no picture, or saying how many pictures have which size.
    """
    digest = hashlib.sha256()
    images: Images | None = None
    kept, damaged = list[int](), list[str]()
    for index, name in enumerate(names):
        try:
            content = content_of(name)
            picture = read_picture(content, called(name))
        except (DatasetError, ImageFileError) as error:
            damaged.append(str(error))
            continue
        if damaged and not skip_damaged:  # only the other errors are still wanted
            continue
        for part in (name.encode(errors="surrogateescape"), content):
            digest.update(len(part).to_bytes(8, "little"))
            digest.update(part)
        place = len(kept)
        kept.append(index)
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
    if damaged and (images is None or not skip_damaged):
        raise _damage_error(damaged, len(names))
    assert images is not None, "there is at least one name"
    return sealed(images[: len(kept)]), np.array(kept, dtype=np.intp), digest.hexdigest()


def _damage_error(errors: Sequence[str], count: int) -> DatasetError:
    """Return the error that lists the pictures that cannot be read, the first of them by name."""
    if len(errors) == count:
        return DatasetError(f"none of the {count:,} pictures can be read: {errors[0]}")
    advice = "replace or remove them, or leave them out with `skip_damaged`"
    if len(errors) == 1:
        return DatasetError(f"{errors[0]}; or leave it out with `skip_damaged`")
    more = f"; and {len(errors) - DAMAGED_SHOWN:,} more" if len(errors) > DAMAGED_SHOWN else ""
    return DatasetError(
        f"{len(errors):,} of {count:,} pictures cannot be read ({'; '.join(errors[:DAMAGED_SHOWN])}{more}); {advice}"
    )


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
        except (DatasetError, ImageFileError):  # it was left out
            continue
        sizes[size] += 1
        example.setdefault(size, name)
    common = sizes.most_common(SIZES_SHOWN)
    shown = ", ".join(f"{count:,} of {size[0]} × {size[1]} (such as {example[size]!r})" for size, count in common)
    more = f" and {len(sizes) - SIZES_SHOWN:,} other sizes" if len(sizes) > SIZES_SHOWN else ""
    return DatasetError(
        f"{called(names[0])}: the pictures have several sizes (height × width): {shown}{more}; resize them all with "
        "`image_size`, such as 28x28"
    )
