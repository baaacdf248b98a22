"""Open files of images that can stay on disk: plain IDX, `.npy`, and arrays that an `.npz` holds uncompressed.

Each function returns images that are read as they are needed, or None if the file must be read as a whole: because it
is small, compressed, or not an array of bytes. Headers are checked against the size of the file, as for reading.
"""

import math
import os
import struct
import zipfile
import zlib
from io import BufferedReader, BytesIO
from pathlib import Path

import numpy as np

from convscope.data.datasets.data_file import DataFileError, Images, open_data_file
from convscope.data.datasets.disk import images as disk
from convscope.data.datasets.readers import npz
from convscope.data.datasets.readers.idx import PACKED, read_plain_shape
from convscope.data.datasets.readers.unpack import ENCRYPTED

# The start of a member in a zip archive: signature, then at bytes 26 and 28 the lengths of its name and extra field.
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_LOCAL_MARK = b"PK\x03\x04"


def open_idx(path: str | os.PathLike[str]) -> Images | None:
    """Open the images (N, H, W, C) of a plain IDX file larger than `in_memory_bytes()`; None for any other file.

    Raises:
        DatasetError: if a file of that size is not a complete IDX file of unsigned bytes, or holds no images.
    """
    with open_data_file(Path(path)) as file:
        if _size(file) <= disk.in_memory_bytes() or _is_packed(file):
            return None
        shape = read_plain_shape(file)
        if len(shape) not in (3, 4):
            raise DataFileError(f"has the shape {shape}; images must be (N, H, W) or (N, H, W, C)")
        return _leave_on_disk(path, file.tell(), shape)


def open_npy(path: str | os.PathLike[str]) -> Images | None:
    """Open the images (N, H, W, C) of an `.npy` file larger than `in_memory_bytes()`; None for any other file.

    None too for arrays that only reading can convert or refuse: another type of number, Fortran order.

    Raises:
        DatasetError: if it is that large and damaged.
    """
    with open_data_file(Path(path)) as file:
        size = _size(file)
        if size <= disk.in_memory_bytes() or _is_packed(file):
            return None
        return _open_npy(path, file, 0, size, "it")


def open_npz_member(path: str | os.PathLike[str], name: str) -> Images | None:
    """Open the images (N, H, W, C) of the large array `name` that an `.npz` holds uncompressed.

    None if it is not larger than `in_memory_bytes()`, compressed, missing, or not suited (see `open_npy`).

    Raises:
        DatasetError: if it is that large and damaged, also by its checksum.
    """
    with open_data_file(Path(path)) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                info = archive.getinfo(f"{name}.npy")
        except (KeyError, *npz.DAMAGE):
            return None  # the reader says what is wrong
        if (
            info.file_size <= disk.in_memory_bytes()
            or info.compress_type != zipfile.ZIP_STORED
            or info.flag_bits & ENCRYPTED
        ):
            return None
        file.seek(min(max(info.header_offset, 0), _size(file)))
        start = file.read(_LOCAL_HEADER.size)
        if len(start) < _LOCAL_HEADER.size or not start.startswith(_LOCAL_MARK):
            raise DataFileError(
                f"{name} is not where the archive's table says; the archive is damaged, download it again"
            )
        # The extra field of this header may have another length than that of the archive's table at its end.
        _, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(start)
        offset = info.header_offset + _LOCAL_HEADER.size + name_bytes + extra_bytes
        if info.compress_size != info.file_size or offset + info.file_size > _size(file):
            raise DataFileError(f"{name} is incomplete; download the archive again")
        images = _open_npy(path, file, offset, info.file_size, name)
        # Checked once, here: later reads of parts of the file do not go through zipfile, which would check it.
        if images is not None and _checksum(file, offset, info.file_size) != info.CRC:
            raise DataFileError(f"{name} is damaged (its checksum differs); download the archive again")
        return images


def file_sha256(images: Images) -> str:
    """The SHA-256 of the whole file that `images` are read from."""
    assert disk.is_on_disk(images), "made here"
    return images.file_sha256


def _open_npy(path: str | os.PathLike[str], file: BufferedReader, offset: int, size: int, name: str) -> Images | None:
    """Open the images of the `.npy` in `size` bytes from `offset` on."""
    file.seek(offset)
    header = BytesIO(file.read(min(npz.MAX_HEADER_BYTES, size)))
    shape, fortran_order, dtype = npz.read_header(header, name)
    if dtype != np.uint8 or fortran_order or len(shape) not in (3, 4) or min(shape) < 1:
        return None
    promised, held = math.prod(shape), size - header.tell()
    if promised != held:
        raise DataFileError(
            f"{name} should contain {dtype} of shape {shape}, {promised:,} bytes, but {held:,} follow; it is damaged, "
            "download it again"
        )
    return _leave_on_disk(path, offset + header.tell(), shape)


def _leave_on_disk(path: str | os.PathLike[str], offset: int, shape: tuple[int, ...]) -> Images:
    count, height, width = shape[:3]
    channels = shape[3] if len(shape) == 4 else 1
    return disk.as_images(disk.DiskImages(Path(path), offset, (count, height, width, channels)))


def _size(file: BufferedReader) -> int:
    return os.fstat(file.fileno()).st_size


def _is_packed(file: BufferedReader) -> bool:
    return file.peek(max(map(len, PACKED))).startswith(PACKED)


def _checksum(file: BufferedReader, offset: int, size: int) -> int:
    file.seek(offset)
    checksum = 0
    while size > 0 and (piece := file.read(min(disk.BLOCK_BYTES, size))):
        checksum, size = zlib.crc32(piece, checksum), size - len(piece)
    return checksum
