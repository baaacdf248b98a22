"""Read picture files into an array (N, H, W, C).

All must have the same size, unless `image_size` is given or the folder has a converter. If a picture has colours, all
get three channels.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from math import prod

import numpy as np
from numpy.typing import NDArray

from convscope.base.averaging import average
from convscope.base.errors import DatasetError, ImageFileError
from convscope.data.datasets.data_file import Images, seal
from convscope.data.datasets.disk.images import free_memory
from convscope.data.datasets.readers.containers import Container
from convscope.data.datasets.records import SourceFile
from convscope.data.image_files import Picture, picture_size, read_picture

SIZES_SHOWN = 4  # sizes that an error lists, the most frequent first
DAMAGED_SHOWN = 10
"""Damaged pictures that an error names."""
_MAX_DAMAGED = 200  # damaged pictures that the record lists


@dataclass(frozen=True)
class PictureFiles:
    """Pictures that were read.

    Attributes:
        images: (n, H, W, C), read-only.
        kept: (n,) rising, the indices of their names among all names.
        files: (n,) their names as valid text.
        source: the digest over names and bytes of these files, and which files are damaged.
    """

    images: Images
    kept: NDArray[np.intp]
    files: tuple[str, ...]
    source: SourceFile


def read_pictures(
    folder: Container, names: Sequence[str], image_size: tuple[int, int] | None, source_name: str
) -> PictureFiles:
    """Read pictures of a folder or archive.

    Args:
        folder: the folder or archive, which tells whether damaged pictures are left out.
        names: the names of the files, at least one.
        image_size: (H, W) to average each picture to.
        source_name: the name of these pictures together.

    Raises:
        DatasetError: naming the files that are no picture, or saying how many pictures have which size.
    """
    converter = folder.converter
    convert: Callable[[Picture], Picture] | None = None
    if image_size is not None:
        convert = partial(average, height=image_size[0], width=image_size[1])
    with folder.open() as read_content:
        if converter and convert is None and not _all_have_size(converter.size, folder, names, read_content):
            convert, converter = converter.convert, None  # one at a time, since photos of a folder may fill the memory
        images, kept, sha256 = _read_pictures(folder, names, read_content, convert)
    if converter and not converter.fits(images):
        images = seal(np.stack([converter.convert(image) for image in images]))
    # Python keeps bytes of a name that are not UTF-8 as surrogates, which JSON files cannot hold.
    texts = [name.encode(errors="surrogateescape").decode(errors="replace") for name in names]
    damaged = tuple(texts[index] for index in np.setdiff1d(np.arange(len(names)), kept)[:_MAX_DAMAGED])
    source = SourceFile(source_name, sha256, len(names) - len(kept), damaged)
    return PictureFiles(images, kept, tuple(texts[index] for index in kept), source)


def _read_pictures(
    folder: Container,
    names: Sequence[str],
    read_content: Callable[[str], bytes],
    convert: Callable[[Picture], Picture] | None,
) -> tuple[Images, NDArray[np.intp], str]:
    """Read pictures by their names with `read_content`: images, indices of their names, and digest (`PictureFiles`).

    The first picture tells the shape, and `images` gets a place for every name at once; damaged ones leave places free
    at the end. If a picture in colours comes after grey ones, `images` is replaced by one with three channels.
    """
    digest = hashlib.sha256()
    images: Images | None = None
    kept, damaged = list[int](), list[str]()
    for index, content, picture in _decode(folder, names, read_content, damaged):
        for part in (names[index].encode(errors="surrogateescape"), content):
            # With its length: without it, name "a" with content "bc" and "ab" with "c" would have the same digest.
            digest.update(len(part).to_bytes(8, "little"))
            digest.update(part)
        position = len(kept)
        kept.append(index)
        if convert is not None:
            picture = convert(picture)
        if images is None:
            images = _allocate(len(names), picture.shape, folder.describe(names[index]))
        if picture.shape[:2] != images.shape[1:3]:
            raise _describe_sizes(folder, names, read_content)
        if picture.shape[2] > images.shape[3]:  # grey ones are repeated in each channel
            in_colour = _allocate(len(names), picture.shape, folder.describe(names[index]))
            in_colour[:position] = images[:position]
            images = in_colour
        images[position] = picture
    if damaged and (images is None or not folder.skip_damaged):
        raise _describe_damage(damaged, len(names))
    assert images is not None, "there is at least one name"
    return seal(images[: len(kept)]), np.array(kept, dtype=np.intp), digest.hexdigest()


def _all_have_size(
    size: tuple[int, int], folder: Container, names: Sequence[str], read_content: Callable[[str], bytes]
) -> bool:
    """True if the headers of all pictures state `size`; damaged pictures are reported later."""
    for name in names:
        with suppress(DatasetError, ImageFileError):
            if picture_size(read_content(name), folder.describe(name)) != size:
                return False
    return True


def _decode(
    folder: Container, names: Sequence[str], read_content: Callable[[str], bytes], damaged: list[str]
) -> Iterator[tuple[int, bytes, Picture]]:
    """Yield (index of its name, bytes of the file, pixels) of each picture, and add the errors of others to `damaged`.

    If damaged pictures are not left out, none is yielded after the first of them: the rest is only read to find them
    all for the error.
    """
    for index, name in enumerate(names):
        try:
            content = read_content(name)
            picture = read_picture(content, folder.describe(name))
        except (DatasetError, ImageFileError) as error:
            damaged.append(str(error))
            continue
        if not damaged or folder.skip_damaged:
            yield index, content, picture


def _describe_damage(errors: Sequence[str], count: int) -> DatasetError:
    """Make the error that lists the pictures that cannot be read, the first of them by name."""
    if len(errors) == count:
        return DatasetError(f"none of the {count:,} pictures can be read: {errors[0]}")
    if len(errors) == 1:
        return DatasetError(f"{errors[0]}; or leave it out with `skip_damaged`")
    more = [f"and {len(errors) - DAMAGED_SHOWN:,} more"] if len(errors) > DAMAGED_SHOWN else []
    return DatasetError(
        f"{len(errors):,} of {count:,} pictures cannot be read; replace or remove them, or leave them out with "
        "`skip_damaged`:",
        *errors[:DAMAGED_SHOWN],
        *more,
    )


def _allocate(count: int, shape: tuple[int, ...], called: str) -> Images:
    # Compared before allocating: Linux grants more memory than there is, and ends the process when it is used.
    if count * prod(shape) <= free_memory():
        with suppress(MemoryError):
            return np.empty((count, *shape), np.uint8)
    raise DatasetError(
        f"{called}: {count:,} pictures of {shape[0]} × {shape[1]} pixels do not fit into memory; give a smaller image "
        "size (height and width) to resize them to"
    )


def _describe_sizes(folder: Container, names: Sequence[str], read_content: Callable[[str], bytes]) -> DatasetError:
    """Make the error that lists the sizes of the pictures, each with its number and an example."""
    sizes: Counter[tuple[int, int]] = Counter()
    example: dict[tuple[int, int], str] = {}
    for name in names:
        try:
            size = picture_size(read_content(name), folder.describe(name))
        except (DatasetError, ImageFileError):  # a damaged picture, which was left out
            continue
        sizes[size] += 1
        example.setdefault(size, name)
    common = sizes.most_common(SIZES_SHOWN)
    shown = ", ".join(f"{count:,} of {size[0]} × {size[1]} (such as {example[size]!r})" for size, count in common)
    more = f" and {len(sizes) - SIZES_SHOWN:,} other sizes" if len(sizes) > SIZES_SHOWN else ""
    return DatasetError(
        f"{folder.describe(names[0])}: the pictures have several sizes (height × width): {shown}{more}; resize them "
        "all with `image_size`, such as 28x28"
    )
